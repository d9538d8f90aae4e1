package nats

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"
	"time"

	"github.com/birdwire/birdwire/messages"
)

// pollFree is how long one look at the disk is believed: far longer than a
// look takes, far shorter than a reserve takes to fill.
const pollFree = time.Second

// lookMost is how long a look is waited for. A disk that hangs is no reason to
// hang with it: what was known last counts until it answers.
const lookMost = time.Second

// kind is how much a write takes. The reserve is there so that small ones go
// on, which everything that is served needs.
type kind int

const (
	small kind = iota // a control record; down to a floor far below the reserve
	large             // frames, items, snapshots; down to the reserve
)

// disk refuses writes while the reserve is touched. The server's own answer to
// a full disk is to close the stream for good, so the reserve is kept in front.
type disk struct {
	cfg Config

	mu      sync.Mutex // protects what follows
	asked   time.Time
	looking chan struct{}    // closed when the look under way is over; nil: none is
	full    [large + 1]error // by kind: nil, or ErrFull with figures
	free    uint64           // bytes, at the last look that said so
	floor   uint64           // bytes that small writes need, likewise
	silent  bool             // the last look failed; said once
}

// look makes the next call of room ask the disk, however short ago it was.
func (d *disk) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = time.Time{}
}

// room is nil, or wraps messages.ErrFull. A disk that cannot be asked counts as
// having room: the write itself will tell.
func (d *disk) room(k kind) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	if age := now.Sub(d.asked); d.looking == nil && (d.asked.IsZero() || age < 0 || age >= pollFree) {
		d.asked = now
		d.looking = make(chan struct{})
		go d.ask(d.looking) // ends when the system answers
		looking := d.looking
		d.mu.Unlock()
		patience := time.NewTimer(lookMost)
		select {
		case <-looking:
		case <-patience.C:
		}
		patience.Stop()
		d.mu.Lock()
	}
	return d.full[k]
}

// known is room as it was at the last look: it asks nobody.
func (d *disk) known(k kind) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full[k]
}

func (d *disk) ask(over chan struct{}) {
	free, total, err := d.cfg.FreeSpace(d.cfg.Dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	defer close(over)
	d.looking = nil
	was := d.full
	d.full = [large + 1]error{}
	if errors.Is(err, fs.ErrNotExist) {
		// What is written now goes to files that no name leads to: it would be
		// acknowledged, and gone at the next start.
		gone := fmt.Errorf("%w: the data folder %s is not there any more: stop the server and put the folder back", messages.ErrFull, d.cfg.Dir)
		d.full = [large + 1]error{small: gone, large: gone}
		if !d.silent {
			d.cfg.Logger.Error("the data folder is gone: nothing is written until it is back", "dir", d.cfg.Dir)
		}
		d.silent = true
		return
	}
	if err != nil {
		if !d.silent {
			d.cfg.Logger.Warn("free space unknown: writes are not held back by the reserve", "dir", d.cfg.Dir, "error", err)
		}
		d.silent = true
		return
	}
	d.silent = false
	reserve := d.cfg.ReserveBytes(total)
	d.free, d.floor = free, floorOf(reserve)
	for k, least := range []uint64{small: floorOf(reserve), large: reserve} {
		if free < least {
			d.full[k] = fmt.Errorf("%w: %s free in %s, %d MiB are kept in reserve: free some space or shorten the retention",
				messages.ErrFull, space(free), d.cfg.Dir, reserve>>20)
		}
	}
	d.say(was, free)
}

// forStart is nil where there is space for what every start writes, or says what
// is missing, and what to do; cause is what failed for want of it, or nil. A start
// needs space: it counts itself, so that no frame of it is taken for one of a run
// before it, and no client is admitted without a record.
func (d *disk) forStart(cause error) error {
	d.look()
	full := d.room(small)
	if full == nil && !errors.Is(cause, syscall.ENOSPC) {
		return nil
	}
	d.mu.Lock()
	free, floor := d.free, d.floor
	d.mu.Unlock()
	return fmt.Errorf("%w: %s free in %s, and a start needs %s: free some space on its disk, outside the folder, or move the folder to a larger one",
		messages.ErrFull, space(free), d.cfg.Dir, space(floor))
}

func space(bytes uint64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

func (d *disk) say(was [large + 1]error, free uint64) {
	switch log := d.cfg.Logger; {
	case was[small] == nil && d.full[small] != nil:
		log.Error("the disk is full: nothing is written any more, and no client can connect", "error", d.full[small])
	case was[large] == nil && d.full[large] != nil:
		log.Error("ingest stopped: the disk has reached its reserve; clients are served", "error", d.full[large])
	case was[large] != nil && d.full[large] == nil:
		log.Info("ingest goes on: there is space again", "dir", d.cfg.Dir, "free_mib", free>>20)
	}
}

// floorOf is what is left where even small writes stop: enough for the server
// to close its files.
func floorOf(reserve uint64) uint64 { return min(reserve/8, 16<<20) }

// Room is nil, or messages.ErrFull with figures, while ingest is refused for want
// of space.
func (s *Store) Room() error {
	err := s.disk.known(large)
	if errors.Is(err, messages.ErrFull) {
		return err
	}
	return nil
}
