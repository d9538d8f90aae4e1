package nats

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/cluster/store"
)

// look is what one stream's files hold. It is taken before the server runs on
// them, which changes what it does not understand, and again while it runs.
type look struct {
	stream string
	dir    string // the stream's folder
	sealed bool   // its records are; those of streams from before that are not
	bad    []badFile
	frames []span          // of the journal: the sequences that are there
	found  map[string]held // of the others, by name: the newest word on each record
	chunks map[string]int  // of snapshots: how many of each upload, by subject
	files  int
	last   uint64 // the highest sequence, also of what says that a record was deleted
}

// held is the newest word on a record in the files.
type held struct {
	sequence uint64
	second   int64
	deleted  bool
}

// badFile is a file with stretches that are no records, or damaged ones.
type badFile struct {
	file
	bad []stretch
}

// describe says where, for an operator.
func (b badFile) describe(dir string) string {
	name, err := filepath.Rel(dir, b.path)
	if err != nil {
		name = b.path
	}
	return fmt.Sprintf("%s, from byte %d on", name, b.bad[0].from)
}

func newLook(dir, stream string) *look {
	k := &look{stream: stream, dir: streamDir(dir, stream), found: map[string]held{}, chunks: map[string]int{}}
	k.sealed = isSealed(k.dir)
	return k
}

