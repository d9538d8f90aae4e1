package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/connection/credit"
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

// spender is a connection that spends what it is granted, by a connection's own
// arithmetic.
type spender struct {
	*testkit.Probe
	r       *rig
	id      string
	balance credit.Balance
	over    bool // told that there is no more
	deaf    bool // what it is told is lost
	gone    bool // it was not admitted
}

func (r *rig) spender(id string) *spender {
	return &spender{Probe: r.connect(messages.Api_API_TWITTER, id), r: r, id: id}
}

// askCredit asks for what so many frames cost, unless an answer is open.
func (r *rig) askCredit(s *spender, want int64) {
	r.t.Helper()
	if st, ok := s.balance.Ask(r.k.Clock.Elapsed(), want); ok {
		r.question(s, st)
	}
}

func (r *rig) question(s *spender, st credit.Statement) {
	s.Request(r.shard, &messages.AskCredit{
		KeyId: keyID, ConnectionId: s.id, Account: st.Account, Used: st.Used, Returned: st.Returned, Want: st.Want, Question: st.Question, After: 1,
	})
}

func (r *rig) report(s *spender, st credit.Statement, closed bool) {
	r.tell(&messages.ReportCredit{
		KeyId: keyID, ConnectionId: s.id, Account: st.Account, Used: st.Used, Returned: st.Returned, Closed: closed,
	})
}

// hear takes what the spender was told.
func (s *spender) hear() {
	for _, m := range s.Messages() {
		if s.deaf {
			continue
		}
		switch m := m.(type) {
		case *messages.CreditGranted:
			s.balance.Granted(m.GetAccount(), m.GetGranted(), m.GetQuestion())
		case *messages.CreditExhausted:
			if s.balance.Exhausted(m.GetAccount(), m.GetGranted(), m.GetQuestion()) {
				s.over = true
			}
		case *messages.RecallCredit:
			if st, ok := s.balance.Recalled(m.GetAccount(), m.GetGranted()); ok {
				s.r.report(s, st, false)
			}
		}
	}
}

func (s *spender) left() int64 { return s.balance.Left() }

func (s *spender) spend(n int64) int64 {
	n = min(n, s.left())
	s.balance.Spend(n)
	return n
}

// endSpender ends it as a connection does.
func (r *rig) endSpender(s *spender) {
	s.hear()
	r.report(s, s.balance.Close(), true)
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
		k.Clock.Step(28 * 24 * time.Hour) // April
		ask[*messages.Admitted](r, admitMessage(messages.Api_API_NEWSRANK, "c2"))
		if got := ask[*messages.BillingListed](r, &messages.ListBilling{KeyId: keyID}); got.GetCreditsUsed() != 0 || got.GetMonth() != "2026-04" {
			t.Errorf("billing %v", got)
		}
		s.over = false
		r.askCredit(s, 64)
		k.Advance(time.Second)
		if s.hear(); s.left() != 64 {
			t.Errorf("balance %d in April", s.left())
		}
	})
}

// A key that has spent its month is served again once its plan has more, with
// nobody connected to ask for it; and is refused again under the plan that it
// has spent.
func TestAnotherPlanIsAnotherQuota(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) {
			small, large := apikey.DefaultPlans()["business"], apikey.DefaultPlans()["business"]
			small.Credits, large.Credits = 100, 1000
			c.Plans = map[string]apikey.Plan{"business": small, "large": large}
		}).create()
		exhaust := func(id string) (delivered int64) {
			s := r.spender(id)
			for !s.over {
				r.askCredit(s, 64)
				k.Advance(100 * time.Millisecond)
				s.hear()
				delivered += s.spend(1 << 40)
			}
			r.endSpender(s)
			k.Advance(3 * time.Second)
			return delivered
		}
		refused := func() {
			t.Helper()
			if got := ask[*messages.Refused](r, admitMessage(messages.Api_API_TWITTER, "refused")); got.GetRefusal() != messages.Refusal_REFUSAL_CREDITS {
				t.Errorf("refused %v", got)
			}
			if got := r.rejected(&messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "no", Query: "q"}}); got.GetRejection() != messages.Rejection_REJECTION_CREDITS {
				t.Errorf("rejected %v", got)
			}
		}
		change := func(plan string) {
			t.Helper()
			ask[*messages.KeyDescribed](r, &messages.UpdateKey{KeyId: keyID, Key: &messages.Key{Plan: plan}, Fields: []string{"plan"}})
		}
		if got := exhaust("c1"); got != 110 {
			t.Errorf("delivered %d, want 110", got)
		}
		refused()
		change("large")
		r.rule("yes", "q")
		if got := exhaust("c2"); got != 990 {
			t.Errorf("delivered %d more, want 990", got)
		}
		refused()
		change("business")
		refused()
		if r.ledger.charged() != 1100 {
			t.Errorf("charged %d", r.ledger.charged())
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
			r.report(s, s.balance.Close(), false)
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

// Whoever has an event for it gets the last credit, though others hold some.
func TestTheLastCreditGoesToWhoNeedsIt(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, plan(100)).create()
		idle, busy := []*spender{r.spender("a"), r.spender("b"), r.spender("c")}, r.spender("d")
		for _, s := range idle {
			r.askCredit(s, 64)
			k.Advance(time.Second)
			if s.hear(); s.left() == 0 {
				t.Error("nothing was granted at first")
			}
		}
		var delivered int64
		for range 1000 {
			r.askCredit(busy, 1)
			k.Advance(100 * time.Millisecond)
			for _, s := range append(idle, busy) {
				s.hear()
			}
			if busy.over && busy.left() == 0 {
				break
			}
			delivered += busy.spend(1)
		}
		if delivered != 110 || r.ledger.charged() != 110 {
			t.Errorf("delivered %d, charged %d, want 110", delivered, r.ledger.charged())
		}
	})
}

