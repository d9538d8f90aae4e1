package linktest

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/cluster/link"
)

// send has the envelope queued: a link that is full takes it later, and says so.
func send(t *testing.T, w World, p *process, to link.Peer, e link.Envelope) {
	t.Helper()
	w.Until("there is room", func() bool {
		switch got := p.Send(to, e); got {
		case link.Queued:
			return true
		case link.NoCredit:
		default:
			t.Fatalf("sent to %v: %v", to, got)
		}
		return false
	})
}

// sendAll is send for several, in order, from any goroutine: whoever is told of no
// room waits until the link tells of something. What it tells at the same time makes
// the wait shorter, never longer.
func sendAll(t *testing.T, p *process, to link.Peer, all []link.Envelope) {
	for len(all) > 0 {
		next := p.next()
		switch got := p.Send(to, all[0]); got {
		case link.Queued:
			all = all[1:]
		case link.NoCredit:
			select {
			case <-next:
			case <-time.After(time.Minute):
				t.Errorf("%v has taken nothing for a minute, and %d are left", to, len(all))
				return
			}
		default:
			t.Errorf("sent to %v: %v", to, got)
			return
		}
	}
}

// arrives: every field, empty or not, and names that are no text.
func arrives(t *testing.T, w World) {
	a, b := pair(t, w)
	large := bytes.Repeat([]byte("0123456789abcdef"), link.MaxBytes/16)
	want := []link.Envelope{
		{Kind: "k", Target: "t", Sender: "s", SenderAt: "c@9", Bytes: []byte("bytes")},
		{},
		{Kind: "!k", Target: "\xff\x00ä", Sender: "\xfe"},
		{Kind: "large", Bytes: large},
		{Kind: "half", Target: "t", Bytes: large[:link.MaxBytes/2]},
		{Kind: "some", Target: "t", Bytes: large[:9000]},
		{Kind: "after", Bytes: []byte{0}},
	}
	for _, e := range want {
		send(t, w, a, b.Self(), e)
	}
	w.Until("all have arrived", func() bool { return len(b.received()) == len(want) })
	for i, got := range b.received() {
		if len(got.Bytes) == 0 {
			got.Bytes = nil
		}
		if !reflect.DeepEqual(got, want[i]) {
			t.Errorf("%d: %q of %d bytes arrived as %q of %d", i, want[i].Kind, len(want[i].Bytes), got.Kind, len(got.Bytes))
		}
	}
}

// inOrder: several send at once, both ways; each one's arrive in its order.
func inOrder(t *testing.T, w World) {
	const senders, each = 4, 2000
	a, b := pair(t, w)
	var wg sync.WaitGroup
	for _, way := range [][2]*process{{a, b}, {b, a}} {
		for i := range senders {
			all := make([]link.Envelope, each)
			for n := range all {
				all[n] = link.Envelope{Sender: strconv.Itoa(i), Bytes: []byte(strconv.Itoa(n))}
			}
			if !w.OneAtATime() {
				wg.Go(func() { sendAll(t, way[0], way[1].Self(), all) })
				continue
			}
			for _, e := range all {
				send(t, w, way[0], way[1].Self(), e)
			}
		}
	}
	wg.Wait()
	if t.Failed() {
		return // what was not sent does not arrive
	}
	for _, to := range []*process{a, b} {
		w.Until("all have arrived", func() bool { return len(to.received()) >= senders*each })
		next := map[string]int{}
		for _, e := range to.received() {
			if want := strconv.Itoa(next[e.Sender]); string(e.Bytes) != want {
				t.Fatalf("%s of sender %s came for %s", e.Bytes, e.Sender, want)
			}
			next[e.Sender]++
		}
	}
}

func notThere(t *testing.T, w World) {
	a, b := pair(t, w)
	for _, c := range []struct {
		to   link.Peer
		want link.Result
	}{
		{link.Peer{Node: "c", Incarnation: 1}, link.PeerDown},
		{link.Peer{Node: "b", Incarnation: 6}, link.StaleIncarnation},
		{link.Peer{Node: "b", Incarnation: 8}, link.StaleIncarnation},
		{b.Self(), link.Queued},
	} {
		if got := a.Send(c.to, link.Envelope{}); got != c.want {
			t.Errorf("sent to %v: %v, want %v", c.to, got, c.want)
		}
	}
}

// nextProcess: Down of the one comes before Up of the next (which record holds),
// and nothing that was for the one reaches the next, whenever it was sent.
func nextProcess(t *testing.T, w World) {
	a, b := pair(t, w)
	for range 3 {
		old := b.Self()
		for i := range 500 {
			a.Send(old, link.Envelope{Target: old.Address(), Bytes: []byte(strconv.Itoa(i))})
		}
		w.Kill("b")
		b = start(t, w, "b", old.Incarnation+1)
		w.Until("the next is up", func() bool {
			a.Send(old, link.Envelope{Target: old.Address()})
			return a.isUp(b.Self()) && b.isUp(a.Self())
		})
		send(t, w, a, b.Self(), link.Envelope{Target: b.Self().Address()})
		if got := a.Send(old, link.Envelope{Target: old.Address()}); got != link.StaleIncarnation {
			t.Errorf("sent to the former process: %v", got)
		}
		w.Until("what is for it arrives", func() bool { return len(b.received()) > 0 })
		for _, e := range b.received() {
			if e.Target != b.Self().Address() {
				t.Errorf("%v was handed what is for %s", b.Self(), e.Target)
			}
		}
	}
}

