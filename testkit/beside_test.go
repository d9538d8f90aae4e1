package testkit_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// stray starts a child whose props are not its host's.
func stray() actor.Producer {
	return receive(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*actor.Started); ok {
			ctx.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
		}
	})
}

func TestActorsThatTheKitDoesNotRunAreNamed(t *testing.T) {
	const want = "parent$2/$3 is an actor with a mailbox of its own"
	wantFailure(t, want, func(k *testkit.Kit) {
		p := k.Probe()
		k.Spawn("parent", stray())
		testkit.Expect[string](p)
	})
	tb := &failing{TB: t}
	testkit.CheckDeterminism(tb, func(k *testkit.Kit) {
		k.Probe()
		k.Spawn("parent", stray())
		k.Settle()
	})
	if said := strings.Join(tb.failures, "\n"); !strings.Contains(said, want) {
		t.Errorf("CheckDeterminism said %q, want %q", said, want)
	}
}

func TestWallTimersAreFoundByCheckDeterminism(t *testing.T) {
	tb := &failing{TB: t}
	testkit.CheckDeterminism(tb, func(k *testkit.Kit) {
		k.Spawn("sleeper", receive(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Started); ok {
				ctx.SetReceiveTimeout(time.Hour)
			}
		}))
		k.Settle()
	})
	if said := strings.Join(tb.failures, "\n"); !strings.Contains(said, "sleeper has set a receive timeout") {
		t.Errorf("CheckDeterminism said %q", said)
	}
}

func TestTimersWithoutEndAreFound(t *testing.T) {
	wantFailure(t, "time does not get on: 1000000 timers have fired at one instant, the last was string to again$1", func(k *testkit.Kit) {
		k.Tell(k.Spawn("again", receive(func(ctx actor.Context) {
			if m, ok := ctx.Message().(string); ok {
				k.Clock.After(0, ctx.Self(), m)
			}
		})), "go")
		k.Advance(time.Second)
	})
}

func TestTimeDoesNotGoBack(t *testing.T) {
	wantFailure(t, "Advance(-1s)", func(k *testkit.Kit) { k.Advance(-time.Second) })
}

func TestPanicsAreToldTheSameEachTime(t *testing.T) {
	died := func(k *testkit.Kit) {
		starts := 0
		k.Tell(k.Spawn("mortal", mortal(&starts)), "of this")
	}
	first, second := failures(t, died), failures(t, died)
	if first != second || !strings.Contains(first, "nothing panics: mortal on string: of this\n") || !strings.Contains(first, "supervise_test.go:") ||
		strings.Contains(first, "goroutine") || strings.Contains(first, "0x") || strings.Contains(first, "mailbox") {
		t.Errorf("said\n%s\nand\n%s", first, second)
	}
}

func TestAnInvariantIsToldOnceInATest(t *testing.T) {
	said := failures(t, func(k *testkit.Kit) {
		for i := range 3 {
			k.Violated("balance", "is %d", i)
		}
		k.Violated("another", "too")
	})
	if strings.Count(said, "balance") != 1 || !strings.Contains(said, "balance: is 0") || !strings.Contains(said, "another: too") {
		t.Errorf("said %q", said)
	}
}

func TestWhatIsAskedInVainIsRefused(t *testing.T) {
	nothing := func(*testkit.Kit) {}
	if o := testkit.Play(testkit.Plan{Strategy: "none"}, nothing); !strings.Contains(o.Refused, `strategy "none": want one of random, priority`) {
		t.Errorf("an unknown strategy: %q", o.Refused)
	}
	if _, err := (testkit.Page{}).WriteTo(&strings.Builder{}); err == nil {
		t.Error("a page of nothing is written")
	}
	for want, f := range map[string]func(){
		"0 seeds test nothing":  func() { testkit.FirstFailure(0, nothing) },
		"-3 seeds test nothing": func() { testkit.FirstFailure(-3, nothing) },
	} {
		if got := panicOf(f); !strings.Contains(got, want) {
			t.Errorf("panicked with %q, want %q", got, want)
		}
	}
	for want, test := range map[string]func(k *testkit.Kit){
		"a chance of 1 in nothing":  func(k *testkit.Kit) { k.Chance(testkit.Faults).Once("x", 0) },
		`option "n" is from 5 to 1`: func(k *testkit.Kit) { k.Option("n", 5, 1) },
		"has no directory":          func(k *testkit.Kit) { k.TB.TempDir() },
		"has no Skip: not today":    func(k *testkit.Kit) { k.TB.Skip("not today") },
	} {
		if o := testkit.Play(testkit.Plan{}, test); !o.Failed() || o.Violations[0].Invariant != "nothing panics" || !strings.Contains(o.Said, want) {
			t.Errorf("said %q, want %q", o.Said, want)
		}
	}
	testkit.Play(testkit.Plan{}, func(k *testkit.Kit) {
		if d := k.Chance(testkit.Faults).Below("x", -time.Second); d != 0 {
			t.Errorf("below -1s is %v", d)
		}
	})
}

