package upstreams_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/upstreams"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// rig is a node's upstreams with sources that do what the test says.
type rig struct {
	*testkit.Kit
	t      testing.TB
	pid    *actor.PID
	client *testkit.Probe
	log    []string // "start feed-1 https://…", "stop feed-1"
	silent map[string]bool
	pids   map[string]*actor.PID
}

func run(t *testing.T, test func(r *rig)) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := &rig{Kit: k, t: t, client: k.Probe(), silent: map[string]bool{}, pids: map[string]*actor.PID{}}
		r.start()
		test(r)
	})
}

func (r *rig) start() {
	r.pid = r.SpawnProps("upstreams", upstreams.Props(upstreams.Config{
		Records: records(r.Kit), Clock: r.Clock, Worker: r.Worker, Props: r.Props, Logger: r.Log,
		Feed: func(f *messages.Feed) (*actor.Props, error) {
			if f.GetUrl() == "https://bad.example/" {
				return nil, errors.New("no reader for it")
			}
			return r.source(f.GetId(), f.GetUrl()), nil
		},
		Others:    []upstreams.Other{{ID: "push", Kind: "push", Props: r.source("push", "")}},
		Absent:    []string{"seldom"},
		QueueMost: 3,
	}))
	r.Settle()
}

// source answers, or is silent, or panics when it is told to.
func (r *rig) source(id, url string) *actor.Props {
	return r.Props("source", func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				r.pids[id] = ctx.Self()
				r.log = append(r.log, "start "+id+" "+url)
			case *actor.Stopped:
				r.log = append(r.log, "stop "+id)
			case *messages.DescribeSource:
				if !r.silent[id] {
					ctx.Respond(&messages.SourceDescribed{Id: id, Status: "ok", Url: url})
				}
			case string:
				panic(m)
			}
		})
	}, nil)
}

func ask[T any](r *rig, m any) T {
	r.t.Helper()
	r.client.Request(r.pid, m)
	return testkit.Expect[T](r.client)
}

// happened are the log's new lines.
func (r *rig) happened(t *testing.T, want ...string) {
	t.Helper()
	r.Settle()
	if !slices.Equal(r.log, want) {
		t.Errorf("happened %q, want %q", r.log, want)
	}
	r.log = nil
}

func feed(id, url string) *messages.Feed { return &messages.Feed{Id: id, Url: url} }

func TestALifeOfAFeed(t *testing.T) {
	run(t, func(r *rig) {
		r.happened(t, "start push ")
		made := ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed("f1", "https://a.example/")})
		r.happened(t, "start f1 https://a.example/")
		taken := ask[*messages.Rejected](r, &messages.CreateFeed{Feed: feed("f2", "HTTPS://A.example#x")})
		if taken.GetRejection() != messages.Rejection_REJECTION_CONFLICT || taken.GetField() != "url" {
			t.Errorf("the address of another: %v", taken)
		}
		if again := ask[*messages.Rejected](r, &messages.CreateFeed{Feed: feed("f1", "https://b.example/")}); again.GetRejection() != messages.Rejection_REJECTION_CONFLICT || again.GetField() != "" {
			t.Errorf("the id of another: %v", again)
		}
		changed := made.GetFeed()
		changed.Url = "https://b.example/"
		updated := ask[*messages.FeedShown](r, &messages.UpdateFeed{Feed: changed, Revision: made.GetRevision()})
		r.happened(t, "stop f1", "start f1 https://b.example/")
		if old := ask[*messages.Rejected](r, &messages.UpdateFeed{Feed: changed, Revision: made.GetRevision()}); old.GetRejection() != messages.Rejection_REJECTION_CONFLICT || old.GetField() != "" {
			t.Errorf("an old revision: %v", old)
		}
		got := ask[*messages.FeedShown](r, &messages.GetFeed{Id: "f1"})
		if got.GetRevision() != updated.GetRevision() || got.GetFeed().GetUrl() != "https://b.example/" || got.GetSource().GetStatus() != "ok" {
			t.Errorf("got %v", got)
		}
		ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed("f2", "https://a.example/")}) // free again
		records(r.Kit).Put("marks.f1", []byte("7"))
		r.log = nil
		ask[*messages.FeedDeleted](r, &messages.DeleteFeed{Id: "f1"})
		r.happened(t, "stop f1")
		for _, record := range records(r.Kit).All() {
			if record.Key == "feeds.f1" || record.Key == "marks.f1" {
				t.Errorf("%s is left", record.Key)
			}
		}
		for _, m := range []any{&messages.DeleteFeed{Id: "f1"}, &messages.GetFeed{Id: "f1"}, &messages.GetFeed{Id: "a b"}, &messages.DeleteFeed{Id: "push"}} {
			if gone := ask[*messages.Rejected](r, m); gone.GetRejection() != messages.Rejection_REJECTION_NOT_FOUND {
				t.Errorf("%v: %v", m, gone)
			}
		}
		r.happened(t)
	})
}

