package change

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// A store may do what a process has asked it for after that process has ended, and so
// after the next owner of the key has read the records: it would go on by the version
// before, and what is read later would say that another one held. Such a write has a
// condition, that nobody has written the record since. So the next owner writes every
// record that may be meant, as it is, before it goes by what it has read.
//
// Which those are the store says, since it is written before the change: a version that
// was replaced and still holds, or what the key's record names. In a key whose last
// change was seen through there are none, and nothing is written.

// Fenced counts what is written so.
const Fenced = "write_fenced"

// loose is a record that an owner before may have a write of on its way.
type loose struct {
	write Write           // of what is there, or that nothing is to be
	past  *messages.Query // that told of it; nil: the key's record did
}

// looseOf finds them in a reading.
func looseOf(l *Loaded) (all []loose) {
	if l.Key.GetState() != messages.KeyState_KEY_ACTIVE {
		return nil
	}
	for _, s := range l.Stored {
		for _, q := range l.Past {
			if q.GetK() == s.K() && q.GetVersion() >= s.Version() {
				all = append(all, loose{asItIs(s), q})
			}
		}
	}
	c := l.Key.GetChanging()
	for _, e := range l.Empty {
		if e.Kind != kindOf(c.GetRule()) || e.ID != c.GetId() {
			all = append(all, loose{write: Write{Kind: e.Kind, ID: e.ID, Never: true}})
		}
	}
	if c == nil || slices.Contains(l.Lost, Lost{kindOf(c.GetRule()), c.GetId()}) {
		return all
	}
	i := slices.IndexFunc(l.Stored, func(s StoredDefinition) bool { return s.ID() == c.GetId() && s.IsRule() == c.GetRule() })
	switch {
	case i < 0:
		all = append(all, loose{write: Write{Kind: kindOf(c.GetRule()), ID: c.GetId(), Never: true}})
	case l.Stored[i].Version() < c.GetVersion():
		all = append(all, loose{write: asItIs(l.Stored[i])})
	}
	return all
}

func asItIs(s StoredDefinition) Write {
	data, err := s.Marshal()
	if err != nil {
		panic(err) // it was read
	}
	return Write{Kind: kindOf(s.IsRule()), ID: s.ID(), Data: data, Revision: s.Revision}
}

// fence has no owner before change anything any more, and then goes on. Where one just
// has, the records are read again.
func (m *Machine) fence(then func()) {
	if len(m.loose) == 0 {
		then()
		return
	}
	m.fenceNext(m.loose, then)
}

func (m *Machine) fenceNext(left []loose, then func()) {
	if len(left) == 0 {
		m.fenced(then)
		return
	}
	w := left[0].write
	if e := m.Set.ByID(w.ID); e != nil {
		w.Revision = e.Revision // it may be there twice
	}
	m.emit(Report{Count: Fenced})
	m.sure(w, func(revision uint64) {
		if e := m.Set.ByID(w.ID); e != nil {
			e.Revision = revision
		}
		m.fenceNext(left[1:], then)
	}, m.reload)
}

// fenced forgets what told of it, so that the next owner has nothing to do. What stays
// costs that one some writes.
func (m *Machine) fenced(then func()) {
	var writes []Write
	named := false
	for _, o := range m.loose {
		if named = named || o.past == nil; o.past != nil {
			writes = append(writes, Write{Kind: OfPast, Past: o.past})
		}
	}
	m.loose = nil
	m.store(writes, func(uint64, error) {
		if !named {
			then()
			return
		}
		key := proto.Clone(m.Key).(*messages.Key)
		key.Changing = nil
		data, err := proto.Marshal(key)
		if err != nil {
			panic(err) // it was read
		}
		m.sure(Write{Kind: OfKey, Data: data, Revision: m.revision}, func(revision uint64) {
			m.Key, m.revision = key, revision
			then()
		}, m.reload)
	})
}
