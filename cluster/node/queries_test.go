package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/gateway/rest"
	"github.com/birdwire/birdwire/messages"
)

// past is a log of one post every ten minutes for so many hours up to now, of
// which every fifth is about the moon; next to each is an article.
func past(t *testing.T, now time.Time, hours int) (*queries, *memory.Disk) {
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
	return newQueries(assembly.Log{Journal: s.Journal()}, rule.Limits{}, 1), s.Disk()
}

func quietly(rest.Backtested) error { return nil }

func TestBacktestOverTheLog(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	q, disk := past(t, now, 10)
	backtest := func(since time.Duration) rest.Backtested {
		t.Helper()
		b, err := q.Backtest(context.Background(), "k", "moon -is:retweet", now.Add(-since), quietly)
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
		if b.Posts != c.posts || b.Matched != c.matched || !b.Begins.Equal(c.begins) || b.Done != 1 || b.CreditsPerDelivery != 1 {
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
	q, _ := past(t, now, 10)
	var done []float64
	if _, err := q.Backtest(context.Background(), "k", "moon", now.Add(-5*time.Hour), func(b rest.Backtested) error {
		done = append(done, b.Done)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(done) || len(done) < 30 || done[0] > 0.1 || done[len(done)-1] != 1 {
		t.Errorf("progress %v, want from about 0 to 1", done)
	}
}

func TestABadQueryIsNotBacktested(t *testing.T) {
	q, _ := past(t, time.Now(), 1)
	_, err := q.Backtest(context.Background(), "k", "moon (", time.Now(), func(rest.Backtested) error {
		t.Error("it told progress")
		return nil
	})
	var bad *rest.QueryError
	if !errors.As(err, &bad) || bad.Position != 6 || bad.Expected == "" {
		t.Errorf("%v", err)
	}
}

// A backtest whose client takes no word of it, or whose log is long, keeps
// nobody else waiting.
func TestBacktestsTakeTurns(t *testing.T) {
	now := time.Now()
	q, _ := past(t, now, 2)
	begun, leave := make(chan struct{}), make(chan struct{})
	ended := make(chan error, backtests.Places)
	stuck := func(key string) {
		go func() { // ends with the backtest
			first := true
			_, err := q.Backtest(context.Background(), key, "moon", now.Add(-time.Hour), func(rest.Backtested) error {
				if first {
					first = false
					begun <- struct{}{}
					<-leave
				}
				return nil
			})
			ended <- err
		}()
	}
	for i := range backtests.Places - 1 { // more than may read at a time
		stuck(fmt.Sprint("slow ", i))
		<-begun
	}
	for i := range 5 {
		if _, err := q.Backtest(context.Background(), fmt.Sprint("quick ", i), "moon", now.Add(-time.Hour), quietly); err != nil {
			t.Fatalf("while %d run whose clients do not read: %v", backtests.Places-1, err)
		}
	}
	// The last place: whoever comes then waits, one a key.
	stuck("last")
	<-begun
	waiting, cancel := context.WithCancel(context.Background())
	waited := make(chan error, 2)
	for range 2 {
		go func() { // ends with cancel
			_, err := q.Backtest(waiting, "k", "moon", now.Add(-time.Hour), quietly)
			waited <- err
		}()
	}
	if err := <-waited; !errors.Is(err, rest.ErrBusy) {
		t.Errorf("a second one of a key that waits: %v, want busy", err)
	}
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("one that waited and was given up: %v", err)
	}
	close(leave)
	for range backtests.Places {
		if err := <-ended; err != nil {
			t.Errorf("one that went on: %v", err)
		}
	}
}

// The server's end ends them, under way or waiting.
func TestBacktestsEndWithTheServer(t *testing.T) {
	now := time.Now()
	q, _ := past(t, now, 2)
	begun, leave := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 2)
	for _, first := range []bool{true, false} { // of one key: the second waits
		go func() { // ends with the backtest
			_, err := q.Backtest(context.Background(), "k", "moon", now.Add(-time.Hour), func(rest.Backtested) error {
				if first {
					begun <- struct{}{}
					<-leave
				}
				return nil
			})
			ended <- err
		}()
		if first {
			<-begun
		}
	}
	q.stop()
	close(leave)
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("when the server ended: %v", err)
		}
	}
	q, _ = past(t, now, 2)
	for range 2 * backtests.Places { // places are given back
		if _, err := q.Backtest(context.Background(), "k", "moon", now, quietly); err != nil {
			t.Fatal(err)
		}
	}
}

func TestValidateExplainsTheNewest(t *testing.T) {
	q, disk := past(t, time.Now(), 5)
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
		v, err := q.Validate(context.Background(), "k", c.query)
		if err != nil || !v.Valid {
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
	if v, err := q.Validate(context.Background(), "k", "report"); err != nil || v.Matched != 11 || len(v.Warnings) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	disk.Trim(31)
	if v, err := q.Validate(context.Background(), "k", "report"); err != nil || !v.Valid || v.Explained != nil || v.Explanation != nil {
		t.Errorf("an empty log: %+v, %v", v, err)
	}
	var leaving []func() // the key's own place and its line are taken by others of it
	for range validations.PlacesEach {
		leave, err := q.gate.Enter(context.Background(), "k")
		if err != nil {
			t.Fatal(err)
		}
		leaving = append(leaving, leave)
	}
	waiting, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	for range validations.WaitingEach + 1 {
		go func() {
			_, err := q.Validate(waiting, "k", "report")
			ended <- err
		}()
	}
	if err := <-ended; !errors.Is(err, rest.ErrBusy) {
		t.Errorf("one too many of a key: %v, want busy", err)
	}
	if v, err := q.Validate(context.Background(), "another", "report"); err != nil || !v.Valid {
		t.Errorf("another key at the same time: %+v, %v", v, err)
	}
	cancel()
	for range validations.WaitingEach {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("one that waited and was given up: %v", err)
		}
	}
	for _, leave := range leaving {
		leave()
	}
	if v, err := q.Validate(context.Background(), "k", "report ("); err != nil || v.Valid || v.Position != 8 {
		t.Errorf("no query: %+v, %v", v, err)
	}
}

func TestAReasonIsNoLongerThanALine(t *testing.T) {
	e := explanation(&rule.Explanation{Clause: "a", Reason: strings.Repeat("é", 1000)})
	if n := len([]rune(e.Reason)); n != reasonMost {
		t.Errorf("%d characters", n)
	}
}
