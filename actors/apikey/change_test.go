package apikey_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

func updateRule(id string, rule *messages.Rule, fields ...string) *messages.UpdateRule {
	rule.Id = id
	return &messages.UpdateRule{KeyId: keyID, Rule: rule, Fields: fields}
}

func TestCreatedMeansLiveAndDurable(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		r.router.position = 4242
		got := ask[*messages.RuleShown](r, &messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "t", Query: "q"}})
		rule := got.GetRule()
		if !regexp.MustCompile(`^rule-[a-z2-7]{16}$`).MatchString(rule.GetId()) || rule.GetK() != 1 || rule.GetStatus() != "active" ||
			rule.GetCreatedMs() != testkit.Start.Add(5*time.Millisecond).UnixMilli() || rule.GetUpdatedMs() != rule.GetCreatedMs() || rule.GetCreatedPosition() != 4242 {
			t.Errorf("rule %v", rule)
		}
		stored := &messages.Rule{}
		if r.stored(actors.RuleRecord(keyID, rule.GetId()), stored); !proto.Equal(stored, rule) {
			t.Errorf("stored %v, want %v", stored, rule)
		}
		if q := r.router.query(1); q.GetRule() != "q" {
			t.Errorf("router has %v", r.router.queries)
		}
		mon := r.monitor("M", "@NASA")
		storedMonitor := &messages.Monitor{}
		if r.stored(actors.MonitorRecord(keyID, mon.GetId()), storedMonitor); !proto.Equal(storedMonitor, mon) || mon.GetK() != 2 || mon.GetUsernames()[0] != "nasa" {
			t.Errorf("stored %v, want %v", storedMonitor, mon)
		}
	})
}

// What is asked for wrongly, and what it is answered with.
func TestRejections(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.RulesMost, c.MonitorsMost = 2, 1 }).create()
		a := r.rule("A", "a")
		b := r.rule("B", "b")
		m := r.monitor("M", "nasa")
		before := len(records(k).All())
		for name, c := range map[string]struct {
			message any
			want    *messages.Rejected
		}{
			"a third rule":          {&messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "C", Query: "c"}}, &messages.Rejected{Rejection: messages.Rejection_REJECTION_LIMIT}},
			"a second monitor":      {&messages.CreateMonitor{KeyId: keyID, Monitor: &messages.Monitor{Name: "N", Usernames: []string{"x"}}}, &messages.Rejected{Rejection: messages.Rejection_REJECTION_LIMIT}},
			"a tag taken":           {updateRule(a.GetId(), &messages.Rule{Tag: "B"}, "tag"), &messages.Rejected{Rejection: messages.Rejection_REJECTION_CONFLICT, Field: "tag"}},
			"a bad query":           {updateRule(a.GetId(), &messages.Rule{Query: "("}, "query"), &messages.Rejected{Rejection: messages.Rejection_REJECTION_INVALID, Field: "query", QueryPosition: 1, Expected: "a term"}},
			"an unknown field":      {updateRule(a.GetId(), &messages.Rule{}, "k"), &messages.Rejected{Rejection: messages.Rejection_REJECTION_INVALID, Field: "k"}},
			"no such rule":          {updateRule("rule-x", &messages.Rule{}, "tag"), &messages.Rejected{Rejection: messages.Rejection_REJECTION_NOT_FOUND, Field: "id"}},
			"a monitor as a rule":   {&messages.GetRule{KeyId: keyID, RuleId: m.GetId()}, &messages.Rejected{Rejection: messages.Rejection_REJECTION_NOT_FOUND, Field: "id"}},
			"a rule as a monitor":   {&messages.DeleteMonitor{KeyId: keyID, MonitorId: b.GetId()}, &messages.Rejected{Rejection: messages.Rejection_REJECTION_NOT_FOUND, Field: "id"}},
			"deliveries of nothing": {&messages.ListDeliveries{KeyId: keyID, MonitorId: "rule-x"}, &messages.Rejected{Rejection: messages.Rejection_REJECTION_NOT_FOUND, Field: "id"}},
		} {
			got := r.rejected(c.message)
			if got.GetDetail() == "" {
				t.Errorf("%s: no detail", name)
			}
			got.Detail = ""
			if !proto.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
		if after := len(records(k).All()); after != before {
			t.Errorf("%d records, %d before", after, before)
		}
	})
}

