package nats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// acknowledged is the server's word on one write.
type acknowledged struct {
	Sequence  uint64 `json:"seq"`
	Duplicate bool   `json:"duplicate"`
	Error     *struct {
		Code        int                 `json:"code"`
		ErrorCode   jetstream.ErrorCode `json:"err_code"`
		Description string              `json:"description"`
	} `json:"error"`
}

// Codes of the server's errors that mean something to us and have no name in
// the client.
const (
	codeStorageExceeded   jetstream.ErrorCode = 10047
	codeResourcesExceeded jetstream.ErrorCode = 10023
	codeAccountExceeded   jetstream.ErrorCode = 10002
	// A write of the same Msg-Id is on its way to the replicas.
	codeDuplicateInProcess jetstream.ErrorCode = 10158
)

// publish writes one message and waits until it is on disk. Its errors:
// messages.ErrConflict where an expected sequence was not the one, ErrFull,
// ErrClosed, ErrAmbiguous, and others after which nothing was written.
func (s *Store) publish(ctx context.Context, m *nc.Msg, what kind) (acknowledged, error) {
	if err := s.disk.room(what); err != nil {
		return acknowledged{}, err
	}
	if s.replaced.Load() {
		return acknowledged{}, errReplaced
	}
	sess, err := s.session(ctx)
	if err != nil {
		return acknowledged{}, err
	}
	answer, err := sess.publish(ctx, m)
	if err != nil {
		return acknowledged{}, s.unanswered(s.explained(sess, err))
	}
	s.health.went(writes)
	return readAck(answer)
}

// unanswered says what no answer means. What was handed to the connection may
// have been written, whoever gave up waiting.
func (s *Store) unanswered(err error) error {
	if errors.Is(err, nc.ErrMaxPayload) || errors.Is(err, nc.ErrBadSubject) {
		return err // ours
	}
	s.suspected()
	if errors.Is(err, errUnsent) {
		return err
	}
	if s.life.Err() != nil {
		return fmt.Errorf("%w: %w", messages.ErrAmbiguous, store.ErrClosed)
	}
	return fmt.Errorf("%w: %w", messages.ErrAmbiguous, err)
}

// explained is the error with what is known of its cause.
func (s *Store) explained(sess *session, err error) error {
	if why := sess.quorum(); why != nil {
		return fmt.Errorf("%w: %w", err, why)
	}
	return err
}

func readAck(answer *nc.Msg) (a acknowledged, err error) {
	if sequence, ok := plainAck(answer.Data); ok {
		return acknowledged{Sequence: sequence}, nil
	}
	if err := json.Unmarshal(answer.Data, &a); err != nil {
		return a, fmt.Errorf("%w: unreadable acknowledgement: %w", messages.ErrAmbiguous, err)
	}
	if a.Error == nil {
		return a, nil
	}
	switch a.Error.ErrorCode {
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		text := a.Error.Description
		last, _ := strconv.ParseUint(text[strings.LastIndexByte(text, ' ')+1:], 10, 64) // not always said
		return a, &conflictError{text, last}
	case codeDuplicateInProcess, codeClusterNotAvailable:
		// The same write is on its way, or was when its leader was lost.
		return a, fmt.Errorf("%w: %s", messages.ErrAmbiguous, a.Error.Description)
	case codeStorageExceeded, codeResourcesExceeded, codeAccountExceeded:
		return a, fmt.Errorf("%w: %s", messages.ErrFull, a.Error.Description)
	}
	return a, fmt.Errorf("%s (%d)", a.Error.Description, a.Error.ErrorCode)
}

// plainAck reads the word on a write that went through as the server gives it:
//
//	{"stream":"journal","seq":17}
//
// Anything else is read as JSON, which takes a sixth of all that a small write
// costs.
func plainAck(b []byte) (sequence uint64, ok bool) {
	rest, ok := bytes.CutPrefix(b, []byte(`{"stream":"`))
	if !ok {
		return 0, false
	}
	name, rest, ok := bytes.Cut(rest, []byte(`","seq":`))
	if !ok {
		return 0, false
	}
	for _, c := range name {
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') {
			return 0, false
		}
	}
	digits, ok := bytes.CutSuffix(rest, []byte("}"))
	if !ok || len(digits) > 1 && digits[0] == '0' {
		return 0, false
	}
	sequence, err := strconv.ParseUint(string(digits), 10, 64)
	return sequence, err == nil
}

// conflictError is messages.ErrConflict with the sequence that the subject's last
// message has, where the server says it.
type conflictError struct {
	text string
	last uint64
}

func (e *conflictError) Error() string { return messages.ErrConflict.Error() + ": " + e.text }
func (e *conflictError) Unwrap() error { return messages.ErrConflict }

// expect makes the write conditional on the last sequence of its subject.
func expect(m *nc.Msg, last uint64) {
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(last, 10))
}
