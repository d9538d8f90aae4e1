package gateway

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &journalLog{}
		d := NewDigest(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})), 2, 10*time.Second)
		lines := func(want ...string) {
			t.Helper()
			if got := log.String(); got != strings.Join(append(want, ""), "\n") {
				t.Errorf("the log holds\n%swant\n%s", got, strings.Join(want, "\n"))
			}
			log.reset()
		}
		a := netip.MustParseAddr("192.0.2.1")
		d.Note("refused", a, "why", "one")
		d.Note("refused", a)
		for i := range 430 {
			d.Note("refused", netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i%12)), "why", "never shown")
		}
		d.Note("another", a)
		lines(`level=INFO msg=refused client=192.0.2.1 why=one`, `level=INFO msg=refused client=192.0.2.1`, `level=INFO msg=another client=192.0.2.1`)
		<-time.After(10 * time.Second)
		synctest.Wait()
		lines(`level=INFO msg=refused more=430 addresses=12 within=10s`)
		d.Note("refused", a)
		lines()
		<-time.After(10 * time.Second)
		synctest.Wait()
		lines(`level=INFO msg=refused more=1 addresses=1 within=10s`)
		<-time.After(10 * time.Second) // a stretch in which nothing happens ends it
		synctest.Wait()
		d.Note("refused", a)
		lines(`level=INFO msg=refused client=192.0.2.1`)
		<-time.After(time.Minute)
		synctest.Wait()
		lines()
		if len(d.kinds) != 0 {
			t.Errorf("%d kinds are kept", len(d.kinds))
		}
		(*Digest)(nil).Note("to nobody", a)
	})
}
