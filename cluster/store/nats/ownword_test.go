package nats

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestMajorityHeard(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		silent []time.Duration
		want   time.Duration
	}{
		{nil, 0},
		{[]time.Duration{9 * s}, 9 * s}, // both of two
		{[]time.Duration{9 * s, s}, s},
		{[]time.Duration{9 * s, 8 * s}, 8 * s},
		{[]time.Duration{9 * s, 2 * s, 3 * s, s}, 2 * s},
	} {
		if got := majorityHeard(c.silent); got != c.want {
			t.Errorf("of %v: %v, want %v", c.silent, got, c.want)
		}
	}
}

func TestWhatALeaderSaysOfItself(t *testing.T) {
	replicas := func(silent ...time.Duration) (all []*jetstream.PeerInfo) {
		for _, s := range silent {
			all = append(all, &jetstream.PeerInfo{Active: s})
		}
		return all
	}
	for _, c := range []struct {
		info *jetstream.ClusterInfo
		want error
	}{
		{nil, nil},
		{&jetstream.ClusterInfo{Leader: "a", Replicas: replicas(time.Minute, time.Second)}, nil},
		{&jetstream.ClusterInfo{Replicas: replicas(time.Second, time.Second)}, errLeaderless},
		{&jetstream.ClusterInfo{Leader: "a", Replicas: replicas(time.Minute, 3*time.Second)}, errUnheard},
	} {
		if err := ofLeader(c.info); !errors.Is(err, c.want) {
			t.Errorf("of %+v: %v, want %v", c.info, err, c.want)
		}
	}
}

func TestWhatTheOwnServerSays(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		what string
		own  *ownWord
		want error
	}{
		{"it does not lead", &ownWord{beat: now, looked: now}, nil},
		{"it leads, and is followed", &ownWord{beat: now, looked: now, heard: map[string]time.Time{journalStream: ago(2 * time.Second)}}, nil},
		{"it leads, and is not heard", &ownWord{beat: now, looked: now, heard: map[string]time.Time{journalStream: ago(3 * time.Second)}}, errUnheard},
		{"it leads another", &ownWord{beat: now, looked: now, heard: map[string]time.Time{controlStream: ago(time.Minute)}}, nil},
		{"nobody has seen yet that it was suspended", &ownWord{beat: ago(20 * time.Second), looked: ago(20 * time.Second)}, errSuspended},
		{"it was not asked since", &ownWord{beat: now, woke: ago(time.Millisecond), looked: ago(20 * time.Second)}, errSuspended},
		{
			"what was heard may be of before",
			&ownWord{beat: now, woke: ago(time.Second), looked: now, heard: map[string]time.Time{journalStream: ago(900 * time.Millisecond)}},
			errUnheard,
		},
		{
			"a majority was heard since",
			&ownWord{beat: now, woke: ago(time.Second), looked: now, heard: map[string]time.Time{journalStream: ago(100 * time.Millisecond)}},
			nil,
		},
	} {
		if err := c.own.counts(journalStream); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
}
