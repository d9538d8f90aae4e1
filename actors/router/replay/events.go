package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/birdwire/birdwire/messages"
)

// nearby is how many frames are read over on the way to the next position:
// past it a new reading costs less.
const nearby = 32

// Events reads the event at each position, in the order asked; nil where the
// log does not hold it, or not any more. It reads the frames of those
// positions, and at most nearby others for each.
func Events(ctx context.Context, log Log, positions []messages.Position) ([]*messages.Event, error) {
	order := make([]int, len(positions))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case positions[a] < positions[b]:
			return -1
		case positions[a] > positions[b]:
			return 1
		}
		return 0
	})
	first, last, err := log.Bounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("read events: bounds: %w", err)
	}
	at := finder{log: log}
	defer at.close()
	found := make([]*messages.Event, len(positions))
	for _, i := range order {
		p := positions[i]
		if p.Sequence() < first || p.Sequence() > last {
			continue
		}
		frame, err := at.frame(ctx, p.Sequence())
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		if events := frame.GetEvents(); p.Index() < len(events) {
			found[i] = events[p.Index()]
		}
	}
	return found, nil
}

// finder goes through the log from one wanted frame to the next.
type finder struct {
	log      Log
	frames   Frames          // nil: none is open
	sequence uint64          // of the frame read last; 0: none
	read     *messages.Frame // nil where it is gone for good
}

// frame is the one at the sequence, which is never lower than the last asked;
// nil where it is gone for good.
func (f *finder) frame(ctx context.Context, sequence uint64) (*messages.Frame, error) {
	if f.frames == nil || sequence > f.sequence+nearby {
		f.close()
		frames, err := f.log.Read(ctx, sequence)
		if err != nil {
			return nil, err
		}
		f.frames, f.sequence, f.read = frames, 0, nil
	}
	for f.sequence < sequence {
		entry, err := f.frames.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		f.sequence, f.read = entry.Sequence, entry.Frame
	}
	if f.sequence > sequence {
		return nil, nil // gone, and the reading is past it
	}
	return f.read, nil
}

func (f *finder) close() {
	if f.frames != nil {
		_ = f.frames.Close() // it only lets go of memory
		f.frames = nil
	}
}