func TestTagsAreUnique(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		a := r.rule("A", "a")
		create := &messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: " A ", Query: "x"}}
		if got := r.rejected(create); got.GetRejection() != messages.Rejection_REJECTION_CONFLICT {
			t.Errorf("rejected %v", got)
		}
		ask[*messages.RuleShown](r, updateRule(a.GetId(), &messages.Rule{Tag: "A", Query: "y"}, "tag", "query")) // its own
		ask[*messages.Deleted](r, &messages.DeleteRule{KeyId: keyID, RuleId: a.GetId()})
		ask[*messages.RuleShown](r, create)

		// Of two at once, one.
		other := k.Probe()
		r.client.Messages()
		for _, p := range []*testkit.Probe{r.client, other} {
			p.Request(r.shard, &messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "Z", Query: "z"}})
		}
		testkit.Expect[*messages.RuleShown](r.client)
		testkit.Expect[*messages.Rejected](other)
	})
}

func TestUpdates(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		a := r.rule("A", "a")
		p, _ := r.join("c1")
		k.Advance(time.Minute)
		r.router.position = 500

		// A new query is live at once; where the rule began stays.
		got := ask[*messages.RuleShown](r, updateRule(a.GetId(), &messages.Rule{Query: "b"}, "query")).GetRule()
		if got.GetQuery() != "b" || got.GetCreatedPosition() != 100 || got.GetUpdatedMs() <= a.GetUpdatedMs() || r.router.query(1).GetRule() != "b" {
			t.Errorf("updated %v, router %v", got, r.router.queries)
		}
		// Another name needs no router, and shows in the next delivery.
		puts := r.router.puts
		ask[*messages.RuleShown](r, updateRule(a.GetId(), &messages.Rule{IntervalSeconds: 7}, "interval_seconds"))
		if r.router.puts != puts {
			t.Error("the router was told of an interval")
		}
		ask[*messages.RuleShown](r, updateRule(a.GetId(), &messages.Rule{Tag: "new"}, "tag"))
		r.match("1", 1)
		if d := testkit.Expect[*messages.Deliveries](p); d.GetDeliveries()[0].GetOrigin().GetName() != "new" {
			t.Errorf("deliveries %v", d)
		}
		// A paused rule is not matched, and delivers nothing if it is all the same.
		ask[*messages.RuleShown](r, updateRule(a.GetId(), &messages.Rule{Status: "paused"}, "status"))
		if len(r.router.queries) != 0 {
			t.Errorf("router has %v", r.router.queries)
		}
		r.match("2", 1)
		p.ExpectNoMessage(0)
		ask[*messages.RuleShown](r, updateRule(a.GetId(), &messages.Rule{Status: "active"}, "status"))
		r.match("3", 1)
		testkit.Expect[*messages.Deliveries](p)

		stored := &messages.Rule{}
		r.stored(actors.RuleRecord(keyID, a.GetId()), stored)
		want := ask[*messages.RuleShown](r, &messages.GetRule{KeyId: keyID, RuleId: a.GetId()}).GetRule()
		if !proto.Equal(stored, want) || stored.GetTag() != "new" || stored.GetIntervalSeconds() != 7 {
			t.Errorf("stored %v, shown %v", stored, want)
		}
		calls := records(k).Calls(memory.ControlCAS)
		ask[*messages.RuleShown](r, updateRule(a.GetId(), &messages.Rule{Tag: "new"}, "tag"))
		if records(k).Calls(memory.ControlCAS) != calls {
			t.Error("nothing changed, and was written")
		}
	})
}

func TestDeletionIsAtOnce(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		a, b := r.rule("A", "a"), r.rule("B", "b")
		p, _ := r.join("c1")
		if got := ask[*messages.Deleted](r, &messages.DeleteRule{KeyId: keyID, RuleId: a.GetId()}); got.GetId() != a.GetId() {
			t.Errorf("deleted %v", got)
		}
		r.match("1", a.GetK(), b.GetK())
		if d := testkit.Expect[*messages.Deliveries](p).GetDeliveries(); len(d) != 1 || d[0].GetK() != b.GetK() {
			t.Errorf("deliveries %v", d)
		}
		if r.has(actors.RuleRecord(keyID, a.GetId())) || r.router.query(a.GetK()) != nil {
			t.Error("left")
		}
		r.rejected(&messages.DeleteRule{KeyId: keyID, RuleId: a.GetId()})
	})
}

