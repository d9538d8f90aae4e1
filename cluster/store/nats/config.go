package nats

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config says where the store lives and how long it keeps what.
type Config struct {
	Dir string // the store's own folder; made when it is not there

	Cluster  *Cluster  // the store is one member of several; nil: it is not
	External *External // the streams are in a NATS of others; nil: they are not

	RetentionAge    time.Duration // of frames; default 24 h, below 0: for ever
	RetentionBytes  int64         // of frames on disk; default 10 GiB, below 0: no bound
	ItemsAge        time.Duration // of articles' states since their last change; default 30 days, below 0: for ever
	DuplicateWindow time.Duration // in which the server itself knows a frame again; default 2 min. Past it the tail is read back

	// FreeSpace is what the disk under dir has left for this process, and its
	// size, in bytes. Default: the operating system's word. Asked at most once
	// a second.
	FreeSpace func(dir string) (free, total uint64, err error)
	// ReserveBytes is what must stay free on a disk of that size; below it
	// writes are refused with messages.ErrFull. Default max(512 MiB, 2 %).
	ReserveBytes func(total uint64) uint64

	Waits  func(what string) // is told, again and again, what a member that is opened waits for; nil: nobody is
	Now    func() time.Time  // default time.Now
	Logger *slog.Logger      // default slog.Default()
}

// shared says whether others write to the streams too.
func (c Config) shared() bool { return c.Cluster != nil || c.External != nil }

const defaultReserve = 512 << 20

func (c Config) withDefaults() Config {
	c.RetentionAge = orDefault(c.RetentionAge, 24*time.Hour)
	if c.RetentionBytes == 0 {
		c.RetentionBytes = 10 << 30
	}
	c.ItemsAge = orDefault(c.ItemsAge, 30*24*time.Hour)
	c.DuplicateWindow = orDefault(c.DuplicateWindow, 2*time.Minute)
	if c.RetentionAge > 0 {
		// The server refuses a window longer than the messages live.
		c.DuplicateWindow = min(c.DuplicateWindow, c.RetentionAge)
	}
	if c.FreeSpace == nil {
		c.FreeSpace = freeSpace
	}
	if c.External != nil { // the disk is another machine's, and its own word counts
		c.FreeSpace = func(string) (free, total uint64, err error) { return 1 << 62, 1 << 62, nil }
	}
	if c.ReserveBytes == nil {
		c.ReserveBytes = func(total uint64) uint64 { return max(defaultReserve, total/50) }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	const smallest = 100 * time.Millisecond // what the server takes
	switch {
	case c.Dir == "" && c.External == nil:
		return errors.New("dir is empty: name the folder to keep data in")
	case c.DuplicateWindow < smallest:
		return fmt.Errorf("duplicate window %v: at least %v", c.DuplicateWindow, smallest)
	case c.RetentionAge > 0 && c.RetentionAge < smallest:
		return fmt.Errorf("retention age %v: at least %v", c.RetentionAge, smallest)
	case c.ItemsAge > 0 && c.ItemsAge < smallest:
		return fmt.Errorf("items age %v: at least %v", c.ItemsAge, smallest)
	case c.Cluster != nil && c.External != nil:
		return errors.New("a store is a member of a cluster or in a NATS of others, not both")
	case c.Cluster != nil:
		return c.Cluster.validate()
	case c.External != nil:
		return c.External.validate()
	}
	return nil
}

// orDefault is d for 0, and 0, which is the server's "for ever", for what is
// below 0.
func orDefault(v, d time.Duration) time.Duration {
	if v == 0 {
		return d
	}
	return max(v, 0)
}
