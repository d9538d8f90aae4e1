package apikey_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// plan is one with so many credits.
func plan(credits int64) func(*apikey.Config) {
	return func(c *apikey.Config) {
		p := apikey.DefaultPlans()["business"]
		p.Credits = credits
		c.Plans = map[string]apikey.Plan{"business": p}
	}
}

// spender is a connection that spends what it is granted.
type spender struct {
	*testkit.Probe
	id      string
	balance int64
	used    int64 // not reported
	over    bool  // told that there is no more
	asked   bool
}

func (r *rig) spender(id string) *spender {
	return &spender{Probe: r.connect(messages.Api_API_TWITTER, id), id: id}
}

func (r *rig) askCredit(s *spender, want int64) {
	r.t.Helper()
	s.Request(r.shard, &messages.AskCredit{KeyId: keyID, ConnectionId: s.id, Want: want, Used: s.used})
	s.used, s.asked = 0, true
}

// hear takes what the spender was told.
func (s *spender) hear() {
	for _, m := range s.Messages() {
		switch m := m.(type) {
		case *messages.CreditGranted:
			s.balance += m.GetAmount()
			s.asked = false
		case *messages.CreditExhausted:
			s.over, s.asked = true, false
		}
	}
}

func (s *spender) spend(n int64) int64 {
	n = min(n, s.balance)
	s.balance -= n
	s.used += n
	return n
}

// endSpender ends it as a connection does. What is granted while it ends would
// count as used, so it hears everything first.
func (r *rig) endSpender(s *spender) {
	s.hear()
	r.tell(&messages.ReportCredit{KeyId: keyID, ConnectionId: s.id, Used: s.used, Returned: s.balance})
	r.disconnect(messages.Api_API_TWITTER, s.id)
}

func TestAQuotaIsSpentAndThenRefused(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, plan(1000)).create()
		s := r.spender("c1")
		var delivered int64
		for !s.over {
			r.askCredit(s, 64)
			k.Advance(100 * time.Millisecond)
			s.hear()
			delivered += s.spend(1 << 40)
		}
		if delivered != 1100 || r.ledger.charged() != 1100 {
			t.Errorf("delivered %d, charged %d, want 1100", delivered, r.ledger.charged())
		}
		if got := ask[*messages.Refused](r, admitMessage(messages.Api_API_NEWSRANK, "c2")); got.GetRefusal() != messages.Refusal_REFUSAL_CREDITS {
			t.Errorf("refused %v", got)
		}
		ask[*messages.Admitted](r, admitMessage(messages.Api_API_KITE, "c3")) // costs nothing
		if got := ask[*messages.BillingListed](r, &messages.ListBilling{KeyId: keyID}); got.GetCreditsUsed() != 1100 || got.GetCreditsLimit() != 1000 || got.GetMonth() != "2026-03" {
			t.Errorf("billing %v", got)
		}
		k.Advance(28 * 24 * time.Hour) // April
		ask[*messages.Admitted](r, admitMessage(messages.Api_API_NEWSRANK, "c2"))
		if got := ask[*messages.BillingListed](r, &messages.ListBilling{KeyId: keyID}); got.GetCreditsUsed() != 0 || got.GetMonth() != "2026-04" {
			t.Errorf("billing %v", got)
		}
		s.over = false
		r.askCredit(s, 64)
		k.Advance(time.Second)
		if s.hear(); s.balance != 64 {
			t.Errorf("balance %d in April", s.balance)
		}
	})
}

