package source_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestCreateUpdateWithdraw(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.adapter.add(
			poll{drafts: []*messages.Event{article("a", "A"), article("b", "B")}, next: "1"},
			poll{drafts: []*messages.Event{article("a", "A"), article("b", "B2")}, next: "2"},
			poll{drafts: []*messages.Event{article("a", "A")}, next: "3"}, // b fell off: nothing
			poll{drafts: []*messages.Event{withdrawal("b"), withdrawal("never seen")}, next: "4"},
			poll{drafts: []*messages.Event{withdrawal("b")}, next: "5"}, // the tombstone stays listed
			poll{drafts: []*messages.Event{article("b", "B3")}, next: "6"},
		)
		pid := w.start()

		first := w.offer()
		wantLines(t, summary(first), "create A 1", "create B 1")
		b := first.GetEvents()[1]
		if want := "bbc:"; !strings.HasPrefix(b.GetId(), want) || !strings.HasSuffix(b.GetId(), ":created:1") {
			t.Errorf("id %q", b.GetId())
		}
		a := b.GetArticle().GetArticle()
		if a.GetIdentity() != "bbc|guid|b" || a.GetNumber() == 0 || a.GetNumber() >= 1<<52 || len(a.GetUrlHash()) != 64 {
			t.Errorf("article not completed: %v", a)
		}
		if now := testkit.Start.UnixMilli(); a.GetDiscoveredMs() != now || b.GetDetectedMs() != now {
			t.Errorf("times %d, %d, want %d", a.GetDiscoveredMs(), b.GetDetectedMs(), now)
		}
		if w.mark() != "1" {
			t.Errorf("mark %q", w.mark())
		}

		k.Advance(70 * time.Second)
		second := w.offer()
		wantLines(t, summary(second), "update B2 2")
		if got := second.GetEvents()[0].GetArticle().GetArticle(); got.GetDiscoveredMs() != testkit.Start.UnixMilli() ||
			got.GetUpdatedMs() <= got.GetDiscoveredMs() {
			t.Errorf("discovered %d, updated %d", got.GetDiscoveredMs(), got.GetUpdatedMs())
		}
		w.journal.ExpectNoMessage(70 * time.Second)
		k.Advance(70 * time.Second)
		wantLines(t, summary(w.offer()), "delete B2 3")
		w.journal.ExpectNoMessage(70 * time.Second)
		k.Advance(70 * time.Second)
		wantLines(t, summary(w.offer()), "create B3 4")

		d := w.describe(pid)
		if d.GetStatus() != "ok" || d.GetEvents() != 5 || d.GetKind() != "feed" || d.GetFailures() != 0 || d.GetLastSuccessMs() == 0 {
			t.Errorf("described %v", d)
		}
	})
}

// The table may be written only once the log holds the event, and the mark
// only once the table does.
func TestOrderOfWrites(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.adapter.add(poll{drafts: []*messages.Event{article("a", "A")}, next: "1"})
		w.start()
		o := testkit.Expect[*messages.Offer](w.journal)
		if w.table.writes != 0 || w.mark() != "" {
			t.Fatalf("%d writes, mark %q before the acknowledgement", w.table.writes, w.mark())
		}
		k.Worker.Hold()
		w.ack(o)
		if k.Worker.Held() != 1 || w.mark() != "" {
			t.Fatalf("held %d, mark %q: want the table's write alone", k.Worker.Held(), w.mark())
		}
		k.Worker.ReleaseNext()
		k.Settle()
		if w.table.writes != 1 || w.mark() != "" {
			t.Fatalf("%d writes, mark %q", w.table.writes, w.mark())
		}
		k.Worker.Release()
		k.Settle()
		if w.mark() != "1" {
			t.Fatalf("mark %q", w.mark())
		}
	})
}