// A number is used once, whatever is deleted, restarted or fails.
func TestNumbersAreNeverUsedAgain(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
		used := map[uint32]bool{}
		for i := range 30 {
			a := r.rule(fmt.Sprint(i), "a")
			if used[a.GetK()] || a.GetK() >= r.storedKey().GetNextK() {
				t.Fatalf("k %d: used %v, next %d", a.GetK(), used[a.GetK()], r.storedKey().GetNextK())
			}
			used[a.GetK()] = true
			ask[*messages.Deleted](r, &messages.DeleteRule{KeyId: keyID, RuleId: a.GetId()})
			switch i % 10 {
			case 3:
				r.failKey()
			case 6:
				k.Stop(r.shard)
				r.startShard()
			}
		}
		if next := r.storedKey().GetNextK(); next > 30+10*8 {
			t.Errorf("next k is %d after 30 rules", next)
		}
	})
}

func TestLists(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		for i := range 7 {
			r.rule(fmt.Sprint("t", i), "q")
			r.monitor(fmt.Sprint("m", i), "nasa")
		}
		third := ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID}).GetRules()[2]
		ask[*messages.RuleShown](r, updateRule(third.GetId(), &messages.Rule{Status: "paused"}, "status"))
		tags := func(m *messages.ListRules) string {
			m.KeyId = keyID
			l := ask[*messages.RulesListed](r, m)
			var all []string
			for _, rule := range l.GetRules() {
				all = append(all, rule.GetTag())
			}
			return fmt.Sprint(l.GetTotal(), " ", strings.Join(all, ","))
		}
		for want, m := range map[string]*messages.ListRules{
			"7 t0,t1,t2,t3,t4,t5,t6": {},
			"7 t2,t3":                {Offset: 2, Limit: 2},
			"7 t6":                   {Offset: 6, Limit: 2},
			"7 ":                     {Offset: 7, Limit: 2},
			"1 t2":                   {Status: "paused"},
			"6 t1,t3":                {Status: "active", Offset: 1, Limit: 2},
			"0 ":                     {Status: "inactive"},
		} {
			if got := tags(m); got != want {
				t.Errorf("%v: %s, want %s", m, got, want)
			}
		}
		if l := ask[*messages.MonitorsListed](r, &messages.ListMonitors{KeyId: keyID, Offset: 5, Limit: 5}); l.GetTotal() != 7 || len(l.GetMonitors()) != 2 || l.GetMonitors()[1].GetName() != "m6" {
			t.Errorf("monitors %v", l)
		}
	})
}

// A crash anywhere in a creation leaves either a rule that is live from its
// own position on, or none; the router holds nothing else for long.
func TestACreationIsWholeOrNothing(t *testing.T) {
	down := errors.New("down")
	for name, fail := range map[string]func(k *testkit.Kit){
		"the number is not written": func(k *testkit.Kit) {
			for range 3 {
				records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Prefix: "keys.", Err: down})
			}
		},
		"the rule is not written": func(k *testkit.Kit) {
			for range 3 {
				records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Prefix: "rules.", Err: down})
			}
		},
		"the record is made, the answer lost": func(k *testkit.Kit) {
			records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Prefix: "rules.", Ambiguous: true})
			for range 3 {
				records(k).Inject(memory.RecordFault{Op: memory.ControlGet, Prefix: "rules.", Err: down})
			}
		},
		"the rule is written, the answer lost": func(k *testkit.Kit) {
			records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Prefix: "rules."}) // the record is made
			records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Prefix: "rules.", Ambiguous: true})
			for range 2 {
				records(k).Inject(memory.RecordFault{Op: memory.ControlGet, Prefix: "rules.", Err: down})
			}
		},
		"the disk is nearly full": func(k *testkit.Kit) {
			records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Prefix: "rules.", Err: messages.ErrFull})
		},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
				p, _ := r.join("c1")
				fail(k)
				if got := r.rejected(&messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "t", Query: "q"}}); got.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
					t.Errorf("rejected %v", got)
				}
				k.Advance(10 * time.Second)
				rules := ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID}).GetRules()
				if len(rules) != len(r.router.queries) {
					t.Errorf("rules %v, router %v", rules, r.router.queries)
				}
				for _, rule := range rules {
					stored := &messages.Rule{}
					if r.stored(actors.RuleRecord(keyID, rule.GetId()), stored); !proto.Equal(stored, rule) || rule.GetCreatedPosition() != 100 {
						t.Errorf("stored %v, shown %v", stored, rule)
					}
					r.match("1", rule.GetK())
					testkit.Expect[*messages.Deliveries](p)
				}
				if len(rules) == 0 {
					r.rule("t", "q") // the tag is free
				}
			})
		})
	}
}

