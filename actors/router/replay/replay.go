// Package replay reads the log for one client and matches it as the router
// would have: the same index, the same matcher, the same rule about repeats.
//
// It never waits for the log to grow and never writes.
package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/engine/repeat"
	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/actors/router/match"
	"github.com/birdwire/birdwire/messages"
)

// Log reads frames in order.
type Log interface {
	// Read starts at sequence from (at least 1). Where retention has taken
	// frames from there on, the first entry says so. The caller closes it.
	Read(ctx context.Context, from uint64) (Frames, error)
	Bounds(ctx context.Context) (first, last uint64, err error)
}

// Frames is one reading.
type Frames interface {
	// Next returns what follows, without a gap, and io.EOF at the log's present
	// end.
	Next(ctx context.Context) (Entry, error)
	Close() error
}

// Entry is one frame, or word that some sequences will never be read.
type Entry struct {
	From     uint64 // the first sequence it is about
	Sequence uint64 // the last one; the same for a frame
	Frame    *messages.Frame
	Loss     messages.Loss // where Frame is nil: why
}

// lost is the stretch in positions; false where nothing was lost.
func (e Entry) lost() (messages.Lost, bool) {
	l := messages.Lost{From: messages.At(e.From, 0), To: messages.EndOf(e.Sequence), Why: e.Loss}
	return l, e.Frame == nil && e.Loss != messages.NotLost
}

// ErrBehind: what answers does not have all that is to be read, and has it soon. A
// replica's leader that was suspended or cut off names as the log's end what it had
// then, until it hears of the next leader.
var ErrBehind = errors.New("the log that answers is behind")

// Run does one request. What it is to read through was announced by who has it from
// the log, so that a log that ends before it is no answer. memory may be nil: then
// what repeats before the router's own memory is found out for this request alone.
func Run(ctx context.Context, log Log, memory Memory, r follow.Request) (follow.Result, error) {
	queries, err := newQueries(r.Queries, true)
	if err != nil {
		return follow.Result{}, err
	}
	first, _, err := log.Bounds(ctx)
	if err != nil {
		return follow.Result{}, fmt.Errorf("replay: bounds: %w", err)
	}
	from := r.From()
	begin := (from + 1).Sequence()
	if from > 0 && begin < first {
		return follow.Result{}, &messages.TrimmedError{First: first}
	}
	start := max(begin, first, 1)
	voids := voids{since: r.VoidsSince, after: r.Voids}
	if from < r.VoidsSince {
		if memory == nil {
			memory = NewVoids()
		}
		var through uint64
		voids.before, through, err = learn(ctx, log, memory, start, min(r.Through, r.VoidsSince).Sequence(), first)
		if err != nil {
			return follow.Result{}, err
		}
		if messages.EndOf(through) < r.VoidsSince {
			r.Through = min(r.Through, messages.EndOf(through))
		}
	}
	frames, err := log.Read(ctx, start)
	if err != nil {
		return follow.Result{}, fmt.Errorf("replay: read from %d: %w", start, err)
	}
	defer frames.Close()
	result, bytes, end := follow.Result{Through: from}, 0, start-1
	for range max(r.Frames, 1) {
		entry, err := frames.Next(ctx)
		if errors.Is(err, io.EOF) && end < r.Through.Sequence() {
			return follow.Result{}, fmt.Errorf("replay: %w: it ends at frame %d, and frame %d was announced", ErrBehind, end, r.Through.Sequence())
		}
		if errors.Is(err, io.EOF) {
			result.Through = max(result.Through, r.Through)
			return result, nil
		}
		if err != nil {
			return follow.Result{}, fmt.Errorf("replay: %w", err)
		}
		end = entry.Sequence
		if lost, ok := entry.lost(); ok && lost.From <= r.Through {
			lost.From, lost.To = max(lost.From, from+1), min(lost.To, r.Through)
			result.Lost = addLost(result.Lost, lost)
		}
		if entry.Sequence > r.Through.Sequence() {
			result.Through = r.Through
			return result, nil
		}
		for i, e := range entry.Frame.GetEvents() {
			p := messages.At(entry.Sequence, i)
			if voids.repeat(p) || p <= from || p > r.Through {
				continue
			}
			found := len(result.Deliveries)
			result.Deliveries = queries.deliver(result.Deliveries, p, e)
			if len(result.Deliveries) > found {
				bytes += proto.Size(e)
			}
		}
		result.Through = min(messages.EndOf(entry.Sequence), r.Through)
		if result.Through == r.Through || len(result.Deliveries) >= r.Found || r.Bytes > 0 && bytes >= r.Bytes {
			break
		}
	}
	return result, nil
}

