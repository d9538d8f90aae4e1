package nats

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
)

// diskAnswers is closed when one small write has taken too long. It looks until
// over is closed.
func diskAnswers(dir string, over <-chan struct{}) <-chan struct{} {
	silent := make(chan struct{})
	look := func(answered chan<- struct{}) {
		defer close(answered)
		f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0o600)
		if err != nil {
			return // whoever opens the store says it better
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte("held while a process runs on this folder\n"), 0); err == nil {
			_ = f.Sync()
		}
	}
	go func() {
		for {
			answered := make(chan struct{})
			go look(answered) // ends when the disk answers
			patience := time.NewTimer(stallMost)
			select {
			case <-answered:
			case <-over:
				patience.Stop()
				return
			case <-patience.C:
				close(silent)
				return
			}
			patience.Reset(lookEvery)
			select {
			case <-patience.C:
			case <-over:
				patience.Stop()
				return
			}
		}
	}()
	return silent
}

const (
	// stallMost is how long a disk may take for one small write while the store
	// is opened, before it is given up; lookEvery is how often that is tried.
	stallMost = 30 * time.Second
	lookEvery = 5 * time.Second

	lockName = "lock"
)

// lockDir makes the folder and takes it for this process.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: make the folder yourself, or name another", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: the folder must be writable for this user", err)
	}
	taken, err := lockFile(f)
	if err == nil && !taken {
		err = fmt.Errorf("%w: another process runs on %s: stop it, or start this one on another folder", store.ErrLocked, dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
