package nats

import (
	"fmt"
	"sync"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
)

// pollFree is how long one look at the disk is believed: far longer than a
// look takes, far shorter than a reserve takes to fill.
const pollFree = time.Second

// disk refuses writes while the reserve is touched. The server's own answer to
// a full disk is to close the stream for good, so the reserve is kept in front.
type disk struct {
	cfg Config

	mu     sync.Mutex // protects what follows
	asked  time.Time
	full   error // nil, or ErrFull with figures
	silent bool  // the last look failed; said once
}

// look makes the next call of room ask the disk, however short ago it was.
func (d *disk) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = time.Time{}
}

// room is nil, or wraps store.ErrFull. A disk that cannot be asked counts as
// having room: the write itself will tell.
func (d *disk) room() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	if age := now.Sub(d.asked); !d.asked.IsZero() && 0 <= age && age < pollFree {
		return d.full
	}
	d.asked = now
	free, total, err := d.cfg.FreeSpace(d.cfg.Dir)
	if err != nil {
		if !d.silent {
			d.cfg.Logger.Warn("free space unknown: writes are not held back by the reserve", "dir", d.cfg.Dir, "error", err)
		}
		d.silent, d.full = true, nil
		return nil
	}
	d.silent = false
	was := d.full
	d.full = nil
	if reserve := d.cfg.ReserveBytes(total); free < reserve {
		d.full = fmt.Errorf("%w: %d MiB free in %s, %d MiB are kept in reserve: free some space or shorten the retention",
			store.ErrFull, free>>20, d.cfg.Dir, reserve>>20)
	}
	switch {
	case was == nil && d.full != nil:
		d.cfg.Logger.Error("writes stopped", "error", d.full)
	case was != nil && d.full == nil:
		d.cfg.Logger.Info("writes resumed: there is space again", "dir", d.cfg.Dir, "free_mib", free>>20)
	}
	return d.full
}