func TestSourcesAreListedAlsoWhenOneIsSilent(t *testing.T) {
	run(t, func(r *rig) {
		for _, id := range []string{"f1", "f2"} {
			ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed(id, "https://"+id+".example/")})
		}
		if all := ask[*messages.SourcesListed](r, &messages.ListSources{}); len(all.GetSources()) != 3 || all.GetSources()[0].GetId() != "f1" {
			t.Errorf("listed %v", all)
		}
		r.silent["f1"] = true
		r.client.Request(r.pid, &messages.ListSources{})
		r.client.Request(r.pid, &messages.ListFeeds{})
		r.client.ExpectNoMessage(2*time.Second - 1)
		r.Advance(1)
		if all := testkit.Expect[*messages.SourcesListed](r.client); len(all.GetSources()) != 2 {
			t.Errorf("listed %v", all)
		}
		all := testkit.Expect[*messages.FeedsListed](r.client).GetFeeds()
		if len(all) != 2 || all[0].GetSource() != nil || all[1].GetSource().GetStatus() != "ok" {
			t.Errorf("listed %v", all)
		}
	})
}

// A source that fails rests for longer and longer, is shown as failing
// in that time, and comes back for ever.
func TestASourceThatFailsRests(t *testing.T) {
	run(t, func(r *rig) {
		ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed("f1", "https://a.example/")})
		for _, rest := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
			r.log = nil
			r.Tell(r.pids["f1"], "a bug")
			if len(r.Panics()) != 1 {
				t.Fatal("it did not fail")
			}
			got := ask[*messages.FeedShown](r, &messages.GetFeed{Id: "f1"})
			if got.GetSource().GetStatus() != "failing" {
				t.Errorf("while it rests: %v", got.GetSource())
			}
			r.Advance(rest*time.Second - 1)
			r.happened(t)
			r.Advance(1)
			r.happened(t, "start f1 https://a.example/")
		}
		r.Advance(11 * time.Minute)
		r.Tell(r.pids["f1"], "a bug, much later")
		r.Panics()
		r.log = nil
		r.Advance(time.Second)
		r.happened(t, "start f1 https://a.example/")
		r.Tell(r.pids["f1"], "a bug")
		r.Panics()
		ask[*messages.FeedDeleted](r, &messages.DeleteFeed{Id: "f1"}) // also while it rests
		r.log = nil
		r.Advance(time.Hour)
		r.happened(t)
	})
}

