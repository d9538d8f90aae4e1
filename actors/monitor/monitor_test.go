package monitor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/monitor"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

func spawn(k *testkit.Kit, parent *testkit.Probe, figures *messages.Figures) *actor.PID {
	return parent.SpawnProps("monitor", monitor.Props(monitor.Config{Clock: k.Clock, Props: k.Props}, "mon-1", figures))
}

func many(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("user%d", i)
	}
	return all
}

func TestDraft(t *testing.T) {
	present := &messages.Monitor{
		Id: "mon-1", K: 4, Name: "n", Usernames: []string{"a", "b", "c"}, AuthorIds: []string{"1", "", "3"},
		PollIntervalSeconds: 2, Status: "paused", StatusReason: "why",
	}
	with := func(change func(m *messages.Monitor)) *messages.Monitor {
		m := proto.Clone(present).(*messages.Monitor)
		change(m)
		return m
	}
	for name, c := range map[string]struct {
		present, change *messages.Monitor
		fields          []string
		want            *messages.Monitor
		field, detail   string
	}{
		"create normalises": {
			change: &messages.Monitor{Name: " Tech ", Usernames: []string{"@ElonMusk", " nasa ", "elonmusk", "a.b-c_9"}},
			want:   &messages.Monitor{Name: "Tech", Usernames: []string{"elonmusk", "nasa", "a.b-c_9"}, PollIntervalSeconds: 1, Status: "active"},
		},
		"create without a name":       {change: &messages.Monitor{Usernames: []string{"a"}}, field: "name", detail: "empty"},
		"create with a long name":     {change: &messages.Monitor{Name: strings.Repeat("x", 101), Usernames: []string{"a"}}, field: "name", detail: "101"},
		"create for nobody":           {change: &messages.Monitor{Name: "n"}, field: "usernames", detail: "1 to 100"},
		"create for too many":         {change: &messages.Monitor{Name: "n", Usernames: many(101)}, field: "usernames", detail: "1 to 100"},
		"create for a sentence":       {change: &messages.Monitor{Name: "n", Usernames: []string{"a b"}}, field: "usernames", detail: `"a b"`},
		"create for an empty name":    {change: &messages.Monitor{Name: "n", Usernames: []string{"@"}}, field: "usernames", detail: `"@"`},
		"create for a dotted capital": {change: &messages.Monitor{Name: "n", Usernames: []string{"\u0130x"}}, field: "usernames", detail: "is not a username"},
		"create for a Kelvin sign":    {change: &messages.Monitor{Name: "n", Usernames: []string{"\u212aelvin"}}, field: "usernames", detail: "is not a username"},
		"create for a long s":         {change: &messages.Monitor{Name: "n", Usernames: []string{"\u017fam"}}, field: "usernames", detail: "is not a username"},
		"create too fast":             {change: &messages.Monitor{Name: "n", Usernames: []string{"a"}, PollIntervalSeconds: 0.05}, field: "poll_interval_seconds", detail: "0.1"},
		"create inactive":             {change: &messages.Monitor{Name: "n", Usernames: []string{"a"}, Status: "inactive"}, field: "status", detail: "paused"},
		"create, interval of 0":       {change: &messages.Monitor{Name: "n", Usernames: []string{"a"}}, fields: []string{"name", "poll_interval_seconds"}, field: "poll_interval_seconds", detail: "0.1"},
		"create, empty status":        {change: &messages.Monitor{Name: "n", Usernames: []string{"a"}}, fields: []string{"status"}, field: "status", detail: "paused"},
		"the ids of those that stay are kept": {
			present: present, change: &messages.Monitor{Usernames: []string{"d", "c", "B"}}, fields: []string{"usernames"},
			want: with(func(m *messages.Monitor) { m.Usernames, m.AuthorIds = []string{"d", "c", "b"}, []string{"", "3", ""} }),
		},
		"no id is left": {
			present: present, change: &messages.Monitor{Usernames: []string{"b"}}, fields: []string{"usernames"},
			want: with(func(m *messages.Monitor) { m.Usernames, m.AuthorIds = []string{"b"}, nil }),
		},
		"activate": {
			present: present, change: &messages.Monitor{Status: "active"}, fields: []string{"status"},
			want: with(func(m *messages.Monitor) { m.Status, m.StatusReason = "active", "" }),
		},
		"the same status keeps its reason": {
			present: present, change: &messages.Monitor{Status: "paused", Name: "m"}, fields: []string{"status", "name"},
			want: with(func(m *messages.Monitor) { m.Name = "m" }),
		},
		"a field unknown": {present: present, change: &messages.Monitor{}, fields: []string{"k"}, field: "k", detail: "not a field"},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				p := k.Probe()
				p.Request(spawn(k, p, nil), &messages.DraftMonitor{Id: 5, Present: c.present, Change: c.change, Fields: c.fields})
				got := testkit.Expect[*messages.MonitorDrafted](p)
				if got.GetId() != 5 || !proto.Equal(got.GetMonitor(), c.want) {
					t.Errorf("got %v, want %v", got, c.want)
				}
				if r := got.GetRejected(); c.want == nil &&
					(r.GetRejection() != messages.Rejection_REJECTION_INVALID || r.GetField() != c.field || !strings.Contains(r.GetDetail(), c.detail)) {
					t.Errorf("rejected %v, want %s: %s", r, c.field, c.detail)
				}
			})
		})
	}
}

