package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// ownerMost is how many rules, and how many monitors, an owner has.
const ownerMost = 3

// impatient is how long an owner waits for an answer at least.
const impatient = 300 * time.Millisecond

// Owner changes the rules and monitors of one key by way of any node, one after the other, as
// its HTTP requests do. Where no answer comes it does what the API advises: it
// looks whether the change was made, by asking again and by what is answered then.
type Owner struct {
	KeyID string
	// Made counts changes that were answered; Again is how often one was asked for
	// again since no answer or "unavailable" came; Odd are answers that only a
	// change that was asked for twice explains.
	Made, Again int
	Odd         []string

	churns  bool // it makes new ones and deletes them, more than it changes one
	cluster *Cluster
	work    *testkit.Chance
	change  string // the name of the last change
	words   []string
	watched []string                // accounts that it makes monitors of; none: it makes none
	has     []definition.Definition // as they were shown last, in that order
	free    []string                // tags of rules that were deleted
	tags    int
	doing   proto.Message // nil: the last change is answered
	asked   int           // questions so far; answers to those before the last are not heard
	again   bool          // doing was asked for before
	at      int
	heard   []heard
}

// heard is one answer, and where the log ended when it came.
type heard struct {
	end                   messages.Position
	definition.Definition // as it was shown; nothing: it was deleted
	id                    string
}

// Own is an owner of the key, which makes rules of the words.
func (c *Cluster) Own(keyID string, words ...string) *Owner {
	return &Owner{KeyID: keyID, cluster: c, words: words, work: c.Chance(testkit.Workload)}
}

// pick is one of n that the owner wants of its present change.
func (o *Owner) pick(what string, n int) int {
	return int(o.work.Choose(o.change+": "+what, uint64(n)))
}

// Answered says whether nothing is under way.
func (o *Owner) Answered() bool { return o.doing == nil }

// Change begins a change, where none is under way; it is the seed's what it is,
// under that name.
func (o *Owner) Change(name string) {
	if o.doing == nil {
		o.change = name
		o.at, o.again = o.pick("node", len(o.cluster.nodes)), false
		o.doing = o.next()
		o.ask(o.doing)
	}
}

// Look asks for the list of rules at any node, also while a change is under way, and
// holds that what is shown is not older than what the owner was answered before it
// asked.
func (o *Owner) Look(name string) {
	n := o.cluster.nodes[o.work.Choose(name+": node", uint64(len(o.cluster.nodes)))]
	if !n.Awake() {
		return
	}
	known := o.heard[:len(o.heard):len(o.heard)]
	n.Actors.AskKey(o.KeyID, &messages.ListRules{KeyId: o.KeyID, Limit: 100}, askWithin, func(m proto.Message, _ error) {
		if listed, ok := m.(*messages.RulesListed); ok {
			o.fresh(n, listed.GetRules(), known)
		}
	})
}

// fresh holds that the rules are as new as what was known.
func (o *Owner) fresh(n *Node, rules []*messages.Rule, known []heard) {
	for _, r := range rules {
		shown := definition.Definition{Rule: r}
		for _, h := range known {
			if h.id == shown.ID() && (h.Nothing() || h.Version() > shown.Version()) {
				o.cluster.Violated("what is read is not older than what was answered", "by way of %s %v is shown, after %v (nothing: it was deleted)", n.Name, r, h.Rule)
			}
		}
	}
}

// Watch has the owner make monitors of the accounts, too.
func (o *Owner) Watch(accounts ...string) { o.watched = accounts }

// next is what the owner wants.
func (o *Owner) next() proto.Message {
	rule := len(o.watched) == 0 || o.pick("rule or monitor", 2) == 0
	var ids []string
	for _, d := range o.has {
		if d.IsRule() == rule {
			ids = append(ids, d.ID())
		}
	}
	isNew := len(ids) == 0 || len(ids) < ownerMost && (o.pick("whether it is a new one", 2) == 1 || o.churns)
	id := ""
	if !isNew {
		id = ids[o.pick("which", len(ids))]
	}
	if rule {
		return o.nextRule(isNew, id)
	}
	return o.nextMonitor(isNew, id)
}

