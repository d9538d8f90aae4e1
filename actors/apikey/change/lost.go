package change

import (
	"slices"

	"github.com/birdwire/birdwire/messages"
)

// Lost is a monitor or rule whose record cannot be read: nothing of it is known
// but its id. It matches nothing, and takes no place of those that a key may have.
// Its owner sees it in the lists, and can delete it.
type Lost struct {
	Kind Kind // OfMonitor or OfRule
	ID   string
}

// LostDetail is what its owner is told.
const LostDetail = "its record is damaged on the server's disk and it matches nothing: delete it, and make it again"

// Lost are the ids of those rules, or monitors, that cannot be read.
func (m *Machine) Lost(rule bool) (ids []string) {
	if !m.Live() {
		return nil
	}
	for _, l := range m.lost {
		if l.Kind == kindOf(rule) {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// IsLost says whether that rule, or monitor, is one of them.
func (m *Machine) IsLost(id string, rule bool) bool {
	return m.Live() && slices.Contains(m.lost, Lost{kindOf(rule), id})
}

// deleteLost deletes a record that cannot be read. The router has no query of
// it, so nothing but the record is left to go.
func (m *Machine) deleteLost(id string, rule bool) {
	lost := Lost{kindOf(rule), id}
	m.store([]Write{lost.erased()}, func(_ uint64, err error) {
		if err != nil {
			m.fail(err)
			return
		}
		m.lost = slices.DeleteFunc(slices.Clone(m.lost), func(l Lost) bool { return l == lost })
		m.end(&messages.Deleted{Id: id})
	})
}

func (l Lost) erased() Write { return Write{Kind: l.Kind, ID: l.ID, Damaged: true} }
