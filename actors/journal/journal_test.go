package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/repeat"
	"github.com/birdwire/birdwire/actors/journal"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// plainLog keeps frames in memory, each name once, and can be told to fail.
type plainLog struct {
	frames []*messages.Frame
	fail   []error // of the next appends; errAfter commits first
	panics int     // of the next appends
	check  bool    // refuse what cannot be encoded
}

var errAfter = fmt.Errorf("committed, then cut off: %w", messages.ErrAmbiguous)

func (l *plainLog) Append(_ context.Context, f *messages.Frame) (uint64, error) {
	var err error
	if len(l.fail) > 0 {
		err, l.fail = l.fail[0], l.fail[1:]
	}
	if err != nil && !errors.Is(err, errAfter) {
		return 0, err
	}
	if l.panics > 0 {
		l.panics--
		panic("a bug in the store")
	}
	if l.check {
		if _, err := proto.Marshal(f); err != nil {
			return 0, fmt.Errorf("%w: %w", messages.ErrInvalid, err)
		}
	}
	at := slices.IndexFunc(l.frames, func(o *messages.Frame) bool {
		return o.GetNode() == f.GetNode() && o.GetIncarnation() == f.GetIncarnation() && o.GetNumber() == f.GetNumber()
	})
	if at < 0 {
		l.frames = append(l.frames, f)
		at = len(l.frames) - 1
	}
	return uint64(at + 1), err
}

func (l *plainLog) ids() (ids []string) {
	for _, f := range l.frames {
		for _, e := range f.GetEvents() {
			ids = append(ids, e.GetId())
		}
	}
	return ids
}

type rig struct {
	*testkit.Kit
	log     *plainLog
	source  *testkit.Probe
	router  *testkit.Probe
	journal *actor.PID
	observe func(journal.Observation)
	fenced  []error
}

func run(t *testing.T, test func(r *rig)) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := &rig{Kit: k, log: &plainLog{}, source: k.Probe(), router: k.Probe(), observe: func(journal.Observation) {}}
		r.journal = k.SpawnProps("journal", journal.Props(journal.Config{
			Node: "n", Incarnation: 7, Log: r.log, State: journal.NewState(repeat.NewPlaced()),
			Clock: k.Clock, Worker: k.Worker, Props: k.Props, Logger: k.Log,
			Routers:   func() []*actor.PID { return []*actor.PID{r.router.PID()} },
			MaxEvents: 1000,
			Observe:   func(o journal.Observation) { r.observe(o) },
			Fenced:    func(err error) { r.fenced = append(r.fenced, err) },
		}))
		test(r)
	})
}

func offer(id uint64, ids ...string) *messages.Offer {
	o := &messages.Offer{Id: id}
	for _, e := range ids {
		o.Events = append(o.Events, &messages.Event{Id: e})
	}
	return o
}

func names(prefix string, n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("%s%03d", prefix, i))
	}
	return ids
}

func TestNothingIsShownBeforeItIsDurable(t *testing.T) {
	run(t, func(r *rig) {
		r.Worker.Hold()
		r.source.Request(r.journal, offer(1, "a", "b"))
		r.source.ExpectNoMessage(time.Minute)
		r.router.ExpectNoMessage(0)
		r.Worker.Release()
		shown := testkit.Expect[*messages.FrameAppended](r.router)
		acked := testkit.Expect[*messages.Appended](r.source)
		if shown.GetSequence() != 1 || len(shown.GetFrame().GetEvents()) != 2 {
			t.Fatalf("router was shown %v", shown)
		}
		if acked.GetId() != 1 || messages.Position(acked.GetLastPosition()) != messages.At(1, 1) {
			t.Fatalf("acknowledged %v", acked)
		}
	})
}

