package router_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/router"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// rules are so many of key-1, each of which wants "moon".
func rules(id uint64, from uint32, n int, more ...string) *messages.PutQueries {
	m := &messages.PutQueries{KeyId: "key-1", Id: id}
	for k := from; k < from+uint32(n); k++ {
		m.Put = append(m.Put, &messages.Query{K: k, Want: &messages.Query_Rule{Rule: fmt.Sprintf("moon OR w%d%s", k, strings.Join(more, ""))}})
	}
	return m
}

// holds says how many queries there are, and how many of them match.
func (r *rig) holds(t *testing.T, when string, queries, matched int) {
	t.Helper()
	r.Settle()
	if all, unowned := r.state.Queries(); all != queries || unowned != 0 {
		t.Errorf("%s: the index holds %d queries, %d of them nobody's; want %d", when, all, unowned, queries)
	}
	r.owner.Messages()
	r.Tell(r.pid, r.log.append(post(when, "moon")))
	r.Settle()
	got := 0
	for _, m := range answers[*messages.Matched](r.owner) {
		for _, h := range m.GetHits() {
			got += len(h.GetK())
		}
	}
	if got != matched {
		t.Errorf("%s: %d queries matched, want %d", when, got, matched)
	}
}

// A change that fails half way leaves nothing of itself, matches nothing, and
// can be asked for again.
func TestAChangeThatFailsHalfWayLeavesNothing(t *testing.T) {
	run(t, func(r *rig) {
		r.owner.Request(r.pid, rules(1, 1, 1))
		testkit.Expect[*messages.QueriesPut](r.owner)

		r.spoil = func(answer any) { router.SpoilPut(answer, 60) }
		r.owner.Request(r.pid, rules(2, 1000, 100))
		if done := testkit.Expect[*messages.QueriesPut](r.owner); done.GetId() != 2 || len(done.GetRefused()) != 100 {
			t.Errorf("answered %v, want all of them refused", done)
		}
		r.holds(t, "a put that fails half way", 1, 1)

		r.spoil = nil
		mend := r.state.Spoil("key-1")
		r.owner.Request(r.pid, rules(3, 2000, 100))
		r.Settle()
		mend()
		r.holds(t, "a commit that fails at once", 1, 1)

		r.spoil = func(answer any) { router.Cut(answer, 60) }
		r.owner.Request(r.pid, rules(4, 3000, 100))
		r.Settle()
		r.spoil = nil
		r.owner.Request(r.pid, rules(4, 3000, 100))
		if done := testkit.Expect[*messages.QueriesPut](r.owner); done.GetId() != 4 || len(done.GetRefused()) != 0 {
			t.Errorf("asked again: %v", done)
		}
		r.holds(t, "a commit that fails half way, and is asked for again", 101, 101)
		if n := len(r.Panics()); n != 0 {
			t.Errorf("%d restarts: one change is not everybody's", n)
		}
	})
}

// A change that is large to put is put in parts, and after each of them others
// have their turn.
func TestALargePutLetsOthersHaveTheirTurn(t *testing.T) {
	run(t, func(r *rig) {
		asker := &asker{router: r.pid}
		pid := r.Spawn("asker", func() actor.Actor { return asker })
		words, more := 0, ""
		for i := range 40 {
			more += fmt.Sprint(" OR x", i)
		}
		r.spoil = func(answer any) {
			words = router.Words(answer)
			r.Tell(pid, "begin")
		}
		r.System.Root.RequestWithCustomSender(r.pid, rules(1, 1, 2000, more), pid)
		r.Settle()
		if !asker.put || words < 3<<16 {
			t.Fatalf("put: %v, %d words", asker.put, words)
		}
		if least := words >> 16; asker.answered < least || asker.answered > 2*least {
			t.Errorf("%d questions were answered, one after the other, while %d words were put; want one for each 65,536", asker.answered, words)
		}
	})
}

// asker asks the router, each time that it is answered, until what it has put
// is there.
type asker struct {
	router   *actor.PID
	answered int
	put      bool
}

func (a *asker) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *messages.QueriesPut:
		a.put = true
	case string:
		ctx.Request(a.router, &messages.AskThrough{})
	case *messages.Through:
		if !a.put {
			a.answered++
			ctx.Request(a.router, &messages.AskThrough{})
		}
	}
}
