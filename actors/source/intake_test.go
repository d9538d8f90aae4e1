package source_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

func pushWorld(t *testing.T, k *testkit.Kit) (*world, *actor.PID, *testkit.Probe) {
	w := newWorld(t, k)
	w.cfg.ID, w.cfg.Kind, w.cfg.Adapter, w.cfg.Records, w.cfg.URL = "push", "push", nil, nil, ""
	if err := w.cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	pid := w.SpawnProps("push", source.PushProps(w.cfg))
	w.Settle()
	return w, pid, w.Probe()
}

func pushed(id, sourceID, title string) *messages.Event {
	return draft(messages.ArticleAction_ARTICLE_ACTION_UNSPECIFIED,
		&messages.Article{Id: id, SourceId: sourceID, Title: title, Url: "https://example.com/" + id})
}

func unpush(id, sourceID string) *messages.Event {
	return draft(messages.ArticleAction_ARTICLE_DELETED, &messages.Article{Id: id, SourceId: sourceID})
}

func readyPost(id string) *messages.Event {
	e := post(id)
	e.Id, e.Source, e.DetectedMs = "push:post:"+id+":1", "push", 1
	return e
}

func TestPushPosts(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid, p := pushWorld(t, k)
		p.Request(pid, &messages.Offer{Id: 7, Events: []*messages.Event{readyPost("1"), readyPost("2")}})
		p.Request(pid, &messages.Offer{Id: 8, Events: []*messages.Event{readyPost("3")}})
		first := testkit.Expect[*messages.Offer](w.journal)
		second := testkit.Expect[*messages.Offer](w.journal)
		if len(first.GetEvents()) != 2 || first.GetEvents()[0].GetId() != "push:post:1:1" || first.GetId() == second.GetId() {
			t.Fatalf("offers %v, %v", first, second)
		}
		w.journal.Request(pid, &messages.Appended{Id: first.GetId(), LastPosition: 9, Duplicates: []uint32{1}})
		w.journal.Request(pid, &messages.OfferRefused{
			Id: second.GetId(), Reason: messages.RefuseReason_REFUSE_DISK_FULL, RetryAfterMs: 5000, Detail: "full",
		})
		if a := testkit.Expect[*messages.Appended](p); a.GetId() != 7 || a.GetLastPosition() != 9 || len(a.GetDuplicates()) != 1 {
			t.Errorf("answer %v", a)
		}
		r := testkit.Expect[*messages.OfferRefused](p)
		if r.GetId() != 8 || r.GetReason() != messages.RefuseReason_REFUSE_DISK_FULL || r.GetRetryAfterMs() != 5000 {
			t.Errorf("answer %v", r)
		}
		d := w.describe(pid)
		if d.GetEvents() != 1 || d.GetDuplicates() != 1 || d.GetStatus() != "failing" || d.GetKind() != "push" {
			t.Errorf("described %v", d)
		}
	})
}

func TestPushBound(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWorld(t, k)
		w.cfg.ID, w.cfg.Kind, w.cfg.MaxUnacked = "push", "push", 3
		pid := w.SpawnProps("push", source.PushProps(w.cfg))
		p := k.Probe()
		offer := func(id uint64, posts ...string) {
			o := &messages.Offer{Id: id}
			for _, name := range posts {
				o.Events = append(o.Events, readyPost(name))
			}
			p.Request(pid, o)
		}
		offer(1, "a", "b")
		offer(2, "c", "d")
		if r := testkit.Expect[*messages.OfferRefused](p); r.GetId() != 2 || r.GetReason() != messages.RefuseReason_REFUSE_BUSY || r.GetRetryAfterMs() == 0 {
			t.Errorf("past the bound: %v", r)
		}
		offer(3, "c")
		w.ack(testkit.Expect[*messages.Offer](w.journal))
		testkit.Expect[*messages.Appended](p)
		offer(4, "d", "e")
		w.ack(testkit.Expect[*messages.Offer](w.journal))
		w.ack(testkit.Expect[*messages.Offer](w.journal))
		testkit.Expect[*messages.Appended](p)
		testkit.Expect[*messages.Appended](p)
		offer(6)
		if a := testkit.Expect[*messages.Appended](p); a.GetId() != 6 {
			t.Errorf("an empty offer: %v", a)
		}
	})
}

