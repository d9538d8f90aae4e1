package nats

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

// filled writes a little of everything, some of which is deleted or written over.
func filled(t *testing.T, ctx context.Context, s *Store) (revisions map[string]uint64) {
	t.Helper()
	for n := range uint64(200) {
		if _, err := s.Journal().Append(ctx, storetest.Frame("a", 1, n+1, 3)); err != nil {
			t.Fatal(err)
		}
	}
	revisions = map[string]uint64{}
	for i := range 50 {
		key := fmt.Sprintf("keys.%d", i)
		revision, err := s.Control().CAS(ctx, key, fmt.Append(nil, "first ", i), 0)
		if err == nil && i%3 == 0 {
			revision, err = s.Control().CAS(ctx, key, fmt.Append(nil, "second ", i), revision)
		}
		if err == nil && i%5 == 0 {
			err = s.Control().Delete(ctx, key, revision)
		} else {
			revisions[key] = revision
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var items []*messages.Item
	for i := range 40 {
		items = append(items, &messages.Item{Identity: fmt.Sprint("article ", i), Revision: 1})
	}
	each, err := s.Items().CAS(ctx, items, make([]uint64, len(items)))
	if err := errors.Join(append(each, err)...); err != nil {
		t.Fatal(err)
	}
	if err := s.Snapshots().Put(ctx, "desk", 77, strings.NewReader(strings.Repeat("state", 200_000))); err != nil {
		t.Fatal(err)
	}
	return revisions
}

// backedUp is a checked backup of a node that stood alone, in a file.
func backedUp(t *testing.T, ctx context.Context) (path, epoch string, revisions map[string]uint64) {
	t.Helper()
	s := open(t, Config{Dir: memoryDir(t)})
	revisions, epoch = filled(t, ctx, s), s.Journal().Epoch()
	path = filepath.Join(memoryDir(t), "backup")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Backup(ctx, file, func(int64, int64) {}), file.Close()); err != nil {
		t.Fatal(err)
	}
	contents, err := CheckBackup(ctx, path, func(int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(contents, func(c Content) bool {
		return c.Stream == journalStream && c.Messages == 200 && c.First == 1 && c.Last == 200
	}) {
		t.Fatalf("check found %+v, want 200 frames in the journal", contents)
	}
	return path, epoch, revisions
}

func TestBackupMovesToCluster(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	path, epoch, revisions := backedUp(t, ctx)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := openTrio(t)
	restore := func(b []byte, replace bool) error {
		_, err := c.stores[1].Restore(ctx, bytes.NewReader(b), replace, func(int64) {})
		return err
	}
	if _, err := c.stores[0].Journal().Append(ctx, storetest.Frame("b", 1, 1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := restore(content, false); !errors.Is(err, messages.ErrConflict) {
		t.Fatalf("restore over frames: %v, want a refusal", err)
	}
	for what, b := range map[string][]byte{
		"cut off": content[:len(content)/2], "flipped": flipped(content), "nothing": nil,
	} {
		if err := restore(b, true); !errors.Is(err, messages.ErrInvalid) && !errors.Is(err, messages.ErrDamaged) || !strings.HasSuffix(err.Error(), "Nothing was changed") {
			t.Fatalf("a backup that is damaged (%s): %v, want a refusal", what, err)
		}
	}
	broken := io.MultiReader(bytes.NewReader(content[:len(content)-100]), iotest.ErrReader(errors.New("who sends it is gone")))
	if _, err := c.stores[1].Restore(ctx, broken, true, func(int64) {}); err == nil {
		t.Fatal("a backup that did not come to its end was restored")
	}
	for i, s := range c.stores {
		if err := s.Healthy(ctx); err != nil {
			t.Errorf("node %d after backups that were refused: %v", i, err)
		}
		if _, last, err := s.Journal().Bounds(ctx); err != nil || last != 1 {
			t.Errorf("node %d has frames up to %d after backups that were refused, %v; want 1", i, last, err)
		}
	}
	if _, err := c.stores[0].Journal().Append(ctx, storetest.Frame("b", 1, 2, 1)); err != nil {
		t.Errorf("after backups that were refused: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(c.stores[1].cfg.Dir, ".restore-*")); err != nil || left != nil {
		t.Errorf("backups that were refused left %v, %v", left, err)
	}
	closeStore(t, c.stores[2])
	until(t, ctx, "it is known that one is gone", func() bool { return c.stores[1].sess.placeable(3) != nil })
	if err := restore(content, true); !errors.Is(err, messages.ErrConflict) || !strings.Contains(err.Error(), "start what is stopped") {
		t.Fatalf("restore where copies cannot be made: %v, want a refusal", err)
	}
	c.open(t, 2)
	until(t, ctx, "all three are there", func() bool { return c.stores[1].sess.placeable(3) == nil })
	if err := restore(content, true); err != nil {
		t.Fatal(err)
	}
	for i, s := range c.stores {
		if err := s.Healthy(ctx); err == nil || !strings.Contains(err.Error(), "start this node again") {
			t.Fatalf("node %d says %v after a restore, want that it is to be started again", i, err)
		}
		if _, err := s.Control().CAS(ctx, "keys.new", nil, 0); err == nil {
			t.Fatalf("node %d writes into what was restored", i)
		}
		if found := s.Damage(); len(found) > 0 {
			t.Errorf("node %d reports %+v after a restore", i, found)
		}
		closeStore(t, s)
	}
	c.open(t, 0, 1, 2)
	for i, s := range c.stores {
		holds(t, ctx, s, i, epoch, revisions)
	}
}

func flipped(b []byte) []byte {
	b = slices.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

// holds says whether the store has what filled wrote.
func holds(t *testing.T, ctx context.Context, s *Store, node int, epoch string, revisions map[string]uint64) {
	t.Helper()
	first, last, err := s.Journal().Bounds(ctx)
	if err != nil || first != 1 || last != 200 || s.Journal().Epoch() != epoch {
		t.Fatalf("node %d: frames %d to %d of epoch %s, %v; want 1 to 200 of %s", node, first, last, s.Journal().Epoch(), err, epoch)
	}
	cursor, err := s.Journal().Read(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close()
	for n := uint64(1); n <= 200; n++ {
		e, err := cursor.Next(ctx)
		if err != nil || e.Sequence != n || store.FrameName(e.Frame) != fmt.Sprintf("a/1/%d", n) {
			t.Fatalf("node %d: at %d %+v, %v", node, n, e, err)
		}
	}
	records, err := s.Control().List(ctx, "keys.")
	if err != nil || len(records) != len(revisions) {
		t.Fatalf("node %d: %d records, %v; want %d", node, len(records), err, len(revisions))
	}
	for _, r := range records {
		if r.Revision != revisions[r.Key] {
			t.Fatalf("node %d: %s has revision %d, want %d", node, r.Key, r.Revision, revisions[r.Key])
		}
	}
	if at, r, err := s.Snapshots().Latest(ctx, "desk"); err != nil || at != 77 {
		t.Fatalf("node %d: snapshot at %d, %v", node, at, err)
	} else if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Items().Get(ctx, []string{"article 7"}); err != nil || found[0].Item == nil {
		t.Fatalf("node %d: article 7: %+v, %v", node, found, err)
	}
}

func TestFolderOfAnotherModeIsRefused(t *testing.T) {
	dir := memoryDir(t)
	closeStore(t, open(t, Config{Dir: dir}))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	member := quiet(t, Config{Dir: dir, Cluster: &Cluster{Node: "a", Name: "test", Listen: freePorts(t, 1)[0], Secret: []byte("s")}})
	if _, err := Open(ctx, member); !errors.Is(err, messages.ErrConflict) || !strings.Contains(err.Error(), "cluster backup") {
		t.Fatalf("a lone node's folder as a member's: %v, want a refusal that says how to move", err)
	}
	closeStore(t, open(t, Config{Dir: dir}))

	member.Dir = memoryDir(t)
	alone, end := context.WithTimeout(ctx, 2*time.Second)
	defer end()
	if _, err := Open(alone, member); err == nil || !strings.Contains(err.Error(), "One node alone does not serve") {
		t.Fatalf("one member alone: %v, want that it does not serve, and why", err)
	}
	if _, err := Open(ctx, quiet(t, Config{Dir: member.Dir})); !errors.Is(err, messages.ErrConflict) {
		t.Fatalf("a member's folder as a lone node's: %v, want a refusal", err)
	}
	member.Cluster.Node = "b"
	if _, err := Open(ctx, member); !errors.Is(err, messages.ErrConflict) {
		t.Fatalf("a member's folder as another's: %v, want a refusal", err)
	}
}

func TestAuditNamesTheCopy(t *testing.T) {
	t.Parallel()
	c := openTrio(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	filled(t, ctx, c.stores[0])
	audit := func() []store.Finding {
		t.Helper()
		findings, err := c.stores[2].Audit(ctx, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		return findings
	}
	if findings := audit(); len(findings) > 0 {
		t.Fatalf("findings %v of copies that are whole", findings)
	}
	for n, stream := range []string{journalStream, controlStream} {
		files, err := blockFiles(streamDir(c.stores[n].cfg.Dir, stream))
		if err != nil {
			t.Fatal(err)
		}
		edit(t, files[0].path, func(b []byte) []byte {
			b[len(b)/3] ^= 4
			return b
		})
		found := false
		for _, f := range audit() {
			if f.Node != fmt.Sprint("n", n) && f.Stream == shown(stream) {
				t.Errorf("the audit names %v, whose copy is whole", f)
			}
			found = found || f.Node == fmt.Sprint("n", n) && f.Stream == shown(stream) && f.File != ""
		}
		if !found {
			t.Errorf("the audit does not name the flipped bit in %s of node %d", stream, n)
		}
	}
}
