package sample_test

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/source/sample"
	"github.com/birdwire/birdwire/messages"
)

var firstRule = regexp.MustCompile(`(?m)^\$ birdwire rules create .*--query '([^']+)'$`)

// TestFirstRuleOfREADME: the rule that a new user makes first matches more than
// half of the sample's posts, and whenever the user begins to listen, the first
// post that it matches is played within ten seconds.
func TestFirstRuleOfREADME(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := firstRule.FindSubmatch(text)
	if found == nil {
		t.Fatal("README.md makes no rule")
	}
	query := string(found[1])
	compiled, err := rule.Compile(&messages.Query{Want: &messages.Query_Rule{Rule: query}})
	if err != nil {
		t.Fatalf("README.md's rule %s: %v", query, err)
	}
	cfg := config(nil) // its chance is the middle, so that pauses are the average
	cfg.Files = sample.Bundled()
	s, err := sample.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var doc rule.Doc
	var mark []byte
	var wait, longest time.Duration
	posts, matched := 0, 0
	for range 2 * 512 { // two rounds: the end of one meets the beginning of the next
		drafts, next, after, err := s.Poll(t.Context(), mark)
		if err != nil {
			t.Fatal(err)
		}
		mark = next
		if p := drafts[0].GetPost(); p != nil {
			posts++
			doc.Reset(drafts[0])
			if compiled.Match(&doc) {
				matched++
				longest, wait = max(longest, wait), 0
			}
		}
		wait += after
	}
	if posts == 0 || 2*matched <= posts {
		t.Errorf("%s matches %d of the sample's %d posts, want more than half", query, matched, posts)
	}
	// Pauses are random: over the longest stretch they add up to 9 s on average
	// and hardly ever to more than 10.
	if longest > 9*time.Second {
		t.Errorf("a user who made the rule %s waits up to %v for the first post", query, longest)
	}
}
