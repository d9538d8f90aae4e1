package credit_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/connection/credit"
)

func spend(b *credit.Balance, n int) (spent int) {
	for ; spent < n && b.Spend(1); spent++ {
	}
	return spent
}

func TestBalance(t *testing.T) {
	var b credit.Balance
	second := time.Second
	if spend(&b, 3) != 0 || b.Left() != 0 {
		t.Error("spends what it does not have")
	}
	s, ask := b.Ask(100*second, 3)
	if !ask || s != (credit.Statement{Want: 16, Question: 1}) {
		t.Errorf("asks %+v, %v", s, ask)
	}
	if _, ask := b.Ask(100*second, 3); ask {
		t.Error("asks twice")
	}
	if again, open := b.Again(40); !open || again.Want != 40 || again.Question != 1 {
		t.Errorf("asks again %+v, %v", again, open)
	}
	b.Granted(7, 10, 1)
	if _, open := b.Again(40); open {
		t.Error("asks again for what was answered")
	}
	if spend(&b, 3) != 3 || spend(&b, 20) != 7 {
		t.Error("does not spend what it has")
	}
	// Soon again: for twice as many, and with what was used.
	if s, ask := b.Ask(100*second+500*time.Millisecond, 500); !ask || s != (credit.Statement{Account: 7, Used: 10, Want: 500, Question: 2}) {
		t.Errorf("asks %+v, %v", s, ask)
	}
	b.Granted(7, 510, 2)
	b.Granted(7, 10, 1) // late
	if b.Left() != 500 {
		t.Errorf("left %d", b.Left())
	}
	if spend(&b, 300) != 300 {
		t.Error("does not spend what it has")
	}
	// Ten seconds of what was spent since it asked last.
	if s, ask := b.Ask(103*second+500*time.Millisecond, 300); !ask || s.Want != 1000 || s.Used != 310 {
		t.Errorf("asks %+v, %v", s, ask)
	}
	if !b.Exhausted(7, 510, 3) || b.Exhausted(7, 510, 3) {
		t.Error("an answer answers once")
	}
	if s := b.Close(); s.Used != 310 || s.Returned != 200 {
		t.Errorf("closes with %+v", s)
	}
}

func TestWhatAnInstanceBeforeGranted(t *testing.T) {
	var b credit.Balance
	b.Ask(time.Second, 1)
	b.Granted(7, 10, 1)
	spend(&b, 4)
	if s, ok := b.Recalled(8, 0); !ok || s.Account != 8 || s.Used != 0 || s.Returned != 0 || b.Left() != 0 {
		t.Errorf("recalled by a new instance: %+v, %v", s, ok)
	}
	b.Granted(7, 100, 0)
	if _, ok := b.Recalled(7, 0); ok || b.Left() != 0 {
		t.Errorf("an instance before is heard: left %d", b.Left())
	}
}

// The key's view of one connection, which only ever hears statements and only
// ever says sums: whatever is lost, late or comes twice, what was spent was
// granted, and at the end every credit is used or given back.
func TestNothingIsSpentThatWasNotGranted(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var b credit.Balance
		var answers [][2]int64 // granted, question
		granted, spent := int64(0), int64(0)
		now := time.Duration(0)
		deliver := func(answer [2]int64) { b.Granted(1, answer[0], uint64(answer[1])) }
		for range 300 {
			now += time.Duration(r.IntN(3000)) * time.Millisecond
			switch r.IntN(5) {
			case 0, 1:
				spent += int64(spend(&b, r.IntN(50)))
			case 2:
				s, ask := b.Ask(now, int64(r.IntN(100)))
				if !ask {
					s, ask = b.Again(int64(r.IntN(100)))
				}
				if ask {
					if s.Want < 1 || s.Used > spent {
						t.Fatalf("seed %d: %+v, spent %d", seed, s, spent)
					}
					granted = max(granted, min(granted+s.Want, s.Used+s.Returned+s.Want))
					answers = append(answers, [2]int64{granted, int64(s.Question)})
				}
			case 3:
				if len(answers) > 0 {
					deliver(answers[r.IntN(len(answers))])
				}
			default:
				said := []int64{0, granted}[r.IntN(2)] // a key before this version does not say it
				if s, ok := b.Recalled(1, said); !ok || s.Used+s.Returned > granted || s.Used+s.Returned < said {
					t.Fatalf("seed %d: recalled %+v of %d, %d was said", seed, s, granted, said)
				}
			}
			if b.Left() < 0 || spent > granted {
				t.Fatalf("seed %d: spent %d of %d", seed, spent, granted)
			}
		}
		deliver([2]int64{granted, 0})
		if s := b.Close(); s.Used != spent || s.Used+s.Returned != granted {
			t.Fatalf("seed %d: granted %d, spent %d, closes with %+v", seed, granted, spent, s)
		}
	}
}
