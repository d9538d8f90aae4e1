package assembly_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

const (
	quota = 600
	month = 28 * 24 * time.Hour // from a kit's March into April
)

// accounts are a key over the end of a month.
type accounts struct {
	*node
	posts     int
	sockets   []*socket // all that there were
	open      []*socket
	delivered int
}

func (a *accounts) connect() {
	s := a.node.connect(messages.Api_API_TWITTER)
	a.sockets, a.open = append(a.sockets, s), append(a.open, s)
}

func (a *accounts) post(n int) {
	for range n {
		a.node.post(fmt.Sprint("p", a.posts), "the moon")
		a.posts++
	}
}

// disconnect ends all that are open.
func (a *accounts) disconnect() {
	for _, s := range a.open {
		a.Tell(s.pid, &messages.SocketClosed{})
	}
	a.Settle()
	a.open = nil
}

// of is the ledger of the month, "2026-03".
func (a *accounts) of(month string) *messages.Ledger {
	l, err := a.store.Counters().Usage(a.t.Context(), keyID, month)
	if err != nil {
		a.t.Fatal(err)
	}
	return l
}

func (a *accounts) shown() (string, int64) {
	m := a.ask(keyID, &messages.DescribeKey{KeyId: keyID}).(*messages.KeyDescribed)
	return m.GetMonth(), m.GetCreditsUsed()
}

// check holds what is true at any time.
func (a *accounts) check(t *testing.T, when string) (charged int) {
	t.Helper()
	delivered := 0
	for _, s := range a.sockets {
		for _, line := range s.shown {
			if strings.HasPrefix(line, "p") {
				delivered++
			}
		}
	}
	for _, month := range []string{"2026-03", "2026-04"} {
		l := a.of(month)
		if charged += int(l.GetCharged()); l.GetCharged() > quota/10*11 {
			t.Errorf("%s: %s is charged %d of %d", when, month, l.GetCharged(), quota)
		}
	}
	if delivered > charged {
		t.Errorf("%s: delivered %d, charged %d", when, delivered, charged)
	}
	month, used := a.shown()
	if l := a.of(month); used > l.GetCharged() {
		t.Errorf("%s: %s shows %d, charged %d", when, month, used, l.GetCharged())
	}
	a.delivered = delivered
	return charged
}

// settled holds what is true once nobody is connected.
func (a *accounts) settled(t *testing.T, when string) (charged int) {
	t.Helper()
	a.Advance(10 * time.Second)
	charged = a.check(t, when)
	for _, month := range []string{"2026-03", "2026-04"} {
		if open := a.of(month).GetOpen(); len(open) > 0 {
			t.Errorf("%s: in %s are open %v", when, month, open)
		}
	}
	month, used := a.shown()
	if l := a.of(month); used != l.GetCharged() {
		t.Errorf("%s: %s shows %d, charged %d", when, month, used, l.GetCharged())
	}
	return charged
}

// A grant belongs to its month, in whichever state the month's end finds the
// key and whatever becomes of it then: what is delivered is charged, no month
// more than its quota allows, and what is shown is what is charged.
func TestTheEndOfAMonth(t *testing.T) {
	plans := apikey.DefaultPlans()
	small := plans["business"]
	small.Credits = quota
	plans["small"] = small
	states := map[string]func(a *accounts){
		"nobody was there": func(*accounts) {},
		"holding":          func(a *accounts) { a.connect(); a.post(1) },
		"spending":         func(a *accounts) { a.connect(); a.connect(); a.post(60) },
		"gone":             func(a *accounts) { a.connect(); a.post(5); a.disconnect() },
		"used up":          func(a *accounts) { a.connect(); a.connect(); a.connect(); a.connect(); a.post(170) },
		"out of reach": func(a *accounts) {
			a.connect()
			a.post(20)
			a.drop = func(_ string, m any) bool { _, ok := m.(*messages.RecallCredit); return ok }
		},
	}
	ends := map[string]func(a *accounts, t *testing.T, then func(a *accounts)){
		"it goes on": func(a *accounts, _ *testing.T, then func(*accounts)) { then(a) },
		"the key fails": func(a *accounts, _ *testing.T, then func(*accounts)) {
			for _, id := range a.left() {
				if last := id[strings.LastIndexByte(id, '/')+1:]; strings.HasPrefix(last, keyID) {
					a.kill(id)
					a.Panics()
				}
			}
			then(a)
		},
		"the process ends": func(a *accounts, t *testing.T, then func(*accounts)) {
			at := a.Clock.Now()
			a.disconnect()
			a.node.stop()
			a.next(t, at, then)
		},
		"the process dies": func(a *accounts, t *testing.T, then func(*accounts)) { a.next(t, a.Clock.Now(), then) },
	}
	for state, prepare := range states {
		for end, happens := range ends {
			// At once, or when the key has heard of the month, and then back into the
			// old one and forth.
			for _, back := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/back %v", state, end, back), func(t *testing.T) {
					testkit.Run(t, func(k *testkit.Kit) {
						a := &accounts{node: nodeWith(t, k, memory.NewDisk(memory.Config{Now: k.Clock.Now}), 1, plans)}
						a.makeKey("small")
						a.makeRule("moon", "moon")
						prepare(a)
						a.check(t, "before")
						a.Clock.Step(month)
						if back {
							a.post(10)
							a.Advance(5 * time.Second)
						}
						happens(a, t, func(a *accounts) {
							if len(a.open) == 0 {
								a.connect()
							}
							a.post(30)
							a.check(t, "after")
							if back {
								a.Clock.Step(-month)
								a.post(10)
								a.check(t, "back")
								a.Clock.Step(month)
								a.post(10)
								a.check(t, "and forth")
							}
							a.drop = nil
							a.disconnect()
							charged := a.settled(t, "at the end")
							// A process or a key that died may have had so much on its way.
							exact := end != "the process dies" && end != "the key fails" && state != "out of reach"
							if lost := charged - a.delivered; lost > 110 || exact && lost > 0 {
								t.Errorf("charged %d, delivered %d", charged, a.delivered)
							}
							at := a.Clock.Now()
							_, before := a.shown()
							a.node.stop()
							a.next(t, at, func(a *accounts) {
								if _, after := a.shown(); after != before {
									t.Errorf("shown %d, after a restart %d", before, after)
								}
								a.settled(t, "after a restart")
							})
						})
					})
				})
			}
		}
	}
}

// next is the process after this one, on the same disk and at the same time.
func (a *accounts) next(t *testing.T, at time.Time, then func(*accounts)) {
	testkit.Run(t, func(k *testkit.Kit) {
		k.Clock.Step(at.Sub(k.Clock.Now()))
		next := *a
		next.node, next.open = nodeWith(t, k, a.disk, a.starts+1, a.plans), nil
		then(&next)
	})
}