func TestOffersFillTheNextFrameWhileOneIsWritten(t *testing.T) {
	run(t, func(r *rig) {
		r.Worker.Hold()
		r.source.Request(r.journal, offer(1, "first"))
		for i := range uint64(3) {
			r.source.Request(r.journal, offer(2+i, names(fmt.Sprint("o", i, "-"), 100)...))
		}
		r.Settle()
		r.Worker.Release()
		for id := range uint64(4) {
			if got := testkit.Expect[*messages.Appended](r.source); got.GetId() != id+1 {
				t.Fatalf("acknowledged %d, want %d: offers overtook each other", got.GetId(), id+1)
			}
		}
		var sizes []int
		for _, f := range r.log.frames {
			sizes = append(sizes, len(f.GetEvents()))
		}
		if !slices.Equal(sizes, []int{1, 256, 44}) {
			t.Fatalf("frames of %v events, want 1, 256 and 44", sizes)
		}
		want := append([]string{"first"}, slices.Concat(names("o0-", 100), names("o1-", 100), names("o2-", 100))...)
		if !slices.Equal(r.log.ids(), want) {
			t.Fatal("the log is not in the order of the offers")
		}
	})
}

func TestARetryKeepsNameAndOrder(t *testing.T) {
	for name, fail := range map[string][]error{
		"failed":             {errors.New("no leader")},
		"committed unknown":  {errAfter},
		"three in a row":     {errAfter, errors.New("timeout"), errAfter},
		"failed then unsure": {errors.New("timeout"), errAfter},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				r.log.fail = fail
				r.source.Request(r.journal, offer(1, "a"))
				r.Settle()
				r.source.Request(r.journal, offer(2, "b"))
				r.Advance(10 * time.Second)
				if got := r.log.ids(); !slices.Equal(got, []string{"a", "b"}) {
					t.Fatalf("log holds %v", got)
				}
				testkit.Expect[*messages.Appended](r.source)
				testkit.Expect[*messages.Appended](r.source)
			})
		})
	}
}

func TestWhatTheLogHoldsIsNotWrittenAgain(t *testing.T) {
	run(t, func(r *rig) {
		r.source.Request(r.journal, offer(1, "a", "b", "a"))
		if got := testkit.Expect[*messages.Appended](r.source); !slices.Equal(got.GetDuplicates(), []uint32{2}) {
			t.Fatalf("duplicates %v, want the third", got.GetDuplicates())
		} else if !slices.Equal(got.GetHeld(), []uint64{uint64(messages.At(1, 0))}) {
			t.Fatalf("held at %v, want the place of the first, in the frame itself", got.GetHeld())
		}
		r.source.Request(r.journal, offer(2, "b", "c"))
		if got := testkit.Expect[*messages.Appended](r.source); !slices.Equal(got.GetDuplicates(), []uint32{0}) {
			t.Fatalf("duplicates %v, want the first", got.GetDuplicates())
		}
		r.source.Request(r.journal, offer(3, "a", "c"))
		if got := testkit.Expect[*messages.Appended](r.source); got.GetLastPosition() != 0 || len(got.GetDuplicates()) != 2 {
			t.Fatalf("nothing new was offered, and the answer is %v", got)
		} else if want := []uint64{uint64(messages.At(1, 0)), uint64(messages.At(2, 0))}; !slices.Equal(got.GetHeld(), want) {
			t.Fatalf("held at %v, want %v", got.GetHeld(), want)
		}
		if got := r.log.ids(); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Fatalf("log holds %v", got)
		}
	})
}

func TestAFullQueueRefusesWhole(t *testing.T) {
	run(t, func(r *rig) {
		r.Worker.Hold()
		r.source.Request(r.journal, offer(1, "x"))
		r.source.Request(r.journal, offer(2, names("a", 1000)...))
		r.source.Request(r.journal, offer(3, "late"))
		refused := testkit.Expect[*messages.OfferRefused](r.source)
		if refused.GetId() != 3 || refused.GetReason() != messages.RefuseReason_REFUSE_BUSY || refused.GetRetryAfterMs() <= 0 {
			t.Fatalf("refused %v", refused)
		}
		r.Worker.Release()
		testkit.Expect[*messages.Appended](r.source)
		testkit.Expect[*messages.Appended](r.source)
		if len(r.log.ids()) != 1001 {
			t.Fatalf("%d events in the log, want 1001", len(r.log.ids()))
		}
	})
}