// cut: both notice within seconds, what is sent is said to be lost, nobody is
// taken for ended, and both are there again after it.
func cut(t *testing.T, w World) {
	a, b := pair(t, w)
	w.Cut("a", "b", true)
	w.Until("both have noticed", func() bool { return !a.isUp(b.Self()) && !b.isUp(a.Self()) })
	if got := a.Send(b.Self(), link.Envelope{}); got != link.PeerDown {
		t.Errorf("sent behind the cut: %v", got)
	}
	w.Pass(2 * time.Second)
	w.Cut("a", "b", false)
	together(w, a, b)
	send(t, w, a, b.Self(), link.Envelope{Kind: "after"})
	w.Until("what is sent after it arrives", func() bool { got := b.received(); return len(got) == 1 && got[0].Kind == "after" })
	for _, p := range []*process{a, b} {
		for _, of := range []*process{a, b} {
			if n, _ := p.told(of.Self(), link.Ended); n > 0 {
				t.Errorf("%v takes %v for ended", p.Self(), of.Self())
			}
		}
	}
}

// hasEnded: whoever had a session with it knows, and knows that of it alone.
func hasEnded(t *testing.T, w World) {
	a, b := pair(t, w)
	c := start(t, w, "c", 3)
	together(w, a, c)
	together(w, b, c)
	w.Kill("b")
	for _, p := range []*process{a, c} {
		w.Until("its end is known", func() bool { n, _ := p.told(b.Self(), link.Ended); return n > 0 })
	}
	if !a.isUp(c.Self()) || !c.isUp(a.Self()) {
		t.Error("the two that are left have no session")
	}
}

// takesNothing: the link takes so much and no more, says so, says when there is
// room and how much was not sent; what it took arrives, and nothing else.
func takesNothing(t *testing.T, w World) {
	a, b := pair(t, w)
	w.Stall("b", true)
	payload := make([]byte, 300)
	queued, refused := 0, uint64(0)
	for i := range 40_000 {
		e := link.Envelope{Target: strconv.Itoa(i), Bytes: payload}
		switch got := a.Send(b.Self(), e); got {
		case link.Queued:
			queued++
		case link.NoCredit:
			refused++
		default:
			t.Fatal(got)
		}
	}
	if refused == 0 {
		t.Fatal("it took everything")
	}
	w.Stall("b", false)
	w.Until("all that was taken has arrived", func() bool { return len(b.received()) == queued })
	w.Until("there is room again", func() bool {
		low, _ := a.told(b.Self(), link.CreditLow)
		ok, _ := a.told(b.Self(), link.CreditOK)
		return low > 0 && low == ok
	})
	dropped := uint64(0)
	for _, e := range a.all() {
		dropped += e.Dropped
	}
	if dropped != refused {
		t.Errorf("told that %d were not sent; it were %d", dropped, refused)
	}
	send(t, w, a, b.Self(), link.Envelope{Target: "after"})
	w.Until("what is sent then arrives", func() bool {
		got := b.received()
		return len(got) == queued+1 && got[queued].Target == "after"
	})
}

func (r *record) all() []link.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]link.Event(nil), r.events...)
}

// watched: a thousand actors watch one each of a peer that dies.
func watched(t *testing.T, w World) {
	const actors = 1000
	a, b := w.Start("a", 1), w.Start("b", 7)
	up := newRecord(t)
	remote(a, up)
	remote(b, newRecord(t))
	var mu sync.Mutex
	told := map[string]int{}
	started := 0
	w.Until("they have a session", func() bool { return up.isUp(b.Self()) })
	for i := range actors {
		target := b.Spawn(func(actor.Context) {})
		a.Spawn(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				ctx.Watch(actor.NewPID(target.GetAddress(), target.GetId()))
				mu.Lock()
				started++
				mu.Unlock()
			case *actor.Terminated:
				mu.Lock()
				told[fmt.Sprint(i, " ", m.Who.GetId() == target.GetId(), " ", m.Why)]++
				mu.Unlock()
			}
		})
	}
	w.Until("all watch", func() bool { mu.Lock(); defer mu.Unlock(); return started == actors })
	w.Pass(time.Second)
	if len(told) > 0 {
		t.Fatalf("told of ends before there are any: %v", told)
	}
	w.Kill("b")
	w.Until("all are told", func() bool { mu.Lock(); defer mu.Unlock(); return len(told) >= actors })
	w.Pass(time.Second)
	mu.Lock()
	defer mu.Unlock()
	for i := range actors {
		if n := told[fmt.Sprint(i, " true ", actor.TerminatedReason_AddressTerminated)]; n != 1 {
			t.Errorf("watcher %d was told %d times", i, n)
		}
	}
	if len(told) != actors {
		t.Errorf("%d were told", len(told))
	}
}

func remote(p Process, up *record) {
	link.NewRemote(link.RemoteConfig{
		System: p.System, Link: p.Link, Logger: p.System.Logger(), Count: func(string) {}, Observe: up.Happened,
	})
}

// closed: the peer knows at once, and nothing is handed over any more.
func closed(t *testing.T, w World) {
	a, b := pair(t, w)
	for range 100 {
		send(t, w, b, a.Self(), link.Envelope{})
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	before := len(a.all()) + len(a.received())
	w.Until("the other knows", func() bool { n, _ := b.told(a.Self(), link.Ended); return n > 0 })
	if got := a.Send(b.Self(), link.Envelope{}); got != link.PeerDown {
		t.Errorf("sent after Close: %v", got)
	}
	if got := b.Send(a.Self(), link.Envelope{}); got != link.PeerDown {
		t.Errorf("sent to one that has closed: %v", got)
	}
	w.Pass(time.Second)
	if after := len(a.all()) + len(a.received()); after != before {
		t.Errorf("told of %d things after Close", after-before)
	}
	if err := a.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}