// A connection whose answers are lost asks again, and is not granted twice.
func TestAGrantThatIsLost(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		s := r.spender("c1")
		s.deaf = true
		for range 5 {
			r.askCredit(s, 64)
			k.Advance(time.Second)
			s.hear()
			if st, open := s.balance.Again(64); open {
				r.question(s, st)
				k.Advance(time.Second)
				s.hear()
			}
		}
		s.deaf = false
		st, _ := s.balance.Again(64)
		r.question(s, st)
		k.Advance(time.Second)
		if s.hear(); s.left() != 64 || r.ledger.charged() != 64 {
			t.Errorf("left %d, charged %d, want 64", s.left(), r.ledger.charged())
		}
	})
}

// spent is what the log says.
type spent struct {
	most    int64
	fail    []error // the next calls' errors
	by      []*messages.Spender
	through messages.Position
}

func (s *spent) Spent(_ context.Context, _ []*messages.Query, by []*messages.Spender, through messages.Position, most int64) (int64, error) {
	s.by, s.through = by, through
	if len(s.fail) > 0 {
		err := s.fail[0]
		s.fail = s.fail[1:]
		return 0, err
	}
	return min(s.most, most), nil
}

// What a crash leaves open is given back except for what the log says may have been
// delivered, once no connection can spend of it any more.
func TestACrashGivesBackWhatWasNotDelivered(t *testing.T) {
	for _, c := range []struct {
		name    string
		log     spent
		charged int64
	}{
		{"nothing matched", spent{}, 0},
		{"some did", spent{most: 10}, 10},
		{"more than was lent", spent{most: 1000}, 64},
		{"the log cannot be read at first", spent{most: 10, fail: []error{errors.New("down"), errors.New("down")}}, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				r := newRig(t, k, func(cfg *apikey.Config) { cfg.Logger, cfg.Spent, cfg.Log = nil, &c.log, fullLog{} }).create()
				s := r.spender("c1")
				r.askCredit(s, 64)
				k.Advance(time.Second)
				s.hear()
				r.failKey()
				k.Advance(5 * time.Second)
				if got := r.ledger.charged(); got != 64 || c.log.by != nil {
					t.Fatalf("charged %d while the connection may spend", got)
				}
				s.deaf = true
				s.hear() // the new instance recalls what the old one lent; that is lost
				s.deaf = false
				k.Advance(time.Second)
				s.hear() // it does so again
				k.Advance(5 * time.Second)
				if s.left() != 0 || r.ledger.charged() != c.charged {
					t.Errorf("left %d, charged %d, want %d", s.left(), r.ledger.charged(), c.charged)
				}
				if len(c.log.by) != 1 || c.log.by[0].GetConnectionId() != "c1" || c.log.by[0].GetAfter() != 1 || c.log.through != 0 {
					t.Errorf("asked for what %v spent, through %d", c.log.by, c.log.through)
				}
				r.askCredit(s, 3)
				k.Advance(time.Second)
				if s.hear(); s.left() < 3 {
					t.Errorf("left %d of the new account", s.left())
				}
			})
		})
	}
}

