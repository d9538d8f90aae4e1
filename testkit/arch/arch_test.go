package arch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/birdwire/birdwire/testkit/arch"
)

func TestTheCodeIsAsDrawn(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatalf("find the module: %v", err)
	}
	breaches, err := arch.Check(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range breaches {
		t.Error(b)
	}
}

// TestEveryCheckCanFail plays testdata/*.txtar: small modules with deliberate
// breaches. The archive's comment lists them, one a line, as file:line: what;
// a comment without any is a module that must pass.
func TestEveryCheckCanFail(t *testing.T) {
	t.Setenv("GOFLAGS", "-mod=mod")
	t.Setenv("GOWORK", "off")
	archives, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range archives {
		if filepath.Base(name) == "house.txtar" {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			root := t.TempDir()
			unpack(t, filepath.Join("testdata", "house.txtar"), root)
			want := unpack(t, name, root)
			breaches, err := arch.Check(root)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, b := range breaches {
				if b.Rule == "" || b.Why == "" {
					t.Errorf("%s: no rule or no reason", b)
				}
				first, _, _ := strings.Cut(b.String(), "\n")
				got.WriteString(first + "\n")
			}
			if got.String() != want {
				t.Errorf("found:\n%s\nwant:\n%s", got.String(), want)
			}
		})
	}
}

// unpack writes the archive's files under root and
// returns the comment's lines but those that begin with "#"; "# without X" takes X away.
func unpack(t *testing.T, name, root string) string {
	t.Helper()
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		path := filepath.Join(root, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var want strings.Builder
	for line := range strings.Lines(string(archive.Comment)) {
		if gone, ok := strings.CutPrefix(line, "# without "); ok {
			if err := os.RemoveAll(filepath.Join(root, strings.TrimSpace(gone))); err != nil {
				t.Fatal(err)
			}
		}
		if line != "\n" && line[0] != '#' {
			want.WriteString(line)
		}
	}
	return want.String()
}
