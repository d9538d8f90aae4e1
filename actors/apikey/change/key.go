package change

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/apikey/definitions"
	"github.com/birdwire/birdwire/messages"
)

// hashLength is of a secret's SHA-256, in bytes.
const hashLength = 32

// graceMost bounds how long a former secret is taken after a rotation.
const graceMost = 90 * 24 * time.Hour

// StoredDefinition is a monitor or rule as it was read.
type StoredDefinition = definitions.Stored

// take makes what was read the truth.
func (m *Machine) take(l *Loaded) {
	m.Key, m.revision = l.Key, l.Revision
	m.lost, m.logEnd, m.loose = l.Lost, l.End, looseOf(l)
	if m.Key.GetState() != messages.KeyState_KEY_ACTIVE {
		m.lost = append(slices.Clone(m.lost), l.Empty...) // to be tidied away
	}
	m.Set.Load(l.Stored, l.Past, m.Key.GetPastSince(), l.End)
	m.emit(Changed{})
	m.emit(Decided{})
	if m.Key != nil && !m.Live() && (len(l.Stored) > 0 || len(l.Past) > 0 || len(m.lost) > 0) {
		m.next(m.purge)
	}
}

func (m *Machine) createKey(c *messages.CreateKey) {
	if m.Key != nil {
		m.end(rejected(messages.Rejection_REJECTION_CONFLICT, "id", "there is such a key already"))
		return
	}
	given := c.GetKey()
	if why := m.fault(given); why != nil {
		m.end(why)
		return
	}
	key := &messages.Key{
		Id: m.cfg.KeyID, Name: given.GetName(), Owner: given.GetOwner(), Plan: given.GetPlan(), Scopes: given.GetScopes(), Apis: given.GetApis(),
		SecretHash: given.GetSecretHash(), State: messages.KeyState_KEY_ACTIVE, CreatedMs: m.cfg.Now(), NextK: 1,
	}
	m.storeKey(key, 0, func(err error) {
		if err != nil {
			m.fail(err)
			return
		}
		m.emit(Made{})
		m.describe()
	})
}

func (m *Machine) fault(key *messages.Key) *messages.Rejected {
	if len(key.GetSecretHash()) != hashLength {
		return rejected(messages.Rejection_REJECTION_INVALID, "secret_hash", "must be a SHA-256")
	}
	return m.cfg.Fault(key)
}

// describe ends the operation with how the key is.
func (m *Machine) describe() {
	if m.running.ticket != 0 {
		m.emit(Describe{m.running.ticket})
	}
	m.end(nil)
}

// writeKey changes the key's own record.
func (m *Machine) writeKey(change func(*messages.Key), then func(err error)) {
	key := proto.Clone(m.Key).(*messages.Key)
	key.LastUsedMs = max(key.GetLastUsedMs(), m.lastUsed)
	change(key)
	m.storeKey(key, m.revision, then)
}

func (m *Machine) storeKey(key *messages.Key, revision uint64, then func(err error)) {
	data, err := proto.Marshal(key)
	if err != nil {
		then(&failure{err: fmt.Errorf("encode key: %w", err), nothing: true})
		return
	}
	m.store([]Write{{Kind: OfKey, Data: data, Revision: revision}}, func(revision uint64, err error) {
		if err == nil {
			m.Key, m.revision = key, revision
		}
		then(err)
	})
}

func (m *Machine) writeUsed() {
	if _, written := m.LastUsed(); m.Key == nil || written {
		m.end(nil)
		return
	}
	m.writeKey(func(*messages.Key) {}, m.endBy)
}

// endBy ends an operation that nobody waits for.
func (m *Machine) endBy(err error) {
	if err != nil {
		m.fail(err)
		return
	}
	m.end(nil)
}

// revoke ends the key for good and its connections with it.
func (m *Machine) revoke() {
	switch {
	case m.Key == nil:
		m.end(noKey())
		return
	case !m.Live():
		m.describe()
		return
	}
	m.writeKey(func(k *messages.Key) { k.State = messages.KeyState_KEY_REVOKED }, func(err error) {
		if err != nil {
			m.fail(err)
			return
		}
		m.emit(Drop{})
		m.emit(Revoked{})
		m.next(m.purge)
		m.describe()
	})
}

