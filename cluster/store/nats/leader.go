package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Where a stream has more than one replica, a direct read is answered by the
// nearest one, which may be behind, or damaged. So what correctness rests on is
// asked of the stream's leader, and what is read in bulk comes from the nearest
// replica up to a place that the leader has named:
//
//	one message             the leader's word
//	the log                 the nearest replica; its end and its gaps: the leader's word
//	many records            the leader names the last of them; read until that was seen,
//	                        and on until what was written meanwhile was, too
//
// A replica applies what its leader does in the same order, so that one who has
// the message at a place has all that came before.

const messageGet = "$JS.API.STREAM.MSG.GET." // + the stream; only its leader answers

// which names one message of a stream: the last under a subject, or the first
// at or after a sequence under a subject, either of which may have wildcards.
type which struct {
	Last string `json:"last_by_subj,omitempty"`
	From uint64 `json:"seq,omitempty"`
	Next string `json:"next_by_subj,omitempty"`
}

func lastOf(subject string) which { return which{Last: subject} }

func nextOf(subject string, from uint64) which { return which{Next: subject, From: max(from, 1)} }

// askAgain is how long a question that changes nothing is waited for before it is
// asked again: a leader that died, or was made to step down, answers none. It is
// waited for less at first (askFirst), and longer each time, so that who reads goes
// on within a second after a leader's change, and one that is slow is asked little.
const (
	askFirst = 200 * time.Millisecond
	askAgain = time.Second
)

// longer is how long the same question is waited for the next time.
func longer(wait time.Duration) time.Duration { return min(2*wait, askAgain) }

// ackSilence is how long a write's word is waited for before it counts as
// ambiguous: one that its leader had in hand when it stepped down is answered by
// nobody.
const ackSilence = 2 * time.Second

var errLeaderless = errors.New("no node leads it: fewer than a majority of its replicas are there, or they are choosing one")

// leaders asks the stream's leader for one message, until it answers or opTimeout
// is over. jetstream.ErrMsgNotFound where the leader has none.
func (s *session) leaders(ctx context.Context, stream string, w which) (*jetstream.RawStreamMsg, error) {
	question, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	var m *jetstream.RawStreamMsg
	err = s.insist(ctx, stream, func(ctx context.Context) error {
		l, err := s.link(lookups)
		if err != nil {
			return err
		}
		a, err := l.question(ctx, &nc.Msg{Subject: messageGet + stream, Data: question})
		if err != nil {
			return err
		}
		answer, err := a.word(ctx, s.done)
		if err != nil {
			return err
		}
		m, err = readMessage(answer.Data)
		return err
	})
	return m, err
}

// insist asks again and again, each time with a deadline of its own, what changes
// nothing and may find no leader. Where nobody answered in all that time the
// error says so.
func (s *session) insist(ctx context.Context, stream string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	for wait := askFirst; ; wait = longer(wait) {
		err := s.own.counts(stream)
		if err == nil {
			once, done := context.WithTimeout(ctx, wait)
			err = ask(once)
			done()
		}
		if err == nil || !passing(err) {
			return err
		}
		if ctx.Err() != nil {
			why := s.quorum()
			if why == nil {
				why = errLeaderless
			}
			return fmt.Errorf("%s: %w: %w", shown(stream), why, err)
		}
		if !pause(ctx, askAgain/10, s.done) && ctx.Err() == nil {
			return errStopped
		}
	}
}

// onceMost is how long an answer to one question about streams is waited for.
const onceMost = 5 * time.Second

// thrice asks what changes which streams there are, and may be said again: what a leader
// had in hand when it ended is answered by nobody, and the caller may have minutes. It
// takes any answer, which insist does not: that a stream is there already, or is gone,
// may be what it did the time before.
func thrice(ctx context.Context, ask func(once context.Context) error) (err error) {
	for range 3 {
		once, cancel := context.WithTimeout(ctx, onceMost)
		err = ask(once)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// Codes of the server's errors that pass by themselves.
const (
	codeClusterNotAvailable jetstream.ErrorCode = 10008
	codeMessageNotFound     jetstream.ErrorCode = 10037
	codeStreamOffline       jetstream.ErrorCode = 10118
)

// passing says whether the same question may be answered in a moment.
func passing(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.ErrorCode == codeClusterNotAvailable || api.ErrorCode == codeStreamOffline
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errSilent) || errors.Is(err, errLost) ||
		errors.Is(err, nc.ErrTimeout) || errors.Is(err, nc.ErrNoResponders) || errors.Is(err, errUnsent) ||
		errors.Is(err, errLeaderless) || errors.Is(err, errSuspended) || errors.Is(err, errUnheard)
}

// readMessage reads the leader's answer.
func readMessage(b []byte) (*jetstream.RawStreamMsg, error) {
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message *struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, fmt.Errorf("unreadable answer of a stream's leader: %w", err)
	}
	if answer.Error != nil {
		if answer.Error.ErrorCode == codeMessageNotFound {
			return nil, jetstream.ErrMsgNotFound
		}
		return nil, answer.Error
	}
	if answer.Message == nil {
		return nil, errors.New("a stream's leader answered with no message")
	}
	m := &jetstream.RawStreamMsg{
		Subject: answer.Message.Subject, Sequence: answer.Message.Sequence, Data: answer.Message.Data, Time: answer.Message.Time,
	}
	if len(answer.Message.Header) > 0 {
		header, err := nc.DecodeHeadersMsg(answer.Message.Header)
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", m.Sequence, err)
		}
		m.Header = header
	}
	return m, nil
}