// The process dies between the router and the store.
func TestACrashInACreation(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		r.rule("first", "q")
		k.Worker.Hold()
		r.client.Request(r.shard, &messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "t", Query: "q"}})
		k.Settle()
		k.Worker.ReleaseNext() // the number is taken
		k.Settle()
		if r.router.query(2) == nil || k.Worker.Held() != 1 {
			t.Fatalf("router %v, %d jobs", r.router.queries, k.Worker.Held())
		}
		k.Worker.Expire() // the write that was on its way does not happen
		k.Stop(r.shard)
		k.Worker.Release()
		r.startShard()
		if l := ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID}); l.GetTotal() != 1 {
			t.Errorf("rules %v", l)
		}
		r.match("1", 2) // the router still has it: it is told
		if r.router.query(2) != nil {
			t.Error("the router keeps a query that no record explains")
		}
		if a := r.rule("t", "q"); a.GetK() == 2 {
			t.Error("the number was used again")
		}
	})
}

// The process dies, the next one begins, and then the store does what the first had
// asked it for. What the next one does for that may fail too.
func TestWhatTheStoreDoesAfterTheNextOwnerHasBegun(t *testing.T) {
	down := errors.New("down")
	for name, c := range map[string]struct {
		change func(id string) any
		op     memory.Op
	}{
		"create": {func(string) any {
			return &messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "new", Query: "q"}}
		}, memory.ControlCAS},
		"update": {func(id string) any { return updateRule(id, &messages.Rule{Tag: "new"}, "tag") }, memory.ControlCAS},
		"delete": {func(id string) any { return &messages.DeleteRule{KeyId: keyID, RuleId: id} }, memory.ControlDelete},
	} {
		for why, faults := range map[string][]memory.RecordFault{
			"nothing fails": nil,
			"the store is down": {
				{Op: memory.ControlCAS, Prefix: "rules.", Err: down}, {Op: memory.ControlCAS, Prefix: "rules.", Err: down}, {Op: memory.ControlCAS, Prefix: "rules.", Err: down},
			},
			"nothing is known": {
				{Op: memory.ControlCAS, Prefix: "rules.", Ambiguous: true},
				{Op: memory.ControlGet, Prefix: "rules.", Err: down},
				{Op: memory.ControlDelete, Prefix: "rules.", Ambiguous: true},
			},
			"the disk is full": {{Op: memory.ControlCAS, Prefix: "rules.", Err: messages.ErrFull}},
		} {
			t.Run(name+", "+why, func(t *testing.T) {
				testkit.Run(t, func(k *testkit.Kit) {
					r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
					id := r.rule("first", "q").GetId()
					r.match("1", 1) // the version has decided something
					var late []func()
					for range 6 { // it is asked for three times, and again since nothing is known of it
						records(k).Inject(memory.RecordFault{Op: c.op, Prefix: "rules.", Late: func(happen func()) { late = append(late, happen) }})
					}
					r.client.Request(r.shard, c.change(id))
					k.Settle()
					k.Stop(r.shard)
					if len(late) != 6 {
						t.Fatalf("%d tries are on their way", len(late))
					}
					for _, f := range faults {
						records(k).Inject(f)
					}
					r.startShard()
					ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID}) // the key starts with it
					k.Advance(10 * time.Second)
					for _, happen := range late {
						happen()
					}
					for range 2 { // as this owner says, and the next one
						rules := ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID}).GetRules()
						if len(rules) != 1 || rules[0].GetTag() != "first" || !r.has(actors.RuleRecord(keyID, id)) {
							t.Fatalf("rules %v", rules)
						}
						k.Stop(r.shard)
						r.startShard()
					}
					if c := r.storedKey().GetChanging(); c.GetId() != "" && c.GetId() != id {
						t.Errorf("%v is named still", c)
					}
				})
			})
		}
	}
}