func TestAnEventLargerThanAFrameIsRefusedForGood(t *testing.T) {
	run(t, func(r *rig) {
		big := &messages.Offer{Id: 1, Events: []*messages.Event{{Id: "big", Source: strings.Repeat("x", journal.MaxFrameBytes)}}}
		r.source.Request(r.journal, big)
		if got := testkit.Expect[*messages.OfferRefused](r.source); got.GetReason() != messages.RefuseReason_REFUSE_TOO_LARGE {
			t.Fatalf("refused %v", got)
		}
	})
}

// An offer longer than a frame may be written in part when the disk is full. Who
// offered it is told which part, duplicates among it included; and the rest of
// it is new.
func TestAFullDiskSaysWhatItTook(t *testing.T) {
	run(t, func(r *rig) {
		r.source.Request(r.journal, offer(1, "b003", "b299"))
		testkit.Expect[*messages.Appended](r.source)
		r.log.fail = []error{nil, messages.ErrFull}
		r.source.Request(r.journal, offer(2, names("b", 600)...))
		got := testkit.Expect[*messages.OfferRefused](r.source)
		written := len(r.log.ids()) - 2
		var held []string
		for _, d := range got.GetDuplicates() {
			held = append(held, names("b", 600)[d])
		}
		if got.GetReason() != messages.RefuseReason_REFUSE_DISK_FULL || written == 0 || int(got.GetTaken()) != written+len(held) || fmt.Sprint(held) != "[b003]" {
			t.Fatalf("refused %v, and the log has %d of it", got, written)
		}
		r.source.Request(r.journal, offer(3, names("b", 600)[got.GetTaken():]...))
		if a := testkit.Expect[*messages.Appended](r.source); len(a.GetDuplicates()) != 1 {
			t.Fatalf("the rest: %v", a)
		}
		if ids := r.log.ids(); len(ids) != 600 {
			t.Fatalf("%d events in the log, want 600", len(ids))
		}
	})
}

func TestAFullDiskRefusesAtOnceAndRecovers(t *testing.T) {
	run(t, func(r *rig) {
		r.Worker.Hold()
		r.log.fail = []error{messages.ErrFull}
		r.source.Request(r.journal, offer(1, "a"))
		r.source.Request(r.journal, offer(2, names("b", 300)...))
		r.Settle()
		r.Worker.Release()
		for id := range uint64(2) {
			got := testkit.Expect[*messages.OfferRefused](r.source)
			if got.GetId() != id+1 || got.GetReason() != messages.RefuseReason_REFUSE_DISK_FULL {
				t.Fatalf("refused %v", got)
			}
		}
		r.source.Request(r.journal, offer(3, "a"))
		if got := testkit.Expect[*messages.Appended](r.source); len(got.GetDuplicates()) != 0 {
			t.Fatal("an event that a full disk refused counts as written")
		}
	})
}

// slowed says whether the journal refuses an offer.
func (r *rig) slowed() bool {
	r.source.Request(r.journal, offer(1))
	r.source.Messages()
	r.source.Request(r.journal, &messages.Offer{Id: 1, Events: []*messages.Event{{Id: fmt.Sprint("probe", r.Clock.Elapsed())}}})
	r.Settle()
	switch m := r.source.Messages()[0].(type) {
	case *messages.OfferRefused:
		if m.GetReason() != messages.RefuseReason_REFUSE_BUSY || m.GetRetryAfterMs() <= 0 || !strings.Contains(m.GetDetail(), "behind") {
			r.TB.Fatalf("refused %v", m)
		}
		return true
	default:
		return false
	}
}