// Where nobody is left who could spend, what comes into the log after the start
// of the key does not count.
func TestAfterAProcessHasEndedTheLogOfThenCounts(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		log := &spent{most: 10}
		r := newRig(t, k, func(cfg *apikey.Config) { cfg.Logger, cfg.Spent, cfg.Log = nil, log, fullLog{} }).create()
		grant := func(op string, spenders ...*messages.Spender) {
			_, err := r.ledger.Reserve(t.Context(), apikey.Reservation{KeyID: keyID, Month: "2026-03", N: 64, Op: op, Spenders: spenders})
			if err != nil {
				t.Fatal(err)
			}
		}
		grant("dead", &messages.Spender{ConnectionId: "gone", After: 7})
		r.failKey()
		k.Advance(5 * time.Second)
		if r.ledger.charged() != 10 || log.through != messages.At(100, 0) || len(log.by) != 1 {
			t.Errorf("charged %d, asked for what %v spent through %d", r.ledger.charged(), log.by, log.through)
		}
		grant("of a version before")
		grant("dead too", &messages.Spender{ConnectionId: "gone", After: 7})
		r.failKey()
		k.Advance(5 * time.Second)
		if log.by != nil {
			t.Errorf("asked for what %v spent, of a grant that names nobody", log.by)
		}
	})
}

// A store may do late what an instance before has asked it for: that is given back too,
// but for what was delivered before this one lent anything.
func TestWhatIsReservedAfterItsInstanceHasEnded(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		log := &spent{most: 10}
		r := newRig(t, k, func(cfg *apikey.Config) { cfg.Logger, cfg.Spent, cfg.Log = nil, log, fullLog{} }).create()
		r.failKey()
		k.Advance(5 * time.Second)
		s := r.spender("c1")
		r.askCredit(s, 64)
		k.Advance(time.Second)
		s.hear()
		mine := r.ledger.charged()
		_, err := r.ledger.Reserve(t.Context(), apikey.Reservation{
			KeyID: keyID, Month: "2026-03", N: 64, Op: "dead", Spenders: []*messages.Spender{{ConnectionId: "c1", After: 7}},
		})
		if err != nil {
			t.Fatal(err)
		}
		r.ledger.fail = []error{errors.New("down")} // what is asked next
		k.Advance(2 * time.Minute)
		if got := r.ledger.charged(); mine != 64 || got != mine+10 {
			t.Errorf("charged %d for this instance, and %d in all", mine, got)
		}
		if log.through != messages.At(100, 0) || len(log.by) != 1 {
			t.Errorf("asked for what %v spent through %d", log.by, log.through)
		}
	})
}

// Of a key that was revoked, and of a time whose rules are not kept, it is not known
// what matched: what was open stays charged.
func TestWhatNobodyKnowsOfStaysCharged(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*messages.Key)
		known  bool
	}{
		"known":                {func(*messages.Key) {}, true},
		"known since":          {func(k *messages.Key) { k.PastSince = 7 }, true},
		"not known that early": {func(k *messages.Key) { k.PastSince = 8 }, false},
		"revoked":              {func(k *messages.Key) { k.State = messages.KeyState_KEY_REVOKED }, false},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				log := &spent{}
				r := newRig(t, k, func(cfg *apikey.Config) { cfg.Logger, cfg.Spent, cfg.Log = nil, log, fullLog{} }).create()
				spender := &messages.Spender{ConnectionId: "gone", After: 7}
				if _, err := r.ledger.Reserve(t.Context(), apikey.Reservation{KeyID: keyID, Month: "2026-03", N: 64, Op: "dead", Spenders: []*messages.Spender{spender}}); err != nil {
					t.Fatal(err)
				}
				stored := r.storedKey()
				c.change(stored)
				data, err := proto.Marshal(stored)
				if err != nil {
					t.Fatal(err)
				}
				records(k).Put(actors.KeyRecord(keyID), data)
				r.failKey()
				k.Advance(5 * time.Second)
				if known := len(log.by) > 0; known != c.known { // of nobody all stays charged, see replay.Spent
					t.Errorf("asked for what %v spent", log.by)
				}
			})
		})
	}
}

// fullLog is a log that has something.
type fullLog struct{}