func (o *Owner) nextRule(isNew bool, id string) proto.Message {
	word := o.words[o.pick("word", len(o.words))]
	if isNew {
		return &messages.CreateRule{KeyId: o.KeyID, Rule: &messages.Rule{Tag: o.tag(), Query: word}, Fields: []string{"tag", "query"}}
	}
	set := func(r *messages.Rule, field string) proto.Message {
		r.Id = id
		return &messages.UpdateRule{KeyId: o.KeyID, Rule: r, Fields: []string{field}}
	}
	switch o.kind() {
	case 0:
		return &messages.DeleteRule{KeyId: o.KeyID, RuleId: id}
	case 1:
		return set(&messages.Rule{Tag: o.tag()}, "tag")
	case 2:
		return set(&messages.Rule{Query: word}, "query")
	case 3:
		return set(&messages.Rule{Status: "paused"}, "status")
	default:
		return set(&messages.Rule{Status: definition.Active}, "status")
	}
}

func (o *Owner) nextMonitor(isNew bool, id string) proto.Message {
	first := o.pick("account", len(o.watched))
	accounts := []string{o.watched[first]}
	if o.pick("whether it watches two", 2) == 1 {
		accounts = append(accounts, o.watched[(first+1)%len(o.watched)])
	}
	name := "monitor of " + o.change
	if isNew {
		return &messages.CreateMonitor{KeyId: o.KeyID, Monitor: &messages.Monitor{Name: name, Usernames: accounts}, Fields: []string{"name", "usernames"}}
	}
	set := func(m *messages.Monitor, field string) proto.Message {
		m.Id = id
		return &messages.UpdateMonitor{KeyId: o.KeyID, Monitor: m, Fields: []string{field}}
	}
	switch o.kind() {
	case 0:
		return &messages.DeleteMonitor{KeyId: o.KeyID, MonitorId: id}
	case 1:
		return set(&messages.Monitor{Name: name}, "name")
	case 2:
		return set(&messages.Monitor{Usernames: accounts}, "usernames")
	case 3:
		return set(&messages.Monitor{Status: "paused"}, "status")
	default:
		return set(&messages.Monitor{Status: definition.Active}, "status")
	}
}

// kind is what is changed of one that there is; 0: it is deleted.
func (o *Owner) kind() int {
	kind := o.pick("kind", 6)
	if o.churns && kind > 2 {
		return 0
	}
	return kind
}

// tag is that of a rule that was deleted, or one that nobody has had.
func (o *Owner) tag() string {
	if n := len(o.free); n > 0 && o.pick("tag", 3) > 0 {
		tag := o.free[n-1]
		o.free = o.free[:n-1]
		return tag
	}
	o.tags++
	return fmt.Sprint("tag-", o.tags)
}

func (o *Owner) ask(command proto.Message) {
	n := o.cluster.nodes[o.at%len(o.cluster.nodes)]
	o.asked++
	asked := o.asked
	// Some hang up sooner than the gateway gives up: what they asked for goes on.
	within := min(askWithin, impatient+o.work.Below(o.change+": patience", 2*askWithin))
	if n.Awake() {
		n.Actors.AskKey(o.KeyID, command, askWithin, func(m proto.Message, err error) {
			if asked == o.asked {
				o.asked++
				o.answered(command, m, err)
			}
		})
	}
	// The process may end before it answers.
	o.cluster.Later(within+retryFirst, func() {
		if asked == o.asked {
			o.retry(command)
		}
	})
}

// retry asks again, by way of the next node.
func (o *Owner) retry(command proto.Message) {
	o.Again++
	o.at++
	o.again = true
	o.ask(command)
}