func TestCrashBeforeTheTableIsWritten(t *testing.T) {
	for _, c := range []struct {
		name, now string
		want      []string // offered after the repeat
	}{
		{"same article", "A", nil},
		{"edited in between", "A, corrected", []string{"update A, corrected 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				w := newWorld(t, k)
				w.adapter.add(poll{drafts: []*messages.Event{article("a", "A")}, next: "1"})
				pid := w.start()
				first := testkit.Expect[*messages.Offer](w.journal)
				w.table.casErrs = []error{messages.ErrFull} // the write is lost, and then the node
				w.ack(first)
				k.Stop(pid)
				if w.table.writes != 0 || w.mark() != "" {
					t.Fatalf("%d writes, mark %q", w.table.writes, w.mark())
				}
				next := newWorld(t, k)
				next.table, next.log, next.journal = w.table, w.log, w.journal
				next.adapter.add(poll{drafts: []*messages.Event{article("a", c.now)}, next: "2"})
				next.cfg = w.cfg
				next.cfg.Adapter = next.adapter
				next.start()
				second := testkit.Expect[*messages.Offer](w.journal)
				if second.GetEvents()[0].GetId() != first.GetEvents()[0].GetId() {
					t.Fatalf("offered again as %q, want %q", second.GetEvents()[0].GetId(), first.GetEvents()[0].GetId())
				}
				next.ack(second, 0)
				if c.want == nil {
					w.journal.ExpectNoMessage(time.Second)
				} else {
					wantLines(t, summary(next.offer()), c.want...)
				}
				if got := w.table.items["bbc|guid|a"].GetArticle().GetTitle(); got != c.now {
					t.Errorf("table holds %q", got)
				}
				if next.mark() != "2" {
					t.Errorf("mark %q", next.mark())
				}
			})
		})
	}
}

// Two nodes read the same article; the other is first between our look and
// our write.
func TestConflictLooksAgain(t *testing.T) {
	for _, c := range []struct {
		name, theirs string
		want         []string
	}{
		{"same content", "A", nil},
		{"other content", "A of theirs", []string{"update A 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				w := newWorld(t, k)
				other := newWorld(t, k)
				other.table = w.table
				other.cfg.ID, other.cfg.Items = "feed-2", w.table
				other.adapter.add(poll{drafts: []*messages.Event{article("a", c.theirs)}, next: "1"})
				w.adapter.add(poll{drafts: []*messages.Event{article("a", "A")}, next: "1"})
				w.start()
				other.start()
				ours, theirs := testkit.Expect[*messages.Offer](w.journal), testkit.Expect[*messages.Offer](other.journal)
				if ours.GetEvents()[0].GetId() != theirs.GetEvents()[0].GetId() {
					t.Errorf("ids %q and %q of one article", ours.GetEvents()[0].GetId(), theirs.GetEvents()[0].GetId())
				}
				other.ack(theirs)
				w.ack(ours)
				if c.want == nil {
					w.journal.ExpectNoMessage(time.Second)
				} else {
					wantLines(t, summary(w.offer()), c.want...)
				}
				if got := w.table.items["bbc|guid|a"].GetArticle().GetTitle(); got != "A" {
					t.Errorf("table holds %q", got)
				}
				if w.mark() != "1" || other.mark() != "1" {
					t.Errorf("marks %q, %q", w.mark(), other.mark())
				}
			})
		})
	}
}

func TestJournalRefuses(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.adapter.add(poll{drafts: []*messages.Event{post("1")}, next: "1"})
		pid := w.start()
		o := testkit.Expect[*messages.Offer](w.journal)
		for _, reason := range []messages.RefuseReason{messages.RefuseReason_REFUSE_BUSY, messages.RefuseReason_REFUSE_DISK_FULL} {
			w.journal.Reply(&messages.OfferRefused{Id: o.GetId(), Reason: reason, RetryAfterMs: 1000})
			w.journal.ExpectNoMessage(700 * time.Millisecond)
			if got := w.describe(pid).GetStatus(); got != "waiting" {
				t.Errorf("status %q", got)
			}
			k.Advance(600 * time.Millisecond)
			again := testkit.Expect[*messages.Offer](w.journal)
			if again.GetId() != o.GetId() || again.GetEvents()[0].GetId() != "feed-1:post:1:1" {
				t.Fatalf("offered %v, want the same again", again)
			}
		}
		w.ack(o)
		w.ack(o) // of the first asking, late: nothing
		if got := w.describe(pid); got.GetStatus() != "ok" || got.GetEvents() != 1 {
			t.Errorf("described %v", got)
		}
	})
}

func TestJournalNeverAnswers(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.adapter.add(poll{drafts: []*messages.Event{post("1")}, next: "1"})
		w.start()
		o := testkit.Expect[*messages.Offer](w.journal)
		w.journal.ExpectNoMessage(29 * time.Second)
		k.Advance(2 * time.Second)
		if again := w.offer(); again.GetId() != o.GetId() {
			t.Errorf("offered %d again as %d", o.GetId(), again.GetId())
		}
	})
}

