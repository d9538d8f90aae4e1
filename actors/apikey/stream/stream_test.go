package stream_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/birdwire/birdwire/actors/apikey/stream"
	"github.com/birdwire/birdwire/messages"
)

func hits(at ...uint64) (hits []*messages.Hit) {
	for _, p := range at {
		hits = append(hits, &messages.Hit{Position: p, K: []uint32{1}})
	}
	return hits
}

func matched(numbering, number uint64, at ...uint64) *messages.Matched {
	return &messages.Matched{Numbering: numbering, Number: number, Hits: hits(at...)}
}

func through(numbering, number, at uint64) *messages.Through {
	return &messages.Through{Numbering: numbering, Number: number, Position: at}
}

func join(connection string, number uint64) *messages.Join {
	return &messages.Join{ConnectionId: connection, Join: number}
}

// show is what was done, in short.
func show(out []stream.Output) (lines []string) {
	for _, o := range out {
		switch o := o.(type) {
		case stream.Tell:
			switch m := o.Message.(type) {
			case *messages.Joined:
				lines = append(lines, fmt.Sprintf("%v joined #%d at %d number %d", o.To, m.GetJoin(), m.GetPosition(), m.GetNumber()))
			case *messages.Through:
				lines = append(lines, fmt.Sprintf("%v through #%d at %d number %d", o.To, m.GetJoin(), m.GetPosition(), m.GetNumber()))
			case *messages.Left:
				lines = append(lines, fmt.Sprintf("%v left #%d at %d number %d", o.To, m.GetJoin(), m.GetPosition(), m.GetNumber()))
			case *messages.Rejoin:
				lines = append(lines, fmt.Sprintf("%v rejoin #%d", o.To, m.GetJoin()))
			}
		case stream.TellQueries:
			lines = append(lines, fmt.Sprintf("%v queries #%d at %d", o.To, o.Ask.GetAsk(), o.Position))
		case stream.AskRouter:
			lines = append(lines, "ask")
		case stream.Answered:
			lines = append(lines, "answered")
		case stream.LostMatched:
			lines = append(lines, fmt.Sprintf("lost %d to %d", o.Seen, o.Sent))
		}
	}
	return lines
}

type step struct {
	what string
	do   func(s *stream.Stream) []stream.Output
	want []string
}

func frame(s *stream.Stream, m *messages.Matched) []stream.Output {
	hits, out := s.Matched(m)
	if len(hits) > 0 {
		d := s.Deliver(nil, 0)
		out = append(out, stream.Tell{To: "all", Message: &messages.Left{Position: hits[len(hits)-1].GetPosition(), Number: d.GetNumber(), Join: d.GetPrevious()}})
	}
	return out
}