// addLost makes one of stretches that follow each other.
func addLost(all []messages.Lost, l messages.Lost) []messages.Lost {
	if n := len(all); n > 0 && all[n-1].Why == l.Why && all[n-1].To+1 == l.From {
		all[n-1].To = l.To
		return all
	}
	return append(all, l)
}

// queries is the small index of one client.
type queries struct {
	all      []*messages.Query
	snapshot *index.Snapshot
	matcher  match.Matcher
}

// newQueries compiles them. Of a key's, those that do not compile may be left
// out: a newer version of the language has accepted them, and the router has
// left them out too, and said so.
func newQueries(all []*messages.Query, leaveOut bool) (*queries, error) {
	x := index.New(index.Config{})
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b *messages.Query) int {
		return cmp.Or(cmp.Compare(a.GetK(), b.GetK()), cmp.Compare(a.GetVersion(), b.GetVersion()))
	})
	for i, q := range sorted {
		compiled, err := rule.Compile(q)
		if err == nil {
			err = x.Put(index.ID(i), compiled)
		}
		if err != nil && (q.GetK() == 0 || !leaveOut) {
			return nil, &follow.QueryError{Err: fmt.Errorf("replay: %w", err)}
		}
	}
	return &queries{all: sorted, snapshot: x.Snapshot()}, nil
}

// deliver appends the event's deliveries, k ascending.
func (q *queries) deliver(ds []*messages.Delivery, p messages.Position, e *messages.Event) []*messages.Delivery {
	for _, hit := range q.matcher.Match(q.snapshot, e) {
		query := q.all[hit.ID]
		if uint64(p) <= query.GetAfter() || query.GetUntil() != 0 && uint64(p) > query.GetUntil() {
			continue // another version's to decide, or nobody's
		}
		shown := e
		if hit.Event != nil {
			shown = hit.Event
		}
		ds = append(ds, &messages.Delivery{
			Position: uint64(p), K: query.GetK(), Event: shown,
			Origin: query.GetOrigin(), Similarity: float64(hit.Similarity),
		})
	}
	return ds
}

// WindowBefore reads the repeat window as it is before the frame at
// sequence. Frames hold 1 to 256 events, so how far back the window reaches is
// found by doubling.
func WindowBefore(ctx context.Context, log Log, sequence, first uint64) (*repeat.Window, error) {
	for span := uint64(repeat.Size / 256); ; span *= 4 {
		from := max(first, 1)
		if sequence > from+span {
			from = sequence - span
		}
		window := repeat.New()
		events, err := fill(ctx, log, window, from, sequence)
		if err != nil {
			return nil, err
		}
		if events >= repeat.Size || from <= max(first, 1) {
			return window, nil
		}
	}
}

func fill(ctx context.Context, log Log, w *repeat.Window, from, before uint64) (events int, err error) {
	if from >= before {
		return 0, nil
	}
	frames, err := log.Read(ctx, from)
	if err != nil {
		return 0, fmt.Errorf("replay: read window from %d: %w", from, err)
	}
	defer frames.Close()
	for end := from - 1; ; {
		entry, err := frames.Next(ctx)
		if errors.Is(err, io.EOF) && end+1 < before {
			return 0, fmt.Errorf("replay: read window: %w: it ends at frame %d, and frame %d was announced", ErrBehind, end, before-1)
		}
		if errors.Is(err, io.EOF) || err == nil && entry.Sequence >= before {
			return events, nil
		}
		if err != nil {
			return 0, fmt.Errorf("replay: read window: %w", err)
		}
		for _, e := range entry.Frame.GetEvents() {
			w.Add(e.GetId())
			events++
		}
		end = entry.Sequence
	}
}
