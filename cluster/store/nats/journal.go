package nats

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// journal writes frames, each node's under a subject of its own, and each one
// only where the last frame of that node is the one that this store knows of.
// That condition, not the server's duplicate window, is why a frame
// is written once: the window is a matter of minutes, the condition is for good, and
// it also stops an older incarnation of the same node.
type journal struct {
	store *Store

	// turn is held by the one append in flight; taken with a context, which a
	// mutex is not.
	turn  chan struct{}
	tails map[string]tail // by node, what is known; protected by turn
}

// tail is the last frame of a node in the log; zero where there is none.
type tail struct {
	name     store.Name
	sequence uint64
}

func newJournal(s *Store) *journal {
	return &journal{store: s, turn: make(chan struct{}, 1), tails: map[string]tail{}}
}

// maxTails bounds what is remembered of nodes; past it all is forgotten and
// asked again, one question a node.
const maxTails = 1024

func (j *journal) Append(ctx context.Context, frame *messages.Frame) (uint64, error) {
	data, err := store.EncodeFrame(frame)
	if err != nil {
		return 0, err
	}
	name := store.Name{Node: frame.GetNode(), Incarnation: frame.GetIncarnation(), Number: frame.GetNumber()}
	select {
	case j.turn <- struct{}{}:
		defer func() { <-j.turn }()
	case <-ctx.Done():
		return 0, fmt.Errorf("append frame %s: nothing was written: %w", name, ctx.Err())
	}
	sequence, err := j.append(ctx, name, data)
	if err != nil {
		return 0, fmt.Errorf("append frame %s: %w", name, err)
	}
	j.store.notedFrame(sequence, len(data))
	return sequence, nil
}

func (s *Store) notedFrame(sequence uint64, bytes int) {
	if !s.cfg.shared() {
		s.marks.advance(markJournal, sequence)
		s.past.grew(sequence, bytes+overhead, s.cfg.Now())
	}
}

// overhead is what the server stores of a frame besides its bytes, about.
const overhead = 160

// append writes after the node's tail, or finds the frame where it is.
// Holding turn.
func (j *journal) append(ctx context.Context, name store.Name, data []byte) (uint64, error) {
	unread := uint64(0) // where the node's last frame is, if it cannot be read
	var silent error    // why a try was not answered: what conflicts after it may be that one
	for range appendTries {
		last, err := j.tail(ctx, name.Node)
		if err != nil {
			return 0, err
		}
		if last.sequence > 0 {
			switch name.Compare(last.name) {
			case 0:
				return last.sequence, nil
			case -1:
				return j.find(ctx, name, last)
			}
		} else {
			last.sequence = unread
		}
		m := nc.NewMsg(journalSubject + token(name.Node))
		m.Data = data
		m.Header.Set(jetstream.MsgIDHeader, name.String())
		expect(m, last.sequence)
		ack, err := j.store.publish(ctx, m, large)
		if err == nil {
			j.remember(name.Node, tail{name, ack.Sequence})
			return ack.Sequence, nil
		}
		delete(j.tails, name.Node)
		// The tail moved: retention took it, or somebody else wrote. Only what is
		// there now decides, and the next try is against that. A last frame that is
		// damaged has no name any more, but the server knows its place.
		var conflict *conflictError
		if !errors.As(err, &conflict) {
			if silent = err; j.again(ctx, err) {
				continue
			}
			return 0, err
		}
		if silent != nil && !j.moment(ctx) {
			return 0, silent
		}
		unread = conflict.last
	}
	if silent != nil {
		return 0, silent
	}
	return 0, fmt.Errorf("%w: the log's end kept changing under this node's name: is another process writing as %q?", messages.ErrAmbiguous, name.Node)
}

// again says whether an append that nobody answered is asked for again here,
// after a moment: where there are replicas that is what a change of their leader
// looks like, and the new one knows whether it was written.
func (j *journal) again(ctx context.Context, err error) bool {
	if !j.store.cfg.shared() || !errors.Is(err, messages.ErrAmbiguous) && !errors.Is(err, errUnsent) {
		return false
	}
	return j.moment(ctx)
}

