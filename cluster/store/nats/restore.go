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
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/messages"
)

// CheckBackup restores a backup into a folder beside it, which it removes again,
// and appends to the file what was found: a backup that was never restored is a
// hope.
func CheckBackup(ctx context.Context, path string, progress func(done, total int64)) (contents []Content, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("check backup: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	dir, err := os.MkdirTemp(filepath.Dir(path), ".birdwire-check-*")
	if err != nil {
		return nil, fmt.Errorf("check backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg := Config{Dir: dir}.withDefaults()
	sess, err := startSession(cfg, nil, &serverLog{log: cfg.Logger, trouble: func() {}, hint: func() {}, orphan: func(string) {}})
	if err != nil {
		return nil, fmt.Errorf("check backup: %w", err)
	}
	defer sess.stop()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("check backup: %w", err)
	}
	checked, err := sess.restore(ctx, file, 1, func(done int64) { progress(done, info.Size()) })
	if err == nil && checked != nil {
		return checked, nil // it was before
	}
	if err == nil {
		contents, err = sess.contents(ctx)
	}
	if err == nil {
		if _, err = file.Seek(0, io.SeekEnd); err == nil {
			err = writeJSONPart(file, partChecked, contents)
		}
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return nil, fmt.Errorf("check backup: %w", err)
	}
	return contents, nil
}

// Restore puts a backup in the place of all that the store keeps, and holds what
// is there then against what the check of the backup had found. It is refused
// where the log has frames, unless replace: what is there is deleted first. Before
// that the whole backup is taken into a file on this node's disk and verified: one
// that is cut off, damaged or none at all changes nothing, and neither does who
// sends it and goes away. Every node that has the store open must be started again
// afterwards; until then it is not healthy.
func (s *Store) Restore(ctx context.Context, r io.Reader, replace bool, progress func(done int64)) ([]Content, error) {
	contents, err := s.restore(ctx, r, replace, progress)
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return contents, nil
}

func (s *Store) restore(ctx context.Context, r io.Reader, replace bool, progress func(done int64)) ([]Content, error) {
	sess, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	if !sess.shared {
		return nil, errors.New("a node that stands alone is restored by starting it on a copy of the folder; this is for clusters, and for a NATS of others")
	}
	half, err := sess.restoring(ctx) // by one that failed: what is there now is part of a backup, or what that was to replace
	if err != nil {
		return nil, err
	}
	_, last, err := sess.bounds(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) { // gone: as half is left
		return nil, err
	}
	if last > 0 && !replace && half == "" {
		return nil, messages.Refuse(messages.ErrConflict, "the log has frames up to %d, which a restore would delete: restore into a cluster that is empty, or say that they may go", last)
	}
	if err := sess.placeable(s.cfg.replicas()); err != nil {
		return nil, err
	}
	file, err := s.take(r)
	if err != nil {
		return nil, fmt.Errorf("%w. Nothing was changed", err)
	}
	defer file.drop()
	if err := s.beginRestore(ctx, sess); err != nil {
		return nil, err
	}
	if err := s.freeze(ctx, sess); err != nil {
		if half == "" { // nothing was changed
			err = errors.Join(err, sess.endRestore(ctx))
		}
		return nil, err
	}
	checked, err := sess.restore(ctx, file, s.cfg.replicas(), progress)
	if err != nil {
		return nil, fmt.Errorf("%w. The store is not whole now, and a node that is started waits: restore again", err)
	}
	found, err := sess.contents(ctx)
	if err != nil {
		return nil, err
	}
	for i, want := range checked {
		if i >= len(found) || found[i] != want {
			return found, fmt.Errorf("%w: %s is not as it was backed up: %+v, want %+v", messages.ErrDamaged, shown(want.Stream), found, checked)
		}
	}
	if err := sess.replicated(ctx); err != nil {
		return found, err
	}
	return found, sess.endRestore(ctx)
}

// restore makes the streams of a backup, in the place of those that are there,
// and says what a check had found in it; nil where it was not checked.
func (s *session) restore(ctx context.Context, r io.Reader, replicas int, progress func(done int64)) (checked []Content, err error) {
	counted := &counter{r: r, say: progress}
	in := bufio.NewReader(counted)
	head := make([]byte, len(backupHead))
	if _, err := io.ReadFull(in, head); err != nil || string(head) != backupHead {
		return nil, messages.Refuse(messages.ErrInvalid, "it is no backup of birdwire")
	}
	conn, err := s.dial(nc.Name("restore"), nc.NoReconnect())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	restored := map[string]bool{}
	for whole := false; ; {
		kind, content, err := readPart(in)
		switch {
		case errors.Is(err, io.EOF) && whole:
			return checked, nil
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%w: the backup has no end: it was cut off", messages.ErrDamaged)
		case err != nil:
			return nil, err
		case kind == partStream:
			var stream backupStream
			if err := json.Unmarshal(content, &stream); err != nil || !slices.Contains(allStreams, stream.Name) || restored[stream.Name] {
				return nil, fmt.Errorf("%w: the backup names a stream that there is not, or one twice", messages.ErrDamaged)
			}
			restored[stream.Name] = true
			if err := s.restoreStream(ctx, conn, in, stream, replicas); err != nil {
				return nil, fmt.Errorf("%s: %w", shown(stream.Name), err)
			}
		case kind == partWhole && len(restored) == len(allStreams):
			whole = true
		case kind == partChecked && whole:
			if err := json.Unmarshal(content, &checked); err != nil {
				return nil, fmt.Errorf("%w: what was checked: %w", messages.ErrDamaged, err)
			}
		default:
			return nil, fmt.Errorf("%w: a part of kind %q is out of place", messages.ErrDamaged, kind)
		}
	}
}

// restoreStream deletes the stream and makes it again from its parts.
func (s *session) restoreStream(ctx context.Context, conn *nc.Conn, in io.Reader, stream backupStream, replicas int) error {
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	if err := thrice(ctx, func(once context.Context) error { return js.DeleteStream(once, stream.Name) }); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	var config map[string]any
	if err := json.Unmarshal(stream.Config, &config); err != nil {
		return fmt.Errorf("%w: configuration: %w", messages.ErrDamaged, err)
	}
	config["num_replicas"] = replicas
	delete(config, "placement")
	question, err := json.Marshal(map[string]any{"config": config, "state": stream.State})
	if err != nil {
		return err
	}
	answer, err := askAPI(ctx, conn, "$JS.API.STREAM.RESTORE."+stream.Name, question)
	if err != nil {
		return err
	}
	var to struct {
		Subject string `json:"deliver_subject"`
	}
	if err := json.Unmarshal(answer, &to); err != nil {
		return err
	}
	sum, end := sha256.New(), backupEnd{}
	for {
		kind, content, err := readPart(in)
		switch {
		case err != nil:
			return unexpectedEnd(err)
		case kind == partData:
			sum.Write(content)
			end.Bytes += int64(len(content))
			if _, err := askAPI(ctx, conn, to.Subject, content); err != nil {
				return err
			}
		case kind == partEnd:
			end.Sum = hex.EncodeToString(sum.Sum(nil))
			var want backupEnd
			if err := json.Unmarshal(content, &want); err != nil || want != end {
				return fmt.Errorf("%w: %d bytes of sum %s, and the backup was made of %d of %s", messages.ErrDamaged, end.Bytes, end.Sum, want.Bytes, want.Sum)
			}
			_, err := askAPI(ctx, conn, to.Subject, nil)
			return err
		default:
			return fmt.Errorf("%w: a part of kind %q is out of place", messages.ErrDamaged, kind)
		}
	}
}

func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the backup ends within a stream", messages.ErrDamaged)
	}
	return err
}

