package feed_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/messages"
)

// hostile are documents of almost 15 MiB, each made to cost as much as it can.
func hostile() map[string]func() string {
	const size = 15<<20 - 4096
	fill := func(head, unit, tail string) string {
		return head + strings.Repeat(unit, (size-len(head)-len(tail))/len(unit)) + tail
	}
	unique := func(head, format, tail string) string {
		var b strings.Builder
		b.WriteString(head)
		for n := 0; b.Len() < size-len(tail)-50_000; n++ {
			fmt.Fprintf(&b, format, n, n)
		}
		return b.String() + tail
	}
	const rss, end = `<rss version="2.0"><channel><title>T</title>`, `</channel></rss>`
	return map[string]func() string{
		"one author": func() string { return fill(rss+`<item><title>t</title><author>`, "&lt;a ", `</author></item>`+end) },
		"one id":     func() string { return fill(rss+`<item><title>t</title><guid>`, "x", `</guid></item>`+end) },
		"one tag": func() string {
			return fill(rss+`<item><title>t</title><category>`, "&lt;b &lt;/b", `</category></item>`+end)
		},
		"one title": func() string { return fill(rss+`<item><title>`, "&lt;b&gt;x", `</title></item>`+end) },
		"elements of one": func() string {
			return fill(rss+`<item><title>t</title>`+strings.Repeat("<a b='c'>d</a>", 190_000), "x", `</item>`+end)
		},
		"items of much": func() string {
			return unique(rss, `<item><guid>%d</guid><title>some words %d</title><description><![CDATA[<p>`+strings.Repeat("word ", 8_000)+`</p>]]></description></item>`, end)
		},
		"items without words": func() string {
			return unique(rss, `<item><a>%d</a><b>%d</b><c x="y"/>`+strings.Repeat(" ", 60)+`</item>`, end)
		},
		"tombstones": func() string {
			return unique(rss, `<at:deleted-entry ref="%d" when="2026-03-04T12:00:00Z"/>%d`+strings.Repeat(" ", 60), end)
		},
		"namespaces": func() string {
			return fill(`<rss version="2.0"`+namespaces(250)+`><channel><title>T</title><item><title>t</title></item>`, "<a:b/>"+strings.Repeat(" ", 80), end)
		},
		"another encoding": func() string {
			return fill(`<?xml version="1.0" encoding="windows-1251"?>`+rss+`<item><guid>1</guid><title>t</title><description>`, "\xc0\xe0\xff ", `</description></item>`+end)
		},
		"JSON items": func() string {
			return unique(`{"version":"https://jsonfeed.org/version/1.1","items":[`, `{"id":"%d","title":"t %d","content_text":"`+strings.Repeat("word ", 150)+`"},`, `{"id":"x","title":"t"}]}`)
		},
		"JSON escapes": func() string {
			return fill(`{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","title":"`, `\u00e9`, `"}]}`)
		},
	}
}

func namespaces(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` xmlns:n%d="u:%d"`, i, i)
	}
	return b.String()
}

// slowly: the race detector is on. It makes these tests take minutes and the
// heap several times as large; what they run is run by others under it.
var slowly bool

// peak is how much more the heap held at its fullest while run ran, garbage
// and all, in bytes.
func peak(run func()) uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	before, most := sample[0].Value.Uint64(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			if now := sample[0].Value.Uint64(); now > before {
				most = max(most, now-before)
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	run()
	close(stop)
	<-done
	return most
}

// failed: a warning failed nothing.
func failed(err error) bool {
	var w *feed.Warning
	return err != nil && !errors.As(err, &w)
}

// TestOneHostile: whatever 15 MiB hold, reading them takes a few times that.
func TestOneHostile(t *testing.T) {
	if slowly {
		t.Skip("the race detector multiplies memory: the bound is held without it")
	}
	const bound = 128 << 20
	for name, document := range hostile() {
		body := []byte(document())
		var drafts []*messages.Event
		got := peak(func() { drafts, _ = feed.Drafts(body, "") })
		if got > bound {
			t.Errorf("%s: %d MiB, at most %d are allowed", name, got>>20, bound>>20)
		}
		size := 0
		for _, d := range drafts {
			size += proto.Size(d)
		}
		if size > 10<<20 {
			t.Errorf("%s: drafts of %d MiB", name, size>>20)
		}
	}
}

// TestManyHostile: 32 polls at once, which is all that a node makes, of
// documents of 15 MiB stay below one figure. Small feeds are read at the same
// time, and a large one afterwards.
func TestManyHostile(t *testing.T) {
	if slowly {
		t.Skip("the race detector multiplies memory: the bound is held without it")
	}
	const bound = 256 << 20
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/small" {
			_, _ = w.Write([]byte(rssOf(rssItem("a"))))
			return
		}
		_, _ = w.Write(body)
	}))
	defer server.Close()
	reader := feed.NewReader(feed.ReaderConfig{AllowPrivate: true, HostGap: -1, HostParallel: 1000, Now: time.Now})
	defer reader.Close()
	poll := func(path string) error {
		f := reader.Feed(feed.Config{URL: server.URL + path, SourceID: "s"})
		_, _, _, err := f.Poll(t.Context(), nil)
		return err
	}
	shapes := hostile()
	for _, name := range []string{"items of much", "another encoding"} {
		body = []byte(shapes[name]())
		got := peak(func() {
			var wg sync.WaitGroup
			for n := range 32 {
				wg.Go(func() {
					path := "/large"
					if n%8 == 0 {
						path = "/small"
					}
					if err := poll(path); path == "/small" && err != nil || failed(err) && !strings.Contains(err.Error(), "other large documents") {
						t.Errorf("%s: %s: %v", name, path, err)
					}
				})
			}
			wg.Wait()
		})
		if got > bound {
			t.Errorf("%s: %d MiB, at most %d are allowed", name, got>>20, bound>>20)
		}
		t.Logf("%s: %d MiB", name, got>>20)
		if err := poll("/large"); failed(err) {
			t.Errorf("%s, when the others are done: %v", name, err)
		}
	}
}
