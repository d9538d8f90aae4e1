package admin

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestTokenIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	made, err := Token(dir, "", rand.Reader)
	if err != nil || len(made) < 43 {
		t.Fatalf("%q, %v", made, err)
	}
	file := filepath.Join(dir, TokenFile)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if again, err := Token(dir, "", iotest.ErrReader(errors.New("not asked"))); err != nil || again != made {
		t.Fatalf("%q, %v", again, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Fatalf("not taken away: %v, %v", entries, err)
	}
	if given, err := Token(dir, "0123456789abcdef", rand.Reader); err != nil || given != "0123456789abcdef" {
		t.Fatalf("%q, %v", given, err)
	}
	other, err := Token(t.TempDir(), "", rand.Reader)
	if err != nil || other == made {
		t.Fatalf("two folders have the same token: %v", err)
	}
}

func TestTokenErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, TokenFile), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Token(dir, "", rand.Reader)
	if err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("empty file: %v", err)
	}
	if _, err := Token(dir, "short", rand.Reader); err == nil {
		t.Error("a short token was taken")
	}
	if _, err := Token(filepath.Join(dir, "no", "such"), "", rand.Reader); err == nil {
		t.Error("a folder that is not there was taken")
	}
	broken := errors.New("no entropy")
	if _, err := Token(t.TempDir(), "", iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("broken randomness: %v", err)
	}
}