// moment waits for one; false where it is not worth it any more.
func (j *journal) moment(ctx context.Context) bool {
	return pause(ctx, askAgain/10, j.store.life.Done())
}

// appendTries is how often an append is tried against a tail that moves.
const appendTries = 8

func (j *journal) remember(node string, t tail) {
	if len(j.tails) >= maxTails {
		clear(j.tails)
	}
	j.tails[node] = t
}

// tail is the node's last frame: remembered since the last acknowledgement,
// read back from the log after anything else. Holding turn.
func (j *journal) tail(ctx context.Context, node string) (tail, error) {
	if t, ok := j.tails[node]; ok {
		return t, nil
	}
	sess, err := j.store.session(ctx)
	if err != nil {
		return tail{}, err
	}
	t, err := named(sess.message(ctx, journalStream, lastOf(journalSubject+token(node))))
	if err != nil && !errors.Is(err, messages.ErrNotFound) {
		return tail{}, fmt.Errorf("read the tail back: %w", err)
	}
	j.remember(node, t)
	return t, nil
}

// find is the sequence of a frame before the node's last one. A node's names
// grow with its sequences, so it halves what is left. A frame that is not there
// is not written any more: a later one of the node is there, and what came after
// it would be before it in the log.
func (j *journal) find(ctx context.Context, name store.Name, last tail) (uint64, error) {
	if err := j.store.vetting.clear(ctx, 0, math.MaxUint64); err != nil {
		return 0, err
	}
	sess, err := j.store.session(ctx)
	if err != nil {
		return 0, err
	}
	subject := journalSubject + token(name.Node)
	low, high := uint64(1), last.sequence // what is sought is in [low, high)
	for low < high {
		middle := low + (high-low)/2
		t, err := named(sess.message(ctx, journalStream, nextOf(subject, middle)))
		if errors.Is(err, messages.ErrNotFound) {
			high = middle // nothing can be read from there on
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("look for it in the log: %w", err)
		}
		switch t.name.Compare(name) {
		case 0:
			return t.sequence, nil
		case 1:
			high = middle
		default:
			low = t.sequence + 1
		}
	}
	return 0, fmt.Errorf("%w: frame %s is at %d and this one is not in the log", messages.ErrFenced, last.name, last.sequence)
}

// named reads where a message is and which frame it is.
func named(m *jetstream.RawStreamMsg, err error) (tail, error) {
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return tail{}, messages.ErrNotFound
	}
	if err != nil {
		return tail{}, err
	}
	name, err := store.ParseName(m.Header.Get(jetstream.MsgIDHeader))
	if err != nil {
		return tail{}, fmt.Errorf("%w: message %d: %w", messages.ErrDamaged, m.Sequence, err)
	}
	return tail{name, m.Sequence}, nil
}

func (j *journal) Tail(ctx context.Context, node string) (store.Name, error) {
	sess, err := j.store.session(ctx)
	if err != nil {
		return store.Name{}, fmt.Errorf("last frame of %s: %w", node, err)
	}
	t, err := named(sess.message(ctx, journalStream, lastOf(journalSubject+token(node))))
	if err != nil && !errors.Is(err, messages.ErrNotFound) {
		return store.Name{}, fmt.Errorf("last frame of %s: %w", node, err)
	}
	return t.name, nil
}

func (j *journal) Bounds(ctx context.Context) (first, last uint64, err error) {
	sess, err := j.store.session(ctx)
	if err == nil {
		first, last, err = sess.bounds(ctx)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("journal's bounds: %w", err)
	}
	return first, last, nil
}

func (s *session) bounds(ctx context.Context) (first, last uint64, err error) {
	info, err := s.info(ctx, journalStream)
	if err != nil {
		return 0, 0, err
	}
	// The server calls the first of a log that never held anything 0.
	return max(info.State.FirstSeq, 1), info.State.LastSeq, nil
}

func (j *journal) Epoch() string { return j.store.epoch }

// token is text as one token of a subject: itself where it can be.
func token(text string) string {
	if len(text) <= 64 && store.CheckKey(text) == nil && !strings.Contains(text, ".") {
		return text
	}
	return "=" + base64.RawURLEncoding.EncodeToString([]byte(text))
}
