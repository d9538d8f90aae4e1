package testkit

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// FirstFailure runs test under the seeds 1 to n until one fails, and returns that
// seed with what a test would have said; 0 and "" when none fails. It is for tools
// that look for a seed, and for tests that a simulation finds what is planted. The
// kit's TB has what reports; it has no directory, environment or subtests, and does
// not skip.
func FirstFailure(n int, test func(k *Kit)) (seed uint64, said string) {
	if n < 1 {
		panic(fmt.Sprintf("testkit: %d seeds test nothing: want one at least", n))
	}
	for seed = 1; seed <= uint64(n); seed++ {
		if said = failure(seed, test); said != "" {
			return seed, said
		}
	}
	return 0, ""
}

// failure is what a run says when it fails.
func failure(seed uint64, test func(k *Kit)) string {
	tb := &transcript{}
	onItsOwn(tb, func() { run(tb, seed, test) })
	if !tb.failed {
		return ""
	}
	return strings.Join(tb.said, "\n")
}

// onItsOwn does f on a goroutine, which ends before onItsOwn returns: FailNow ends
// the one that it is called on.
func onItsOwn(tb *transcript, f func()) {
	var crashed any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { crashed = recover() }()
		defer tb.cleanUp()
		f()
	}()
	<-done
	if crashed != nil {
		panic(crashed)
	}
}

// transcript is a test that nobody runs: it keeps what it is told.
type transcript struct {
	testing.TB // nil: what is not below must not be called

	mu     sync.Mutex // protects failed and said: workers may report too
	failed bool
	said   []string // bounded by the test's own length
	after  []func()
	// violated is told of each failure, by its format; nil: nobody is.
	violated func(by, text string)
}

func (t *transcript) say(failed bool, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = t.failed || failed
	if text != "" {
		t.said = append(t.said, strings.TrimSuffix(text, "\n"))
	}
}

func (t *transcript) Helper()      {}
func (t *transcript) Name() string { return "FirstFailure" }

func (t *transcript) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

func (t *transcript) fail(by, text string) {
	t.say(true, text)
	if t.violated != nil {
		t.violated(by, strings.TrimSuffix(text, "\n"))
	}
}

func (t *transcript) Log(args ...any)                 { t.say(false, fmt.Sprintln(args...)) }
func (t *transcript) Logf(format string, args ...any) { t.say(false, fmt.Sprintf(format, args...)) }
func (t *transcript) Fail()                           { t.fail("Fail", "Fail") }

func (t *transcript) Error(args ...any) {
	text := fmt.Sprintln(args...)
	t.fail(strings.TrimSuffix(text, "\n"), text)
}

func (t *transcript) Errorf(format string, args ...any) { t.fail(format, fmt.Sprintf(format, args...)) }

func (t *transcript) FailNow() {
	if !t.Failed() {
		t.Fail()
	}
	runtime.Goexit()
}

// SkipNow ends the run where it is.
func (t *transcript) SkipNow() { runtime.Goexit() }

// What a run outside go test has none of. A run that could be skipped would be one
// that judges nothing and says so to nobody.

func (t *transcript) ArtifactDir() string         { panic(hasNo("artifacts")) }
func (t *transcript) Attr(string, string)         { panic(hasNo("attributes")) }
func (t *transcript) Chdir(string)                { panic(hasNo("directory")) }
func (t *transcript) Setenv(string, string)       { panic(hasNo("environment")) }
func (t *transcript) Skip(args ...any)            { panic(hasNo("Skip: " + fmt.Sprint(args...))) }
func (t *transcript) Skipf(text string, a ...any) { panic(hasNo("Skip: " + fmt.Sprintf(text, a...))) }
func (t *transcript) Skipped() bool               { return false }
func (t *transcript) TempDir() string             { panic(hasNo("directory")) }

func hasNo(what string) string {
	return "testkit: a run outside go test (Play, FirstFailure, Shrink, Explore) has no " + what
}

// Context is never done: a run has no wall time.
func (t *transcript) Context() context.Context { return context.Background() }

func (t *transcript) Fatal(args ...any) {
	t.Error(args...)
	runtime.Goexit()
}

func (t *transcript) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

func (t *transcript) Cleanup(f func()) { t.after = append(t.after, f) }

func (t *transcript) cleanUp() {
	for i := len(t.after) - 1; i >= 0; i-- {
		t.after[i]()
	}
}

// Output takes log lines.
func (t *transcript) Output() io.Writer { return writes(func(p string) { t.say(false, p) }) }

type writes func(p string)

func (w writes) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}
