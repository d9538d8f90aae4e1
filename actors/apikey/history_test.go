package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/apikey/history"
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
	found []history.Found
	err   error
	calls int
	asked []*messages.Query
}

func (l *log) Newest(_ context.Context, queries []*messages.Query, _ int) ([]history.Found, error) {
	l.calls++
	l.asked = queries
	return slices.Clone(l.found), l.err
}

// before is a delivery from before the actor, which the log holds.
func (r *rig) before(l *log, position uint64, k uint32) {
	at, e := messages.Position(position), &messages.Event{Id: fmt.Sprint(position - 100), DetectedMs: 1}
	r.posts.at[at] = e
	l.found = append(l.found, history.Found{K: k, Entry: history.NewEntry(at, e, &messages.Origin{}, 1, history.Unknown)})
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
				r.before(l, position, number+1)
			}
		}
		r.before(l, 105, 9) // of one that was deleted while the log was read
		r.router.position = 104
		r.match("5", 1) // seen live, and in the log too
		// A part of the record would be taken for the whole.
		if no := r.rejected(&messages.ListDeliveries{KeyId: keyID}); no.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
			t.Errorf("the log could not be read: %v", no)
		}
		list := func(id string) string {
			return listed(ask[*messages.DeliveriesListed](r, &messages.ListDeliveries{KeyId: keyID, MonitorId: id, Limit: 100}))
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

// What is gone from the log is counted and shown still, without its post.
func TestAPageOfWhatTheLogHasLost(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		r.rule("A", "a")
		for i := range 5 {
			r.matchPost(&messages.Post{Id: fmt.Sprint(i), Author: &messages.Author{Username: []string{"Ada", "bob"}[i%2]}}, 1)
		}
		delete(r.posts.at, 101)
		delete(r.posts.at, 103)
		l := ask[*messages.DeliveriesListed](r, &messages.ListDeliveries{KeyId: keyID, Author: "ADA", Oldest: true})
		if got, want := listed(l), "3 /1:n /1:n 4/1:n"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		gone := l.GetDeliveries()[0]
		if gone.GetEvent() != nil || gone.GetPosition() != 101 || gone.GetAuthor() != "Ada" || gone.GetOrigin().GetName() != "A" ||
			gone.GetDeliveredMs() != k.Clock.Now().UnixMilli() && gone.GetDeliveredMs() == 0 {
			t.Errorf("of what is gone is known: %v", gone)
		}
	})
}

// asks sends n questions and returns how to read what became of them.
func (r *rig) asks(n int) (answers func() (pages, refused int)) {
	r.t.Helper()
	r.client.Messages()
	for range n {
		r.client.Request(r.shard, &messages.ListDeliveries{KeyId: keyID})
	}
	r.k.Settle()
	pages, refused := 0, 0
	return func() (int, int) {
		r.k.Settle()
		for _, m := range r.client.Messages() {
			switch m := m.(type) {
			case *messages.DeliveriesListed:
				pages++
			case *messages.Rejected:
				if m.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
					r.t.Errorf("refused by %v", m)
				}
				refused++
			default:
				r.t.Errorf("answered by %T", m)
			}
		}
		return pages, refused
	}
}

// Whatever the log does, every question is answered, and once: it fails, it is
// slow, it has no room, it comes back late, the actor fails, or is stopped.
func TestEveryQuestionAboutDeliveriesIsAnsweredOnce(t *testing.T) {
	const long = time.Minute // past every bound
	for _, c := range []struct {
		name           string
		older          bool // what is older is to be found first
		asked          int
		during         func(r *rig, reads *testkit.Worker)
		pages, refused int
	}{
		{name: "nothing is wrong", asked: 3, pages: 3},
		{name: "too many at once", asked: history.AskingMost + 2, pages: history.AskingMost, refused: 2},
		{name: "too many at once, at the start", older: true, asked: history.AskingMost + 2, pages: history.AskingMost, refused: 2},
		{name: "it fails", asked: 2, refused: 2, during: func(r *rig, reads *testkit.Worker) {
			r.posts.err = errors.New("down")
			reads.Release()
		}},
		{name: "it is slow", asked: 2, pages: 2, during: func(r *rig, reads *testkit.Worker) {
			r.k.Advance(19 * time.Second)
			reads.Release()
		}},
		{name: "it is too slow", asked: 2, refused: 2, during: func(r *rig, reads *testkit.Worker) {
			for reads.Expire() {
			}
		}},
		{name: "it says nothing", asked: 2, refused: 2, during: func(r *rig, _ *testkit.Worker) { r.k.Advance(long) }},
		{name: "it says nothing, at the start", older: true, asked: 2, refused: 2, during: func(r *rig, _ *testkit.Worker) { r.k.Advance(long) }},
		{name: "it panics", asked: 2, refused: 2, during: func(r *rig, reads *testkit.Worker) {
			r.posts.panic = true
			reads.Panicked = func(reason any) any { return &actors.WorkPanicked{Reason: reason} }
			reads.ReleaseNext()
			r.k.Settle()
			r.posts.panic = false
		}},
		{name: "the key ends", asked: 2, refused: 2, during: func(r *rig, _ *testkit.Worker) { r.k.Stop(r.shard) }},
		{name: "the key ends, at the start", older: true, asked: 2, refused: 2, during: func(r *rig, _ *testkit.Worker) { r.k.Stop(r.shard) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				reads := k.Worker
				r := newRig(t, k, func(cfg *apikey.Config) {
					cfg.Logger = nil
					if c.older {
						cfg.History = &log{}
					}
				}).create()
				r.rule("A", "a")
				r.match("1", 1)
				reads.Hold()
				answers := r.asks(c.asked)
				if c.during != nil {
					c.during(r, reads)
				}
				answers()
				reads.Release() // what is late
				k.Advance(long)
				if pages, refused := answers(); pages != c.pages || refused != c.refused {
					t.Errorf("%d pages and %d refusals, want %d and %d", pages, refused, c.pages, c.refused)
				}
				if panics := k.Panics(); len(panics) != 0 && c.name != "it panics" {
					t.Errorf("panics %v", panics)
				}
			})
		})
	}
}

