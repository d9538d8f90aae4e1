package nats

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/messages"
)

// A start without space for a record says how much there is and how much it
// needs, and writes nothing.
func TestAStartSaysWhatSpaceIsMissing(t *testing.T) {
	dir := t.TempDir()
	full := func(string) (uint64, uint64, error) { return 5, 200 << 30, nil }
	s, err := Open(context.Background(), Config{Dir: dir, FreeSpace: full})
	if err == nil {
		_ = s.Close()
	}
	if !errors.Is(err, messages.ErrFull) {
		t.Fatalf("open: %v", err)
	}
	for _, word := range []string{dir, "5 bytes free", "needs 16 MiB", "free some space"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("open: %v; want %q", err, word)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 || files[0].Name() != lockName {
		t.Errorf("it left %v, %v", files, err)
	}
}

// A folder in the place of any file of the store is survived, or refused at the
// start with its path and what to do.
func TestAFolderInAFilesPlace(t *testing.T) {
	ctx := context.Background()
	from := memoryDir(t)
	s, err := Open(ctx, Config{Dir: from})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Control().CAS(ctx, "keys.1", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var files []string
	if err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != lockName {
			files = append(files, strings.TrimPrefix(path, from))
		}
		return err
	}); err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	refused := 0
	for _, file := range files {
		dir := memoryDir(t)
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Remove(dir+file), os.Mkdir(dir+file, 0o700)); err != nil {
			t.Fatal(err)
		}
		s, err := Open(ctx, Config{Dir: dir})
		if err == nil {
			if err := s.Close(); err != nil {
				t.Logf("%s: close: %v", file, err)
			}
			continue
		}
		refused++
		if !errors.Is(err, messages.ErrDamaged) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: %v; want what is wrong and what to do", file, err)
		}
	}
	t.Logf("%d of %d refused", refused, len(files))
	if refused == 0 {
		t.Error("none was refused")
	}
}