// A router's SlowDown holds for as long as it says and no longer, whatever
// becomes of the router.
func TestSlowingIsALease(t *testing.T) {
	run(t, func(r *rig) {
		second := r.Probe() // none of the journal's routers
		for _, c := range []struct {
			name string
			ask  int64
			last time.Duration
		}{
			{"a second", 1000, time.Second},
			{"not said for how long", 0, 100 * time.Millisecond},
			{"for ever", 1 << 62, 5 * time.Second},
			{"before now", -1 << 62, 100 * time.Millisecond},
		} {
			r.router.Request(r.journal, &messages.SlowDown{Reason: "the router is behind", ForMs: c.ask})
			r.Advance(c.last - time.Millisecond)
			if !r.slowed() {
				t.Errorf("%s: over before its time", c.name)
			}
			r.Advance(time.Millisecond)
			if r.slowed() {
				t.Errorf("%s: not over at its time", c.name)
			}
		}
		r.router.Request(r.journal, &messages.SlowDown{ForMs: 1000, Reason: "the router is behind"})
		second.Request(r.journal, &messages.SpeedUp{})
		if !r.slowed() {
			t.Error("another router's SpeedUp ended it")
		}
		r.router.Request(r.journal, &messages.SpeedUp{})
		if r.slowed() {
			t.Error("SpeedUp did not end it")
		}
		second.Request(r.journal, &messages.SlowDown{ForMs: 1000})
		r.Tell(r.journal, &messages.SlowDown{ForMs: 1000})
		r.Tell(r.journal, &messages.SpeedUp{})
		if r.slowed() {
			t.Error("slowed by one that gets no frames")
		}
	})
}

// A newer process of the same name writes the log: this one must not go on.
func TestAFencedJournalStopsAndSaysSo(t *testing.T) {
	run(t, func(r *rig) {
		r.Worker.Hold()
		r.log.fail = []error{fmt.Errorf("append: %w", messages.ErrFenced)}
		r.source.Request(r.journal, offer(1, "a"))
		r.source.Request(r.journal, offer(2, names("b", 300)...))
		r.Settle()
		r.Worker.Release()
		r.source.Request(r.journal, offer(3, "c"))
		for id := range uint64(3) {
			got := testkit.Expect[*messages.OfferRefused](r.source)
			if got.GetReason() != messages.RefuseReason_REFUSE_STOPPING || !strings.Contains(got.GetDetail(), "name") {
				t.Fatalf("offer %d: refused %v", id+1, got)
			}
		}
		r.Advance(time.Hour)
		if len(r.fenced) != 1 || !errors.Is(r.fenced[0], messages.ErrFenced) || len(r.log.frames) != 0 || r.Worker.Done() != 1 {
			t.Fatalf("told %v, %d frames, %d appends", r.fenced, len(r.log.frames), r.Worker.Done())
		}
	})
}

// A log that panics on a frame, or never answers about it, does not stop the
// frames after it.
func TestAppendsThatPanicOrAreNeverAnswered(t *testing.T) {
	run(t, func(r *rig) {
		r.Worker.Panicked = func(reason any) any { return &actors.WorkPanicked{Reason: reason} }
		r.log.panics = 2
		r.source.Request(r.journal, offer(1, "a"))
		r.Advance(time.Second)
		testkit.Expect[*messages.Appended](r.source) // the third try

		r.log.panics = 3
		r.source.Request(r.journal, offer(2, "b"))
		r.source.Request(r.journal, offer(3, "c"))
		r.Advance(time.Second)
		if m := testkit.Expect[*messages.OfferRefused](r.source); m.GetId() != 2 || m.GetReason() != messages.RefuseReason_REFUSE_INVALID {
			t.Errorf("refused %v", m)
		}
		testkit.Expect[*messages.Appended](r.source)

		r.Worker.Hold()
		r.source.Request(r.journal, offer(4, "d"))
		r.Advance(31 * time.Second)
		r.source.Request(r.journal, offer(5, "e"))
		r.Settle()
		if r.Worker.Held() != 2 {
			t.Fatalf("%d appends are under way", r.Worker.Held())
		}
		r.Worker.Release()
		testkit.Expect[*messages.Appended](r.source)
		testkit.Expect[*messages.Appended](r.source)
		if got := r.log.ids(); !slices.Equal(got, []string{"a", "c", "d", "e"}) {
			t.Errorf("log holds %v", got)
		}
	})
}