// askAPI sends one request and returns the answer, or the error that it names. Where
// nobody listens it is sent again: the member that takes a restore listens on a
// subject of its own, of which this one's server may hear a moment later.
func askAPI(ctx context.Context, conn *nc.Conn, subject string, question []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotIdle)
	defer cancel()
	m, err := conn.RequestWithContext(ctx, subject, question)
	for errors.Is(err, nc.ErrNoResponders) && pause(ctx, askAgain/10, nil) {
		m, err = conn.RequestWithContext(ctx, subject, question)
	}
	if err != nil {
		return nil, err
	}
	var said struct {
		Error *apiProblem `json:"error"`
	}
	if len(m.Data) > 0 && json.Unmarshal(m.Data, &said) == nil && said.Error != nil {
		return nil, said.Error
	}
	return m.Data, nil
}

// contents reads all streams, and sums them up.
func (s *session) contents(ctx context.Context) ([]Content, error) {
	all := make([]Content, 0, len(allStreams))
	for _, stream := range allStreams {
		c, err := s.content(ctx, stream)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shown(stream), err)
		}
		all = append(all, c)
	}
	return all, nil
}

func (s *session) content(ctx context.Context, stream string) (Content, error) {
	info, err := s.info(ctx, stream)
	if err != nil {
		return Content{}, err
	}
	c := Content{Stream: stream, First: info.State.FirstSeq, Last: info.State.LastSeq}
	sum := sha256.New()
	if info.State.Msgs > 0 {
		_, err = s.scan(ctx, stream, ">", max(c.First, 1), c.Last, func(m *nc.Msg) error {
			c.Messages++
			return sumMessage(sum, m)
		})
	}
	c.Sum = hex.EncodeToString(sum.Sum(nil))
	return c, err
}

// given are the headers that a read adds and nobody wrote.
var given = []string{
	jetstream.StreamHeader, jetstream.SubjectHeader, jetstream.SequenceHeader, jetstream.TimeStampHeaer, pendingHeader, lastHeader,
}

// sumMessage adds a message, each of its fields with its length.
func sumMessage(sum hash.Hash, m *nc.Msg) error {
	field := func(b string) {
		_, _ = sum.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(b)))) // a sum takes everything
		_, _ = io.WriteString(sum, b)
	}
	written, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return err
	}
	field(m.Header.Get(jetstream.SequenceHeader))
	field(fmt.Sprint(written.UnixNano()))
	field(m.Subject)
	var names []string
	for name := range m.Header {
		if !slices.Contains(given, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		field(name)
		field(strings.Join(m.Header[name], "\n"))
	}
	field(string(m.Data))
	return nil
}

// replicated waits until every replica has what was restored.
func (s *session) replicated(ctx context.Context) error {
	for _, stream := range allStreams {
		for {
			info, err := s.info(ctx, stream)
			if err != nil {
				return err
			}
			if info.Cluster == nil || !slices.ContainsFunc(info.Cluster.Replicas, func(r *jetstream.PeerInfo) bool { return !r.Current && !r.Offline }) {
				break
			}
			if !pause(ctx, joinLook, nil) {
				return ctx.Err()
			}
		}
	}
	return nil
}

// counter says how much was read.
type counter struct {
	r    io.Reader
	done int64
	say  func(done int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done += int64(n)
	c.say(c.done)
	return n, err
}