// A change that was refused has not happened where that is certain. Where it is not, it
// is asked for until it is: a store may do late what it gave no answer to.
func TestAFailedUpdate(t *testing.T) {
	down := errors.New("down")
	for name, change := range map[string]*messages.UpdateRule{
		"a query": updateRule("", &messages.Rule{Query: "new"}, "query"),
		"a pause": updateRule("", &messages.Rule{Status: "paused"}, "status"),
		"a tag":   updateRule("", &messages.Rule{Tag: "new"}, "tag"),
	} {
		for why, faults := range map[string][]error{"certain": {messages.ErrFull}, "uncertain": {down, down, down}, "full at last": {down, messages.ErrFull}} {
			t.Run(name+", "+why, func(t *testing.T) {
				testkit.Run(t, func(k *testkit.Kit) {
					r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
					a := r.rule("A", "a")
					for _, err := range faults {
						records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Prefix: "rules.", Err: err})
					}
					m := proto.Clone(change).(*messages.UpdateRule)
					m.Rule.Id = a.GetId()
					r.rejected(m)
					k.Advance(10 * time.Second)
					got := ask[*messages.RuleShown](r, &messages.GetRule{KeyId: keyID, RuleId: a.GetId()}).GetRule()
					if same := proto.Equal(got, a); same != (why == "certain") || same && r.router.query(a.GetK()).GetRule() != "a" {
						t.Errorf("shown %v, router %v", got, r.router.queries)
					}
					ask[*messages.RuleShown](r, m) // and now it works
				})
			})
		}
	}
}

func TestTheRouterDecides(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
		a := r.rule("A", "a")
		r.router.refuse = func(q *messages.Query) string {
			if q.GetRule() == "odd" {
				return "cannot be compiled"
			}
			return ""
		}
		for _, m := range []any{
			&messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "B", Query: "odd"}}, updateRule(a.GetId(), &messages.Rule{Query: "odd"}, "query"),
		} {
			if got := r.rejected(m); got.GetRejection() != messages.Rejection_REJECTION_INVALID || got.GetField() != "query" || got.GetDetail() != "cannot be compiled" {
				t.Errorf("%T: %v", m, got)
			}
		}
		if l := ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID}); l.GetTotal() != 1 || l.GetRules()[0].GetQuery() != "a" {
			t.Errorf("rules %v", l)
		}
		// One that it refuses now does not silence the others after a restart.
		b := r.rule("B", "b")
		r.router.refuse = func(q *messages.Query) string {
			if q.GetRule() == "a" {
				return "cannot be compiled any more"
			}
			return ""
		}
		clear(r.router.queries)
		r.failKey()
		if len(r.router.queries) != 1 || r.router.query(b.GetK()) == nil {
			t.Errorf("router has %v", r.router.queries)
		}
	})
}

func TestASilentRouterMakesAChangeUnavailable(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.QueueMost = 1 }).create()
		r.router.mute = true
		r.client.Messages()
		for range 3 {
			r.client.Request(r.shard, &messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "t", Query: "q"}})
		}
		// One under way, one waiting, and no room for a third.
		if got := testkit.Expect[*messages.Rejected](r.client); got.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
			t.Errorf("rejected %v", got)
		}
		r.client.ExpectNoMessage(9 * time.Second)
		k.Advance(time.Second)
		testkit.Expect[*messages.Rejected](r.client)
		r.router.mute = false
		k.Advance(2 * time.Second)
		if got := testkit.Expect[*messages.RuleShown](r.client).GetRule(); len(r.router.queries) != 1 || r.router.query(got.GetK()) == nil {
			t.Errorf("rule %v, router %v", got, r.router.queries)
		}
	})
}

func TestMonitorsLearnTheirAuthors(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		m := r.monitor("M", "nasa", "esa")
		r.matchPost(&messages.Post{Id: "1", Author: &messages.Author{Id: "11", Username: "NASA"}}, m.GetK())
		k.Advance(5 * time.Second)
		if ids := r.router.query(m.GetK()).GetMonitor().GetAuthorIds(); len(ids) != 1 || ids[0] != "11" {
			t.Errorf("router has %v", ids)
		}
		stored := &messages.Monitor{}
		r.stored(actors.MonitorRecord(keyID, m.GetId()), stored)
		if ids := stored.GetAuthorIds(); len(ids) != 2 || ids[0] != "11" || ids[1] != "" || stored.GetUpdatedMs() != m.GetUpdatedMs() {
			t.Errorf("stored %v", stored)
		}
		calls := records(k).Calls(memory.ControlCAS)
		r.matchPost(&messages.Post{Id: "2", Author: &messages.Author{Id: "11", Username: "Renamed"}}, m.GetK())
		k.Advance(10 * time.Second)
		if records(k).Calls(memory.ControlCAS) != calls {
			t.Error("written again")
		}
	})
}

func TestNoCreditsNoRule(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k)
		r.ledger.month("2026-03").charged = 33_000
		r.create(func(k *messages.Key) { k.Plan = "starter" })
		k.Stop(r.shard)
		r.startShard()
		if got := r.rejected(&messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "t", Query: "q"}}); got.GetRejection() != messages.Rejection_REJECTION_CREDITS {
			t.Errorf("rejected %v", got)
		}
	})
}
