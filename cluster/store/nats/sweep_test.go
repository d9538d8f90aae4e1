package nats

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

// sweepAll, set in the environment, has TestDamageSweep do every case, which
// takes minutes; else it does some of each kind.
const sweepAll = "BIRDWIRE_DAMAGE_SWEEP"

// kept is what was acknowledged before the damage.
type kept struct {
	records map[string]string
	deleted []string
	frames  []*messages.Frame
	items   []string
}

// fillFolder is a store with something of everything, closed.
func fillFolder(t *testing.T) (string, kept) {
	t.Helper()
	s, ctx := open(t, Config{Dir: memoryDir(t), DuplicateWindow: testWindow}), context.Background()
	k := kept{records: map[string]string{}}
	put := func(key string, data string) uint64 {
		revision, err := s.Control().CAS(ctx, key, []byte(data), 0)
		if err != nil {
			t.Fatal(err)
		}
		k.records[key] = data
		return revision
	}
	for i := range 40 {
		put(fmt.Sprintf("keys.%04d.k%d", i*25, i), strings.Repeat("key ", 30))
		revision := put(fmt.Sprintf("rules.%04d.k%d.1", i*25, i), "moon")
		if i%3 == 0 {
			name := fmt.Sprintf("rules.%04d.k%d.1", i*25, i)
			next, err := s.Control().CAS(ctx, name, []byte("moon -sun"), revision)
			if err != nil {
				t.Fatal(err)
			}
			revision = next
			k.records[name] = "moon -sun"
		}
		if i%10 == 1 {
			name := fmt.Sprintf("rules.%04d.k%d.1", i*25, i)
			if err := s.Control().Delete(ctx, name, revision); err != nil {
				t.Fatal(err)
			}
			delete(k.records, name)
			k.deleted = append(k.deleted, name)
		}
	}
	put("feeds.f1", "https://example.com/feed")
	// Several blocks, and until the first of them are so old that the server has no
	// use for them when it starts.
	for i, written := uint64(0), time.Now(); i < 60 || time.Since(written) < 3*testWindow; i++ {
		f := storetest.Frame("a", 1, i+1, 3)
		if i < 30 {
			f.Events[0].GetPost().Text = strings.Repeat("x", 900_000)
			written = time.Now()
		}
		if _, err := s.Journal().Append(ctx, f); err != nil {
			t.Fatal(err)
		}
		k.frames = append(k.frames, f)
		if _, err := s.Counters().Reserve(ctx, store.Reservation{KeyID: "k1", Month: "2026-11", N: 5, Op: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	v, err := s.Control().Get(ctx, store.LedgerPrefix+"k1.2026-11")
	if err != nil {
		t.Fatal(err)
	}
	k.records[v.Key] = string(v.Data)
	for i := range 5 {
		var all []*messages.Item
		for n := range 20 {
			identity := fmt.Sprintf("feed/%d/%d", i, n)
			all, k.items = append(all, &messages.Item{Identity: identity, Revision: 1, Article: &messages.Article{Title: "title"}}), append(k.items, identity)
		}
		if each, err := s.Items().CAS(ctx, all, make([]uint64, len(all))); errors.Join(append(each, err)...) != nil {
			t.Fatal(each, err)
		}
	}
	for at := range messages.Position(3) {
		if err := s.Snapshots().Put(ctx, "desk", at+1, strings.NewReader(strings.Repeat(fmt.Sprint(at+1), 300_000))); err != nil {
			t.Fatal(err)
		}
	}
	// What a process that is killed leaves: the files as they are now.
	crashed := filepath.Join(memoryDir(t), "crashed")
	if err := os.CopyFS(crashed, os.DirFS(s.cfg.Dir)); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	root := memoryDir(t)
	for from, to := range map[string]string{s.cfg.Dir: "clean", crashed: "crashed"} {
		if err := os.CopyFS(filepath.Join(root, to), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	return root, k
}

// harm is one way to damage a file, or a folder.
type harm struct {
	path string // under the store's folder
	what string
	do   func(path string) error
}

func rewrite(change func([]byte) []byte) func(string) error {
	return func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, change(b), 0o600)
	}
}

// harms are all that is done to the folder.
func harms(t *testing.T, dir string) (all []harm) {
	t.Helper()
	r := rand.New(rand.NewPCG(11, 12))
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			if strings.Count(name, string(filepath.Separator)) >= 2 || name == listFolder || name == describedFolder || name == "jetstream" {
				all = append(all, harm{name, "folder deleted", os.RemoveAll})
			}
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		all = append(all, harm{name, "deleted", os.Remove})
		if info.Size() == 0 || name == lockName {
			return nil
		}
		all = append(all,
			harm{name, "emptied", rewrite(func([]byte) []byte { return nil })},
			harm{name, "cut to half", rewrite(func(b []byte) []byte { return b[:len(b)/2] })},
			harm{name, "cut at its end", rewrite(func(b []byte) []byte { return b[:len(b)-1] })},
		)
		for i := range 10 {
			at := int(info.Size()) * i / 10
			if i > 0 {
				at = min(at+r.IntN(200), int(info.Size())-1)
			}
			bit := byte(1) << r.IntN(8)
			all = append(all, harm{name, fmt.Sprintf("bit flipped at %d", at), rewrite(func(b []byte) []byte { b[at] ^= bit; return b })})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Whatever is damaged in a store's folder, the next start tells within seconds
// what it was and what to do, or is ready with all that is left, names what is
// lost, and nothing is missing without a word.
func TestDamageSweep(t *testing.T) {
	root, k := fillFolder(t)
	for _, kind := range []string{"clean", "crashed"} {
		all := harms(t, filepath.Join(root, kind))
		if os.Getenv(sweepAll) == "" {
			all = some(all, kind == "crashed")
		}
		t.Logf("%s: %d cases", kind, len(all))
		t.Run(kind, func(t *testing.T) {
			places := make(chan struct{}, runtime.GOMAXPROCS(0))
			for _, h := range all {
				t.Run(h.path+" "+h.what, func(t *testing.T) {
					t.Parallel()
					places <- struct{}{}
					defer func() { <-places }()
					sweepOne(t, filepath.Join(root, kind), k, h)
				})
			}
		})
	}
}

// What is damaged together with the note that would tell of it is told by the
// note's copy, or by another note.
func TestDamageSweepInPairs(t *testing.T) {
	root, k := fillFolder(t)
	for _, kind := range []string{"clean", "crashed"} {
		dir := filepath.Join(root, kind)
		all := pairs(t, dir)
		if os.Getenv(sweepAll) == "" {
			all = fewPairs(all, kind == "crashed")
		}
		t.Logf("%s: %d cases", kind, len(all))
		t.Run(kind, func(t *testing.T) {
			places := make(chan struct{}, runtime.GOMAXPROCS(0))
			for _, together := range all {
				var name []string
				for _, h := range together {
					name = append(name, h.path)
				}
				t.Run(strings.Join(name, " and "), func(t *testing.T) {
					t.Parallel()
					places <- struct{}{}
					defer func() { <-places }()
					sweepOne(t, dir, k, together...)
				})
			}
		})
	}
}

// pairs are files of the server's deleted together with one of ours, with its
// copy too where it has one that would tell as well, and with each other.
func pairs(t *testing.T, dir string) (all [][]harm) {
	t.Helper()
	var server, ours []harm
	for _, stream := range allStreams {
		files, err := blockFiles(streamDir(dir, stream))
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, f := range files {
			if f == files[0] || f == files[len(files)/2] || f == files[len(files)-1] {
				paths = append(paths, f.path)
			}
		}
		var own []harm
		for _, path := range append(paths, filepath.Join(streamDir(dir, stream), "msgs", indexFile), filepath.Join(streamDir(dir, stream), metaFile)) {
			name, err := filepath.Rel(dir, path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(path); err == nil {
				own = append(own, harm{name, "deleted", os.Remove})
			}
		}
		for i := range own {
			for j := range i {
				all = append(all, []harm{own[i], own[j]})
			}
		}
		server = append(server, own...)
	}
	server = append(server, harm{"jetstream", "folder deleted", os.RemoveAll})
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(dir, path)
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		switch {
		case name == "jetstream":
			return filepath.SkipDir
		case name == copiesFolder || name == listFolder:
			ours = append(ours, harm{name, "folder deleted", os.RemoveAll})
		case !e.IsDir() && name != lockName:
			ours = append(ours, harm{name, "deleted", os.Remove})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range server {
		for _, o := range ours {
			all = append(all, []harm{s, o})
		}
	}
	for _, s := range server {
		if strings.HasSuffix(s.path, ".blk") {
			for _, name := range []string{marksFile, listName(controlStream, 1)} {
				all = append(all, []harm{s, {name, "deleted", os.Remove}, {filepath.Join(copiesFolder, name), "deleted", os.Remove}})
			}
		}
	}
	return all
}

// fewPairs are those of a block that tells nothing by itself and the note that
// tells of it.
func fewPairs(all [][]harm, crashed bool) (chosen [][]harm) {
	tells := map[string][]string{
		journalStream: {marksFile, pastFile, cleanFile, indexFile}, controlStream: {listFolder, marksFile},
		itemsStream: {listName(itemsStream, 1)}, snapshotStream: {listName(snapshotStream, 1)},
	}
	for _, together := range all {
		for stream, names := range tells {
			first := together[0].path
			if !strings.HasSuffix(first, ".blk") {
				first = together[1].path
			}
			if !strings.Contains(first, stream+string(filepath.Separator)) || !strings.HasSuffix(first, ".blk") || stream == journalStream && !strings.HasSuffix(first, "/1.blk") {
				continue
			}
			for _, name := range names {
				if other := together[len(together)-1].path + together[0].path; strings.Contains(other, name) && crashed == (name == marksFile) {
					chosen = append(chosen, together)
				}
			}
		}
	}
	return chosen
}

// some are one case of each kind for each stream's blocks, and one for each kind
// of the other files if not only blocks are wanted.
func some(all []harm, blocks bool) (chosen []harm) {
	seen := map[string]bool{}
	r := rand.New(rand.NewPCG(13, 14))
	for _, i := range r.Perm(len(all)) {
		h := all[i]
		kind := filepath.Base(h.path)
		if dir := filepath.Dir(h.path); dir == listFolder || dir == describedFolder {
			kind = dir
		}
		if strings.HasSuffix(h.path, ".blk") {
			kind = filepath.Dir(h.path) + strings.TrimRight(h.what, "0123456789")
		} else if blocks {
			continue
		}
		if !seen[kind] {
			seen[kind] = true
			chosen = append(chosen, h)
		}
	}
	return chosen
}

func sweepOne(t *testing.T, from string, k kept, together ...harm) {
	dir := filepath.Join(memoryDir(t), "store")
	var paths []string
	for _, h := range together {
		paths = append(paths, h.path)
	}
	if err := copyStore(dir, from, paths); err != nil {
		t.Fatal(err)
	}
	for _, h := range together {
		if err := h.do(filepath.Join(dir, h.path)); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	cfg := quiet(t, Config{Dir: dir, DuplicateWindow: testWindow, Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := Open(ctx, cfg)
	if err != nil {
		if text := err.Error(); !errors.Is(err, messages.ErrDamaged) || !strings.Contains(text, acceptFile) ||
			!strings.Contains(text, "journal") && !strings.Contains(text, "control") && !strings.Contains(text, "cannot be read") {
			t.Errorf("open: %v; want what is damaged and what to do", err)
		}
		goOn(t, cfg, k)
		return
	}
	eventually(t, "the audit", func() bool { return s.audited.Load() > 0 })
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	holdAgainst(t, s, k, false)
	damage := s.Damage()
	if len(damage) > 0 && !strings.Contains(said.String(), "damage") {
		t.Errorf("the log says nothing of %v", damage)
	}
	for _, d := range damage {
		if d.Advice == "" || d.Stream == "" {
			t.Errorf("damage %+v: want a stream and what to do", d)
		}
	}
	if _, err := s.Journal().Append(ctx, storetest.Frame("b", 2, 1, 1)); err != nil {
		t.Errorf("append: %v", err)
	}
	if _, err := s.Control().CAS(ctx, "after.it", []byte("x"), 0); err != nil {
		t.Errorf("write: %v", err)
	}
	closeStore(t, s)
	s, err = Open(ctx, cfg)
	if err != nil {
		t.Fatalf("open again: %v", err)
	}
	defer closeStore(t, s)
	if v, err := s.Control().Get(ctx, "after.it"); err != nil || string(v.Data) != "x" {
		t.Errorf("what was written after it: %q, %v", v.Data, err)
	}
	holdAgainst(t, s, k, true)
}

// copyStore copies a folder. Large blocks are linked, except for those that are
// to be damaged and those of the journal that may be written to: the last that
// is left.
func copyStore(to, from string, but []string) error {
	files, err := blockFiles(streamDir(from, journalStream))
	if err != nil {
		return err
	}
	last := make([]string, 0, 1+len(but))
	for i := len(files) - 1; i >= 0 && len(last) <= len(but); i-- {
		last = append(last, files[i].path)
	}
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Size() > 6<<20 && !slices.Contains(but, name) && !slices.Contains(last, path) {
			return os.Link(path, filepath.Join(to, name))
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), b, 0o600)
	})
}

// goOn accepts what is lost: the store then opens, and has the rest.
func goOn(t *testing.T, cfg Config, k kept) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(cfg.Dir, acceptFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	s, err := Open(ctx, cfg)
	if err != nil {
		t.Fatalf("open with the loss accepted: %v", err)
	}
	if _, err := s.Journal().Append(ctx, storetest.Frame("b", 2, 1, 1)); err != nil {
		t.Errorf("append: %v", err)
	}
	for key := range k.records {
		if _, err := s.Control().Get(ctx, key); err != nil && !errors.Is(err, messages.ErrNotFound) {
			t.Errorf("get %s after the loss was accepted: %v", key, err)
		}
	}
	closeStore(t, s)
	if s, err = Open(ctx, cfg); err != nil {
		t.Fatalf("open again: %v", err)
	}
	closeStore(t, s)
}

// holdAgainst fails where something is missing or other than it was, and is not
// named. What can be had again is named once, and not again at the next start.
func holdAgainst(t *testing.T, s *Store, k kept, again bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	damage := fmt.Sprint(s.Damage())
	named := func(what string) bool { return strings.Contains(damage, what) }

	listed, err := s.Control().List(ctx, "")
	if err != nil {
		t.Errorf("list: %v", err)
	}
	inList := map[string]messages.KeptRecord{}
	for _, v := range listed {
		inList[v.Key] = v
	}
	for key, want := range k.records {
		v, err := s.Control().Get(ctx, key)
		l, ok := inList[key]
		switch {
		case err == nil && string(v.Data) == want && ok && !l.Damaged && string(l.Data) == want:
		case errors.Is(err, messages.ErrDamaged) && named("record "+key) && ok && l.Damaged:
		default:
			t.Errorf("record %s: %q, %v; listed %v as %+v; damage %s", key, v.Data, err, ok, l, damage)
		}
	}
	for _, key := range k.deleted {
		if v, err := s.Control().Get(ctx, key); err == nil {
			t.Errorf("record %s was deleted and is %q", key, v.Data)
		}
	}

	c, err := s.Journal().Read(ctx, 1)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	defer c.Close()
	for next := uint64(1); next <= uint64(len(k.frames)); {
		e, err := c.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			t.Fatalf("the log ends before frame %d; damage %s", next, damage)
		case err != nil:
			t.Fatalf("next: %v", err)
		case e.Skipped != nil && (e.Skipped.From != next || e.Skipped.Reason != store.Damaged || !strings.Contains(fmt.Sprint(s.Damage()), "frame")):
			t.Fatalf("at %d: %+v; damage %s", next, e.Skipped, damage)
		case e.Skipped != nil:
			next = e.Skipped.To + 1
		case e.Sequence != next || !proto.Equal(e.Frame, k.frames[next-1]):
			t.Fatalf("at %d: frame %s; damage %s", next, store.FrameName(e.Frame), damage)
		default:
			next++
		}
	}

	states, err := s.Items().Get(ctx, k.items)
	if err != nil {
		t.Errorf("items: %v", err)
	}
	missing := slices.ContainsFunc(states, func(s store.ItemState) bool { return s.Item == nil })
	if missing && !strings.Contains(fmt.Sprint(s.Damage()), "articles") && !again {
		t.Errorf("articles are missing; damage %s", damage)
	}

	at, r, err := s.Snapshots().Latest(ctx, "desk")
	var content []byte
	if err == nil {
		content, err = io.ReadAll(r)
	}
	if whole := err == nil && string(content) == strings.Repeat(fmt.Sprint(uint64(at)), 300_000); !whole && !errors.Is(err, messages.ErrNotFound) {
		t.Errorf("snapshot at %d: %d bytes, %v", at, len(content), err)
	}
	if (at != 3 || err != nil) && !strings.Contains(fmt.Sprint(s.Damage()), "snapshot") && !again {
		t.Errorf("the snapshot is at %d, %v; damage %s", at, err, damage)
	}
}
