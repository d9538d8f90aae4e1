package node

import (
	"context"
	"errors"
	"fmt"
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

func quietly(messages.Backtested) error { return nil }

func TestABadQueryIsNotTried(t *testing.T) {
	q, _ := past(t, time.Now(), 1)
	_, err := q.Backtest(context.Background(), "k", "moon (", time.Now(), func(messages.Backtested) error {
		t.Error("it told progress")
		return nil
	})
	var bad *messages.SyntaxError
	if !errors.As(err, &bad) || bad.Position != 6 {
		t.Errorf("%v", err)
	}
	if v, err := q.Validate(context.Background(), "k", "report ("); err != nil || !errors.As(v.Invalid, &bad) || bad.Position != 8 {
		t.Errorf("no query: %+v, %v", v, err)
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
			_, err := q.Backtest(context.Background(), key, "moon", now.Add(-time.Hour), func(messages.Backtested) error {
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
			_, err := q.Backtest(context.Background(), "k", "moon", now.Add(-time.Hour), func(messages.Backtested) error {
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

func TestValidationsTakeTurns(t *testing.T) {
	q, _ := past(t, time.Now(), 2)
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
	if v, err := q.Validate(context.Background(), "another", "report"); err != nil || v.Matched != 12 {
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
}