// A step of the clock back into a month, and forward again, shows what each of
// them has cost, as the ledger has it.
func TestAStepOfTheClockToAMonthThatWas(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, plan(100_000)).create()
		s := r.spender("c1")
		deliver := func(n int64) {
			t.Helper()
			for n > 0 {
				r.askCredit(s, 64)
				k.Advance(100 * time.Millisecond)
				s.hear()
				n -= s.spend(n)
			}
			r.tell(&messages.ReportCredit{KeyId: keyID, ConnectionId: s.id, Used: s.used, Returned: s.balance})
			s.used, s.balance = 0, 0
			k.Advance(5 * time.Second) // it is settled
		}
		want := func(month string, used int64) {
			t.Helper()
			if got := ask[*messages.BillingListed](r, &messages.ListBilling{KeyId: keyID}); got.GetCreditsUsed() != used || got.GetMonth() != month {
				t.Errorf("billing %v, want %d in %s", got, used, month)
			}
			if got := ask[*messages.KeyDescribed](r, &messages.DescribeKey{KeyId: keyID}); got.GetCreditsUsed() != used || got.GetMonth() != month {
				t.Errorf("described %v, want %d in %s", got, used, month)
			}
		}
		const month = 28 * 24 * time.Hour
		deliver(300)
		want("2026-03", 300)
		k.Clock.Step(month)
		want("2026-04", 0)
		deliver(100)
		want("2026-04", 100)
		k.Clock.Step(-month)
		want("2026-03", 300)
		deliver(50)
		want("2026-03", 350)
		k.Clock.Step(month)
		want("2026-04", 100)
		k.Clock.Step(-3 * month)
		want("2026-01", 0)
		k.Clock.Step(2 * month)
		deliver(7) // before anybody looks
		want("2026-03", 357)

		// A ledger that cannot be read is no ledger of 0.
		k.Clock.Step(month)
		r.ledger.fail = []error{errors.New("down")}
		if got := r.rejected(&messages.ListBilling{KeyId: keyID}); got.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
			t.Errorf("with the store down: %v", got)
		}
		want("2026-04", 100)
	})
}

func TestExhaustedSaysSo(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, plan(10)).create()
		a, b := r.spender("a"), r.spender("b")
		r.askCredit(a, 64)
		k.Advance(time.Second)
		r.askCredit(b, 64)
		k.Advance(time.Second)
		testkit.Expect[*messages.CreditGranted](a.Probe)
		if got := testkit.Expect[*messages.CreditExhausted](b.Probe); got.GetLimit() != 10 {
			t.Errorf("exhausted %v", got)
		}
	})
}

func TestSettledWhenAllHaveGone(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		s := r.spender("c1")
		r.askCredit(s, 64)
		s.hear()
		s.spend(5)
		r.endSpender(s)
		k.Advance(time.Second)
		if got := r.ledger.charged(); got != 5 {
			t.Errorf("charged %d", got)
		}
		if got := ask[*messages.KeyDescribed](r, &messages.DescribeKey{KeyId: keyID}); got.GetCreditsUsed() != 5 {
			t.Errorf("described %v", got)
		}
		k.Advance(10 * time.Minute)
		if r.running() {
			t.Error("the key still runs")
		}
		if got := ask[*messages.KeyDescribed](r, &messages.DescribeKey{KeyId: keyID}); got.GetCreditsUsed() != 5 {
			t.Errorf("described %v", got)
		}
	})
}

// A key that ends charges what was delivered and nothing else, also where the
// store fails at first.
func TestAKeyThatEndsSettles(t *testing.T) {
	for failures := range 3 {
		testkit.Run(t, func(k *testkit.Kit) {
			r := newRig(t, k).create()
			gone, open := r.spender("c1"), r.spender("c2")
			for _, s := range []*spender{gone, open} {
				r.askCredit(s, 64)
				s.hear()
				s.spend(5)
			}
			r.endSpender(gone)
			for range failures {
				r.ledger.fail = append(r.ledger.fail, messages.ErrAmbiguous)
			}
			ends := r.key
			k.Tell(ends, &messages.EndKey{})
			k.Advance(time.Second)
			if _, there := k.System.ProcessRegistry.GetLocal(ends.GetId()); there {
				t.Fatal("it still runs")
			}
			// What the open connection holds and did not report may have been used.
			if got := r.ledger.charged(); got != 5+64 {
				t.Errorf("charged %d, want 69", got)
			}
		})
	}
}

func TestUnlimitedPlansAreNotMetered(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, plan(0)).create()
		if got := ask[*messages.Admitted](r, admitMessage(messages.Api_API_TWITTER, "c1")); got.GetMetered() {
			t.Errorf("admitted %v", got)
		}
		calls := r.ledger.calls
		if got := ask[*messages.CreditGranted](r, &messages.AskCredit{KeyId: keyID, ConnectionId: "c1", Want: 7}); got.GetAmount() != 7 {
			t.Errorf("granted %v", got)
		}
		if r.ledger.calls != calls {
			t.Error("the ledger was asked")
		}
	})
}

