package nats

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	nc "github.com/nats-io/nats.go"

	"github.com/birdwire/birdwire/cluster/store"
)

// An audit has every node read its own files of a stream, up to the same
// sequence, and compares what they say: which stretches of a file are damaged,
// which frames are not there, and a sum for each of 256 parts of what is. Where
// the sums of one part differ, the node that the majority does not agree with is
// named. Files are read, not the server asked: it would answer from memory, or
// from another node's copy.

const (
	copyParts = 256
	// auditPatience is how long one node may take to read one stream's files.
	auditPatience = 10 * time.Minute
	// auditRounds is how often parts that differ are compared again: a record may
	// be written over between two readings, and a file be behind for a moment.
	auditRounds = 4
)

// copyRequest asks for one node's copy of a stream.
type copyRequest struct {
	Stream  string `json:"stream"`
	First   uint64 `json:"first"`   // what is before it may be there or not
	Through uint64 `json:"through"` // what is after it is left out
}

// copyReport is what a node's files of a stream hold.
type copyReport struct {
	Error   string         `json:"error,omitempty"`
	Damaged []string       `json:"damaged,omitempty"` // where in which file
	Missing string         `json:"missing,omitempty"` // frames, of the journal
	Records int            `json:"records"`
	Sums    map[int][]byte `json:"sums,omitempty"` // by part; those without records are left out
}

// copyOf reads this node's files.
func (s *Store) copyOf(ctx context.Context, of copyRequest) (report copyReport) {
	if !slices.Contains(allStreams, of.Stream) {
		report.Error = fmt.Sprintf("there is no stream %q", of.Stream)
		return report
	}
	files, err := blockFiles(streamDir(s.cfg.Dir, of.Stream))
	if err != nil {
		report.Error = err.Error()
		return report
	}
	c := copyRead{of: of, look: newLook(s.cfg.Dir, of.Stream), newest: map[string]summed{}, gone: map[uint64]bool{}, parts: map[int][32]byte{}}
	c.look.sealed = true
	for i, f := range files {
		if ctx.Err() != nil {
			report.Error = ctx.Err().Error()
			return report
		}
		if err := c.file(f, i == len(files)-1); err != nil {
			report.Error = err.Error()
			return report
		}
	}
	c.finish()
	for _, b := range c.look.bad {
		report.Damaged = append(report.Damaged, b.describe(s.cfg.Dir))
	}
	if of.Stream == journalStream {
		if lost := c.look.lostFrames(max(of.First, 1), of.Through, nil); len(lost) > 0 {
			report.Missing = spansText(lost)
		}
	}
	report.Records, report.Sums = c.records, map[int][]byte{}
	for part, sum := range c.parts {
		report.Sums[part] = sum[:8]
	}
	return report
}

// copyRead is one reading of a stream's files.
type copyRead struct {
	of      copyRequest
	look    *look
	newest  map[string]summed // of records: the newest of each name
	gone    map[uint64]bool   // sequences of which the file says that they were deleted
	records int
	parts   map[int][32]byte
}

// summed is a record's place and the sum of all that it says.
type summed struct {
	sequence uint64
	sum      [32]byte
	deleted  bool
}

// file reads one block. What is torn at the end of the last one is being written.
func (c *copyRead) file(f file, last bool) error {
	content, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the server has taken it away
	}
	if err != nil {
		return err
	}
	b, err := newBlock(c.of.Stream, f.number)
	if err != nil {
		return err
	}
	f.size = int64(len(content))
	bad := b.scan(content, c.take)
	if n := len(bad); last && n > 0 && bad[n-1].to == len(content) {
		bad = bad[:n-1]
	}
	if len(bad) > 0 {
		c.look.bad = append(c.look.bad, badFile{f, bad})
	}
	return nil
}

func (c *copyRead) take(r record) bool {
	if r.empty {
		c.gone[r.sequence] = true
		return true
	}
	if c.of.Stream == journalStream {
		if r.sequence <= c.of.Through && r.sequence >= c.of.First {
			c.look.frame(r.sequence)
			c.add(int(r.sequence%copyParts), sumRecord(r))
		}
		return true
	}
	name := string(r.subject)
	if have := c.newest[name]; have.sequence <= r.sequence {
		deleted := isDeletion(string(r.headers))
		c.newest[name] = summed{r.sequence, sumRecord(r), deleted}
	}
	return true
}

// finish sums up the newest of every record. One that was written after the last
// sequence asked for is left out, and so is one that was deleted: how long the
// word of that is there is each replica's own affair.
func (c *copyRead) finish() {
	for name, r := range c.newest {
		if r.sequence >= c.of.First && r.sequence <= c.of.Through && !r.deleted && !c.gone[r.sequence] {
			h := sha256.Sum256([]byte(name))
			c.add(int(h[0]), r.sum)
		}
	}
}

// add joins a sum to its part's, in any order.
func (c *copyRead) add(part int, sum [32]byte) {
	have := c.parts[part]
	for i := range have {
		have[i] ^= sum[i]
	}
	c.parts[part] = have
	c.records++
}

