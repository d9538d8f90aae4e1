package testkit_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/testkit"
)

// The first seed that fails is the one that fails as a test, with what it says;
// later ones do not run, and what was to be cleaned up is.
func TestFirstFailure(t *testing.T) {
	runs, cleaned := 0, 0
	flaky := func(k *testkit.Kit) {
		runs++
		k.TB.Cleanup(func() { cleaned++ })
		k.Tell(k.Spawn("echo", echo()), "before")
		k.Settle()
		if k.Rand.Uint64N(4) == 0 {
			k.TB.Fatal("drew", 0)
		}
	}
	seed, said := testkit.FirstFailure(100, flaky)
	if seed == 0 || !strings.HasPrefix(said, "drew 0\n") || !strings.Contains(said, `echo$1  "before"`) {
		t.Fatalf("seed %d said %q", seed, said)
	}
	if runs != int(seed) || cleaned != runs {
		t.Errorf("%d runs and %d clean-ups for seed %d", runs, cleaned, seed)
	}
	if again, same := testkit.FirstFailure(100, flaky); again != seed || same != said {
		t.Errorf("then seed %d said %q", again, same)
	}
	if seed, said := testkit.FirstFailure(20, func(*testkit.Kit) {}); seed != 0 || said != "" {
		t.Errorf("seed %d said %q of a test that passes", seed, said)
	}
}

// A panic of the test itself is the caller's; one of an actor is a failure.
func TestFirstFailureOfAPanic(t *testing.T) {
	if _, said := testkit.FirstFailure(1, func(k *testkit.Kit) { k.Tell(k.Spawn("boom", boom()), "now") }); !strings.Contains(said, "nothing panics: boom") {
		t.Errorf("said %q", said)
	}
	defer func() {
		if reason := recover(); fmt.Sprint(reason) != "of the test" {
			t.Errorf("panicked with %v", reason)
		}
	}()
	testkit.FirstFailure(1, func(*testkit.Kit) { panic("of the test") })
}
