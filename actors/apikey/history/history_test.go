package history_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/birdwire/birdwire/actors/apikey/history"
	"github.com/birdwire/birdwire/messages"
)

// plain is a delivery as the oracle keeps it: all of it.
type plain struct {
	position uint64
	k        uint32
	author   string
	kind     messages.OriginKind
	status   history.Status
	at       int64
}

func (p plain) entry() history.Entry {
	e := &messages.Event{Id: fmt.Sprint(p.position), Body: &messages.Event_Post{Post: &messages.Post{Author: &messages.Author{Username: p.author}}}}
	return history.NewEntry(messages.Position(p.position), e, &messages.Origin{Kind: p.kind}, p.at, p.status)
}

func (p plain) String() string {
	return fmt.Sprint(p.position, "/", p.k, " ", p.author, " ", p.kind, " ", p.status, " ", p.at)
}

func shown(page *messages.DeliveriesListed) (all []string) {
	for _, d := range page.GetDeliveries() {
		all = append(all, fmt.Sprint(d.GetPosition(), "/", d.GetK(), " ", d.GetAuthor(), " ", d.GetOrigin().GetKind(), " ", d.GetStatus(), " ", d.GetDeliveredMs()))
	}
	return all
}

// selected is the page and the total, from a list of everything.
func selected(all []plain, most int, s history.Selection) (page []string, total int) {
	of := map[uint32]int{}
	var kept []plain
	for _, p := range slices.Backward(all) { // newest first
		if of[p.k]++; of[p.k] > most {
			continue
		}
		if (s.K == 0 || p.k == s.K) && (s.Status == "" || p.status.String() == s.Status) &&
			(s.Kind == 0 || p.kind == s.Kind) && (s.Author == "" || strings.EqualFold(p.author, s.Author)) {
			kept = append(kept, p)
		}
	}
	slices.SortStableFunc(kept, func(a, b plain) int { return cmp.Or(cmp.Compare(b.position, a.position), cmp.Compare(b.k, a.k)) })
	if s.Oldest {
		slices.Reverse(kept)
	}
	from := min(s.Offset, len(kept))
	for _, p := range kept[from:min(from+s.Limit, len(kept))] {
		page = append(page, p.String())
	}
	return page, len(kept)
}

// page asks, and answers for the log, of which every third event is gone.
func page(t *testing.T, h *history.History, s history.Selection) *messages.DeliveriesListed {
	t.Helper()
	out := h.Ask(s, "me")
	for _, o := range out {
		if read, ok := o.(history.Read); ok {
			events := make([]*messages.Event, len(read.Positions))
			for i, p := range read.Positions {
				if p%3 != 0 {
					events[i] = &messages.Event{Id: fmt.Sprint(uint64(p))}
				}
			}
			out = h.Events(read.Question, events, nil)
		}
	}
	answer, ok := out[len(out)-1].(history.Answer)
	if !ok || answer.To != "me" || !h.Idle() {
		t.Fatalf("answered by %v", out)
	}
	listed := answer.Message.(*messages.DeliveriesListed)
	for _, d := range listed.GetDeliveries() {
		if want := d.GetPosition()%3 != 0; want != (d.GetEvent() != nil) || want && d.GetEvent().GetId() != fmt.Sprint(d.GetPosition()) {
			t.Fatalf("%d has the event %v", d.GetPosition(), d.GetEvent())
		}
	}
	return listed
}

// Whatever is added, found and forgotten, every page of every selection is that
// of a plain list.
func TestAgainstAPlainList(t *testing.T) {
	authors := []string{"Ada", "ada", "bob", "İx", "ix", ""}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		most := 1 + r.IntN(12)
		h := history.New(most, true)
		var all []plain
		position := uint64(0)
		next := func(status history.Status) (few []plain) {
			position += 1 + r.Uint64N(3)
			for k := range uint32(6) {
				if r.IntN(3) == 0 {
					kind := messages.OriginKind_ORIGIN_MONITOR
					if k%2 == 0 {
						kind = messages.OriginKind_ORIGIN_RULE
					}
					few = append(few, plain{position, k + 1, authors[r.IntN(len(authors))], kind, status, int64(r.IntN(1 << 40))})
				}
			}
			return few
		}
		var found []history.Found
		add := func(p plain) history.Found { return history.Found{K: p.k, Entry: p.entry()} }
		for range r.IntN(30) {
			for _, p := range next(history.Unknown) {
				all, found = append(all, p), append(found, add(p))
			}
		}
		for range r.IntN(30) {
			for _, p := range next(history.Status(r.IntN(2))) {
				h.Begins(messages.Position(p.position))
				h.Add(p.k, p.entry())
				all, found = append(all, p), append(found, add(p)) // the log has what was seen, too
			}
		}
		h.Ask(history.Selection{}, "first")
		h.Events(1, nil, history.Unread())
		for _, o := range h.Found(found, nil) {
			if read, ok := o.(history.Read); ok {
				h.Events(read.Question, make([]*messages.Event, len(read.Positions)), nil)
			}
		}
		if r.IntN(2) == 0 {
			h.Forget(3)
			all = slices.DeleteFunc(all, func(p plain) bool { return p.k == 3 })
		}
		for range 40 {
			s := history.Selection{Offset: r.IntN(40), Limit: 1 + r.IntN(40), Oldest: r.IntN(2) == 0, K: uint32(max(r.IntN(12)-5, 0))}
			s.Status = []string{"", "", "delivered", "no_connection", "unknown", "x"}[r.IntN(6)]
			s.Kind = messages.OriginKind(r.IntN(3))
			if r.IntN(2) == 0 {
				s.Author = []string{"ADA", "bob", "IX", "b", "nobody"}[r.IntN(5)]
			}
			want, total := selected(all, most, s)
			got := page(t, h, s)
			if !slices.Equal(shown(got), want) || int(got.GetTotal()) != total {
				t.Fatalf("seed %d, %+v: got %d of %d\n%q, want %d\n%q", seed, s, len(got.GetDeliveries()), got.GetTotal(), shown(got), total, want)
			}
		}
		if h.Empty() != (len(all) == 0) {
			t.Fatalf("seed %d: empty is %v", seed, h.Empty())
		}
	}
}