func (fullLog) Bounds(context.Context) (first, last messages.Position, err error) {
	return messages.At(1, 0), messages.At(100, 0), nil
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

// What a connection held unsaid counts as used soon after its process has ended, of
// which nobody tells the key; what others hold stays theirs, and the key lends on.
func TestWhatTheDeadHeldIsSettledSoon(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		dead := ""
		r := newRig(t, k)
		connection := r.cfg.Connection
		r.cfg.Connection = func(s *messages.Slot) *actor.PID {
			if s.GetConnectionId() == dead {
				return nil
			}
			return connection(s)
		}
		r.create()
		lost, stays := r.spender("c1"), r.spender("c2")
		for _, s := range []*spender{lost, stays} {
			r.askCredit(s, 64)
		}
		k.Advance(10 * time.Millisecond)
		for _, s := range []*spender{lost, stays} {
			s.hear()
			s.spend(5)
		}
		held := lost.left() + 5
		dead = "c1"
		k.Advance(11 * time.Second)
		stays.hear()
		used := func() int64 {
			return ask[*messages.KeyDescribed](r, &messages.DescribeKey{KeyId: keyID}).GetCreditsUsed()
		}
		if got, said := used(), held+5; got != held && got != said { // whether the other has said what it has spent
			t.Errorf("%d credits are used, want the %d that the lost one held", got, held)
		}
		r.endSpender(stays)
		k.Advance(11 * time.Second)
		if got := r.ledger.charged(); got != held+5 {
			t.Errorf("charged %d, want %d", got, held+5)
		}
	})
}

// A key that ends charges what was delivered and nothing else, also where the
// store fails at first: a connection that stays, because its key moves, returns
// what it holds. One that does not answer may have used it.
func TestAKeyThatEndsSettles(t *testing.T) {
	for failures := range 3 {
		for _, deaf := range []bool{false, true} {
			testkit.Run(t, func(k *testkit.Kit) {
				r := newRig(t, k).create()
				gone, open := r.spender("c1"), r.spender("c2")
				for _, s := range []*spender{gone, open} {
					r.askCredit(s, 64)
					k.Advance(10 * time.Millisecond) // the other one does not ask
					s.hear()
					s.spend(5)
				}
				r.endSpender(gone)
				for range failures {
					r.ledger.fail = append(r.ledger.fail, messages.ErrAmbiguous)
				}
				ends, want := r.key, int64(5+5)
				k.Tell(ends, &messages.EndKey{})
				k.Tell(ends, &messages.EndKey{})
				if open.deaf = deaf; deaf {
					want = 5 + 64
					k.Advance(time.Second)
				}
				open.hear()
				k.Advance(time.Second)
				if _, there := k.System.ProcessRegistry.GetLocal(ends.GetId()); there {
					t.Fatal("it still runs")
				}
				if got := r.ledger.charged(); got != want {
					t.Errorf("%d failures, deaf %v: charged %d, want %d", failures, deaf, got, want)
				}
			})
		}
	}
}

// A connection that has not heard of what it was granted returns that, too: the key says
// how much it was.
func TestAKeyThatEndsIsReturnedWhatNobodyHeardOf(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		s := r.spender("c1")
		r.askCredit(s, 64)
		k.Advance(10 * time.Millisecond)
		s.deaf = true
		s.hear()
		s.deaf = false
		k.Tell(r.key, &messages.EndKey{})
		s.hear()
		k.Advance(time.Second)
		if got := r.ledger.charged(); got != 0 {
			t.Errorf("charged %d, and nothing was spent", got)
		}
	})
}

// A connection that ends is heard by every owner that may have lent. One of whose account it
// has not heard has all of it back; one whose account it has left for another owner's does
// not know how much of its own was used until then, and counts it all.
func TestAnEndThatSpeaksOfAnotherAccount(t *testing.T) {
	for later, want := range map[bool]int64{false: 0, true: 16} {
		testkit.Run(t, func(k *testkit.Kit) {
			r := newRig(t, k).create()
			s := r.spender("c1")
			r.askCredit(s, 16)
			k.Advance(10 * time.Millisecond)
			st := credit.Statement{}
			if later {
				s.hear()
				st.Account = s.balance.Close().Account + 1
			}
			r.report(s, st, true)
			r.disconnect(messages.Api_API_TWITTER, s.id)
			k.Advance(3 * time.Second)
			if got := r.ledger.charged(); got != want {
				t.Errorf("of a later owner's %v: charged %d, want %d", later, got, want)
			}
		})
	}
}

