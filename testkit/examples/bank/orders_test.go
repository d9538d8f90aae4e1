package bank

import (
	"testing"
	"time"

	"github.com/birdwire/birdwire/testkit"
)

// One transfer is a few messages: so few that every order of them can be tried, with
// every way to lose or double one, and with a crash wherever there may be one. Seeds
// find most bugs sooner; that there is none left in a scope only this can say.

// oneTransfer has what is on its way arrive in any order, for a second and a half: long
// enough for each question to be asked again.
func oneTransfer(k *testkit.Kit, cfg Config) {
	var w *world
	k.Plainly(func() { w = newWorld(k, cfg) })
	w.lanes = true
	w.ToCoordinator(&Transfer{ID: "t0", From: "account 0", To: "account 1", Amount: 10})
	k.Advance(1500 * time.Millisecond)
	w.judgeStep()
	w.calm = true
	k.Plainly(func() { k.Advance(time.Minute) })
	w.judgeStep()
	w.judgeEnd()
}

func scope(messages, crashes int) testkit.Scope {
	return testkit.Scope{
		Scenario: "one transfer", Most: map[testkit.Stream]int{testkit.Network: messages, testkit.Faults: crashes},
		For: time.Minute,
	}
}

// TestAnAnswerToAnotherQuestion plants a bug that takes three things in one order: the
// answer to Withdraw is doubled, its copy arrives when Deposit was asked and before
// that is answered, and Deposit is lost.
func TestAnAnswerToAnotherQuestion(t *testing.T) {
	e := testkit.Explore(scope(2, 0), func(k *testkit.Kit) { oneTransfer(k, Config{takeAnyAnswer: true}) })
	if e.Failure == nil || e.Failure.Violations[0].Invariant != "no money is lost" {
		t.Fatalf("%v", e)
	}
	t.Log(e)
	mended := testkit.Explore(scope(2, 0), func(k *testkit.Kit) { oneTransfer(k, Config{}) })
	if mended.Ended != "" {
		t.Errorf("mended: %v", mended)
	}
	t.Log(mended)
}

// With a crash there are more; a bug that needs one is found, and nothing else.
func TestOneTransferAndACrash(t *testing.T) {
	e := testkit.Explore(scope(0, 1), func(k *testkit.Kit) { oneTransfer(k, Config{acceptUnwritten: true}) })
	if e.Failure == nil || e.Failure.Violations[0].Invariant != "what is accepted ends" {
		t.Fatalf("%v", e)
	}
	t.Log(e)
	t.Log(testkit.Exhaust(t, scope(0, 1), func(k *testkit.Kit) { oneTransfer(k, Config{}) }))
}
