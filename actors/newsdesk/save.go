package newsdesk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/messages"
)

// snapshotID names the newsdesk's snapshots.
const snapshotID = "newsdesk"

const snapshotTimeout = 2 * time.Minute

// saves is what is known of snapshots.
type saves struct {
	taken   int  // events since the last one
	saving  bool // the stories are asked for their states
	writing bool // a worker writes one
	savedAt messages.Position
}

// loaded is a worker's answer.
type loaded struct {
	by   *newsdesk
	desk *desk.Machine
	at   messages.Position
	note string // why it is not from the snapshot, "" where it is or there is none
	err  error
}

// load reads the last snapshot.
func (d *newsdesk) load(ctx actor.Context) {
	if d.state != loading {
		return
	}
	cfg, snapshots := d.cfg.Desk, d.cfg.Snapshots
	actors.Work(d.cfg.Clock, d.cfg.Worker, ctx.Self(), d, snapshotTimeout, func(work context.Context) any {
		m := &loaded{by: d}
		m.desk, m.at, m.note, m.err = restore(work, snapshots, cfg)
		return m
	})
	// A worker that panics, or is never heard of again, is asked once more.
	d.timers.Set(loadTime{}, snapshotTimeout+10*time.Second, ctx.Self(), &loadTime{})
}

// restore makes the machine of the last snapshot; of none, a new one, which
// reads the log from its beginning.
func restore(ctx context.Context, snapshots Snapshots, cfg desk.Config) (m *desk.Machine, at messages.Position, note string, err error) {
	at, r, err := snapshots.Latest(ctx, snapshotID)
	if err != nil && !errors.Is(err, messages.ErrNotFound) {
		return nil, 0, "", fmt.Errorf("newsdesk: read the snapshot: %w", err)
	}
	if err == nil {
		defer r.Close() //nolint:errcheck // it was only read
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, 0, "", fmt.Errorf("newsdesk: read the snapshot: %w", err)
		}
		m, err := desk.Restore(cfg, data)
		if err == nil {
			return m, at, "", nil
		}
		if !errors.Is(err, desk.ErrState) {
			return nil, 0, "", err
		}
		note = err.Error()
	}
	m, err = desk.New(cfg)
	return m, 0, note, err
}

func (d *newsdesk) loaded(ctx actor.Context, m *loaded) {
	if m.by != d || d.state != loading {
		return
	}
	d.timers.Cancel(loadTime{})
	if m.err != nil {
		d.cfg.Logger.Error("the newsdesk cannot begin; it tries again", "error", m.err)
		d.timers.Set(loadTime{}, loadAgain, ctx.Self(), &loadTime{})
		return
	}
	if m.note != "" {
		d.cfg.Logger.Warn("the newsdesk reads the whole log: its snapshot is of no use to it", "reason", m.note)
	}
	d.desk, d.state, d.savedAt = m.desk, following, m.at
	d.follow(ctx)
}

// due says whether a snapshot is to be taken before the next event.
func (d *newsdesk) due() bool {
	return d.taken >= d.cfg.SnapshotEvery && !d.saving && !d.writing
}

// save asks the stories for their states.
func (d *newsdesk) save(ctx actor.Context) {
	d.taken, d.saving = 0, true
	d.desk.Save()
	d.tell(ctx)
	d.written(ctx)
}

// written writes the snapshot once all stories have answered.
func (d *newsdesk) written(ctx actor.Context) {
	if !d.saving || d.desk.Busy() {
		return
	}
	d.saving = false
	snapshot, err := d.desk.Snapshot()
	if err != nil {
		d.cfg.Logger.Error("no snapshot can be made", "error", err)
		return
	}
	d.writing = true
	at, snapshots := d.desk.Place(), d.cfg.Snapshots
	actors.Work(d.cfg.Clock, d.cfg.Worker, ctx.Self(), d, snapshotTimeout, func(work context.Context) any {
		return &saved{d, at, snapshots.Put(work, snapshotID, at, bytes.NewReader(snapshot))}
	})
}

type saved struct {
	by  *newsdesk
	at  messages.Position
	err error
}

func (d *newsdesk) saved(m *saved) {
	if m.by != d {
		return
	}
	d.writing = false
	if m.err != nil {
		d.cfg.Logger.Warn("a snapshot of the newsdesk could not be written; a restart reads more of the log", "error", m.err)
		return
	}
	d.savedAt = m.at
}

// panicked: a worker failed, at a reading or at a snapshot. Both are tried again.
func (d *newsdesk) panicked(ctx actor.Context) {
	d.writing = false
	d.step(ctx, follow.ReadFailed{Reading: d.follower.Reading(), Detail: "reading the log panicked"})
}
