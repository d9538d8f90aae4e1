package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

func listed(l *messages.DeliveriesListed) string {
	var all []string
	for _, d := range l.GetDeliveries() {
		all = append(all, fmt.Sprintf("%s/%d:%s", d.GetEvent().GetId(), d.GetK(), d.GetStatus()[:1]))
	}
	return fmt.Sprint(l.GetTotal(), " ", strings.Join(all, " "))
}

func TestDeliveriesAreListedNewestFirst(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.LogMost = 3 }).create()
		a, m := r.rule("A", "a"), r.monitor("M", "nasa")
		r.match("1", 1)
		r.join("c1")
		r.match("2", 1, 2)
		r.match("3", 2)
		r.match("4", 1)
		r.match("5", 1, 2)
		r.match("6", 1)
		list := func(id string, offset, limit int32) string {
			return listed(ask[*messages.DeliveriesListed](r, &messages.ListDeliveries{KeyId: keyID, MonitorId: id, Offset: offset, Limit: limit}))
		}
		for want, got := range map[string]string{
			"6 6/1:d 5/2:d 5/1:d 4/1:d 3/2:d 2/2:d": list("", 0, 100),
			"6 5/1:d 4/1:d":                         list("", 2, 2),
			"6 ":                                    list("", 6, 2),
			"3 6/1:d 5/1:d 4/1:d":                   list(a.GetId(), 0, 0),
			"3 3/2:d 2/2:d":                         list(m.GetId(), 1, 2),
		} {
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		d := ask[*messages.DeliveriesListed](r, &messages.ListDeliveries{KeyId: keyID, Limit: 1}).GetDeliveries()[0]
		if d.GetOrigin().GetName() != "A" || d.GetPosition() != 106 || d.GetDeliveredMs() == 0 {
			t.Errorf("delivery %v", d)
		}
	})
}

// log is what the rules have matched before.
type log struct {
	found []*messages.Delivery
	err   error
	calls int
	asked []*messages.Query
}

func (l *log) Newest(_ context.Context, queries []*messages.Query, _ int) ([]*messages.Delivery, error) {
	l.calls++
	l.asked = queries
	return l.found, l.err
}

// After a restart the record is read from the log once, and joined without a
// seam to what matched since.
func TestTheRecordOutlivesTheActor(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		l := &log{err: errors.New("down")}
		r := newRig(t, k, func(c *apikey.Config) { c.History, c.LogMost, c.Logger = l, 3, nil }).create()
		a := r.rule("A", "a")
		r.rule("B", "b")
		ask[*messages.RuleShown](r, updateRule(a.GetId(), &messages.Rule{Status: "paused"}, "status"))
		ask[*messages.RuleShown](r, updateRule(a.GetId(), &messages.Rule{Status: "active"}, "status"))
		for position := uint64(101); position <= 105; position++ {
			for number := range uint32(2) {
				l.found = append(l.found, &messages.Delivery{Position: position, K: number + 1, Event: &messages.Event{Id: fmt.Sprint(position - 100), DetectedMs: 1}})
			}
		}
		r.router.position = 104
		r.match("5", 1) // seen live, and in the log too
		list := func(id string) string {
			return listed(ask[*messages.DeliveriesListed](r, &messages.ListDeliveries{KeyId: keyID, MonitorId: id, Limit: 100}))
		}
		if got, want := list(""), "1 5/1:n"; got != want { // the log could not be read
			t.Errorf("got %q, want %q", got, want)
		}
		l.err = nil
		if got, want := list(""), "6 5/1:n 4/2:u 4/1:u 3/2:u 3/1:u 2/2:u"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		r.match("6", 1, 2)
		if got, want := list(a.GetId()), "3 6/1:n 5/1:n 4/1:u"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if l.calls != 2 || len(l.asked) != 2 || l.asked[0].GetAfter() != 100 {
			t.Errorf("%d calls, asked %v", l.calls, l.asked)
		}
	})
}