func panicOf(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text, _ = r.(string)
		}
	}()
	f()
	return ""
}

// The child plays: RunSeeds cannot be failed from within a test that is to pass.
func TestRunSeedsFails(t *testing.T) {
	switch os.Getenv("TESTKIT_TEST") {
	case "none":
		testkit.RunSeeds(t, -1, func(*testing.T, *testkit.Kit) {})
		return
	case "one":
		testkit.RunSeeds(t, 1, func(_ *testing.T, k *testkit.Kit) { k.Violated("balance", "is 0") })
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "new", "folder")
	for what, want := range map[string]string{"none": "-1 seeds test nothing", "one": filepath.Join(folder, "TestRunSeedsFails-1.log")} {
		cmd := exec.Command(self, "-test.run=^TestRunSeedsFails$")
		cmd.Env = append(os.Environ(), "TESTKIT_TEST="+what, "TESTKIT_LOGS="+folder)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, said %q, want %q", what, err, out, want)
		}
	}
	log, page := filepath.Join(folder, "TestRunSeedsFails-1.log"), filepath.Join(folder, "1.html")
	if _, err := testkit.LoadLog(log); err != nil {
		t.Error(err)
	}
	cmd := exec.Command(self, "-test.run=^TestRunSeedsFails$")
	cmd.Env = append(os.Environ(), "TESTKIT_TEST=one", "TESTKIT_LOG="+log, "TESTKIT_PAGE="+page)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "the page is "+page) {
		t.Errorf("followed with a page: %v, said %q", err, out)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "<title>TestRunSeedsFails, seed 1</title>") || !strings.Contains(string(text), `"balance"`) {
		t.Errorf("the page: %v", err)
	}
}

func TestALogIsWrittenWholeOrNotAtAll(t *testing.T) {
	o := testkit.Play(testkit.Plan{Log: true}, func(*testkit.Kit) {})
	folder := t.TempDir()
	name := filepath.Join(folder, "a.log")
	if err := o.Log.Save(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(name+".part", 0o755); err != nil { // what is written to first
		t.Fatal(err)
	}
	if err := o.Log.Save(name); err == nil {
		t.Error("a log was written over a folder")
	}
	if _, err := testkit.LoadLog(name); err != nil {
		t.Errorf("what was there before: %v", err)
	}
	if err := o.Log.Save(filepath.Join(folder, "none", "b.log")); err == nil || strings.Count(err.Error(), "\n") != 0 {
		t.Errorf("into a folder that is not there: %v", err)
	}
}

// What the test does in its own name may panic too, deep in a run: it has a log then,
// which is shrunk as any other.
func TestAPanicOfTheTestIsAViolation(t *testing.T) {
	test := func(k *testkit.Kit) {
		p := k.Probe()
		for i := range 1 + k.Chance(testkit.Workload).Choose("messages", 50) {
			p.Send(p.PID(), i)
		}
		k.Later(time.Second, func() {
			t.Log([]any{}[len(p.Messages())])
		})
		k.Advance(time.Minute)
	}
	o := testkit.Play(testkit.Plan{Seed: 3, Log: true}, test)
	if !o.Failed() || !strings.Contains(o.Said, "index out of range") || !strings.Contains(o.Said, "beside_test.go:") {
		t.Fatalf("said %q", o.Said)
	}
	s, err := testkit.Shrink(o.Log, time.Minute, test)
	if err != nil || s.Log.Deviations(testkit.Workload) != 0 {
		t.Errorf("%v: %v", err, s)
	}
}

func TestExhaustFailsForAnOptionThatThereIsNot(t *testing.T) {
	for name, scope := range map[string]testkit.Scope{
		"vary":    {Vary: []string{"nodez"}},
		"options": {Options: map[string]int{"nodez": 3}},
	} {
		tb := &failing{TB: t}
		testkit.Exhaust(tb, scope, func(k *testkit.Kit) { k.Option("nodes", 1, 3) })
		if said := strings.Join(tb.failures, "\n"); !strings.Contains(said, "the runs have no option nodez, they have [nodes=1]") {
			t.Errorf("%s: said %q", name, said)
		}
	}
}