// One event that can never be written must not stop everybody's: who offered it
// is told, and the others' are written in their order.
func TestAnEventThatCanNotBeWrittenIsRefusedAlone(t *testing.T) {
	for _, c := range []struct {
		name    string
		bad     []*messages.Offer
		refused []uint64
		want    []string
	}{
		{"alone", []*messages.Offer{offer(2, "x\xff")}, []uint64{2}, []string{"a", "b"}},
		{"among good ones of one offer", []*messages.Offer{offer(2, "c", "x\xff", "d")}, []uint64{2}, []string{"a", "b"}},
		{"in an offer of several frames", []*messages.Offer{offer(2, append(names("c", 300), "x\xff")...)}, []uint64{2}, append([]string{"a"}, append(names("c", 256), "b")...)},
		{"twice", []*messages.Offer{offer(2, "x\xff"), offer(4, "y\xff")}, []uint64{2, 4}, []string{"a", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(r *rig) {
				r.log.check = true
				r.Worker.Hold()
				r.source.Request(r.journal, offer(1, "a"))
				for _, o := range c.bad {
					r.source.Request(r.journal, o)
				}
				r.source.Request(r.journal, offer(3, "b", "a"))
				r.Settle()
				r.Worker.Release()
				r.Advance(time.Minute)
				var refused, taken []uint64
				for _, m := range r.source.Messages() {
					switch m := m.(type) {
					case *messages.OfferRefused:
						if m.GetReason() != messages.RefuseReason_REFUSE_INVALID || !strings.Contains(m.GetDetail(), "UTF-8") {
							t.Errorf("refused %v", m)
						}
						refused = append(refused, m.GetId())
					case *messages.Appended:
						taken = append(taken, m.GetId())
						if m.GetId() == 3 && (!slices.Equal(m.GetDuplicates(), []uint32{1}) || !slices.Equal(m.GetHeld(), []uint64{uint64(messages.At(1, 0))})) {
							t.Errorf("acknowledged %v", m)
						}
					}
				}
				if got := r.log.ids(); !slices.Equal(got, c.want) || !slices.Equal(refused, c.refused) || !slices.Equal(taken, []uint64{1, 3}) {
					t.Errorf("log holds %d events %v, refused %v, taken %v", len(got), got, refused, taken)
				}
			})
		})
	}
}

func TestARestartAsksTheFrameInFlightAgain(t *testing.T) {
	run(t, func(r *rig) {
		r.log.fail = []error{errAfter}
		r.observe = func(o journal.Observation) {
			if o.Err != nil {
				panic("a bug")
			}
		}
		r.source.Request(r.journal, offer(1, "a"))
		r.Settle()
		r.source.Request(r.journal, offer(3, "b"))
		r.Advance(5 * time.Second)
		if got := r.Panics(); len(got) != 1 {
			t.Fatalf("panics %v, want one", got)
		}
		if got := r.log.ids(); !slices.Equal(got, []string{"a", "b"}) {
			t.Fatalf("log holds %v after a restart", got)
		}
		if len(r.log.frames) == 2 && r.log.frames[0].GetNumber() == r.log.frames[1].GetNumber() {
			t.Fatal("a frame's number was given twice")
		}
	})
}
