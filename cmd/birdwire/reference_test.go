package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestTheReferenceIsUpToDate: SETTINGS.md is what the program prints, and every
// setting is said to take something.
func TestTheReferenceIsUpToDate(t *testing.T) {
	var said bytes.Buffer
	if code := run(t.Context(), []string{"settings"}, world{stdout: &said, stderr: os.Stderr}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	kept, err := os.ReadFile("SETTINGS.md")
	if err != nil {
		t.Fatal(err)
	}
	if said.String() != string(kept) {
		t.Error("cmd/birdwire/SETTINGS.md is out of date: go run ./cmd/birdwire settings > cmd/birdwire/SETTINGS.md")
	}
	for _, d := range describedSettings() {
		if d.Takes == "" || d.Usage == "" || !strings.Contains(said.String(), "`"+d.Key+"`") {
			t.Errorf("%+v", d)
		}
	}
}