func TestPushArticlesShareABatch(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid, p := pushWorld(t, k)
		k.Worker.Hold()
		p.Request(pid, &messages.Offer{Id: 1, Events: []*messages.Event{pushed("a", "s", "A")}})
		k.Settle()
		p.Request(pid, &messages.Offer{Id: 2, Events: []*messages.Event{pushed("b", "s", "B"), pushed("a", "s", "A")}})
		p.Request(pid, &messages.Offer{Id: 3, Events: []*messages.Event{pushed("a", "s", "A2")}})
		k.Settle()
		k.Worker.Release()
		wantLines(t, summary(w.offer()), "create A 1")
		if a := testkit.Expect[*messages.Appended](p); a.GetId() != 1 || len(a.GetDuplicates()) != 0 {
			t.Errorf("answer %v", a)
		}
		wantLines(t, summary(w.offer()), "create B 1", "update A2 2") // both asks at once
		if a := testkit.Expect[*messages.Appended](p); a.GetId() != 2 || len(a.GetDuplicates()) != 1 || a.GetDuplicates()[0] != 1 {
			t.Errorf("answer %v", a)
		}
		if a := testkit.Expect[*messages.Appended](p); a.GetId() != 3 || len(a.GetDuplicates()) != 0 {
			t.Errorf("answer %v", a)
		}
	})
}

func TestPushDelete(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid, p := pushWorld(t, k)
		ask := func(want string, e *messages.Event) {
			t.Helper()
			p.Request(pid, &messages.Offer{Id: 1, Events: []*messages.Event{e}})
			k.Settle()
			got := "nothing"
			if all := w.journal.Messages(); len(all) == 1 {
				o := all[0].(*messages.Offer)
				got = summary(o)[0]
				w.journal.Request(pid, &messages.Appended{Id: o.GetId()})
			}
			a := testkit.Expect[*messages.Appended](p)
			if got != want || (len(a.GetDuplicates()) == 1) != (want == "nothing") {
				t.Errorf("offered %q (%v), want %q", got, a, want)
			}
		}
		ask("create A 1", pushed("a", "s1", "A"))
		ask("create A of s2 1", pushed("a", "s2", "A of s2"))
		ask("create A 1", pushed("b", "s1", "A"))
		ask("delete A 2", unpush("a", "s1"))
		ask("nothing", unpush("a", "s1"))
		ask("delete A of s2 2", unpush("a", "")) // no source named: the newest under that id
		ask("nothing", unpush("never", ""))
		ask("nothing", unpush("never", "s1"))
		ask("create A 3", pushed("a", "s1", "A"))
		ask("delete A 4", unpush("a", ""))
	})
}

// An update must not be taken for the creation: no answer before the table holds it.
func TestPushWaitsForTheTable(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid, p := pushWorld(t, k)
		down := errors.New("no leader")
		w.table.casErrs = []error{down, down, down, down}
		p.Request(pid, &messages.Offer{Id: 1, Events: []*messages.Event{pushed("a", "s", "A")}})
		w.offer()
		p.ExpectNoMessage(100 * time.Millisecond)
		k.Advance(10 * time.Second)
		if r := testkit.Expect[*messages.OfferRefused](p); r.GetReason() != messages.RefuseReason_REFUSE_BUSY {
			t.Errorf("answer %v", r)
		}
		// The client pushes an edited article: it is shown, though the log holds the first under its id.
		p.Request(pid, &messages.Offer{Id: 2, Events: []*messages.Event{pushed("a", "s", "A2")}})
		o := testkit.Expect[*messages.Offer](w.journal)
		w.ack(o, 0)
		wantLines(t, summary(w.offer()), "update A2 2")
		testkit.Expect[*messages.Appended](p)

		w.table.casErrs = []error{messages.ErrFull}
		p.Request(pid, &messages.Offer{Id: 3, Events: []*messages.Event{pushed("b", "s", "B")}})
		w.offer()
		if r := testkit.Expect[*messages.OfferRefused](p); r.GetReason() != messages.RefuseReason_REFUSE_DISK_FULL {
			t.Errorf("answer %v", r)
		}
	})
}