// purge deletes what a revoked key had: nobody can ask for it any more. What
// cannot be deleted now is deleted after the next reading, see Tidy.
func (m *Machine) purge() {
	var writes []Write
	for _, e := range m.Set.All() {
		writes = append(writes, Write{Kind: kindOf(e.IsRule()), ID: e.ID(), Revision: e.Revision})
		m.emit(Gone{e.ID()})
	}
	writes = append(writes, deletions(m.Set.Past())...)
	for _, l := range m.lost {
		writes = append(writes, l.erased())
	}
	m.lost = nil
	m.Set.Load(nil, nil, 0, 0)
	m.store(writes, func(_ uint64, err error) {
		if m.littered = err != nil; m.littered {
			m.emit(Report{Text: "deleting what a revoked key had failed; what is left is deleted later", Err: err})
		}
		m.end(nil)
	})
}

// Littered says that something of a revoked key could not be deleted. Tidy does
// it again.
func (m *Machine) Littered() bool { return m.littered }

// rewrite changes the record of an active key, and describes it.
func (m *Machine) rewrite(change func(*messages.Key), then func()) {
	switch {
	case m.Key == nil:
		m.end(noKey())
		return
	case !m.Live():
		m.end(rejected(messages.Rejection_REJECTION_CONFLICT, "state", "the key has been revoked"))
		return
	}
	m.writeKey(change, func(err error) {
		if err != nil {
			m.fail(err)
			return
		}
		then()
		m.describe()
	})
}

// rotate exchanges the secret; connections stay. One that is asked for twice, as
// where an answer was lost, changes nothing more: the former secret stays what it
// was.
func (m *Machine) rotate(c *messages.RotateKey) {
	grace := time.Duration(c.GetGraceMs()) * time.Millisecond
	switch {
	case len(c.GetSecretHash()) != hashLength:
		m.end(rejected(messages.Rejection_REJECTION_INVALID, "secret_hash", "must be a SHA-256"))
		return
	case c.GetGraceMs() < 0 || c.GetGraceMs() > graceMost.Milliseconds():
		m.end(rejected(messages.Rejection_REJECTION_INVALID, "grace_seconds", fmt.Sprintf("must be from 0 to %d", int(graceMost.Seconds()))))
		return
	}
	if m.Live() && bytes.Equal(m.Key.GetSecretHash(), c.GetSecretHash()) {
		m.describe()
		return
	}
	m.rewrite(func(k *messages.Key) {
		k.FormerHash, k.FormerUntilMs = nil, 0
		if grace > 0 {
			k.FormerHash, k.FormerUntilMs = k.GetSecretHash(), m.cfg.Now()+grace.Milliseconds()
		}
		k.SecretHash = c.GetSecretHash()
	}, func() {})
}

// updateKey changes the fields that the command names.
func (m *Machine) updateKey(c *messages.UpdateKey) {
	if m.Key == nil {
		m.end(noKey())
		return
	}
	to := proto.Clone(m.Key).(*messages.Key)
	for _, field := range c.GetFields() {
		switch field {
		case "name":
			to.Name = c.GetKey().GetName()
		case "owner":
			to.Owner = c.GetKey().GetOwner()
		case "plan":
			to.Plan = c.GetKey().GetPlan()
		case "scopes":
			to.Scopes = c.GetKey().GetScopes()
		case "apis":
			to.Apis = c.GetKey().GetApis()
		default:
			m.end(rejected(messages.Rejection_REJECTION_INVALID, field, "cannot be changed"))
			return
		}
	}
	if why := m.cfg.Fault(to); why != nil {
		m.end(why)
		return
	}
	m.rewrite(func(k *messages.Key) {
		k.Name, k.Owner, k.Plan, k.Scopes, k.Apis = to.GetName(), to.GetOwner(), to.GetPlan(), to.GetScopes(), to.GetApis()
	}, func() { m.emit(Narrowed{}) })
}

// takeNumber goes on with a number that was never used, for the monitor or rule that
// the key's record names from then on. A number whose creation fails is skipped.
func (m *Machine) takeNumber(rule bool, id string, then func(k uint32, err error)) {
	k := max(m.Key.GetNextK(), 1)
	m.writeKey(func(key *messages.Key) {
		key.NextK, key.Changing = k+1, &messages.Changing{Rule: rule, Id: id, Version: 1}
	}, func(err error) { then(k, err) })
}

func noKey() *messages.Rejected {
	return rejected(messages.Rejection_REJECTION_NOT_FOUND, "id", "there is no such key")
}

func kindOf(rule bool) Kind {
	if rule {
		return OfRule
	}
	return OfMonitor
}