// TestSteps: "all left #P at A number N" is a Deliveries N after P up to A.
func TestSteps(t *testing.T) {
	tell := func(m *messages.Matched) func(*stream.Stream) []stream.Output {
		return func(s *stream.Stream) []stream.Output { return frame(s, m) }
	}
	word := func(numbering, number, at uint64) func(*stream.Stream) []stream.Output {
		return func(s *stream.Stream) []stream.Output { return s.Through(through(numbering, number, at)) }
	}
	joins := func(c string, n uint64) func(*stream.Stream) []stream.Output {
		return func(s *stream.Stream) []stream.Output { return s.Join(join(c, n), c, c) }
	}
	proof := func(c string, n uint64) func(*stream.Stream) []stream.Output {
		return func(s *stream.Stream) []stream.Output {
			return s.AskThrough(&messages.AskThrough{ConnectionId: c, Join: n}, c)
		}
	}
	leave := func(c string, n uint64) func(*stream.Stream) []stream.Output {
		return func(s *stream.Stream) []stream.Output { return s.Leave(&messages.Leave{ConnectionId: c, Join: n}, c) }
	}
	queries := func(c string, n uint64) func(*stream.Stream) []stream.Output {
		return func(s *stream.Stream) []stream.Output { return s.AskQueries(&messages.AskQueries{Ask: n}, c) }
	}
	again := func(s *stream.Stream) []stream.Output { return s.Again() }
	all := func(s *stream.Stream) []stream.Output { return s.ProveAll() }
	for name, steps := range map[string][]step{
		"joins are answered at the head": {
			{"a joins", joins("a", 1), []string{"ask"}},
			{"b joins", joins("b", 4), nil},
			{"c asks", queries("c", 9), nil},
			{"the router is silent", again, []string{"ask"}},
			{"its word", word(0, 0, 100), []string{"answered", "a joined #1 at 100 number 0", "b joined #4 at 100 number 0", "c queries #9 at 100"}},
			{"a hit", tell(matched(3, 1, 101, 102)), []string{"all left #0 at 102 number 1"}},
			{"another", tell(matched(3, 2, 105)), []string{"all left #1 at 105 number 2"}},
			{"it comes twice", tell(matched(3, 2, 105)), nil},
			{"a asks", proof("a", 1), []string{"ask"}},
			{"a asks again", proof("a", 1), nil},
			{"an old word", word(3, 1, 103), nil},
			{"the word", word(3, 2, 110), []string{"answered", "a through #1 at 110 number 2"}},
			{"its word, twice", word(3, 2, 110), nil},
		},
		"all are told how far it is": {
			{"nobody is there", all, nil},
			{"a joins", joins("a", 1), []string{"ask"}},
			{"b joins", joins("b", 4), nil},
			{"the word", word(3, 7, 100), []string{"answered", "a joined #1 at 100 number 0", "b joined #4 at 100 number 0"}},
			{"it is time to", all, []string{"ask"}},
			{"and once more", all, nil},
			{"a asks too", proof("a", 1), nil},
			{"the word", word(3, 7, 110), []string{"answered", "a through #1 at 110 number 0", "b through #4 at 110 number 0", "a through #1 at 110 number 0"}},
			{"it is time to", all, []string{"ask"}},
			{"a message was lost", word(3, 8, 120), []string{
				"lost 7 to 8", "answered", "a through #1 at 120 number 1", "b through #4 at 120 number 1", "a through #1 at 120 number 1", "b through #4 at 120 number 1",
			}},
			{"it is time to", all, []string{"ask"}},
			{"a leaves", leave("a", 1), []string{"a left #1 at 120 number 1"}},
			{"b leaves", leave("b", 4), []string{"b left #4 at 120 number 1"}},
			{"the word", word(3, 8, 130), []string{"answered"}},
		},
		"a lost message is a hole": {
			{"a joins", joins("a", 1), []string{"ask"}},
			{"the word", word(3, 7, 100), []string{"answered", "a joined #1 at 100 number 0"}},
			{"8 is lost", tell(matched(3, 9, 104)), []string{"lost 7 to 8", "all left #1 at 104 number 2"}},
			{"it comes late", tell(matched(3, 8, 102)), nil},
			{"10 is lost", word(3, 10, 120), []string{"lost 9 to 10", "a through #1 at 120 number 3"}},
			{"10 comes late", tell(matched(3, 10, 110)), nil},
			{"then", tell(matched(3, 11, 121)), []string{"all left #3 at 121 number 4"}},
		},
		"the router hears of the key for the first time": {
			{"a joins", joins("a", 1), []string{"ask"}},
			{"it knows nothing", word(0, 0, 100), []string{"answered", "a joined #1 at 100 number 0"}},
			{"the first is lost", tell(matched(5, 2, 104)), []string{"lost 0 to 1", "all left #1 at 104 number 2"}},
			{"and for the first time again", tell(matched(6, 1, 108)), []string{"lost 2 to 0", "all left #3 at 108 number 4"}},
			{"a word of before", word(5, 3, 107), nil},
			{"forgotten", word(0, 0, 130), []string{"lost 1 to 0", "a through #1 at 130 number 5"}},
			{"known", tell(matched(7, 1, 140)), []string{"all left #5 at 140 number 6"}},
		},
		"who has left, joined again or is not known": {
			{"a asks", proof("a", 1), []string{"a rejoin #1"}},
			{"a joins", joins("a", 1), []string{"ask"}},
			{"a asks", proof("a", 1), nil},
			{"a joins again", joins("a", 3), nil},
			{"the first comes late", joins("a", 1), nil},
			{"the word", word(0, 0, 10), []string{"answered", "a joined #3 at 10 number 0"}},
			{"the first once more", joins("a", 1), nil},
			{"of the first", proof("a", 1), nil},
			{"it leaves the first", leave("a", 1), []string{"a left #1 at 0 number 0"}},
			{"the same join again", joins("a", 3), []string{"ask"}},
			{"it is told what comes", tell(matched(3, 1, 11)), []string{"all left #0 at 11 number 1"}},
			{"it leaves", leave("a", 3), []string{"a left #3 at 11 number 1"}},
			{"nobody asks", word(3, 1, 20), []string{"answered"}},
			{"again", again, nil},
			{"it leaves twice", leave("a", 3), []string{"a left #3 at 0 number 0"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := stream.New(77)
			for _, step := range steps {
				if got := show(step.do(&s)); !slices.Equal(got, step.want) {
					t.Fatalf("%s: %q, want %q", step.what, got, step.want)
				}
			}
		})
	}
}

// follower is the plainest there is: it believes what its chain proves.
type follower struct {
	joined bool
	number uint64
	proved uint64          // everything at or before it has come, or is its own to read
	had    map[uint64]bool // positions that came, or that it reads
}

// TestNothingIsProvedThatDidNotCome: whatever of the router's messages is lost,
// doubled or late, what a chain of numbers proves has come.
func TestNothingIsProvedThatDidNotCome(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := stream.New(1)
		f := follower{had: map[uint64]bool{}}
		var all []uint64 // positions that matched
		position, number, numbering := uint64(100), uint64(0), uint64(r.IntN(2))
		var late []any
		// reads: what is not proved is read from the log up to p.
		reads := func(p uint64) {
			for _, m := range all {
				if m <= p {
					f.had[m] = true
				}
			}
			f.proved = max(f.proved, p)
		}
		check := func(what string, p uint64) {
			for _, m := range all {
				if m <= p && !f.had[m] {
					t.Fatalf("seed %d: %s proves %d, and %d did not come", seed, what, p, m)
				}
			}
		}
		receive := func(out []stream.Output) {
			for _, o := range out {
				tell, ok := o.(stream.Tell)
				if !ok {
					continue
				}
				switch m := tell.Message.(type) {
				case *messages.Joined:
					f.joined, f.number = true, m.GetNumber()
					reads(m.GetPosition())
				case *messages.Through:
					if m.GetNumber() == f.number {
						check("through", m.GetPosition())
						f.proved = m.GetPosition()
					} else if m.GetNumber() > f.number {
						f.number = m.GetNumber()
						reads(m.GetPosition())
					}
				case *messages.Rejoin:
					f.joined = false
				}
			}
		}
		deliver := func(m any) {
			switch m := m.(type) {
			case *messages.Matched:
				fresh, out := s.Matched(m)
				receive(out)
				if len(fresh) == 0 {
					return
				}
				d := s.Deliver(nil, 0)
				if !f.joined || len(s.Members()) == 0 || r.IntN(12) == 0 {
					return // or it is lost on this way
				}
				switch {
				case d.GetPrevious() != f.number:
					reads(fresh[0].GetPosition() - 1)
				}
				f.number = d.GetNumber()
				for _, h := range fresh {
					f.had[h.GetPosition()] = true
				}
				check("a delivery", fresh[len(fresh)-1].GetPosition())
			case *messages.Through:
				receive(s.Through(m))
			}
		}
		send := func(m any) {
			switch r.IntN(10) {
			case 0:
			case 1:
				deliver(m)
				deliver(m)
			case 2:
				late = append(late, m)
			default:
				deliver(m)
			}
			if len(late) > 0 && r.IntN(3) == 0 {
				deliver(late[0])
				late = late[1:]
			}
		}
		for range 200 {
			switch r.IntN(8) {
			case 0:
				receive(s.Join(join("c", uint64(1+len(all))), "c", "c"))
			case 1:
				receive(s.AskThrough(&messages.AskThrough{ConnectionId: "c", Join: uint64(1 + len(all))}, "c"))
			case 2:
				send(through(numbering, number, position))
			case 3:
				if r.IntN(20) == 0 { // the router drops the key, or hears of it first
					numbering, number = numbering+1, 0
				}
			default:
				position += 1 + uint64(r.IntN(3))
				if numbering != 0 && r.IntN(2) == 0 {
					number++
					all = append(all, position)
					send(matched(numbering, number, position))
				}
			}
		}
		// In the end, with nothing lost any more, everything has come.
		deliver(through(numbering, number, position))
		receive(s.Join(join("c", 1<<40), "c", "c"))
		deliver(through(numbering, number, position))
		check("the end", position)
	}
}
