package memory

import (
	"context"
	"fmt"
	"time"
)

// Config is what a disk and its handles take from their world. The zero value
// keeps everything for ever at the beginning of 1970 and fails never.
type Config struct {
	Now             func() time.Time // default: always Unix time 0
	RetentionAge    time.Duration    // of frames; 0: for ever
	RetentionFrames int              // kept at most; 0: no bound
	ItemsAge        time.Duration    // of articles' states since their last change; 0: for ever
	Epoch           string           // default "memory000001"
	WatchBuffer     int              // changes that may wait for one watcher, default 65,536; past it the watch is closed

	// Fault is asked before every call of every handle; nil: no faults.
	Fault func(Call) Fault
	// Sleep waits for a fault's delay. Default: it does not wait.
	Sleep func(ctx context.Context, d time.Duration) error
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = func() time.Time { return time.Unix(0, 0) }
	}
	if c.Epoch == "" {
		c.Epoch = "memory000001"
	}
	if c.WatchBuffer == 0 {
		c.WatchBuffer = 65_536
	}
	if c.Fault == nil {
		c.Fault = func(Call) Fault { return Fault{} }
	}
	if c.Sleep == nil {
		c.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	return c
}

// Op is one kind of call.
type Op string

// The calls of the contracts. Counters go through ControlGet and ControlCAS, on
// keys that begin with store.LedgerPrefix.
const (
	JournalAppend   Op = "journal.append"
	JournalRead     Op = "journal.read"
	JournalNext     Op = "journal.next"
	JournalBounds   Op = "journal.bounds"
	JournalTail     Op = "journal.tail"
	ControlGet      Op = "control.get"
	ControlCAS      Op = "control.cas"
	ControlDelete   Op = "control.delete"
	ControlList     Op = "control.list"
	ControlWatch    Op = "control.watch"
	ItemsGet        Op = "items.get"
	ItemsCAS        Op = "items.cas"
	SnapshotsPut    Op = "snapshots.put"
	SnapshotsLatest Op = "snapshots.latest"
	Health          Op = "healthy"
)

// Call is one call about to be made.
type Call struct {
	Op     Op
	Key    string // the frame's name, the control key or prefix, the snapshot's id
	Number uint64 // of the handle's calls, from 1
}

func (c Call) String() string { return fmt.Sprintf("%s %q (call %d)", c.Op, c.Key, c.Number) }

// Fault is what befalls one call. The zero value is nothing.
type Fault struct {
	Delay     time.Duration // waited first, by Config.Sleep
	Err       error         // answered, and nothing happened
	Ambiguous bool          // it happens, and messages.ErrAmbiguous is answered; of writes
	Torn      bool          // half of it happens, and messages.ErrAmbiguous is answered; of SnapshotsPut
	// Late: messages.ErrAmbiguous is answered, and it happens when what Late is given
	// is called, as far as its condition holds by then; of writes, also of a handle
	// that was closed since. Late must not call it itself.
	Late func(happen func())
}
