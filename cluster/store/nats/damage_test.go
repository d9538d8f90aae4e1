package nats

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

// written is a folder with n frames of node "a", closed.
func written(t *testing.T, n uint64) string {
	t.Helper()
	s := open(t, Config{Dir: memoryDir(t)})
	for i := range n {
		appendTo(t, s, i+1)
	}
	closeStore(t, s)
	return s.cfg.Dir
}

func appendTo(t *testing.T, s *Store, number uint64) {
	t.Helper()
	f := storetest.Frame("a", 1, number, 20)
	if sequence, err := s.Journal().Append(context.Background(), f); err != nil || sequence != number {
		t.Fatalf("append %d: sequence %d, %v", number, sequence, err)
	}
}

// blockFile is the journal's one file of messages, and index what the server keeps
// to find its way in it after a clean end.
func blockFile(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", journalStream, "msgs", "*.blk"))
	if err != nil || len(files) != 1 {
		t.Fatalf("blocks: %v, %v; want one", files, err)
	}
	return files[0]
}

func index(dir string) string {
	return filepath.Join(dir, "jetstream", "$G", "streams", journalStream, "msgs", "index.db")
}

// edit changes a file as a bad disk does.
func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// flipIn flips a bit in the text of the frame with the given name.
func flipIn(name string) func([]byte) []byte {
	return func(b []byte) []byte {
		b[bytes.Index(b, []byte(name))] ^= 1
		return b
	}
}

func openError(t *testing.T, dir string) error {
	t.Helper()
	s, err := Open(context.Background(), quiet(t, Config{Dir: dir}))
	if err == nil {
		closeStore(t, s)
	}
	return err
}

// readAll is what a cursor says from the first on: sequences, and skipped ones
// below 0.
func readAll(t *testing.T, s *Store) (all []int) {
	t.Helper()
	ctx := context.Background()
	c, err := s.Journal().Read(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for {
		e, err := c.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("next: %v", err)
		case e.Skipped != nil:
			for n := e.Skipped.From; n <= e.Skipped.To; n++ {
				all = append(all, -int(n))
			}
		default:
			all = append(all, int(e.Sequence))
		}
	}
}

func TestDamageRefused(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, dir string){
		"a bit in the middle, after a crash": func(t *testing.T, dir string) {
			edit(t, blockFile(t, dir), flipIn("test/a/1/4/3"))
			if err := os.Remove(index(dir)); err != nil {
				t.Fatal(err)
			}
		},
		"the end cut off": func(t *testing.T, dir string) {
			edit(t, blockFile(t, dir), func(b []byte) []byte { return b[:len(b)/2] })
		},
		"the end cut off, after a crash": func(t *testing.T, dir string) {
			edit(t, blockFile(t, dir), func(b []byte) []byte { return b[:len(b)/2] })
			if err := os.Remove(index(dir)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := written(t, 10)
			damage(t, dir)
			for range 2 { // the server has mended itself by the second time
				err := openError(t, dir)
				if !errors.Is(err, messages.ErrDamaged) || !strings.Contains(err.Error(), acceptFile) {
					t.Fatalf("open: %v, want that it is damaged, and what to do", err)
				}
			}
		})
	}
}

