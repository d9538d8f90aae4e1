package memory

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/birdwire/birdwire/messages"
)

type snapshots struct{ *Store }

type snapshot struct {
	epoch string
	at    messages.Position
	data  []byte
	whole bool
}

// keptSnapshots of an id: a whole one is still there when the newest is torn.
const keptSnapshots = 2

func (t snapshots) Put(ctx context.Context, id string, at messages.Position, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("put snapshot %q at %d: read what is to be stored: %w", id, at, err)
	}
	fault, err := t.beginWrite(ctx, SnapshotsPut, id)
	if err != nil {
		return err
	}
	defer t.disk.mu.Unlock()
	d := t.disk
	shot := snapshot{epoch: d.epoch, at: at, data: data, whole: !fault.Torn}
	if fault.Torn {
		shot.data = data[:len(data)/2]
		fault.Ambiguous = true
	}
	_, err = write(d, fault, SnapshotsPut, id, func() (struct{}, error) {
		d.shots[id] = d.keep(append(d.shots[id], shot))
		return struct{}{}, nil
	})
	return err
}

// keep drops, where there are too many, a torn or foreign one first, else the
// one with the lowest position. Holding mu.
func (d *Disk) keep(shots []snapshot) []snapshot {
	for len(shots) > keptSnapshots {
		worst := 0
		for i, s := range shots {
			if d.rank(s) < d.rank(shots[worst]) {
				worst = i
			}
		}
		shots = append(shots[:worst:worst], shots[worst+1:]...)
	}
	return shots
}

// rank orders snapshots by how good they are; 0 is one that cannot be read.
func (d *Disk) rank(s snapshot) messages.Position {
	if !s.whole || s.epoch != d.epoch {
		return 0
	}
	return s.at + 1
}

func (t snapshots) Latest(ctx context.Context, id string) (messages.Position, io.ReadCloser, error) {
	if _, err := t.begin(ctx, SnapshotsLatest, id); err != nil {
		return 0, nil, err
	}
	defer t.disk.mu.Unlock()
	var best snapshot
	for _, s := range t.disk.shots[id] {
		if t.disk.rank(s) > t.disk.rank(best) {
			best = s
		}
	}
	if t.disk.rank(best) == 0 {
		return 0, nil, fmt.Errorf("latest snapshot of %q: %w", id, messages.ErrNotFound)
	}
	return best.at, io.NopCloser(bytes.NewReader(best.data)), nil
}