// A pool without room is asked again, as long as somebody waits.
func TestDeliveriesWaitForRoom(t *testing.T) {
	for _, older := range []bool{false, true} {
		testkit.Run(t, func(k *testkit.Kit) {
			reads, l := k.Worker, &log{}
			r := newRig(t, k, func(c *apikey.Config) {
				if older {
					c.History = l
				}
			}).create()
			r.rule("A", "a")
			r.match("1", 1)
			reads.Refuse(true)
			answers := r.asks(2)
			k.Advance(10 * time.Second)
			reads.Refuse(false)
			k.Advance(time.Second)
			if pages, refused := answers(); pages != 2 || refused != 0 {
				t.Errorf("%d pages and %d refusals", pages, refused)
			}
			reads.Refuse(true)
			answers = r.asks(2)
			k.Advance(time.Minute)
			if pages, refused := answers(); pages != 0 || refused != 2 {
				t.Errorf("where there is never room: %d pages and %d refusals", pages, refused)
			}
			read := r.posts.read
			reads.Refuse(false)
			k.Advance(time.Minute)
			if r.posts.read != read {
				t.Errorf("%d events were read for nobody", r.posts.read-read)
			}
			if older && l.calls != 1 {
				t.Errorf("what is older was read %d times", l.calls)
			}
		})
	}
}

// Pages are bounded in bytes: whoever asks for too much is told to ask for less.
func TestAHeavyPageIsRefused(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		r.rule("A", "a")
		text := strings.Repeat("x", 200<<10)
		for i := range 100 {
			r.matchPost(&messages.Post{Id: fmt.Sprint(i), Text: text}, 1)
		}
		no := r.rejected(&messages.ListDeliveries{KeyId: keyID, Limit: 100})
		if no.GetRejection() != messages.Rejection_REJECTION_INVALID || !strings.Contains(no.GetDetail(), "ask for fewer") {
			t.Errorf("refused by %v", no)
		}
		if l := ask[*messages.DeliveriesListed](r, &messages.ListDeliveries{KeyId: keyID, Limit: 50, Offset: 50}); len(l.GetDeliveries()) != 50 || l.GetTotal() != 100 {
			t.Errorf("%d of %d", len(l.GetDeliveries()), l.GetTotal())
		}
	})
}

// Fifty rules that have each been delivered a thousand posts of 4 KB of their
// own keep none of the 200 MB: neither those they saw live, nor those that were
// found.
func TestTheRecordKeepsNoEvents(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		const rules, each, size = 50, 1000, 4096
		r := newRig(t, k).create()
		hits := &messages.Hit{}
		for i := range uint32(rules) {
			r.rule(fmt.Sprint(i), "a")
			hits.K = append(hits.K, i+1)
		}
		r.join("c1") // and those who were told are gone again
		r.conns["c1"].Messages()
		before := heap()
		for range each {
			r.router.number++
			m := &messages.Matched{KeyId: keyID, Term: r.router.term, Number: r.router.number}
			for _, number := range hits.K {
				r.router.position++
				m.Hits = append(m.Hits, &messages.Hit{
					Position: r.router.position, K: []uint32{number}, Version: r.router.versions([]uint32{number}),
					Event: &messages.Event{Body: &messages.Event_Post{Post: &messages.Post{
						Text: strings.Repeat("x", size), Author: &messages.Author{Username: fmt.Sprint("u", r.router.position%100)},
					}}},
				})
			}
			r.tell(m)
			r.conns["c1"].Messages()
		}
		kept := heap() - before
		// 32 bytes each, and room for the rings to grow.
		if most := int64(rules * each * 80); kept > most {
			t.Errorf("%d deliveries keep %d bytes, more than %d", rules*each, kept, most)
		}
		if l := ask[*messages.DeliveriesListed](r, &messages.ListDeliveries{KeyId: keyID, Limit: 1}); l.GetTotal() != rules*each {
			t.Errorf("%d deliveries are remembered", l.GetTotal())
		}
	})
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