// leadersMany asks the leader for the last message of each subject, all on their
// way at once; nil for one that it has none of.
func (s *session) leadersMany(ctx context.Context, stream string, subjects []string) ([]*jetstream.RawStreamMsg, error) {
	found := make([]*jetstream.RawStreamMsg, len(subjects))
	asked := make([]*answer, len(subjects))
	if err := s.insist(ctx, stream, func(context.Context) error { return nil }); err != nil {
		return nil, err
	}
	l, err := s.link(lookups)
	if err != nil {
		return nil, err
	}
	for i, subject := range subjects {
		question := strconv.AppendQuote([]byte(`{"last_by_subj":`), subject)
		asked[i], err = l.question(ctx, &nc.Msg{Subject: messageGet + stream, Data: append(question, '}')})
		if err != nil {
			return nil, err
		}
	}
	once, cancel := context.WithTimeout(ctx, askAgain)
	defer cancel()
	for i, a := range asked {
		answer, err := a.word(once, s.done)
		if err == nil {
			found[i], err = readMessage(answer.Data)
		}
		if err != nil && passing(err) && ctx.Err() == nil {
			found[i], err = s.leaders(ctx, stream, lastOf(subjects[i]))
		}
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			for _, later := range asked[i+1:] {
				later.leave()
			}
			return nil, err
		}
	}
	return found, nil
}

// scan gives each message of the stream under the filter, which may have
// wildcards, from one sequence on until the message through was seen, or one
// after it. once: all of it, and all after it, came in one answer of a replica, which
// is of one moment; else a subject that was written over meanwhile may have gone from
// before what was read next to after what was read last, and so was not seen at all.
func (s *session) scan(ctx context.Context, stream, filter string, from, through uint64, take func(*nc.Msg) error) (once bool, err error) {
	r := reader{sess: s, duty: lookups, stream: stream, filter: filter, next: from}
	fills, led := 0, false
	for ; r.next <= through; fills++ {
		if err := r.fill(ctx, through, take); err != nil {
			return false, err
		}
		for range leaderRun {
			if !r.led || r.next > through {
				break
			}
			if err := r.ofLeader(ctx, through, take); err != nil {
				return false, err
			}
		}
		led, r.led = led || r.led, false
	}
	return fills == 1 && !led && !r.cut, nil
}

// reader reads a stream in order: from the nearest replica, and where that comes
// no further for a while, from the leader.
type reader struct {
	sess   *session
	duty   duty
	stream string
	filter string
	next   uint64 // all before it was given to take
	led    bool   // some of it was the leader's word, one message at a time
	cut    bool   // the replica's last answer was as long as it may be: there was more
}

// replicaPause is how long a replica is waited for that has not what its leader
// has, in all and at first.
const (
	replicaPause     = 500 * time.Millisecond
	replicaLookFirst = time.Millisecond
	// leaderRun is how many messages the leader is asked for before the replica is
	// waited for again: one that is silent would cost a second a message.
	leaderRun = 64
)

// fill reads on, and returns once something came. There must be something up to
// through.
func (r *reader) fill(ctx context.Context, through uint64, take func(*nc.Msg) error) error {
	began, wait := time.Now(), replicaLookFirst
	for {
		before := r.next
		err := r.nearest(ctx, take)
		if r.next > before || err != nil && !passing(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(began) > replicaPause {
			return r.ofLeader(ctx, through, take)
		}
		if !pause(ctx, wait, r.sess.done) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return errStopped
		}
		wait *= 2
	}
}

// nearest asks the nearest replica for a batch, which may be none.
func (r *reader) nearest(ctx context.Context, take func(*nc.Msg) error) error {
	l, err := r.sess.link(r.duty)
	if err != nil {
		return err
	}
	question := fmt.Appendf(nil, `{"seq":%d,"next_by_subj":%q,"batch":%d,"max_bytes":%d}`, r.next, r.filter, maxBatch, lastBatch)
	a, err := l.ask(ctx, directGet+r.stream, question, lastBatch)
	if err != nil {
		return err
	}
	if err := a.wait(ctx, r.sess.done); err != nil {
		a.leave()
		return err
	}
	// Counted down with each message, as they have headers.
	left, err := strconv.ParseUint(a.end.Header.Get(pendingHeader), 10, 64)
	r.cut = len(a.messages) > 0 && (err != nil || left > 0)
	for _, m := range a.messages {
		sequence, err := sequenceOf(m)
		if err != nil {
			return err
		}
		m.Subject = m.Header.Get(jetstream.SubjectHeader)
		if err := take(m); err != nil {
			return err
		}
		r.next = sequence + 1
	}
	return nil
}

// ofLeader reads the next one message of the leader; none up to through is fine.
func (r *reader) ofLeader(ctx context.Context, through uint64, take func(*nc.Msg) error) error {
	r.led = true
	m, err := r.sess.leaders(ctx, r.stream, nextOf(r.filter, r.next))
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && m.Sequence > through {
		r.next = through + 1 // deleted since, or written over
		return nil
	}
	if err != nil {
		return err
	}
	if err := take(asDirect(r.stream, m)); err != nil {
		return err
	}
	r.next = m.Sequence + 1
	return nil
}

// asDirect is a message of the leader as a direct read would have given it.
func asDirect(stream string, m *jetstream.RawStreamMsg) *nc.Msg {
	d := nc.NewMsg(m.Subject)
	d.Data = m.Data
	for k, v := range m.Header {
		d.Header[k] = v
	}
	d.Header.Set(jetstream.StreamHeader, stream)
	d.Header.Set(jetstream.SubjectHeader, m.Subject)
	d.Header.Set(jetstream.TimeStampHeaer, m.Time.UTC().Format(time.RFC3339Nano))
	d.Header.Set(jetstream.SequenceHeader, strconv.FormatUint(m.Sequence, 10))
	return d
}
