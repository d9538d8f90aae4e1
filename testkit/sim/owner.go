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

// ownerRules is how many rules an owner makes before it changes those that it has.
const ownerRules = 3

// impatient is how long an owner waits for an answer at least.
const impatient = 300 * time.Millisecond

// Owner changes the rules of one key by way of any node, one after the other, as
// its HTTP requests do. Where no answer comes it does what the API advises: it
// looks whether the change was made, by asking again and by what is answered then.
type Owner struct {
	KeyID string
	// Made counts changes that were answered; Again is how often one was asked for
	// again since no answer or "unavailable" came; Odd are answers that only a
	// change that was asked for twice explains.
	Made, Again int
	Odd         []string

	cluster *Cluster
	work    *testkit.Chance
	changes int
	words   []string
	rules   []*messages.Rule // as they were shown last
	free    []string         // tags of rules that were deleted
	tags    int
	doing   proto.Message // nil: the last change is answered
	asked   int           // questions so far; answers to those before the last are not heard
	again   bool          // doing was asked for before
	at      int
	heard   []heard
}

// heard is one answer, and where the log ended when it came.
type heard struct {
	end  messages.Position
	rule *messages.Rule // as it was shown; nil: it was deleted
	id   string
}

// Own is an owner of the key, which makes rules of the words.
func (c *Cluster) Own(keyID string, words ...string) *Owner {
	return &Owner{KeyID: keyID, cluster: c, words: words, work: c.Chance(testkit.Workload)}
}

// pick is one of n that the owner wants of its present change.
func (o *Owner) pick(what string, n int) int {
	return int(o.work.Choose(fmt.Sprintf("change %d of %s: %s", o.changes, o.KeyID, what), uint64(n)))
}

// Answered says whether nothing is under way.
func (o *Owner) Answered() bool { return o.doing == nil }

// Change begins a change, where none is under way.
func (o *Owner) Change() {
	if o.doing == nil {
		o.changes++
		o.at, o.again = o.pick("node", len(o.cluster.nodes)), false
		o.doing = o.next()
		o.ask(o.doing)
	}
}