func TestAnUncertainReservationIsAskedForAgain(t *testing.T) {
	for _, commit := range []bool{true, false} {
		t.Run(fmt.Sprint("committed=", commit), func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
				s := r.spender("c1")
				down := errors.New("down")
				r.ledger.fail, r.ledger.commit = []error{down, down}, commit
				r.askCredit(s, 64)
				k.Advance(99 * time.Millisecond)
				if s.hear(); s.balance != 0 {
					t.Errorf("granted %d of nothing", s.balance)
				}
				k.Advance(time.Second)
				if s.hear(); s.balance != 64 || r.ledger.charged() != 64 {
					t.Errorf("balance %d, charged %d", s.balance, r.ledger.charged())
				}
			})
		})
	}
}

// TestCreditInvariants drives real actors: whatever fails in whatever order,
// delivered <= charged <= 110 % of the quota, and the month's use is told right
// when nothing failed.
func TestCreditInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		testkit.Run(t, func(k *testkit.Kit) {
			quota := rapid.SampledFrom([]int64{1, 100, 2000}).Draw(rt, "quota")
			r := newRig(t, k, plan(quota), func(c *apikey.Config) { c.Logger = nil }).create()
			all := []*spender{r.spender("a"), r.spender("b"), r.spender("c")}
			var delivered int64
			failed := false
			pick := func() *spender { return all[rapid.IntRange(0, 2).Draw(rt, "connection")] }
			for range rapid.IntRange(1, 60).Draw(rt, "steps") {
				switch rapid.IntRange(0, 7).Draw(rt, "action") {
				case 0, 1:
					if s := pick(); !s.asked {
						r.askCredit(s, rapid.Int64Range(1, 200).Draw(rt, "want"))
					}
				case 2, 3:
					delivered += pick().spend(rapid.Int64Range(1, 300).Draw(rt, "n"))
				case 4:
					k.Advance(time.Duration(rapid.IntRange(1, 3000).Draw(rt, "ms")) * time.Millisecond)
				case 5:
					s := pick()
					r.endSpender(s)
					*s = *r.spenderIfAdmitted(s.id)
				case 6:
					if rapid.Bool().Draw(rt, "fail the ledger") {
						r.ledger.fail, r.ledger.commit = []error{errors.New("down")}, rapid.Bool().Draw(rt, "commit")
					}
				case 7:
					if rapid.IntRange(0, 3).Draw(rt, "fail the key") == 0 {
						failed = true
						k.Tell(r.key, &actors.WorkPanicked{Reason: "boom"})
						k.Panics()
						k.Advance(6 * time.Second)
					}
				}
				for _, s := range all {
					s.hear()
				}
				if charged := r.ledger.charged(); delivered > charged || charged > quota*11/10 {
					rt.Fatalf("delivered %d, charged %d, quota %d", delivered, charged, quota)
				}
			}
			for _, s := range all {
				r.endSpender(s)
			}
			k.Advance(20 * time.Second)
			used := ask[*messages.KeyDescribed](r, &messages.DescribeKey{KeyId: keyID}).GetCreditsUsed()
			if charged := r.ledger.charged(); delivered > charged || !failed && (used != delivered || charged != delivered) {
				rt.Fatalf("delivered %d, charged %d, told %d", delivered, charged, used)
			}
		})
	})
}

// spenderIfAdmitted is the connection again, or one that never gets anything.
func (r *rig) spenderIfAdmitted(id string) *spender {
	r.client.Messages()
	p := r.k.Probe()
	r.conns[id] = p
	r.client.Request(r.shard, admitMessage(messages.Api_API_TWITTER, id))
	r.k.Advance(time.Second)
	if _, ok := testkit.Expect[any](r.client).(*messages.Admitted); !ok {
		return &spender{Probe: p, id: id, asked: true}
	}
	return &spender{Probe: p, id: id}
}
