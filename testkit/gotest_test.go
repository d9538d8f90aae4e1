package testkit_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/testkit"
)

// TestThatFails does so for TestAFailureOfGoTestIsKept.
func TestThatFails(t *testing.T) {
	how := os.Getenv("TESTKIT_FAILS")
	if how == "" {
		t.Skip("it is another test's")
	}
	testkit.RunSeeds(t, 3, func(t *testing.T, k *testkit.Kit) {
		if how == "otherwise" {
			k.Chance(testkit.Faults).Once("rain", 2)
		}
		gossips(0)(k)
		if k.Option("luck", 0, 1000) > 0 {
			t.Error("no luck")
		}
	})
}

// What fails in go test leaves a log, which is followed there, and says where it
// does not fit.
func TestAFailureOfGoTestIsKept(t *testing.T) {
	folder := t.TempDir()
	play := func(env ...string) string {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestThatFails$", "-test.v")
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("with %v it passes", env)
		}
		return string(out)
	}
	first := play("TESTKIT_FAILS=so", "TESTKIT_LOGS="+folder)
	name := filepath.Join(folder, "TestThatFails-2.log")
	if !strings.Contains(first, "TESTKIT_LOG="+name+" go test -run '^TestThatFails$'") {
		t.Errorf("it does not say how to play it again:\n%s", first)
	}
	again := play("TESTKIT_FAILS=so", "TESTKIT_LOG="+name)
	if strings.Contains(again, "does not fit") || !strings.Contains(again, "no luck") || !strings.Contains(again, "seed=2") || strings.Contains(again, "seed=1") {
		t.Errorf("followed:\n%s", again)
	}
	if other := play("TESTKIT_FAILS=otherwise", "TESTKIT_LOG="+name); !strings.Contains(other, "at step 1, 0s: expected choice") {
		t.Errorf("of other code:\n%s", other)
	}
}