func post(username, id string) *messages.Event {
	return &messages.Event{Body: &messages.Event_Post{Post: &messages.Post{Author: &messages.Author{Username: username, Id: id}}}}
}

func learnt(m *messages.AuthorsLearnt) (all []string) {
	for _, l := range m.GetLearnt() {
		all = append(all, l.GetUsername()+" "+l.GetId())
	}
	return all
}

func TestLearnsTheIDsOfWatchedAccounts(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		pid := spawn(k, p, nil)
		present := &messages.Monitor{Id: "mon-1", Usernames: []string{"a", "b", "c"}, AuthorIds: []string{"", "", "3"}}
		count := func(events ...*messages.Event) {
			p.Send(pid, &messages.CountHits{Monitor: present, Events: events, AtMs: 1})
		}
		count(post("A", "1"), post("stranger", "9"), post("b", "not-a-number"), post("c", "4"), post("a", "2"), &messages.Event{})
		p.ExpectNoMessage(4 * time.Second)
		count(post("b", "22"))
		k.Advance(time.Second)
		if got := testkit.Expect[*messages.AuthorsLearnt](p); got.GetMonitorId() != "mon-1" ||
			!slices.Equal(learnt(got), []string{"a 1", "b 22"}) {
			t.Errorf("learnt %v", got)
		}
		p.ExpectNoMessage(time.Minute)

		count(post("a", "1")) // the key did not write it: it is told again
		p.Request(pid, &messages.Retire{})
		if got := learnt(testkit.Expect[*messages.AuthorsLearnt](p)); !slices.Equal(got, []string{"a 1"}) {
			t.Errorf("learnt %v", got)
		}
		if got := testkit.Expect[*messages.Retired](p).GetFigures(); got.GetMatched() != 8 || got.GetDelivered() != 0 {
			t.Errorf("figures %v", got)
		}
	})
}

func TestFigures(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		pid := spawn(k, p, &messages.Figures{Matched: 5, Delivered: 5, LastMatchMs: 1})
		p.Send(pid, &messages.CountHits{Monitor: &messages.Monitor{}, Events: []*messages.Event{{}, {}}, Delivered: true, AtMs: 7})
		present := &messages.Monitor{Id: "mon-1"}
		p.Request(pid, &messages.AskFigures{Monitor: present})
		got := testkit.Expect[*messages.MonitorShown](p)
		if !proto.Equal(got.GetFigures(), &messages.Figures{Matched: 7, Delivered: 7, LastMatchMs: 7}) || got.GetMonitor() != present {
			t.Errorf("present %v", got)
		}
	})
}