func sumRecord(r record) (sum [32]byte) {
	h := sha256.New()
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, r.sequence)) // a sum takes everything
	for _, field := range [][]byte{r.subject, r.data} {
		_, _ = h.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(field))))
		_, _ = h.Write(field)
	}
	h.Sum(sum[:0])
	return sum
}

// Audit compares the copies that the nodes have of every stream. It reads all of
// their files. The findings name the node whose copy is damaged or differs; none
// means that all copies agree.
func (s *Store) Audit(ctx context.Context, progress func(what string)) (findings []store.Finding, err error) {
	sess, err := s.session(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if sess.server == nil || !sess.shared {
		return nil, errors.New("audit: it compares the copies of a cluster's nodes; a node that stands alone reads its own files at every start and once a day, and an external NATS keeps its own")
	}
	conn, err := sess.dial(nc.Name("audit"), nc.NoReconnect())
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	defer conn.Close()
	for _, stream := range allStreams {
		progress("reading the copies of " + shown(stream))
		found, err := sess.auditCopies(ctx, conn, stream)
		if err != nil {
			return findings, fmt.Errorf("audit of %s: %w", shown(stream), err)
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

// auditCopies compares one stream's copies, again where they differ: only what
// does every time is told.
func (s *session) auditCopies(ctx context.Context, conn *nc.Conn, stream string) (findings []store.Finding, err error) {
	for round := range auditRounds {
		if findings, err = s.compareCopies(ctx, conn, stream); err != nil || len(findings) == 0 {
			return findings, err
		}
		if round == auditRounds-1 || !passes(findings) {
			break
		}
		if !pause(ctx, askAgain, nil) {
			return nil, ctx.Err()
		}
	}
	return findings, nil
}

// passes says whether a second look may find less: what is damaged stays so, and what
// a copy lacks beside that may be on its way.
func passes(findings []store.Finding) bool {
	return slices.ContainsFunc(findings, func(f store.Finding) bool { return f.File == "" })
}

func (s *session) compareCopies(ctx context.Context, conn *nc.Conn, stream string) (findings []store.Finding, err error) {
	info, err := s.info(ctx, stream)
	if err != nil {
		return nil, err
	}
	if info.Cluster == nil {
		return nil, errors.New("the server names no replicas")
	}
	nodes := []string{info.Cluster.Leader}
	for _, r := range info.Cluster.Replicas {
		if r.Offline {
			findings = append(findings, store.Finding{Node: r.Name, Stream: shown(stream), What: "its copy was not read: the node cannot be reached"})
			continue
		}
		nodes = append(nodes, r.Name)
	}
	slices.Sort(nodes)
	of := copyRequest{Stream: stream, First: info.State.FirstSeq, Through: info.State.LastSeq}
	// A majority has what was acknowledged last, not every node, and it may be on its
	// way into their files: while events come, well copies would be named.
	if !pause(ctx, askAgain, nil) {
		return nil, ctx.Err()
	}
	reports := make([]copyReport, len(nodes))
	var wait sync.WaitGroup
	for i, node := range nodes {
		wait.Go(func() { reports[i] = askCopy(ctx, conn, node, of) })
	}
	wait.Wait()
	if after, err := s.info(ctx, stream); err == nil && after.State.FirstSeq != of.First && stream == journalStream {
		return s.compareCopies(ctx, conn, stream) // retention took some in between
	}
	return append(findings, compare(shown(stream), nodes, reports)...), nil
}

func askCopy(ctx context.Context, conn *nc.Conn, node string, of copyRequest) (report copyReport) {
	question, err := json.Marshal(of)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, auditPatience)
		defer cancel()
		var m *nc.Msg
		if m, err = conn.RequestWithContext(ctx, copyQuestion+token(node), question); err == nil {
			err = json.Unmarshal(m.Data, &report)
		}
	}
	if err != nil {
		report.Error = err.Error()
	}
	return report
}

// compare names whose copy is damaged, lacks frames or differs from most.
func compare(stream string, nodes []string, reports []copyReport) (findings []store.Finding) {
	for i, r := range reports {
		tell := func(file, what string) {
			findings = append(findings, store.Finding{Node: nodes[i], Stream: stream, File: file, What: what})
		}
		if r.Error != "" {
			tell("", "its copy was not read: "+r.Error)
		}
		for _, where := range r.Damaged {
			file, at, _ := strings.Cut(where, ", ")
			tell(file, "damaged, "+at)
		}
		if r.Missing != "" {
			tell("", "its copy lacks "+r.Missing)
		}
		if differs := differing(reports, i); differs > 0 && len(r.Damaged) == 0 && r.Missing == "" {
			tell("", fmt.Sprintf("its copy is not as most others are, in %d of %d parts", differs, copyParts))
		}
	}
	return findings
}

// differing counts the parts in which a copy is not as a majority is; where there
// is none, every copy differs.
func differing(reports []copyReport, i int) (differs int) {
	if reports[i].Error != "" {
		return 0
	}
	for part := range copyParts {
		same, read := 0, 0
		for _, r := range reports {
			if r.Error != "" {
				continue
			}
			read++
			if string(r.Sums[part]) == string(reports[i].Sums[part]) {
				same++
			}
		}
		if same*2 <= read {
			differs++
		}
	}
	return differs
}
