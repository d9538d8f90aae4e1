package credit_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/connection/credit"
)

func TestBalance(t *testing.T) {
	var b credit.Balance
	second := time.Second
	if b.Take(3) != 0 || !b.Empty() {
		t.Error("spends what it does not have")
	}
	if want, used, ask := b.Ask(100*second, 3); !ask || want != 64 || used != 0 {
		t.Errorf("asks for %d, used %d, %v", want, used, ask)
	}
	if _, _, ask := b.Ask(100*second, 3); ask {
		t.Error("asks twice")
	}
	b.Answered(10)
	if b.Take(3) != 3 || b.Take(20) != 7 || b.Take(1) != 0 {
		t.Error("does not spend what it has")
	}
	// Soon again: for twice as many, and with what was used.
	if want, used, ask := b.Ask(100*second+500*time.Millisecond, 500); !ask || want != 500 || used != 10 {
		t.Errorf("asks for %d, used %d, %v", want, used, ask)
	}
	b.Answered(500)
	if b.Take(430) != 430 {
		t.Error("does not spend what it has")
	}
	if _, _, ask := b.Ask(101*second, 0); ask {
		t.Error("asks while there is enough")
	}
	b.Take(10)
	if want, used, ask := b.Ask(101*second, 0); !ask || want != 256 || used != 440 {
		t.Errorf("asks for %d, used %d, %v: while there is some left", want, used, ask)
	}
	b.Answered(0) // none is left: it may ask again
	b.Take(20)
	if used, returned := b.Close(); used != 20 || returned != 40 {
		t.Errorf("closes with %d used and %d returned", used, returned)
	}
	// After a pause it asks for less.
	for range 10 {
		want, _, ask := b.Ask(200*second, 1)
		if !ask {
			t.Fatal("does not ask")
		}
		b.Answered(0)
		if want < 64 {
			t.Fatalf("asks for %d", want)
		}
	}
}

// Whatever happens, what was spent was granted, and every credit is reported
// once as used or given back.
func TestNothingIsSpentThatWasNotGranted(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		var b credit.Balance
		granted, spent, reported := int64(0), int64(0), int64(0)
		now := time.Duration(0)
		for range 200 {
			now += time.Duration(r.IntN(3000)) * time.Millisecond
			switch r.IntN(3) {
			case 0:
				spent += int64(b.Take(r.IntN(50)))
			case 1:
				if want, used, ask := b.Ask(now, r.IntN(100)); ask {
					reported += used
					if want < 1 {
						t.Fatalf("seed %d: asks for %d", seed, want)
					}
				}
			default:
				n := int64(r.IntN(60))
				granted += n
				b.Answered(n)
			}
			if spent > granted {
				t.Fatalf("seed %d: spent %d of %d", seed, spent, granted)
			}
		}
		used, returned := b.Close()
		if reported+used != spent || spent+returned != granted {
			t.Fatalf("seed %d: granted %d, spent %d, reported %d, at the end used %d and returned %d", seed, granted, spent, reported, used, returned)
		}
	}
}
