package grpc

import (
	"math/rand/v2"
	"testing"

	"github.com/birdwire/birdwire/cluster/link"
)

// Against a plain model: what is taken is what was put, in order; the bytes that
// wait never exceed the bound, but for one envelope that is larger than it; credit
// is told in turns and says how much was not taken.
func TestTheQueueAgainstAModel(t *testing.T) {
	const most = 50_000
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		q := newQueue(most)
		var model []link.Envelope
		refused, told, low := uint64(0), uint64(0), false
		n := 0
		for range 2000 {
			switch r.IntN(8) {
			case 0:
				if len(model) == 0 {
					continue
				}
				f := &frame{}
				q.take(f)
				bytes := 0
				for i, e := range f.envelopes {
					if e.Target != model[i].Target {
						t.Fatalf("seed %d: took %s for %s", seed, e.Target, model[i].Target)
					}
					bytes += cost(&e)
				}
				if len(f.envelopes) == 0 || len(f.envelopes) > writeEnvelopes || bytes > writeBytes && len(f.envelopes) > 1 {
					t.Fatalf("seed %d: took %d envelopes, %d bytes", seed, len(f.envelopes), bytes)
				}
				model = model[len(f.envelopes):]
			case 1:
				for kind, dropped, ok := q.credit(); ok; kind, dropped, ok = q.credit() {
					if low != (kind == link.CreditOK) {
						t.Fatalf("seed %d: %v out of turn", seed, kind)
					}
					low = kind == link.CreditLow
					told += dropped
				}
			default:
				e := link.Envelope{Target: string(rune('a' + n%26)), Bytes: make([]byte, r.IntN(2000))}
				if r.IntN(100) == 0 {
					e.Bytes = make([]byte, 2*most)
				}
				n++
				switch result, _ := q.put(e); result {
				case link.Queued:
					model = append(model, e)
				case link.NoCredit:
					refused++
				}
			}
			if waits := sum(model); q.size() != waits || waits > most && len(model) > 1 {
				t.Fatalf("seed %d: %d bytes wait, told %d", seed, waits, q.size())
			}
		}
		for f := (&frame{}); len(model) > 0; model = model[len(f.envelopes):] {
			q.take(f)
		}
		for _, dropped, ok := q.credit(); ok; _, dropped, ok = q.credit() {
			told += dropped
		}
		if told != refused {
			t.Fatalf("seed %d: %d were refused, told %d", seed, refused, told)
		}
	}
}

func sum(envelopes []link.Envelope) (n int) {
	for i := range envelopes {
		n += cost(&envelopes[i])
	}
	return n
}