func TestDamageAccepted(t *testing.T) {
	dir := written(t, 10)
	s := open(t, Config{Dir: dir})
	before := s.Journal().Epoch()
	appendTo(t, s, 11)
	closeStore(t, s)

	edit(t, blockFile(t, dir), flipIn("test/a/1/4/3"))
	if err := os.Remove(index(dir)); err != nil {
		t.Fatal(err)
	}
	if err := openError(t, dir); !errors.Is(err, messages.ErrDamaged) {
		t.Fatalf("open: %v, want that it is damaged", err)
	}
	if err := os.WriteFile(filepath.Join(dir, acceptFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for round := range 2 { // accepted once, and for good
		s = open(t, Config{Dir: dir})
		after := s.Journal().Epoch()
		if after == before {
			t.Fatalf("round %d: epoch %s as before the loss", round, after)
		}
		if all := readAll(t, s); !slices.Equal(all, []int{1, 2, 3, -4, 5, 6, 7, 8, 9, 10, 11, 12}[:11+round]) {
			t.Fatalf("round %d: read %v, want all but the damaged one and what came since", round, all)
		}
		if d := s.Damage(); round == 1 && len(d) > 0 {
			t.Errorf("damage %v, want that it is accepted for good", d)
		}
		if _, err := s.Journal().Append(context.Background(), storetest.Frame("a", uint64(2+round), 1, 1)); err != nil {
			t.Fatalf("round %d: append: %v", round, err)
		}
		before = ""
		closeStore(t, s)
	}
}

// A log left clean is served at once. A frame in the middle of it that is
// damaged costs itself: readers are told, and so is the operator, now and at
// every start, until it is accepted; cursors are good all the time.
func TestADamagedFrameInALongLog(t *testing.T) {
	cfg := Config{DuplicateWindow: testWindow}
	s := open(t, cfg)
	ctx := context.Background()
	const large = 45
	var want []int
	// Until the large ones are so old that the server has no use for them when it
	// starts.
	for i, written := uint64(0), time.Now(); i < large || time.Since(written) < 3*testWindow; i++ {
		f := storetest.Frame("a", 1, i+1, 1)
		if i < large {
			f.Events[0].GetPost().Text = strings.Repeat("x", 900_000)
			written = time.Now()
		}
		if _, err := s.Journal().Append(ctx, f); err != nil {
			t.Fatal(err)
		}
		want = append(want, int(i+1))
	}
	epoch := s.Journal().Epoch()
	closeStore(t, s)
	cfg.Dir = s.cfg.Dir
	files, err := blockFiles(streamDir(cfg.Dir, journalStream))
	if err != nil || len(files) < 5 {
		t.Fatalf("blocks %v, %v; want five or more", files, err)
	}
	// What is in one record, and the length of another: the server would not find
	// the next.
	edit(t, files[2].path, func(b []byte) []byte {
		b[recordPlace(t, b, 1)+5000] ^= 1
		b[recordPlace(t, b, 3)+1] ^= 0x10
		return b
	})
	for round := range 4 {
		if round == 3 {
			if err := os.WriteFile(filepath.Join(cfg.Dir, acceptFile), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s = open(t, cfg)
		if round == 0 && len(s.vetting.blocks) == 0 {
			t.Fatal("all of it was read before the start")
		}
		if round == 1 { // whoever reads first finds it
			eventually(t, "the audit", func() bool { return s.audited.Load() > 0 })
		}
		lost := 0
		for i, got := range readAll(t, s) {
			if got != want[i] && got != -want[i] {
				t.Fatalf("round %d: read %d at %d", round, got, want[i])
			}
			if got < 0 {
				lost++
			}
		}
		if lost == 0 || lost > 2 {
			t.Fatalf("round %d: %d frames lost, want one or two", round, lost)
		}
		if told := strings.Contains(fmt.Sprint(s.Damage()), "lost: frame"); told != (round < 3) {
			t.Errorf("round %d: damage %v", round, s.Damage())
		}
		if got := s.Journal().Epoch(); got != epoch {
			t.Errorf("round %d: epoch %s, was %s", round, got, epoch)
		}
		if err := s.Healthy(ctx); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		closeStore(t, s)
	}
}

// recordPlace is where a block's record number n begins, from 0.
func recordPlace(t *testing.T, b []byte, n int) (at int) {
	t.Helper()
	for range n {
		at += int(binary.LittleEndian.Uint32(b[at:]) &^ headersBit)
	}
	return at
}

// What a newer program wrote is whole: it is neither read nor skipped.
func TestNewerFrameStopsReaders(t *testing.T) {
	s := open(t, Config{})
	ctx := context.Background()
	appendTo(t, s, 1)
	data, err := store.EncodeFrame(storetest.Frame("a", 1, 2, 1))
	if err != nil {
		t.Fatal(err)
	}
	data[0]++
	sum := crc32.Update(crc32.Checksum(data[:1], crc32.MakeTable(crc32.Castagnoli)), crc32.MakeTable(crc32.Castagnoli), data[5:])
	binary.LittleEndian.PutUint32(data[1:], sum)
	m := nc.NewMsg(journalSubject + "a")
	m.Data = data
	m.Header.Set(jetstream.MsgIDHeader, "a/1/2")
	if _, err := s.publish(ctx, m, large); err != nil {
		t.Fatal(err)
	}
	c, err := s.Journal().Read(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		if e, err := c.Next(ctx); err == nil || !strings.Contains(err.Error(), "newer") {
			t.Fatalf("next: %+v, %v; want that a newer program wrote it", e, err)
		}
	}
}

// A stream's description that is damaged or gone is written again from a copy,
// and said.
func TestDescriptionsAreRestored(t *testing.T) {
	for _, name := range []string{metaFile, metaSum} {
		for what, damage := range map[string]func(t *testing.T, path string){
			"flipped": func(t *testing.T, path string) { edit(t, path, func(b []byte) []byte { b[5] ^= 1; return b }) },
			"empty":   func(t *testing.T, path string) { edit(t, path, func([]byte) []byte { return nil }) },
			"deleted": func(t *testing.T, path string) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			},
		} {
			dir := written(t, 3)
			for _, stream := range allStreams {
				damage(t, filepath.Join(streamDir(dir, stream), name))
			}
			s := open(t, Config{Dir: dir})
			if all := readAll(t, s); len(all) != 3 {
				t.Errorf("%s %s: read %v, want all three", name, what, all)
			}
			if d := s.Damage(); len(d) != len(allStreams) || d[0].Lost != "" || !strings.Contains(fmt.Sprint(d), metaFile) {
				t.Errorf("%s %s: damage %v, want a word of each stream and nothing lost", name, what, d)
			}
			closeStore(t, s)
			s = open(t, Config{Dir: dir})
			if d := s.Damage(); len(d) > 0 {
				t.Errorf("%s %s: damage %v the next time, want none", name, what, d)
			}
		}
	}
}

func TestLostDescriptionPutAside(t *testing.T) {
	dir := written(t, 3)
	meta := filepath.Join(dir, "jetstream", "$G", "streams", journalStream, "meta.inf")
	edit(t, meta, func([]byte) []byte { return []byte("{") })
	for _, path := range twice(dir, filepath.Join(describedFolder, journalStream)) {
		edit(t, path, func(b []byte) []byte { return b[1:] })
	}
	if err := openError(t, dir); !errors.Is(err, messages.ErrDamaged) || !strings.Contains(err.Error(), "journal") {
		t.Fatalf("open: %v, want that the journal cannot be read", err)
	}
	if err := os.WriteFile(filepath.Join(dir, acceptFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Dir: dir})
	if all := readAll(t, s); len(all) != 0 {
		t.Fatalf("read %v, want an empty log", all)
	}
	appendTo(t, s, 1)
	aside, err := filepath.Glob(filepath.Join(dir, lostFolder, "*", journalStream, "msgs", "*.blk"))
	if err != nil || len(aside) != 1 {
		t.Fatalf("put aside: %v, %v; want the journal's block", aside, err)
	}
}

func TestFilesTakenAway(t *testing.T) {
	dir := written(t, 3)
	s := open(t, Config{Dir: dir})
	before := s.Journal().Epoch()
	if _, err := s.Control().CAS(context.Background(), "k", nil, 0); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	if err := os.RemoveAll(filepath.Join(dir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := openError(t, dir); !errors.Is(err, messages.ErrDamaged) || !strings.Contains(err.Error(), "frames 1 to 3") || !strings.Contains(err.Error(), "all control records (1 record:") {
			t.Fatalf("open: %v, want what is lost", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, acceptFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	if after := s.Journal().Epoch(); after == before {
		t.Fatalf("epoch %s as before", after)
	}
	appendTo(t, s, 1)
	if _, err := s.Control().Get(context.Background(), "k"); !errors.Is(err, messages.ErrNotFound) {
		t.Errorf("a record that was given up: %v, want none", err)
	}
}

// The records alone do not go on purpose: keys and credits would be forgotten.
func TestRecordsTakenAway(t *testing.T) {
	s := open(t, Config{})
	if _, err := s.Control().CAS(context.Background(), "k", nil, 0); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	if err := os.RemoveAll(filepath.Join(streamsDir(s.cfg.Dir), controlStream)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := openError(t, s.cfg.Dir); !errors.Is(err, messages.ErrDamaged) || !strings.Contains(err.Error(), "control records") {
			t.Fatalf("open: %v, want that records are lost", err)
		}
	}
}

// What was written right before a process was killed is told where it is lost
// together with the list of it, in both places, also before any note was synced.
func TestRecordsTakenAwayRightAfterTheFirst(t *testing.T) {
	s, ctx := open(t, Config{Dir: memoryDir(t)}), context.Background()
	if _, err := s.Control().CAS(ctx, "k", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if each, err := s.Items().CAS(ctx, []*messages.Item{{Identity: "a"}}, []uint64{0}); errors.Join(append(each, err)...) != nil {
		t.Fatal(each, err)
	}
	if err := s.Snapshots().Put(ctx, "desk", 1, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(memoryDir(t), "killed")
	if err := os.CopyFS(killed, os.DirFS(s.cfg.Dir)); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	for stream, says := range map[string]string{controlStream: "control records", itemsStream: listName(itemsStream, 1), snapshotStream: listName(snapshotStream, 1)} {
		dir := filepath.Join(memoryDir(t), stream)
		if err := os.CopyFS(dir, os.DirFS(killed)); err != nil {
			t.Fatal(err)
		}
		files, err := blockFiles(streamDir(dir, stream))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: files %v, %v", stream, files, err)
		}
		paths := twice(dir, listName(stream, 1))
		gone := paths[:]
		for _, f := range files {
			gone = append(gone, f.path)
		}
		for _, path := range gone {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if stream == controlStream {
			if err := openError(t, dir); !errors.Is(err, messages.ErrDamaged) || !strings.Contains(err.Error(), says) {
				t.Errorf("open without %s: %v, want that they are lost", says, err)
			}
			continue
		}
		s := open(t, Config{Dir: dir})
		if damage := fmt.Sprint(s.Damage()); !strings.Contains(damage, says) {
			t.Errorf("without %s: damage %s, want that it is named", says, damage)
		}
		closeStore(t, s)
	}
}

// A log whose only block is gone is not one whose frames all grew too old, also
// where a note went with it.
func TestBlockTakenAway(t *testing.T) {
	for _, with := range [][]string{
		nil,
		{marksFile},
		{pastFile},
		{cleanFile},
		{copiesFolder},
		{listFolder},
		{describedFolder},
		{marksFile, pastFile},
		{marksFile, copiesFolder},
		{pastFile, copiesFolder},
	} {
		dir := written(t, 10)
		if err := os.Remove(blockFile(t, dir)); err != nil {
			t.Fatal(err)
		}
		for _, name := range with {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := openError(t, dir); !errors.Is(err, messages.ErrDamaged) || !strings.Contains(err.Error(), "frames 1 to 10") || !strings.Contains(err.Error(), acceptFile) {
				t.Fatalf("with %v, open: %v, want which frames are lost and what to do", with, err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, acceptFile), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for round := range 2 {
			s := open(t, Config{Dir: dir})
			if _, err := s.Journal().Append(context.Background(), storetest.Frame("b", 1, uint64(round+1), 1)); err != nil {
				t.Errorf("with %v, after it was accepted: %v", with, err)
			}
			closeStore(t, s)
		}
	}
}

// Holes of which both places are damaged are no holes: what is gone counts as
// lost, and can be accepted.
func TestHolesThatCannotBeRead(t *testing.T) {
	dir := written(t, 3)
	if err := writeNote(dir, holesFile, []byte("not JSON"), replaceFile); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Dir: dir})
	if d := s.Damage(); len(d) != 1 || d[0].File != holesFile || !strings.Contains(d[0].Advice, "check the disk") {
		t.Errorf("damage %v, want a word of the file and what to do", d)
	}
	if all := readAll(t, s); len(all) != 3 {
		t.Errorf("read %v, want all three", all)
	}
	closeStore(t, s)
	s = open(t, Config{Dir: dir})
	if d := s.Damage(); len(d) > 0 {
		t.Errorf("damage %v the next time, want none", d)
	}
}

// A note that is good in one of its places is good: it is written again, said
// once, and nothing is lost with it.
func TestNotesAreKeptTwice(t *testing.T) {
	s, ctx := open(t, Config{Dir: memoryDir(t)}), context.Background()
	for i := range uint64(3) {
		appendTo(t, s, i+1)
		if _, err := s.Control().CAS(ctx, fmt.Sprint("k.", i), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.foundLost(span{From: 2, To: 2}); err != nil { // so that there are holes
		t.Fatal(err)
	}
	closeStore(t, s)
	names := []string{marksFile, pastFile, holesFile, listName(controlStream, 1), filepath.Join(describedFolder, journalStream)}
	for what, damage := range map[string]func([]byte) []byte{
		"deleted": nil,
		"flipped": func(b []byte) []byte { b[len(b)/2] ^= 8; return b },
	} {
		for _, name := range names {
			for i := range twice("", "") {
				dir := filepath.Join(memoryDir(t), "store")
				if err := os.CopyFS(dir, os.DirFS(s.cfg.Dir)); err != nil {
					t.Fatal(err)
				}
				path := twice(dir, name)[i]
				if damage != nil {
					edit(t, path, damage)
				} else if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				told := fmt.Sprintf("%s %s", path, what)
				again := open(t, Config{Dir: dir})
				if got := again.holes.known(); len(got) != 1 || got[0].From != 2 {
					t.Errorf("%s: holes %v", told, got)
				}
				said := 0
				for _, d := range again.Damage() {
					switch {
					case d.Stream == "store" && d.Lost == "" && strings.Contains(d.File, name) && strings.Contains(d.Advice, "nothing is lost"):
						said++
					case d.Stream != journalStream: // the hole
						t.Errorf("%s: damage %+v", told, d)
					}
				}
				if said != 1 {
					t.Errorf("%s: said %d times, want once: %v", told, said, again.Damage())
				}
				closeStore(t, again)
				first, err := os.ReadFile(twice(dir, name)[0])
				second, secondErr := os.ReadFile(twice(dir, name)[1])
				if err = errors.Join(err, secondErr); err != nil || !bytes.Equal(first, second) {
					t.Errorf("%s: %d and %d bytes afterwards, %v", told, len(first), len(second), err)
				}
			}
		}
	}
}

// One whose frames did is no loss, after a clean end and after a crash, and its
// sequences are not given again.
func TestALogThatGrewOld(t *testing.T) {
	cfg := Config{RetentionAge: 200 * time.Millisecond}
	s := open(t, cfg)
	ctx := context.Background()
	next := uint64(0)
	for _, crash := range []bool{false, true, false} {
		for range 5 {
			next++
			appendTo(t, s, next)
		}
		eventually(t, "frames gone", func() bool {
			first, _, err := s.Journal().Bounds(ctx)
			return err == nil && first == next+1
		})
		closeStore(t, s)
		cfg.Dir = s.cfg.Dir
		if crash {
			if err := os.Remove(index(cfg.Dir)); err != nil {
				t.Fatal(err)
			}
		}
		s = open(t, cfg)
		if d := s.Damage(); len(d) > 0 {
			t.Errorf("damage %v", d)
		}
	}
	next++
	appendTo(t, s, next)
}

// Damage in a block with others after it leaves a hole: refused, and skipped
// by readers once it was accepted.
func TestHoleInTheMiddle(t *testing.T) {
	s := open(t, Config{})
	const frames = 24
	for i := range uint64(frames) {
		f := storetest.Frame("a", 1, i+1, 1)
		f.Events[0].GetPost().Text = strings.Repeat("x", 900_000)
		if _, err := s.Journal().Append(context.Background(), f); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	dir := s.cfg.Dir
	first := filepath.Join(filepath.Dir(index(dir)), "1.blk")
	edit(t, first, flipIn("test/a/1/4/0"))
	if err := os.Remove(index(dir)); err != nil {
		t.Fatal(err)
	}
	if err := openError(t, dir); !errors.Is(err, messages.ErrDamaged) || !strings.Contains(err.Error(), "frame 4 of the journal") || !strings.Contains(err.Error(), "1.blk") {
		t.Fatalf("open: %v, want which frames are lost", err)
	}
	if err := os.WriteFile(filepath.Join(dir, acceptFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = open(t, Config{Dir: dir})
		all := readAll(t, s)
		if len(all) != frames || all[2] != 3 || all[3] != -4 || all[frames-1] != frames {
			t.Fatalf("read %v, want %d entries, skipped from 4 on and whole at the end", all, frames)
		}
		if last := s.marks.get(markJournal); last != frames {
			t.Fatalf("mark %d, want %d", last, frames)
		}
		closeStore(t, s)
	}
}

func TestLocked(t *testing.T) {
	s := open(t, Config{})
	err := openError(t, s.cfg.Dir)
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), s.cfg.Dir) || !strings.Contains(err.Error(), "stop it") {
		t.Fatalf("open while another has it open: %v, want that it is in use, where, and what to do", err)
	}
	closeStore(t, s)
	if err := openError(t, s.cfg.Dir); err != nil {
		t.Fatalf("open after the other was closed: %v", err)
	}
}