func TestOneEventTooLarge(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.adapter.add(poll{drafts: []*messages.Event{article("a", "A"), article("huge", "H"), article("b", "B")}, next: "1"})
		w.start()
		for _, want := range []string{"create A 1 create H 1 create B 1", "create A 1", "create H 1", "create B 1"} {
			o := testkit.Expect[*messages.Offer](w.journal)
			if got := strings.Join(summary(o), " "); got != want {
				t.Fatalf("offered %q, want %q", got, want)
			}
			if strings.Contains(want, "H") {
				w.journal.Reply(&messages.OfferRefused{Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_TOO_LARGE})
				k.Settle()
				continue
			}
			w.ack(o)
		}
		if w.table.items["bbc|guid|huge"] != nil || w.table.items["bbc|guid|a"] == nil || w.mark() != "1" {
			t.Errorf("table %v, mark %q", w.table.items, w.mark())
		}
	})
}

func TestManyDraftsGoInBatches(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		var drafts []*messages.Event
		for i := range 600 {
			drafts = append(drafts, article(fmt.Sprint(i), fmt.Sprint(i)))
		}
		drafts = append(drafts, article("7", "seven, listed twice"))
		w.adapter.add(poll{drafts: drafts, next: "1"})
		w.start()
		var titles []string
		for _, n := range []int{256, 256, 88} {
			o := w.offer()
			if len(o.GetEvents()) != n {
				t.Fatalf("%d events, want %d", len(o.GetEvents()), n)
			}
			for _, e := range o.GetEvents() {
				titles = append(titles, e.GetArticle().GetArticle().GetTitle())
			}
		}
		if titles[0] != "0" || slices.Contains(titles, "7") || titles[599] != "seven, listed twice" {
			t.Errorf("order or repeats wrong: %q", titles)
		}
	})
}

func TestFailuresBackOffForEver(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		k.Worker.Panicked = func(reason any) any { return &actors.WorkPanicked{Reason: reason} }
		for range 40 {
			w.adapter.add(poll{err: errors.New("no such host")})
		}
		w.adapter.add(poll{panics: "adapter's fault"}, poll{drafts: []*messages.Event{post("1")}, next: "1"})
		pid := w.start()
		last := k.Clock.Now()
		var waits []time.Duration
		for n := 1; n <= 40; n++ {
			d := w.describe(pid)
			if d.GetStatus() != "failing" || d.GetLastError() != "poll: no such host" || d.GetFailures() != int64(n) {
				t.Fatalf("after %d failures: %v", n, d)
			}
			next := time.UnixMilli(d.GetNextPollMs())
			waits = append(waits, next.Sub(last))
			k.Advance(next.Sub(k.Clock.Now()) + time.Millisecond)
			last = k.Clock.Now()
		}
		if waits[0] < 7*time.Second || waits[0] > 13*time.Second {
			t.Errorf("first wait %v, want about 10 s", waits[0])
		}
		for _, wait := range waits[20:] {
			if wait < 44*time.Minute || wait > 76*time.Minute {
				t.Errorf("late wait %v, want about an hour", wait)
			}
		}
		if d := w.describe(pid); !strings.Contains(d.GetLastError(), "panicked") {
			t.Errorf("after a panic: %v", d)
		}
		k.Advance(2 * time.Hour)
		w.offer()
		if d := w.describe(pid); d.GetStatus() != "ok" || d.GetFailures() != 0 || d.GetLastError() == "" {
			t.Errorf("recovered: %v", d)
		}
	})
}

func TestRetryAfterBesideAnError(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.adapter.add(poll{err: errors.New("429"), after: 3 * time.Hour, next: "moved"})
		pid := w.start()
		if w.mark() != "moved" {
			t.Errorf("mark %q", w.mark())
		}
		if wait := time.UnixMilli(w.describe(pid).GetNextPollMs()).Sub(k.Clock.Now()); wait != 3*time.Hour {
			t.Errorf("waits %v", wait)
		}
	})
}

// An adapter that was not let to its upstream learnt nothing, which is neither
// a success nor a failure.
func TestNotAsked(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.adapter.add(poll{after: 3 * time.Second}, poll{drafts: []*messages.Event{post("1")}, next: "1"})
		pid := w.start()
		if d := w.describe(pid); d.GetStatus() != "starting" || d.GetLastSuccessMs() != 0 {
			t.Errorf("described %v", d)
		}
		w.journal.ExpectNoMessage(2900 * time.Millisecond)
		k.Advance(200 * time.Millisecond)
		w.offer()
	})
}

