package membership_test

import (
	"slices"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/membership"
)

// A lease ends twelve seconds after the beginning of its last renewal, and no
// later renewal alone makes it live again.
func TestALeaseRunsOutAndIsTakenAgain(t *testing.T) {
	now := time.Hour
	own := membership.NewOwn(func() time.Duration { return now })
	own.Renewed(now)
	if own.Live() {
		t.Fatal("live before it is held")
	}
	own.Hold()
	now += 12*time.Second - 1
	if !own.Live() {
		t.Fatal("not live just before its end")
	}
	if now++; own.Live() {
		t.Fatal("live at its end")
	}
	own.GiveUp()
	own.Renewed(now)
	if own.Live() {
		t.Fatal("live by a renewal, while what it owned may be others'")
	}
	own.Hold()
	own.Renewed(now - 20*time.Second) // the answer to an earlier renewal comes late
	if !own.Live() {
		t.Fatal("not live once it is held again")
	}
}

// reading is one that takes a tenth of a second, of records by name and revision.
func reading(began time.Duration, records ...membership.Record) membership.Reading {
	return membership.Reading{Began: began, Ended: began + time.Second/10, Records: records}
}

func stored(name string, incarnation, revision uint64) membership.Record {
	return membership.Record{Name: name, Incarnation: incarnation, Revision: revision}
}

func lapsed(l *membership.Ledger) (names []string) {
	for _, r := range l.Records() {
		if r.Lapsed {
			names = append(names, r.Name)
		}
	}
	return names
}

func TestWhoHasLapsed(t *testing.T) {
	const s = time.Second
	a := func(revision uint64) membership.Record { return stored("a", 1, revision) }
	for _, c := range []struct {
		what string
		do   func(l *membership.Ledger)
		want []string
	}{
		{"one that renews has not", func(l *membership.Ledger) {
			l.Read(reading(0, a(1), stored("b", 1, 1)))
			l.Read(reading(16*s, a(2), stored("b", 1, 2)))
		}, nil},
		{"fifteen seconds without a renewal", func(l *membership.Ledger) {
			l.Read(reading(0, a(1), stored("b", 1, 1)))
			l.Read(reading(15*s, a(2), stored("b", 1, 1)))
		}, nil},
		{"more than fifteen", func(l *membership.Ledger) {
			l.Read(reading(0, a(1), stored("b", 1, 1)))
			l.Read(reading(15*s+s/5, a(2), stored("b", 1, 1)))
		}, []string{"b"}},
		{"it renews after all", func(l *membership.Ledger) {
			l.Read(reading(0, a(1), stored("b", 1, 1)))
			l.Read(reading(16*s, a(2), stored("b", 1, 1)))
			l.Read(reading(17*s, a(2), stored("b", 1, 2)))
		}, nil},
		{"a reader that was blind has seen nothing of it", func(l *membership.Ledger) {
			l.Read(reading(0, a(1), stored("b", 1, 1)))
			l.Read(reading(60*s, a(2), stored("b", 1, 9)))
		}, nil},
		{"a reading that is behind proves nothing", func(l *membership.Ledger) {
			l.Read(reading(0, a(1), stored("b", 1, 1)))
			l.Wrote(2)
			if l.Read(reading(16*s, a(1), stored("b", 1, 1))) {
				t.Error("it was taken")
			}
		}, nil},
		{"a process that is known to have ended", func(l *membership.Ledger) {
			l.Read(reading(0, a(1), stored("b", 1, 1)))
			l.Ended("b", 1)
		}, []string{"b"}},
		{"and the one after it", func(l *membership.Ledger) {
			l.Read(reading(0, a(1), stored("b", 1, 1)))
			l.Ended("b", 1)
			l.Read(reading(s, a(1), stored("b", 2, 2)))
		}, nil},
		{"one that was deleted is no member", func(l *membership.Ledger) {
			l.Read(reading(0, a(1), stored("b", 1, 1)))
			l.Ended("b", 1)
			l.Read(reading(s, a(1)))
		}, nil},
	} {
		l := membership.NewLedger("a")
		c.do(l)
		if got := lapsed(l); !slices.Equal(got, c.want) {
			t.Errorf("%s: lapsed are %v, want %v", c.what, got, c.want)
		}
	}
}
