package store

import "time"

// Status is how a store of several nodes is, as one of them sees it.
type Status struct {
	Leader  string // node that leads what the cluster knows of its streams; "": none does
	Nodes   []StatusNode
	Streams []StatusStream
	// Trouble says in plain words what is wrong, and what to do; empty: nothing.
	Trouble []string
}

// StatusNode is one member.
type StatusNode struct {
	Name    string
	Online  bool // it was heard of within the last seconds
	Current bool // it knows what the leader knows of the streams
	Lag     uint64
	Seen    time.Duration // ago; 0: now, or never
}

// StatusStream is one stream's replicas.
type StatusStream struct {
	Stream      string // journal, control, items or snapshots
	Leader      string // ""; none: it takes no writes
	First, Last uint64 // sequences, by the leader's word; 0 where there is none
	Bytes       uint64
	Replicas    []StatusReplica // the leader's own among them
}

// StatusReplica is one copy of a stream.
type StatusReplica struct {
	Node    string
	Current bool   // it has all that was acknowledged
	Online  bool   // it was heard of within the last seconds
	Lag     uint64 // operations that it is behind
	Seen    time.Duration
}

// Finding is what an audit of the copies that nodes have of a stream has found.
type Finding struct {
	Node   string // whose copy it is
	Stream string // journal, control, items or snapshots
	File   string // under its store's folder; "" where it is not one file
	What   string
}

func (f Finding) String() string {
	where := f.Stream
	if f.File != "" {
		where += " (" + f.File + ")"
	}
	return f.Node + ": " + where + ": " + f.What
}