func TestIntervalAndUpstreamsWish(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.adapter.add(poll{next: "1"}, poll{next: "2", after: 10 * time.Minute})
		w.start()
		k.Advance(53 * time.Second)
		if n := len(w.adapter.polled()); n != 1 {
			t.Errorf("%d polls before the interval", n)
		}
		k.Advance(14 * time.Second)
		if n := len(w.adapter.polled()); n != 2 {
			t.Errorf("%d polls after the interval", n)
		}
		k.Advance(9 * time.Minute)
		if n := len(w.adapter.polled()); n != 2 {
			t.Errorf("%d polls though the upstream asked for ten minutes", n)
		}
		k.Advance(70 * time.Second)
		if got := w.adapter.polled(); !slices.Equal(got, []string{"", "1", "2"}) {
			t.Errorf("marks %q", got)
		}
	})
}

func TestResumesFromItsMark(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		records(k).Put("marks.feed-1", []byte("41"))
		records(k).Inject(memory.RecordFault{Op: memory.ControlGet, Err: errors.New("no leader")})
		pid := w.start()
		if d := w.describe(pid); d.GetStatus() != "failing" || !strings.Contains(d.GetLastError(), "no leader") {
			t.Errorf("described %v", d)
		}
		k.Advance(30 * time.Second)
		if got := w.adapter.polled(); len(got) != 1 || got[0] != "41" {
			t.Errorf("polled with %q", got)
		}
	})
}

// Another node saved a mark since ours was read: the later one is kept.
func TestMarkConflict(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.adapter.add(poll{drafts: []*messages.Event{post("1")}, next: "1"}, poll{next: "2"})
		w.start()
		records(k).Put("marks.feed-1", []byte("theirs"))
		w.offer()
		if w.mark() != "1" {
			t.Errorf("mark %q", w.mark())
		}
		records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Err: errors.New("no leader")})
		k.Advance(70 * time.Second)
		if w.mark() != "1" {
			t.Errorf("mark %q", w.mark())
		}
		w.adapter.add(poll{next: "3"})
		k.Advance(70 * time.Second)
		if w.mark() != "3" {
			t.Errorf("mark %q after the store came back", w.mark())
		}
	})
}

func TestTableFailures(t *testing.T) {
	down := errors.New("no leader")
	for _, c := range []struct {
		name    string
		prepare func(*table)
		fails   bool
		offers  int
	}{
		{"one read", func(t *table) { t.getErrs = []error{down} }, false, 1},
		{"all reads", func(t *table) { t.getErrs = []error{down, down, down, down} }, true, 1},
		{"one write", func(t *table) { t.casErrs = []error{down} }, false, 1},
		{"write that happened", func(t *table) { t.casErrs, t.commits = []error{messages.ErrAmbiguous}, true }, false, 1},
		{"all writes", func(t *table) { t.casErrs = []error{down, down, down, down} }, true, 2},
		{"disk full", func(t *table) { t.casErrs = []error{messages.ErrFull} }, true, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				w := newWorld(t, k)
				c.prepare(w.table)
				w.adapter.add(poll{drafts: []*messages.Event{article("a", "A")}, next: "1"})
				w.adapter.add(poll{drafts: []*messages.Event{article("a", "A")}, next: "1"})
				pid := w.start()
				offers, failed := 0, false
				for range 40 {
					k.Advance(time.Second)
					for _, m := range w.journal.Messages() {
						o := m.(*messages.Offer)
						offers++
						var repeats []uint32
						if offers > 1 {
							repeats = []uint32{0}
						}
						for _, e := range o.GetEvents() {
							w.log.put(e)
						}
						w.journal.Request(pid, &messages.Appended{
							Id: o.GetId(), Duplicates: repeats, Held: []uint64{uint64(w.log.at[o.GetEvents()[0].GetId()])}[:len(repeats)],
						})
						k.Settle()
					}
					failed = failed || w.describe(pid).GetStatus() == "failing"
				}
				if failed != c.fails || offers != c.offers {
					t.Errorf("failed %v, %d offers; want %v, %d", failed, offers, c.fails, c.offers)
				}
				if w.mark() != "1" || w.table.items["bbc|guid|a"] == nil || w.describe(pid).GetStatus() != "ok" {
					t.Errorf("mark %q, table %v: not recovered", w.mark(), w.table.items)
				}
			})
		})
	}
}