func (o *Owner) answered(command, m proto.Message, err error) {
	o.cluster.Touch("the owner of " + o.KeyID)
	switch m := m.(type) {
	case *messages.RuleShown:
		o.shown(definition.Definition{Rule: m.GetRule()})
		o.done()
		return
	case *messages.MonitorShown:
		o.shown(definition.Definition{Monitor: m.GetMonitor()})
		o.done()
		return
	case *messages.Deleted:
		o.heard = append(o.heard, heard{end: o.cluster.end(), id: m.GetId()})
		o.gone(m.GetId())
		o.done()
		return
	case *messages.RulesListed:
		o.has = slices.DeleteFunc(o.has, definition.Definition.IsRule)
		for _, r := range m.GetRules() {
			o.has = append(o.has, definition.Definition{Rule: r})
		}
		o.done()
		return
	case *messages.MonitorsListed:
		o.has = slices.DeleteFunc(o.has, func(d definition.Definition) bool { return !d.IsRule() })
		for _, m := range m.GetMonitors() {
			o.has = append(o.has, definition.Definition{Monitor: m})
		}
		o.done()
		return
	case *messages.Rejected:
		switch m.GetRejection() {
		case messages.Rejection_REJECTION_CONFLICT, messages.Rejection_REJECTION_NOT_FOUND:
			// It was made, or was not there any more: the list says which.
			if !o.again {
				o.Odd = append(o.Odd, fmt.Sprintf("%v: %v", command, m))
			}
			o.list(command)
			return
		case messages.Rejection_REJECTION_UNAVAILABLE:
		default:
			o.cluster.TB.Errorf("sim: the owner of %s asked for %v and was answered %v", o.KeyID, command, m)
		}
	case nil:
		if err == nil {
			o.cluster.TB.Errorf("sim: the owner of %s asked for %v and was answered nothing", o.KeyID, command)
		}
	default:
		o.cluster.TB.Errorf("sim: the owner of %s asked for %v and was answered %v", o.KeyID, command, m)
	}
	o.asked++
	asked := o.asked
	o.cluster.Later(retryFirst, func() {
		if asked == o.asked {
			o.retry(command)
		}
	})
}

func (o *Owner) done() { o.doing, o.Made = nil, o.Made+1 }

// list asks for all of the kind that the command was about.
func (o *Owner) list(command proto.Message) {
	switch c := command.(type) {
	case *messages.DeleteRule:
		o.gone(c.GetRuleId())
	case *messages.DeleteMonitor:
		o.gone(c.GetMonitorId())
	}
	switch command.(type) {
	case *messages.CreateMonitor, *messages.UpdateMonitor, *messages.DeleteMonitor:
		o.ask(&messages.ListMonitors{KeyId: o.KeyID, Limit: 100})
	default:
		o.ask(&messages.ListRules{KeyId: o.KeyID, Limit: 100})
	}
}

func (o *Owner) shown(d definition.Definition) {
	o.heard = append(o.heard, heard{o.cluster.end(), d, d.ID()})
	i := o.index(d.ID())
	if i < 0 {
		o.has = append(o.has, d)
		return
	}
	if tag := o.has[i].Rule.GetTag(); tag != d.Rule.GetTag() {
		o.free = append(o.free, tag)
	}
	o.has[i] = d
}

func (o *Owner) gone(id string) {
	if i := o.index(id); i >= 0 {
		if o.has[i].IsRule() {
			o.free = append(o.free, o.has[i].Rule.GetTag())
		}
		o.has = slices.Delete(o.has, i, i+1)
	}
}

func (o *Owner) index(id string) int {
	return slices.IndexFunc(o.has, func(d definition.Definition) bool { return d.ID() == id })
}

// String is what the owner did, for failures.
func (o *Owner) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d changes, asked again %d times, odd %q; under way: %v", o.Made, o.Again, o.Odd, o.doing)
	for _, h := range o.heard {
		fmt.Fprintf(&b, "\n\tlog to %d: %s %v%v", h.end, h.id, h.Rule, h.Monitor)
	}
	return b.String()
}