// One article that the log already holds must not hold up the others while the
// log cannot be read: it alone is refused, at once, and taken when pushed again.
func TestAnUnreadableLogRefusesTheRepeatedArticleAlone(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid, p := pushWorld(t, k)
		w.table.casErrs = []error{messages.ErrFull} // the log has "a", the table does not
		p.Request(pid, &messages.Offer{Id: 1, Events: []*messages.Event{pushed("a", "s", "A")}})
		w.offer()
		testkit.Expect[*messages.OfferRefused](p)

		w.log.err = errors.New("no leader")
		first := w.Clock.Now()
		p.Request(pid, &messages.Offer{Id: 2, Events: []*messages.Event{pushed("x", "s", "X")}})
		p.Request(pid, &messages.Offer{Id: 3, Events: []*messages.Event{pushed("a", "s", "A2")}})
		p.Request(pid, &messages.Offer{Id: 4, Events: []*messages.Event{pushed("y", "s", "Y")}})
		w.offer() // x; the other two have become one batch
		w.ack(testkit.Expect[*messages.Offer](w.journal), 0)
		var outcome []string
		for _, m := range p.Messages() {
			switch m := m.(type) {
			case *messages.Appended:
				outcome = append(outcome, fmt.Sprint(m.GetId(), " appended"))
			case *messages.OfferRefused:
				outcome = append(outcome, fmt.Sprint(m.GetId(), " ", m.GetReason(), " ", m.GetDetail()))
			}
		}
		wantLines(t, outcome, "2 appended", "3 REFUSE_BUSY read repeated events from the log: no leader", "4 appended")
		if took := w.Clock.Now().Sub(first); took != 0 {
			t.Errorf("the others waited %v", took)
		}

		w.log.err = nil
		p.Request(pid, &messages.Offer{Id: 5, Events: []*messages.Event{pushed("a", "s", "A2")}})
		w.ack(testkit.Expect[*messages.Offer](w.journal), 0)
		wantLines(t, summary(w.offer()), "update A2 2")
		testkit.Expect[*messages.Appended](p)
	})
}

func TestPushJournalRefusesOrIsSilent(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid, p := pushWorld(t, k)
		p.Request(pid, &messages.Offer{Id: 1, Events: []*messages.Event{pushed("a", "s", "A")}})
		o := testkit.Expect[*messages.Offer](w.journal)
		w.journal.Reply(&messages.OfferRefused{Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_BUSY, RetryAfterMs: 70})
		if r := testkit.Expect[*messages.OfferRefused](p); r.GetId() != 1 || r.GetRetryAfterMs() != 70 {
			t.Errorf("answer %v", r)
		}
		p.Request(pid, &messages.Offer{Id: 2, Events: []*messages.Event{pushed("a", "s", "A")}})
		p.Request(pid, &messages.Offer{Id: 3, Events: []*messages.Event{readyPost("1")}})
		k.Advance(31 * time.Second)
		answers := p.Messages()
		if len(answers) != 2 {
			t.Fatalf("answers %v", answers)
		}
		for _, a := range answers {
			if r, ok := a.(*messages.OfferRefused); !ok || r.GetReason() != messages.RefuseReason_REFUSE_STOPPING {
				t.Errorf("answer %v", a)
			}
		}
		if n := k.Clock.Timers(); n != 0 {
			t.Errorf("%d timers left", n)
		}
		if got := w.describe(pid); got.GetStatus() != "failing" {
			t.Errorf("described %v", got)
		}
	})
}

func TestPushStopAnswersWhoWaits(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid, p := pushWorld(t, k)
		p.Request(pid, &messages.Offer{Id: 1, Events: []*messages.Event{pushed("a", "s", "A")}})
		p.Request(pid, &messages.Offer{Id: 2, Events: []*messages.Event{pushed("b", "s", "B")}})
		p.Request(pid, &messages.Offer{Id: 3, Events: []*messages.Event{readyPost("1")}})
		k.Settle()
		k.Stop(pid)
		for id := uint64(1); id <= 3; id++ {
			if r := testkit.Expect[*messages.OfferRefused](p); r.GetId() != id || r.GetReason() != messages.RefuseReason_REFUSE_STOPPING {
				t.Errorf("answer %v", r)
			}
		}
		w.journal.Messages()
	})
}
