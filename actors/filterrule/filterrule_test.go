package filterrule_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/filterrule"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

func parse(query string) error {
	switch query {
	case "(":
		return &messages.SyntaxError{Position: 1, Found: "the end", Expected: "a term"}
	case "odd":
		return errors.New("too odd")
	case "panic":
		panic("parser")
	}
	return nil
}

func spawn(k *testkit.Kit, parent *testkit.Probe, figures *messages.Figures) *actor.PID {
	return parent.SpawnProps("rule", filterrule.Props(filterrule.Config{Props: k.Props, Parse: parse}, "rule-1", figures))
}

func TestDraft(t *testing.T) {
	present := &messages.Rule{
		Id: "rule-1", K: 4, Tag: "t", Query: "q", IntervalSeconds: 2, MaxResultsPerPoll: 5,
		Status: "active", CreatedMs: 7, CreatedPosition: 9,
	}
	with := func(change func(r *messages.Rule)) *messages.Rule {
		r := proto.Clone(present).(*messages.Rule)
		change(r)
		return r
	}
	long := strings.Repeat("ä", 100)
	for name, c := range map[string]struct {
		present, change *messages.Rule
		fields          []string
		want            *messages.Rule
		field, detail   string
	}{
		"create with defaults": {
			change: &messages.Rule{Tag: " t ", Query: "q"},
			want:   &messages.Rule{Tag: "t", Query: "q", IntervalSeconds: 1, MaxResultsPerPoll: 20, Status: "active"},
		},
		"create paused, all given": {
			change: &messages.Rule{Tag: long, Query: "q", IntervalSeconds: 0.1, MaxResultsPerPoll: 100, Status: "paused"},
			want:   &messages.Rule{Tag: long, Query: "q", IntervalSeconds: 0.1, MaxResultsPerPoll: 100, Status: "paused"},
		},
		"create ignores what is not the owner's": {
			change: &messages.Rule{Tag: "t", Query: "q", Id: "mine", K: 1, CreatedPosition: 5, StatusReason: "x"},
			want:   &messages.Rule{Tag: "t", Query: "q", IntervalSeconds: 1, MaxResultsPerPoll: 20, Status: "active"},
		},
		"create without a tag":         {change: &messages.Rule{Query: "q"}, field: "tag", detail: "empty"},
		"create with a blank tag":      {change: &messages.Rule{Tag: " ", Query: "q"}, field: "tag", detail: "empty"},
		"create with a long tag":       {change: &messages.Rule{Tag: long + "x", Query: "q"}, field: "tag", detail: "101 characters"},
		"create with a line in it":     {change: &messages.Rule{Tag: "a\nb", Query: "q"}, field: "tag", detail: "control"},
		"create, tag not UTF-8":        {change: &messages.Rule{Tag: "a\xff", Query: "q"}, field: "tag", detail: "UTF-8"},
		"create with an odd query":     {change: &messages.Rule{Tag: "t", Query: "odd"}, field: "query", detail: "too odd"},
		"create with a status":         {change: &messages.Rule{Tag: "t", Query: "q", Status: "error"}, field: "status", detail: "must be"},
		"create with an interval of 0": {change: &messages.Rule{Tag: "t", Query: "q"}, fields: []string{"interval_seconds"}, field: "interval_seconds", detail: "0.1"},
		"create with no results":       {change: &messages.Rule{Tag: "t", Query: "q"}, fields: []string{"max_results_per_poll"}, field: "max_results_per_poll", detail: "1 to 100"},
		"create with an empty status":  {change: &messages.Rule{Tag: "t", Query: "q"}, fields: []string{"status"}, field: "status", detail: "paused"},
		"create with too many":         {change: &messages.Rule{Tag: "t", Query: "q", MaxResultsPerPoll: 101}, field: "max_results_per_poll", detail: "100"},
		"create with a slow poll":      {change: &messages.Rule{Tag: "t", Query: "q", IntervalSeconds: 86_401}, field: "interval_seconds", detail: "86400"},
		"create with no number":        {change: &messages.Rule{Tag: "t", Query: "q", IntervalSeconds: math.NaN()}, field: "interval_seconds", detail: "0.1"},
		"update one field":             {present: present, change: &messages.Rule{Tag: "u"}, fields: []string{"tag"}, want: with(func(r *messages.Rule) { r.Tag = "u" })},
		"update nothing":               {present: present, change: &messages.Rule{Tag: "u"}, want: present},
		"update to zero":               {present: present, change: &messages.Rule{}, fields: []string{"interval_seconds"}, field: "interval_seconds", detail: "0.1"},
		"update of a webhook":          {present: present, change: &messages.Rule{}, fields: []string{"webhook_url"}, field: "webhook_url", detail: "not a field"},
		"update to inactive":           {present: present, change: &messages.Rule{Status: "inactive"}, fields: []string{"status"}, want: with(func(r *messages.Rule) { r.Status = "inactive" })},
		"update of a field unknown":    {present: present, change: &messages.Rule{}, fields: []string{"id"}, field: "id", detail: "not a field"},
		"a new query mends an error":   {present: with(func(r *messages.Rule) { r.Status, r.StatusReason = "error", "x" }), change: &messages.Rule{Query: "n"}, fields: []string{"query"}, want: with(func(r *messages.Rule) { r.Query = "n" })},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				p := k.Probe()
				p.Request(spawn(k, p, nil), &messages.DraftRule{Id: 5, Present: c.present, Change: c.change, Fields: c.fields})
				got := testkit.Expect[*messages.RuleDrafted](p)
				if got.GetId() != 5 || !proto.Equal(got.GetRule(), c.want) {
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

func TestSyntaxErrorSaysWhere(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		p.Request(spawn(k, p, nil), &messages.DraftRule{Change: &messages.Rule{Tag: "t", Query: "("}})
		want := &messages.Rejected{
			Rejection: messages.Rejection_REJECTION_INVALID, Field: "query", QueryPosition: 1, Expected: "a term",
			Detail: "position 1: found the end, expected a term",
		}
		if got := testkit.Expect[*messages.RuleDrafted](p).GetRejected(); !proto.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestFiguresGrowAndAreHandedOver(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		pid := spawn(k, p, &messages.Figures{Matched: 10, Delivered: 1, LastMatchMs: 1})
		events := []*messages.Event{{Id: "a"}, {Id: "b"}}
		p.Send(pid, &messages.CountHits{Events: events, Delivered: true, AtMs: 2})
		p.Send(pid, &messages.CountHits{Events: events[:1], AtMs: 3})
		want := &messages.Figures{Matched: 13, Delivered: 3, LastMatchMs: 3}
		present := &messages.Rule{Id: "rule-1", Tag: "t"}
		p.Request(pid, &messages.AskFigures{Rule: present})
		if got := testkit.Expect[*messages.RuleShown](p); !proto.Equal(got.GetFigures(), want) || !proto.Equal(got.GetRule(), present) {
			t.Errorf("present %v", got)
		}
		p.Request(pid, &messages.Retire{})
		if got := testkit.Expect[*messages.Retired](p); got.GetId() != "rule-1" || !proto.Equal(got.GetFigures(), want) {
			t.Errorf("retired %v", got)
		}
	})
}

func TestPanicLosesOnlyTheCountSinceStart(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		pid := spawn(k, p, &messages.Figures{Matched: 10})
		p.Send(pid, &messages.CountHits{Events: []*messages.Event{{Id: "a"}}})
		p.Request(pid, &messages.DraftRule{Change: &messages.Rule{Tag: "t", Query: "panic"}})
		if len(k.Panics()) != 1 {
			t.Error("did not panic")
		}
		p.Request(pid, &messages.AskFigures{})
		if got := testkit.Expect[*messages.RuleShown](p).GetFigures(); got.GetMatched() != 10 {
			t.Errorf("got %v", got)
		}
	})
}