func TestTheStoreComesBack(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := &rig{Kit: k, t: t, client: k.Probe(), silent: map[string]bool{}, pids: map[string]*actor.PID{}}
		r.start()
		ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed("f1", "https://a.example/")})
		ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed("f2", "https://bad.example/")}) // without a source
		k.Stop(r.pid)
		records(k).Down(errors.New("no store"))
		r.log = nil
		r.start()
		r.happened(t, "start push ")
		for range 3 {
			r.client.Request(r.pid, &messages.ListFeeds{})
		}
		late := ask[*messages.Rejected](r, &messages.GetFeed{Id: "f1"})
		if late.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
			t.Errorf("one more than may wait: %v", late)
		}
		k.Advance(5 * time.Second)
		r.happened(t)
		records(k).Down(nil)
		k.Advance(10 * time.Second)
		r.happened(t, "start f1 https://a.example/")
		for range 3 {
			if all := testkit.Expect[*messages.FeedsListed](r.client); len(all.GetFeeds()) != 2 {
				t.Errorf("listed %v", all)
			}
		}
		records(k).Down(errors.New("no store"))
		if failed := ask[*messages.Rejected](r, &messages.DeleteFeed{Id: "f1"}); failed.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
			t.Errorf("%v", failed)
		}
		r.happened(t, "stop f1", "start f1 https://a.example/") // still there, so it is read
		records(k).Down(nil)
		ask[*messages.FeedDeleted](r, &messages.DeleteFeed{Id: "f1"})
	})
}

// The pool is full, work panics, the actor fails: whoever asks is answered, and
// a restart begins with what the store holds.
func TestFailuresOfItsOwn(t *testing.T) {
	run(t, func(r *rig) {
		ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed("f1", "https://a.example/")})
		r.Worker.Refuse(true)
		r.client.Request(r.pid, &messages.GetFeed{Id: "f1"})
		r.client.ExpectNoMessage(time.Second)
		r.Worker.Refuse(false)
		r.Advance(time.Second)
		testkit.Expect[*messages.FeedShown](r.client)
		r.Worker.Hold()
		r.client.Request(r.pid, &messages.GetFeed{Id: "f1"})
		r.Settle()
		r.Tell(r.pid, &actors.WorkPanicked{Reason: "a bug"})
		if failed := testkit.Expect[*messages.Rejected](r.client); failed.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
			t.Errorf("%v", failed)
		}
		r.Worker.Release()
		r.client.ExpectNoMessage(0)
		ask[*messages.FeedShown](r, &messages.GetFeed{Id: "f1"})
	})
}

func TestNothingIsLeftAtTheEnd(t *testing.T) {
	run(t, func(r *rig) {
		ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed("f1", "https://a.example/")})
		r.silent["f1"] = true
		r.client.Request(r.pid, &messages.ListFeeds{})
		r.Settle()
		r.Tell(r.pids["push"], "a bug")
		r.Panics()
		r.log = nil
		r.Stop(r.pid)
		r.happened(t, "stop f1", "stop push")
		if n := r.Clock.Timers(); n != 0 {
			t.Errorf("%d timers are left", n)
		}
	})
}

// Records that the disk does not give back cost the feed that they are of, and
// can be deleted and made again; an address whose claim is damaged is free.
func TestFeedsOverADamagedDisk(t *testing.T) {
	run(t, func(r *rig) {
		for _, id := range []string{"f1", "f2"} {
			ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed(id, "https://"+id+".example/")})
		}
		records(r.Kit).Put("marks.f1", []byte("7"))
		var claims []string
		for _, record := range records(r.Kit).All() {
			if strings.HasPrefix(record.Key, "claims.") {
				claims = append(claims, record.Key)
			}
		}
		for _, name := range append(claims, "feeds.f1", "marks.f1") {
			records(r.Kit).Damage(name)
		}
		r.Stop(r.pid)
		r.log = nil
		r.start()
		r.happened(t, "start push ", "start f2 https://f2.example/")
		listed := ask[*messages.FeedsListed](r, &messages.ListFeeds{})
		if len(listed.GetFeeds()) != 2 {
			t.Errorf("listed %v", listed)
		}
		ask[*messages.FeedDeleted](r, &messages.DeleteFeed{Id: "f1"})
		ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed("f1", "https://f1.example/")})
		ask[*messages.FeedDeleted](r, &messages.DeleteFeed{Id: "f2"})
		ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed("f3", "https://f2.example/")})
	})
}