// lookAt reads all of a stream's blocks, or those that only chooses. The error
// is of the disk; damage is what it is about.
func lookAt(dir, stream string, only map[int]bool, each func(file) error) (*look, error) {
	k := newLook(dir, stream)
	files, err := blockFiles(k.dir)
	if err != nil {
		return nil, err
	}
	k.files = len(files)
	for _, f := range files {
		if only != nil && !only[f.number] {
			continue
		}
		if err := each(f); err != nil {
			return nil, err
		}
		if err := k.read(f); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// read looks at one file. While the server runs it may go away.
func (k *look) read(f file) error {
	content, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	b, err := newBlock(k.stream, f.number)
	if err != nil {
		return err
	}
	f.size = int64(len(content))
	if bad := b.scan(content, k.take); len(bad) > 0 {
		k.bad = append(k.bad, badFile{f, bad})
	}
	return nil
}

// merge adds the frames of another look at the journal.
func (k *look) merge(other *look) {
	k.frames = append(k.frames, other.frames...)
	slices.SortFunc(k.frames, func(a, b span) int { return cmp.Compare(a.From, b.From) })
	joined := k.frames[:0]
	for _, f := range k.frames {
		if n := len(joined) - 1; n >= 0 && f.From <= joined[n].To+1 {
			joined[n].To = max(joined[n].To, f.To)
			continue
		}
		joined = append(joined, f)
	}
	k.frames = joined
}

// isSealed says whether the stream's records are, by its description; where
// that cannot be read they are.
func isSealed(dir string) bool {
	var description struct {
		Metadata map[string]string `json:"metadata"`
	}
	b, err := os.ReadFile(filepath.Join(dir, metaFile))
	return err != nil || json.Unmarshal(b, &description) != nil || description.Metadata[formatKey] != ""
}

// take notes one record. False: what is in it is damaged, although the server's
// sum is right, which does not cover all of it.
func (k *look) take(r record) bool {
	k.last = max(k.last, r.sequence)
	if r.empty {
		return true
	}
	switch k.stream {
	case journalStream:
		if store.CheckFrame(r.data) != nil {
			return false
		}
		k.frame(r.sequence)
		return true
	case snapshotStream:
		if subject := string(r.subject); strings.HasPrefix(subject, chunkSubject) {
			k.chunks[subject]++
			return true
		}
	}
	name, ok := recordName(k.stream, string(r.subject))
	deleted := isDeletion(string(r.headers))
	if !ok || !deleted && k.sealed && !whole(k.stream, string(r.subject), r.data) {
		return false
	}
	if have := k.found[name]; have.sequence < r.sequence {
		k.found[name] = held{r.sequence, r.time / 1e9, deleted}
	}
	return true
}

func (k *look) frame(sequence uint64) {
	if n := len(k.frames) - 1; n >= 0 && sequence <= k.frames[n].To {
		return
	} else if n >= 0 && k.frames[n].To+1 == sequence {
		k.frames[n].To = sequence
		return
	}
	k.frames = append(k.frames, span{From: sequence, To: sequence})
}

// Records have a name of their own in their stream's list: a control record its
// key, an article its subject's hash, a snapshot's head its subject.
func recordName(stream, subject string) (string, bool) {
	switch stream {
	case controlStream:
		return strings.CutPrefix(subject, controlSubject)
	case itemsStream:
		text, ok := strings.CutPrefix(subject, itemsSubject)
		sum, err := hex.DecodeString(text)
		return string(sum), ok && err == nil
	}
	return strings.CutPrefix(subject, snapshotStream+".")
}

// subjectOf is the subject of a record of items or snapshots.
func subjectOf(stream, name string) string {
	if stream == itemsStream {
		return itemsSubject + hex.EncodeToString([]byte(name))
	}
	return snapshotStream + "." + name
}

// whole says whether a record's bytes are what was written, of those that carry
// a sum.
func whole(stream, subject string, data []byte) bool {
	_, err := store.Unseal(sealedAs(stream, subject), data)
	return err == nil
}

// sealedAs is the name that a record's sum is over.
func sealedAs(stream, subject string) string {
	if stream == controlStream {
		return strings.TrimPrefix(subject, controlSubject)
	}
	return subject
}

// isDeletion says whether the headers are those of the word that a record was
// deleted, by us or by the server.
func isDeletion(headers string) bool {
	return strings.Contains(headers, "\n"+operationHeader+":") || strings.Contains(headers, "\n"+markerHeader+":")
}

// lostFrames are the sequences that must be in the files and are not: from
// first, the earliest that retention cannot have taken (0: what there is), up
// to mark.
func (k *look) lostFrames(first, mark uint64, known []span) (lost []span) {
	next := max(first, 1)
	if first == 0 && len(k.frames) > 0 {
		next = k.frames[0].From
	}
	gap := func(from, to uint64) {
		if from > to {
			return
		}
		for _, part := range split(span{From: from, To: to}, known, mark) {
			if part.Lost && !isLost(known, part) {
				lost = append(lost, part)
			}
		}
	}
	for _, f := range k.frames {
		if f.From > mark {
			break
		}
		if f.To < next {
			continue
		}
		gap(next, f.From-1)
		next = f.To + 1
	}
	gap(next, mark)
	return lost
}

// difference is how a stream's records are told from its list.
type difference struct {
	lost    []string // in the list and not in the files, or only as they were before
	newer   []noted  // in the files later than in the list
	unknown []string // in the files and not in the list: deleted before, or written after the list's last seconds were lost
}

// compare holds the files against the list. expired says of a record in the list
// that the stream may have let it go.
func (k *look) compare(l *listing, expired func(listed) bool) (d difference) {
	for name, want := range l.records {
		have, ok := k.found[name]
		switch {
		case ok && have.sequence > want.sequence:
			d.newer = append(d.newer, noted{name, have.sequence, have.deleted})
		case want.deleted || ok && have.sequence == want.sequence:
		case !expired(want):
			d.lost = append(d.lost, name)
		}
	}
	for name, have := range k.found {
		if _, ok := l.records[name]; !ok && !have.deleted {
			d.unknown = append(d.unknown, name)
		}
	}
	return d
}

func spansText(all []span) string {
	const most = 8
	var text []string
	for i, s := range all {
		if i == most {
			text = append(text, fmt.Sprintf("and at %d more places", len(all)-most))
			break
		}
		if s.From == s.To {
			text = append(text, fmt.Sprintf("frame %d", s.From))
		} else {
			text = append(text, fmt.Sprintf("frames %d to %d", s.From, s.To))
		}
	}
	return strings.Join(text, ", ")
}