// The log was read before the router was as far: what it then says is there
// already, once, and who was there is known now.
func TestWhatTheLogHadFirst(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 3))
		most := 1 + r.IntN(8)
		h := history.New(most, true)
		var all []plain
		var found []history.Found
		for i := range r.IntN(20) {
			p := plain{position: uint64(10 * i), k: 1, status: history.Unknown}
			if r.IntN(8) > 0 { // but for what the log could not give
				found = append(found, history.Found{K: 1, Entry: p.entry()})
			}
			all = append(all, p)
		}
		h.Ask(history.Selection{}, 0)
		h.Found(found, nil)
		h.GiveUp("")
		live := r.IntN(len(all) + 1) // the router says from here on
		kept := map[uint64]plain{}
		for _, f := range found[max(0, len(found)-most):] {
			kept[uint64(f.Position)] = all[f.Position/10]
		}
		for i, p := range all[live:] {
			p.status = history.Delivered
			all[live+i] = p
			h.Begins(messages.Position(p.position))
			h.Add(p.k, p.entry())
			kept[p.position] = p
		}
		var list []plain
		for _, p := range all {
			if k, ok := kept[p.position]; ok {
				list = append(list, k)
			}
		}
		want, _ := selected(list, most, history.Selection{Limit: 100})
		if got := shown(page(t, h, history.Selection{})); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %q, want %q", seed, got, want)
		}
	}
}

// The log answers late, twice, or for somebody who was answered already.
func TestEachQuestionIsAnsweredOnce(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		h := history.New(3, true)
		h.Add(1, plain{position: 1, k: 1}.entry())
		answered, asked := map[int]int{}, 0
		var reads []history.Read
		take := func(out []history.Output) {
			for _, o := range out {
				switch o := o.(type) {
				case history.Answer:
					answered[o.To.(int)]++
				case history.Read:
					reads = append(reads, o)
				}
			}
		}
		for range 60 {
			switch r.IntN(6) {
			case 0, 1:
				take(h.Ask(history.Selection{}, asked))
				asked++
			case 2:
				take(h.Found(nil, []error{nil, errors.New("down")}[r.IntN(2)]))
			case 3:
				if len(reads) > 0 {
					read := reads[r.IntN(len(reads))]
					take(h.Events(read.Question, make([]*messages.Event, 1), []*messages.Rejected{nil, history.Unread()}[r.IntN(2)]))
				}
			case 4:
				take(h.Silent(r.Uint64N(uint64(asked + 1))))
			case 5:
				if r.IntN(10) == 0 {
					take(h.GiveUp("over"))
				}
			}
		}
		take(h.GiveUp("over"))
		for i := range asked {
			if answered[i] != 1 {
				t.Fatalf("seed %d: question %d was answered %d times", seed, i, answered[i])
			}
		}
		if take(h.Found(nil, nil)); !h.Idle() {
			t.Fatalf("seed %d: not idle", seed)
		}
	}
}

func TestWhatADeliveryTakes(t *testing.T) {
	if size := unsafe.Sizeof(history.Entry{}); size != 32 {
		t.Errorf("%d bytes, and its comment says 32", size)
	}
}

// BenchmarkAPage is the worst there is: the oldest page of a key with all that
// it can remember, by author.
func BenchmarkAPage(b *testing.B) {
	h := history.New(1000, false)
	for i := range uint64(100_000) {
		h.Add(uint32(i%100+1), plain{position: i + 1, author: fmt.Sprint("u", i%7)}.entry())
	}
	for b.Loop() {
		for _, o := range h.Ask(history.Selection{Author: "U3", Offset: 14_000, Limit: 20}, 0) {
			if read, ok := o.(history.Read); ok {
				h.Events(read.Question, nil, history.Unread())
			}
		}
	}
}
