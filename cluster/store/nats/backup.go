package nats

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	nc "github.com/nats-io/nats.go"

	"github.com/birdwire/birdwire/messages"
)

// A backup is one file: the server's own snapshots of the streams, which keep
// sequences, deletions and revisions, so that clients' cursors stay valid.
//
//	"birdwire backup 1\n"
//	parts, each: kind, length (32 bits, little-endian), content
//
//	S  a stream begins: its name, configuration and state, JSON
//	D  some of its snapshot
//	E  it ends: the sum of its D parts, JSON
//	Z  the backup ends
//	C  what a check found in it: for each stream counts and a sum of its
//	   content, JSON. Appended by whoever restored it into an empty folder, to
//	   see that it can be
const backupHead = "birdwire backup 1\n"

const (
	partStream  = 'S'
	partData    = 'D'
	partEnd     = 'E'
	partWhole   = 'Z'
	partChecked = 'C'

	partMost     = 1 << 20 // bytes
	snapshotPart = 512 << 10
	// snapshotIdle is how long the server may take for the next part.
	snapshotIdle = 30 * time.Second
)

type backupStream struct {
	Name   string          `json:"name"`
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
}

type backupEnd struct {
	Bytes int64  `json:"bytes"`
	Sum   string `json:"sha256"`
}

// Content is what a stream holds, to be compared.
type Content struct {
	Stream   string `json:"stream"`
	Messages uint64 `json:"messages"`
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
	Sum      string `json:"sha256"` // of every message's sequence, time, subject, headers and data
}

func writePart(w io.Writer, kind byte, content []byte) error {
	head := binary.LittleEndian.AppendUint32([]byte{kind}, uint32(len(content)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

func writeJSONPart(w io.Writer, kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writePart(w, kind, b)
}

// readPart is the next part. io.EOF at the file's end.
func readPart(r io.Reader) (kind byte, content []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: the backup ends within a part", messages.ErrDamaged)
		}
		return 0, nil, err
	}
	length := binary.LittleEndian.Uint32(head[1:])
	if length > partMost {
		return 0, nil, fmt.Errorf("%w: a part of the backup has %d bytes, at most %d", messages.ErrDamaged, length, partMost)
	}
	content = make([]byte, length)
	if _, err := io.ReadFull(r, content); err != nil {
		return 0, nil, fmt.Errorf("%w: the backup ends within a part", messages.ErrDamaged)
	}
	return head[0], content, nil
}

// Backup writes all that is kept to w, while the store is in use: each stream as
// it is at one moment. What is said of progress is in bytes, of about so many; the
// first word, of 0 bytes, comes before anything is written.
func (s *Store) Backup(ctx context.Context, w io.Writer, progress func(done, total int64)) error {
	sess, err := s.session(ctx)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	var done, total int64
	for _, stream := range allStreams {
		info, err := sess.info(ctx, stream)
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		total += int64(info.State.Bytes)
	}
	progress(0, total)
	out := bufio.NewWriterSize(w, partMost)
	if _, err := out.WriteString(backupHead); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, stream := range allStreams {
		err := sess.snapshot(ctx, stream, out, func(n int) {
			done += int64(n)
			progress(done, max(done, total))
		})
		if err != nil {
			return fmt.Errorf("backup of %s: %w", shown(stream), err)
		}
	}
	if err := writePart(out, partWhole, nil); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return out.Flush()
}

// snapshot writes one stream's parts.
func (s *session) snapshot(ctx context.Context, stream string, w io.Writer, wrote func(int)) error {
	conn, err := s.dial(nc.Name("backup"), nc.NoReconnect())
	if err != nil {
		return err
	}
	defer conn.Close()
	inbox := conn.NewInbox()
	sub, err := conn.SubscribeSync(inbox)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1) // the server sends no more than eight megabytes ahead
	}
	if err != nil {
		return err
	}
	question, err := json.Marshal(map[string]any{"deliver_subject": inbox, "no_consumers": true, "chunk_size": snapshotPart, "jsck": true})
	if err != nil {
		return err
	}
	once, cancel := context.WithTimeout(ctx, snapshotIdle)
	defer cancel()
	answer, err := conn.RequestWithContext(once, "$JS.API.STREAM.SNAPSHOT."+stream, question)
	if err != nil {
		return err
	}
	var begun struct {
		Error  *apiProblem     `json:"error"`
		Config json.RawMessage `json:"config"`
		State  json.RawMessage `json:"state"`
	}
	if err := json.Unmarshal(answer.Data, &begun); err != nil {
		return err
	}
	if begun.Error != nil {
		return begun.Error
	}
	if err := writeJSONPart(w, partStream, backupStream{stream, begun.Config, begun.State}); err != nil {
		return err
	}
	return s.parts(ctx, sub, w, wrote)
}

// parts takes a snapshot's parts until its end.
func (s *session) parts(ctx context.Context, sub *nc.Subscription, w io.Writer, wrote func(int)) error {
	sum, end := sha256.New(), backupEnd{}
	for {
		once, cancel := context.WithTimeout(ctx, snapshotIdle)
		m, err := sub.NextMsgWithContext(once)
		cancel()
		if err != nil {
			return fmt.Errorf("the snapshot does not go on: %w", err)
		}
		if len(m.Data) == 0 {
			if status := m.Header.Get(statusHeader); status != "" && status != statusEnd {
				return fmt.Errorf("the server answered %s %s", status, m.Header.Get(descriptionHeader))
			}
			end.Sum = hex.EncodeToString(sum.Sum(nil))
			return writeJSONPart(w, partEnd, end)
		}
		sum.Write(m.Data)
		end.Bytes += int64(len(m.Data))
		if err := writePart(w, partData, m.Data); err != nil {
			return err
		}
		wrote(len(m.Data))
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				return err
			}
		}
	}
}

// apiProblem is an error that the server's API answers.
type apiProblem struct {
	Code        int    `json:"err_code"`
	Description string `json:"description"`
}

func (p *apiProblem) Error() string { return fmt.Sprintf("%s (%d)", p.Description, p.Code) }