func TestFullWorkerPool(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.adapter.add(poll{drafts: []*messages.Event{article("a", "A")}, next: "1"})
		k.Worker.Refuse(true)
		w.start()
		k.Advance(10 * time.Second)
		k.Worker.Refuse(false)
		k.Advance(time.Second)
		o := testkit.Expect[*messages.Offer](w.journal)
		k.Worker.Refuse(true)
		w.ack(o)
		k.Advance(5 * time.Second)
		k.Worker.Refuse(false)
		k.Advance(time.Second)
		if w.table.writes != 1 {
			t.Errorf("%d writes", w.table.writes)
		}
	})
}

// A restart forgets the batch, and answers to the old instance mean nothing.
func TestRestartMidway(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.adapter.add(poll{drafts: []*messages.Event{post("1")}, next: "1"})
		parent := k.Supervisor(actor.NewOneForOneStrategy(10, time.Minute, actor.DefaultDecider))
		pid := parent.SpawnProps("source", crashing(w.cfg))
		k.Advance(0)
		o := testkit.Expect[*messages.Offer](w.journal)
		k.Tell(pid, "crash")
		if got := k.Panics(); len(got) != 1 {
			t.Fatalf("panics %v", got)
		}
		w.adapter.add(poll{drafts: []*messages.Event{post("1")}, next: "1"})
		w.ack(o) // late
		if w.mark() != "" {
			t.Fatalf("mark %q by an answer to the old instance", w.mark())
		}
		k.Advance(0)
		again := w.offer()
		if again.GetId() == o.GetId() || again.GetEvents()[0].GetId() != o.GetEvents()[0].GetId() {
			t.Errorf("offer %d again as %d", o.GetId(), again.GetId())
		}
		if w.mark() != "1" {
			t.Errorf("mark %q", w.mark())
		}
	})
}

// crashing is a source that panics on a string, as a bug of its own would.
func crashing(cfg source.Config) *actor.Props {
	plain := cfg.Props
	cfg.Props = func(kind string, produce actor.Producer, children actor.SupervisorStrategy) *actor.Props {
		return plain(kind, func() actor.Actor {
			inner := produce()
			return actor.ReceiveFunc(func(ctx actor.Context) {
				if _, ok := ctx.Message().(string); ok {
					panic("crash")
				}
				inner.Receive(ctx)
			})
		}, children)
	}
	return source.Props(cfg)
}

func TestStopLeavesNothing(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		pid := w.start()
		k.Stop(pid)
		if n := k.Clock.Timers(); n != 0 {
			t.Errorf("%d timers left", n)
		}
	})
}