// next is what the owner wants.
func (o *Owner) next() proto.Message {
	word := o.words[o.pick("word", len(o.words))]
	if len(o.rules) == 0 || len(o.rules) < ownerRules && o.pick("whether it is a new rule", 2) == 1 {
		return &messages.CreateRule{KeyId: o.KeyID, Rule: &messages.Rule{Tag: o.tag(), Query: word}, Fields: []string{"tag", "query"}}
	}
	id := o.rules[o.pick("rule", len(o.rules))].GetId()
	set := func(r *messages.Rule, field string) proto.Message {
		r.Id = id
		return &messages.UpdateRule{KeyId: o.KeyID, Rule: r, Fields: []string{field}}
	}
	switch o.pick("kind", 6) {
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
	within := min(askWithin, impatient+o.work.Below(fmt.Sprintf("change %d of %s: patience", o.changes, o.KeyID), 2*askWithin))
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
	switch m := m.(type) {
	case *messages.RuleShown:
		o.shown(m.GetRule())
		o.done()
		return
	case *messages.Deleted:
		o.heard = append(o.heard, heard{end: o.cluster.end(), id: m.GetId()})
		o.gone(m.GetId())
		o.done()
		return
	case *messages.RulesListed:
		o.rules = m.GetRules()
		o.done()
		return
	case *messages.Rejected:
		switch m.GetRejection() {
		case messages.Rejection_REJECTION_CONFLICT, messages.Rejection_REJECTION_NOT_FOUND:
			// It was made, or was not there any more: the list says which.
			if !o.again {
				o.Odd = append(o.Odd, fmt.Sprintf("%v: %v", command, m))
			}
			if _, ok := command.(*messages.DeleteRule); ok {
				o.gone(command.(*messages.DeleteRule).GetRuleId())
			}
			o.ask(&messages.ListRules{KeyId: o.KeyID, Limit: 100})
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

func (o *Owner) shown(r *messages.Rule) {
	o.heard = append(o.heard, heard{o.cluster.end(), r, r.GetId()})
	if i := o.index(r.GetId()); i >= 0 {
		if tag := o.rules[i].GetTag(); tag != r.GetTag() {
			o.free = append(o.free, tag)
		}
		o.rules[i] = r
		return
	}
	o.rules = append(o.rules, r)
}

func (o *Owner) gone(id string) {
	if i := o.index(id); i >= 0 {
		o.free = append(o.free, o.rules[i].GetTag())
		o.rules = slices.Delete(slices.Clone(o.rules), i, i+1) // a list that was sent is not changed
	}
}

func (o *Owner) index(id string) int {
	return slices.IndexFunc(o.rules, func(r *messages.Rule) bool { return r.GetId() == id })
}

// end is where the log ends.
func (c *Cluster) end() messages.Position {
	c.TB.Helper()
	_, last, err := c.Disk.Open(nil).Journal().Bounds(c.TB.Context())
	if err != nil {
		c.TB.Fatal(err)
	}
	return messages.EndOf(last)
}

// CheckOwned holds that what the owner was answered is so, and that the key's
// clients were handed what its rules wanted of each event as they were then.
// Which version decides an event the records say. They are trusted with a change
// whose answer never came; what was answered they must agree with.
func (c *Cluster) CheckOwned(o *Owner) {
	c.TB.Helper()
	versions, rules := c.versions(o.KeyID)
	for i, h := range o.heard {
		if why := o.wrong(i, h, versions, rules); why != "" {
			c.TB.Errorf("sim: the owner of %s was answered %v, %s when the log ended at %d: %s", o.KeyID, h.rule, h.id, h.end, why)
		}
	}
	c.checkDelivered(o.KeyID, versions)
}

// wrong says how the records differ from an answer.
func (o *Owner) wrong(i int, h heard, versions []version, rules []*messages.Rule) string {
	at := slices.IndexFunc(rules, func(r *messages.Rule) bool { return r.GetId() == h.id })
	if h.rule == nil {
		if at >= 0 {
			return "the rule exists"
		}
		k := uint32(0)
		for _, before := range o.heard[:i] {
			if before.id == h.id {
				k = before.rule.GetK()
			}
		}
		for _, v := range versions {
			if v.k == k && k > 0 && (v.until == 0 || v.until > h.end) {
				return fmt.Sprintf("it decided events after that: %+v", v)
			}
		}
		return ""
	}
	after := messages.Position(max(h.rule.GetAfter(), h.rule.GetCreatedPosition()))
	if after > h.end {
		return "it takes effect later than that"
	}
	if at >= 0 && rules[at].GetVersion() < h.rule.GetVersion() {
		return fmt.Sprintf("the record is older: %v", rules[at])
	}
	deleted := slices.ContainsFunc(o.heard, func(o heard) bool { return o.id == h.id && o.rule == nil })
	if at < 0 && !deleted && len(o.Odd) == 0 && o.Again == 0 {
		return "there is no record of the rule, and nobody deleted it"
	}
	for _, v := range versions {
		if v.k != h.rule.GetK() {
			continue
		}
		if v.number < h.rule.GetVersion() && (v.until == 0 || v.until > after) {
			return fmt.Sprintf("the version before it decides events after it: %+v", v)
		}
		if v.number == h.rule.GetVersion() {
			if v.after != after || v.tag != h.rule.GetTag() || v.word != h.rule.GetQuery() || h.rule.GetStatus() != definition.Active {
				return fmt.Sprintf("the record says %+v", v)
			}
			return ""
		}
	}
	if h.rule.GetStatus() == definition.Active && !o.replaced(i, after, rules) {
		return "there is no record of it"
	}
	return ""
}

// replaced says whether what was answered may have been replaced before an event
// came: a version that decided nothing is not kept.
func (o *Owner) replaced(i int, after messages.Position, rules []*messages.Rule) bool {
	h := o.heard[i]
	for _, next := range o.heard[i+1:] {
		if next.id == h.id && (next.rule == nil || next.rule.GetVersion() > h.rule.GetVersion()) {
			return next.rule == nil || messages.Position(next.rule.GetAfter()) == after || o.Again > 0
		}
	}
	current := slices.ContainsFunc(rules, func(r *messages.Rule) bool { return r.GetId() == h.id && r.GetVersion() == h.rule.GetVersion() })
	return o.Again > 0 && !current // by a change that was not answered
}

// String is what the owner did, for failures.
func (o *Owner) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d changes, asked again %d times, odd %q; under way: %v", o.Made, o.Again, o.Odd, o.doing)
	for _, h := range o.heard {
		fmt.Fprintf(&b, "\n\tlog to %d: %s %v", h.end, h.id, h.rule)
	}
	return b.String()
}
