package trial_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/actors/router/trial"
	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
)

// past is a log of one post every ten minutes for so many hours up to now, of
// which every fifth is about the moon; next to each is an article.
func past(t *testing.T, now time.Time, hours int) (replay.Log, *memory.Disk) {
	t.Helper()
	s := memory.New(memory.Config{})
	for i := range 6 * hours {
		at := now.Add(time.Duration(i+1-6*hours) * 10 * time.Minute).UnixMilli()
		text := fmt.Sprintf("report %d", i)
		if i%5 == 0 {
			text += " from the moon"
		}
		frame := &messages.Frame{Node: "n", Incarnation: 1, Number: uint64(i + 1), Events: []*messages.Event{
			{Id: fmt.Sprint("p", i), DetectedMs: at, Body: &messages.Event_Post{Post: &messages.Post{
				Id: fmt.Sprint(i), Text: text, Author: &messages.Author{Id: "7", Username: "ada"},
			}}},
			{Id: fmt.Sprint("a", i), DetectedMs: at, Body: &messages.Event_Article{Article: &messages.ArticleChange{
				Article: &messages.Article{Title: "report from the moon"},
			}}},
		}}
		if _, err := s.Journal().Append(context.Background(), frame); err != nil {
			t.Fatal(err)
		}
	}
	return assembly.Log{Journal: s.Journal()}, s.Disk()
}

func parse(t *testing.T, query string) *trial.Query {
	t.Helper()
	q, err := trial.Parse(query, rule.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func quietly(messages.Backtested) error { return nil }

func TestBacktestOverTheLog(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	log, disk := past(t, now, 10)
	backtest := func(since time.Duration) messages.Backtested {
		t.Helper()
		b, err := parse(t, "moon -is:retweet").Since(t.Context(), log, now.Add(-since), now, quietly)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := now.Add(-(10*time.Hour - 10*time.Minute)) // of the log
	for _, c := range []struct {
		since          time.Duration
		posts, matched int64
		begins         time.Time
	}{
		{5 * time.Hour, 31, 6, now.Add(-5 * time.Hour)},
		{24 * time.Hour, 60, 12, first}, // longer than there is
		{time.Second, 1, 0, now.Add(-time.Second)},
	} {
		b := backtest(c.since)
		if b.Posts != c.posts || b.Matched != c.matched || !b.Begins.Equal(c.begins) || b.Done != 1 {
			t.Errorf("%v: %+v, want %d of %d from %v", c.since, b, c.matched, c.posts, c.begins)
		}
	}
	if b := backtest(24 * time.Hour); len(b.Samples) != 10 || b.Samples[0].GetPost().GetId() != "55" {
		t.Errorf("samples %v, want ten, the newest first", b.Samples)
	}
	disk.Trim(31) // half of it goes
	if b := backtest(24 * time.Hour); b.Posts != 30 || b.Begins.Before(first.Add(4*time.Hour)) {
		t.Errorf("after retention: %+v", b)
	}
	disk.Trim(61)
	if b := backtest(time.Hour); b.Posts != 0 || !b.Begins.Equal(b.Ends) {
		t.Errorf("an empty log: %+v", b)
	}
}

func TestBacktestSaysHowFarItIs(t *testing.T) {
	now := time.Now()
	log, _ := past(t, now, 10)
	var done []float64
	if _, err := parse(t, "moon").Since(t.Context(), log, now.Add(-5*time.Hour), now, func(b messages.Backtested) error {
		done = append(done, b.Done)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(done) || len(done) < 30 || done[0] > 0.1 || done[len(done)-1] != 1 {
		t.Errorf("progress %v, want from about 0 to 1", done)
	}
}

func TestABadQueryIsNotTried(t *testing.T) {
	_, err := trial.Parse("moon (", rule.Limits{})
	var bad *messages.SyntaxError
	if !errors.As(err, &bad) || bad.Position != 6 || bad.Expected == "" {
		t.Errorf("%v", err)
	}
}

func TestValidateExplainsTheNewest(t *testing.T) {
	log, disk := past(t, time.Now(), 5)
	newest := func(query string) (*messages.Validation, error) { return parse(t, query).Newest(t.Context(), log) }
	for _, c := range []struct {
		query, explained, clause string
		posts, matched           int64
		warning                  string
	}{
		{"moon", "25", "in the text: …from the moon", 30, 6, ""},
		{"mars", "29", "not found: mars", 30, 0, ""},
		{"report", "29", "in the text: report 29", 30, 30, "the rule matches 100 % of the newest 30 posts"},
		{"report AND", "29", "", 30, 0, "position 7: "},
		{"report sample:1", "15", "", 30, 1, ""},
	} {
		v, err := newest(c.query)
		if err != nil {
			t.Fatalf("%s: %+v, %v", c.query, v, err)
		}
		if v.Posts != c.posts || v.Matched != c.matched || v.Explained.GetPost().GetId() != c.explained || v.Explanation.Matched != (c.matched > 0) {
			t.Errorf("%s: %d of %d, explained by %s: %+v", c.query, v.Matched, v.Posts, v.Explained.GetPost().GetId(), v.Explanation)
		}
		if c.clause != "" && v.Explanation.Reason != c.clause {
			t.Errorf("%s: %q", c.query, v.Explanation.Reason)
		}
		if (c.warning == "") != (len(v.Warnings) == 0) || c.warning != "" && !strings.HasPrefix(v.Warnings[0], c.warning) {
			t.Errorf("%s: warnings %q", c.query, v.Warnings)
		}
	}
	disk.Trim(20) // eleven are too few for a share
	if v, err := newest("report"); err != nil || v.Matched != 11 || len(v.Warnings) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	disk.Trim(31)
	if v, err := newest("report"); err != nil || v.Explained != nil || v.Explanation != nil {
		t.Errorf("an empty log: %+v, %v", v, err)
	}
}