func TestValidate(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		for name, breakIt := range map[string]func(*source.Config){
			"id":       func(c *source.Config) { c.ID = "a.b" },
			"interval": func(c *source.Config) { c.Interval = time.Millisecond },
			"port":     func(c *source.Config) { c.Journal = nil },
			"adapter":  func(c *source.Config) { c.Adapter = nil },
		} {
			w := newWorld(t, k)
			breakIt(&w.cfg)
			if err := w.cfg.Validate(); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}

// logbook is a journal that knows repeats, and what readers saw of each identity.
type logbook struct {
	seen   map[string]bool
	events *held
	shown  map[string][]string
}

func (l *logbook) Receive(ctx actor.Context) {
	m, ok := ctx.Message().(*messages.Offer)
	if !ok {
		return
	}
	answer := &messages.Appended{Id: m.GetId()}
	for i, e := range m.GetEvents() {
		if l.seen[e.GetId()] {
			answer.Duplicates = append(answer.Duplicates, uint32(i))
			answer.Held = append(answer.Held, uint64(l.events.at[e.GetId()]))
			continue
		}
		l.seen[e.GetId()] = true
		l.events.put(e)
		a := e.GetArticle()
		identity := a.GetArticle().GetIdentity()
		l.shown[identity] = append(l.shown[identity],
			fmt.Sprintf("%s %d %s", strings.Split(e.GetId(), ":")[2], a.GetRevision(), a.GetArticle().GetTitle()))
	}
	ctx.Respond(answer)
}

// Two nodes read the same upstream in whatever order: every edit is shown,
// once, in revisions without a hole, and the table ends at the last of them.
func TestAnySchedule(t *testing.T) {
	testkit.RunSeeds(t, 100, func(t *testing.T, k *testkit.Kit) {
		book := &logbook{seen: map[string]bool{}, events: newHeld(), shown: map[string][]string{}}
		journal := k.Spawn("journal", func() actor.Actor { return book })
		shared := newTable()
		for _, id := range []string{"feed-1", "feed-2"} {
			w := newWorld(t, k)
			w.cfg.ID, w.cfg.Items, w.cfg.Log, w.cfg.Journal = id, shared, book.events, journal
			w.cfg.Interval = time.Second
			for n := range 6 {
				w.adapter.add(poll{drafts: []*messages.Event{article("a", fmt.Sprint("A", n/2)), article("b", "B")}, next: fmt.Sprint(n)})
			}
			k.SpawnProps("source", source.Props(w.cfg))
		}
		k.Advance(20 * time.Second)
		wantLines(t, book.shown["bbc|guid|b"], "created 1 B")
		shown := book.shown["bbc|guid|a"]
		for i, line := range shown {
			if !strings.Contains(line, fmt.Sprintf("ed %d ", i+1)) {
				t.Fatalf("revisions have a hole: %q", shown)
			}
		}
		if last := shown[len(shown)-1]; !strings.HasSuffix(last, "A2") {
			t.Errorf("shown last %q of %q", last, shown)
		}
		if got := shared.items["bbc|guid|a"]; got.GetArticle().GetTitle() != "A2" || int(got.GetRevision()) != len(shown) {
			t.Errorf("table holds %v after %q", got, shown)
		}
	})
}

// A warning fails nothing: what was read is offered, the mark is saved, and the
// operator sees it until a poll has none.
func TestWarning(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.adapter.add(
			poll{drafts: []*messages.Event{article("a", "A")}, next: "1", err: cutOff{}},
			poll{next: "2", err: fmt.Errorf("feed: %w", cutOff{})},
			poll{next: "3", err: errors.New("status 500")},
			poll{next: "4"},
		)
		pid := w.start()
		wantLines(t, summary(w.offer()), "create A 1")
		k.Settle()
		for _, want := range []struct{ mark, status, warning string }{
			{"1", "ok", "cut off"}, {"2", "ok", "cut off"}, {"3", "failing", "cut off"}, {"4", "ok", ""},
		} {
			for range 100 {
				if w.mark() == want.mark {
					break
				}
				k.Advance(time.Second)
			}
			d := w.describe(pid)
			if w.mark() != want.mark || d.GetStatus() != want.status || d.GetWarning() != want.warning || d.GetFailures() > 0 != (want.status == "failing") {
				t.Errorf("mark %q, described %v; want %v", w.mark(), d, want)
			}
		}
	})
}

// remembering is a script whose mark "cut" was made with a warning.
type remembering struct{ *script }

func (remembering) Remembered(mark []byte) string {
	if string(mark) == "cut" {
		return "cut off"
	}
	return ""
}

// A source that begins again waits for its turn; what was wrong with what it read
// last is told from the start, and also while its upstream wants to be left alone.
func TestAWarningIsRememberedOverARestart(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.cfg.Adapter = remembering{w.adapter}
		records(k).Put("marks.feed-1", []byte("cut"))
		w.adapter.add(poll{after: time.Hour}, poll{next: "whole"})
		pid := w.start()
		for range 2 { // before the first poll, and after one that asked nobody
			if d := w.describe(pid); d.GetWarning() != "cut off" || d.GetStatus() != "starting" || len(w.adapter.polled()) > 1 {
				t.Errorf("after %d polls: %v", len(w.adapter.polled()), d)
			}
			k.Advance(2 * time.Minute)
		}
		k.Advance(2 * time.Hour)
		if d := w.describe(pid); d.GetWarning() != "" || d.GetStatus() != "ok" {
			t.Errorf("after it was read whole: %v", d)
		}
	})
}

type cutOff struct{}

func (cutOff) Error() string   { return "cut off" }
func (cutOff) Warning() string { return "cut off" }

// A mark that the disk does not give back costs reading, and is written again.
func TestADamagedMark(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		records(k).Put("marks.feed-1", []byte("41"))
		records(k).Damage("marks.feed-1")
		w.adapter.add(poll{drafts: []*messages.Event{post("1")}, next: "1"})
		w.start()
		w.offer()
		if got := w.adapter.polled(); len(got) != 1 || got[0] != "" {
			t.Errorf("polled with %q", got)
		}
		if w.mark() != "1" {
			t.Errorf("mark %q", w.mark())
		}
	})
}
