package sim

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// grace is for how long a secret is taken after it was replaced.
const grace = time.Hour

// Operator changes one key itself by way of any node: its name, its plan, its
// secret, and revokes it. Where no answer comes it asks for the same again.
// Clients use the secret that the operator was told of last, of a key that is being
// changed the one before.
type Operator struct {
	KeyID string
	Made  int // changes that were answered

	cluster *Cluster
	work    *testkit.Chance
	changes int
	doing   proto.Message // nil: the last change is answered
	want    *messages.Key // as it is once doing is answered
	asked   int
	at      int

	revoking bool
}

// Operate is an operator of the key.
func (c *Cluster) Operate(keyID string) *Operator {
	o := &Operator{KeyID: keyID, cluster: c, work: c.Chance(testkit.Workload)}
	o.want = c.keyRecord(keyID)
	return o
}

// keyRecord is what the store has of the key.
func (c *Cluster) keyRecord(keyID string) *messages.Key {
	c.TB.Helper()
	kept, err := c.control().Get(c.TB.Context(), actors.KeyRecord(keyID))
	if err != nil {
		c.TB.Fatal(err)
	}
	k := &messages.Key{}
	c.read(kept.Data, k)
	return k
}

// Answered says whether nothing is under way.
func (o *Operator) Answered() bool { return o.doing == nil }

// Change begins a change, where none is under way. what names it in the run's
// decisions.
func (o *Operator) Change(what string) {
	if o.doing != nil || o.revoking {
		return
	}
	o.begin(what)
	pick := func(of string, n uint64) uint64 { return o.work.Choose(what+": "+of, n) }
	update := func(field string) {
		o.doing = &messages.UpdateKey{KeyId: o.KeyID, Key: proto.Clone(o.want).(*messages.Key), Fields: []string{field}}
	}
	switch pick("kind", 3) {
	case 0:
		o.want.Name = fmt.Sprint("name ", o.changes)
		update("name")
	case 1: // each lets clients have what they have
		o.want.Plan = []string{"business", "pro", "starter"}[pick("plan", 3)]
		update("plan")
	default:
		hash := sha256.Sum256(fmt.Append(nil, "secret ", o.changes))
		o.want.SecretHash = hash[:]
		o.doing = &messages.RotateKey{KeyId: o.KeyID, SecretHash: hash[:], GraceMs: grace.Milliseconds()}
	}
	o.ask()
}

// Revoke has the key be revoked, once what is under way is answered; nothing is
// changed after it.
func (o *Operator) Revoke() {
	o.revoking = true
	if o.doing != nil {
		return
	}
	o.begin("revocation")
	o.want.State = messages.KeyState_KEY_REVOKED
	o.doing = &messages.RevokeKey{KeyId: o.KeyID}
	o.ask()
}

func (o *Operator) begin(what string) {
	o.changes++
	o.want = proto.Clone(o.want).(*messages.Key)
	o.at = int(o.work.Choose(what+": node", uint64(len(o.cluster.nodes))))
}

func (o *Operator) ask() {
	n := o.cluster.nodes[o.at%len(o.cluster.nodes)]
	o.asked++
	asked := o.asked
	again := func() {
		if asked == o.asked {
			o.at++
			o.ask()
		}
	}
	if n.Awake() {
		n.Actors.AskKey(o.KeyID, o.doing, askWithin, func(m proto.Message, _ error) {
			if asked != o.asked {
				return
			}
			switch m := m.(type) {
			case *messages.KeyDescribed:
				o.asked++
				o.answered(m.GetKey())
				return
			case *messages.Rejected:
				if m.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
					o.cluster.TB.Errorf("sim: the operator of %s asked for %v and was answered %v", o.KeyID, o.doing, m)
				}
			}
			o.cluster.Later(retryFirst, again)
		})
	}
	o.cluster.Later(askWithin+retryFirst, again) // the process may end before it answers
}

func (o *Operator) answered(k *messages.Key) {
	o.Made++
	o.doing = nil
	if k.GetName() != o.want.GetName() || k.GetPlan() != o.want.GetPlan() || k.GetState() != o.want.GetState() {
		o.cluster.Violated("a key is what its operator was answered", "asked for %v, answered %v", o.want, k)
	}
	o.cluster.secrets[o.KeyID] = o.want.GetSecretHash()
	if o.revoking && k.GetState() != messages.KeyState_KEY_REVOKED {
		o.Revoke()
	}
}

// CheckOperated holds that the key's record is what the operator was answered.
func (c *Cluster) CheckOperated(o *Operator) {
	c.TB.Helper()
	k := c.keyRecord(o.KeyID)
	if k.GetName() != o.want.GetName() || k.GetPlan() != o.want.GetPlan() || !bytes.Equal(k.GetSecretHash(), o.want.GetSecretHash()) || k.GetState() != o.want.GetState() {
		c.Violated("a key is what its operator was answered", "the record is %v, want %v", k, o.want)
	}
}

// CheckRevoked holds that nothing is left of a key that was revoked: no rules, no
// slots, no connection. What its clients were handed of its rules is the first of
// what they wanted.
func (s *Scene) CheckRevoked() {
	s.TB.Helper()
	var left []string
	for _, prefix := range []string{actors.RuleRecord(s.Key, ""), actors.MonitorRecord(s.Key, ""), actors.PastRecords(s.Key)} {
		if n := len(s.records(prefix)); n > 0 {
			left = append(left, fmt.Sprintf("%d records of %s", n, prefix))
		}
	}
	for _, slot := range s.shard(s.Key).GetSlots() {
		if slot.GetKeyId() == s.Key {
			left = append(left, fmt.Sprint("slot ", slot))
		}
	}
	for _, client := range s.clients {
		if client.At() != "" {
			left = append(left, client.Name+" at "+client.At())
		}
		want := s.matched(always(s.rules), client.began)
		n := len(client.seen)
		if n > len(want) || !slices.Equal(client.seen, want[:n]) {
			s.Violated("every match is delivered, once", "client %s of a key that was revoked was handed %d of %d, and not the first", client.Name, n, len(want))
		}
	}
	if len(left) > 0 {
		s.Violated("nothing is left of a revoked key", "%v", left)
	}
}