// What one connection returns to a key that ends is not lent to another that waits
// for a reservation.
func TestAKeyThatEndsLendsNothing(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		first, waits, last := r.spender("c1"), r.spender("c2"), r.spender("c3")
		all := []*spender{first, waits, last}
		for _, s := range all {
			r.askCredit(s, 64)
		}
		k.Advance(10 * time.Millisecond)
		for _, s := range all {
			s.hear()
		}
		want := 5 + waits.left()
		first.spend(5)
		waits.spend(waits.left())
		r.spender("c4") // has not asked yet, and what is reserved waits for it
		r.askCredit(waits, 8)
		k.Advance(time.Millisecond)
		ends := r.key
		k.Tell(ends, &messages.EndKey{})
		for range 3 {
			for _, s := range all {
				s.hear()
			}
			k.Advance(time.Second)
		}
		if _, there := k.System.ProcessRegistry.GetLocal(ends.GetId()); there {
			t.Fatal("it still runs")
		}
		if got := r.ledger.charged(); got != want || waits.left() != 0 {
			t.Errorf("charged %d, want %d, and who waited has %d", got, want, waits.left())
		}
	})
}

func TestUnlimitedPlansAreNotMetered(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, plan(0)).create()
		if got := ask[*messages.Admitted](r, admitMessage(messages.Api_API_TWITTER, "c1")); got.GetMetered() {
			t.Errorf("admitted %v", got)
		}
		calls := r.ledger.calls
		if got := ask[*messages.CreditGranted](r, &messages.AskCredit{KeyId: keyID, ConnectionId: "c1", Want: 7}); got.GetGranted() != 7 {
			t.Errorf("granted %v", got)
		}
		if r.ledger.calls != calls {
			t.Error("the ledger was asked")
		}
	})
}

// Connections that want credit at the same time cost one write, and one that is
// alone in wanting it waits some milliseconds for the others and no longer.
func TestWhoAsksTogetherCostsOneWrite(t *testing.T) {
	for _, asking := range []int{1, 4, 5} {
		testkit.Run(t, func(k *testkit.Kit) {
			r := newRig(t, k).create()
			var all []*spender
			for i := range 5 {
				all = append(all, r.spender(fmt.Sprint("c", i)))
			}
			before := r.ledger.calls
			for _, s := range all[:asking] {
				r.askCredit(s, 8)
			}
			k.Advance(10 * time.Millisecond)
			for i, s := range all[:asking] {
				if s.hear(); s.left() < 8 {
					t.Errorf("%d asked: %d has %d, want 8", asking, i, s.left())
				}
			}
			if n := r.ledger.calls - before; n != 1 {
				t.Errorf("%d asked: %d writes, want 1", asking, n)
			}
		})
	}
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
				if s.hear(); s.left() != 0 {
					t.Errorf("granted %d of nothing", s.left())
				}
				k.Advance(time.Second)
				if s.hear(); s.left() != 64 || r.ledger.charged() != 64 {
					t.Errorf("balance %d, charged %d", s.left(), r.ledger.charged())
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
					s, want := pick(), rapid.Int64Range(1, 200).Draw(rt, "want")
					if st, open := s.balance.Again(want); open && !s.gone {
						r.question(s, st)
					} else if !s.gone {
						r.askCredit(s, want)
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
		return &spender{Probe: p, r: r, id: id, gone: true}
	}
	return &spender{Probe: p, r: r, id: id}
}

// Ledgers are kept for fourteen months: older ones go with the first use of a new
// month, whether the key was running when it turned or not.
func TestOldLedgersAreDeleted(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, plan(1000)).create()
		for i := range 20 { // up to February
			r.ledger.month(time.Date(2026, time.February-time.Month(i), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")).charged = 1
		}
		want := func(oldest string, newest ...string) {
			t.Helper()
			names := slices.Sorted(maps.Keys(r.ledger.months))
			if len(names) != 14 || names[0] != oldest || !slices.Equal(names[14-len(newest):], newest) {
				t.Errorf("ledgers %v, want 14 from %s to %s", names, oldest, newest)
			}
		}
		use := func(s *spender) {
			for range 4 {
				r.askCredit(s, 64)
				k.Advance(2 * time.Second)
				s.hear()
				s.spend(30)
			}
		}
		r.failKey()
		s := r.spender("c1")
		use(s)
		want("2025-02", "2026-02", "2026-03")
		k.Clock.Step(28 * 24 * time.Hour)
		use(s)
		want("2025-03", "2026-03", "2026-04")
		r.endSpender(s)
		k.Advance(time.Second)
		k.Clock.Step(30 * 24 * time.Hour)
		ask[*messages.KeyDescribed](r, &messages.DescribeKey{KeyId: keyID})
		use(r.spender("c2"))
		want("2025-04", "2026-03", "2026-04", "2026-05")
	})
}
