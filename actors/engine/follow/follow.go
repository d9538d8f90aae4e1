package follow

import (
	"math"
	"time"

	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/messages"
)

// Config is shared by many followers. Every bound has a default.
type Config struct {
	Lanes        int                // lanes 0 to Lanes-1; default 1
	Near         uint64             // frames left to read, at which the owner is joined; default 256
	HeldMost     int                // messages held between Join and live, default 8,192
	HeldBytes    int                // of the events in them, default 4 MiB
	ReadFrames   int                // a reading, default 512
	ReadFound    int                // deliveries a reading, about; default 512
	ReadBytes    int                // of events a reading, about; default 1 MiB
	PendingMost  int                // subscriptions that wait to be tried, default 64; past it they are refused
	PendingBytes int                // of those, default 1 MiB
	RoundsMost   int                // rounds that came no nearer, default 6; then the subscriber is ended
	FailMost     int                // readings that failed one after the other, default 8
	Patience     time.Duration      // with a question, before it is asked again; it doubles up to four times; default 2 s
	ReadWithin   time.Duration      // in which a reading is answered, default 30 s
	Sometimes    func(place string) // nil, or told of Places
	Queues       gauge.Told         // nil, or told of what is held
	Silence      time.Duration      // without any progress, default 90 s: a key that failed often cools down for 60
}

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	number := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	duration := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	number(&c.Lanes, 1)
	number(&c.HeldMost, 8192)
	number(&c.HeldBytes, 4<<20)
	number(&c.ReadFrames, 512)
	number(&c.ReadFound, 512)
	number(&c.ReadBytes, 1<<20)
	number(&c.PendingMost, 64)
	number(&c.PendingBytes, 1<<20)
	number(&c.RoundsMost, 6)
	number(&c.FailMost, 8)
	duration(&c.Patience, 2*time.Second)
	duration(&c.ReadWithin, 30*time.Second)
	duration(&c.Silence, 90*time.Second)
	if c.Near == 0 {
		c.Near = 256
	}
	return c
}

type state uint8

const (
	idle      state = iota // no subscription
	replaying              // reads the log; nothing comes live
	joining                // Join was sent; after Joined the log is read through Q, and live messages are held
	live                   // follows the owner
	leaving                // live, and Leave was sent
)

// Follower is one subscriber's way through the log. While it is live and
// nothing is under way it is this struct alone.
//
//	state      join   way
//	idle       0      nil, or subscriptions wait
//	replaying  0      always
//	joining    asked  always
//	live       joined nil, or a question is open
//	leaving    joined always
type Follower struct {
	cfg *Config
	way *way
	sub *Subscription // the current one; nil: none yet

	// Invariant: everything that matches at or before place was handed on, and
	// nothing after it.
	place Place

	asked  uint64 // number of the newest question or timer; grows with each, and names them
	join   uint64 // of the owner: asked for, or joined; 0: none
	term   uint64 // of the owner that was joined
	number uint64 // of the newest Deliveries handed on or held; what comes next names it as the previous
	told   uint64 // an abandoned join whose owner was told so
	state  state
}

// way is what a follower needs while something is under way.
type way struct {
	trial   *Subscription   // being tried; nil: the current one is read and joined
	pending []*Subscription // wait to be tried, in order; at most cfg.PendingMost, cfg.PendingBytes
	next    uint64          // live: the Join of pending[0], unanswered

	await    await
	timer    uint64 // that is set; 0: none
	wait     time.Duration
	pause    time.Duration // the newest of a row
	patience time.Duration // with the open question
	silent   time.Duration // waited since the last progress
	proofs   int           // asked for and not had
	detail   string        // of the owner's newest refusal that is not for good

	// Reading.
	ask      uint64
	reading  uint64
	voids    *messages.VoidsKnown // nil: not asked, or unanswered
	fresh    bool                 // nothing was read with them yet
	queries  []*messages.Query
	known    bool              // the owner's queries are
	until    messages.Position // up to where they decide
	target   messages.Position // up to where may be read now
	round    messages.Position // where this round began
	failures int
	nearest  uint64 // fewest frames that were left at the end of a round
	rounds   int    // since it came nearer

	// Joining.
	joined bool
	q      messages.Position // Joined's promise
	held   []*messages.Deliveries
	bytes  int // of held
}

// await says which question is open.
type await uint8

const (
	nothing await = iota
	forJoined
	forLeft
	forVoids
	forQueries
	forRead
	forTaken   // no question: the subscriber takes its time
	forAgain   // no question: a pause
	forChange  // Joined of next
	forThrough // the place is to be proved
)

// New returns a follower that is idle at a place.
func New(cfg *Config, at Place) Follower { return Follower{cfg: cfg, place: at} }

// NewAfter is New for a subscriber that has followed before: its questions are
// numbered after asked, so that no late answer to one of those is taken for an
// answer to its own.
func NewAfter(cfg *Config, at Place, asked uint64) Follower {
	return Follower{cfg: cfg, place: at, asked: asked}
}

// Asked is the number of the newest question.
func (f *Follower) Asked() uint64 { return f.asked }

// Place is how far the subscriber is.
func (f *Follower) Place() Place { return f.place }

// Live says whether what is new is handed on as it is sent.
func (f *Follower) Live() bool { return f.state == live || f.state == leaving }

// Idle says that the subscriber has asked for nothing, or for nothing that was
// taken.
func (f *Follower) Idle() bool { return f.state == idle && f.way == nil }

// Joined is the newest join that an owner was asked for; 0: none is wanted any more.
func (f *Follower) Joined() uint64 { return f.join }

// Reading is the number of the reading that is awaited; 0: none.
func (f *Follower) Reading() uint64 {
	if f.way == nil || f.way.await != forRead {
		return 0
	}
	return f.way.reading
}

// Subscription is the current one, nil where there is none.
func (f *Follower) Subscription() *Subscription { return f.sub }

// Waits says whether the follower goes on only once it is told Taken.
func (f *Follower) Waits() bool { return f.way != nil && f.way.await == forTaken }

// Next is Step for the next message of a live follower: it returns what is to
// be handed on, a part of the message's own slice. False: Step must have it.
func (f *Follower) Next(m *messages.Deliveries) ([]*messages.Delivery, bool) {
	if f.state != live || f.judge(m) != next {
		return nil, false
	}
	f.number = m.GetNumber()
	return f.hand(m.GetDeliveries()), true
}

// hand moves the place over the deliveries, which the caller hands on.
func (f *Follower) hand(ds []*messages.Delivery) []*messages.Delivery {
	for len(ds) > 0 && f.place.reaches(ds[0]) {
		ds = ds[1:]
	}
	if n := len(ds); n > 0 {
		f.place = Place{messages.Position(ds[n-1].GetPosition()), ds[n-1].GetK()}
	}
	return ds
}

// turn is one Step.
type turn struct {
	*Follower
	out []Output
}

// Step takes what has happened and returns what is to be done, in order.
func (f *Follower) Step(in any) []Output {
	t := &turn{Follower: f}
	switch m := in.(type) {
	case *messages.Deliveries:
		t.deliveries(m)
	case *messages.Through:
		t.through(m)
	case *messages.Joined:
		t.joined(m)
	case *messages.JoinRefused:
		t.refused(m)
	case *messages.Left:
		t.left(m)
	case *messages.Rejoin:
		t.rejoin(m)
	case *messages.VoidsKnown:
		t.voidsKnown(m)
	case *messages.Queries:
		t.queriesKnown(m)
	case Subscribe:
		t.subscribe(m.Subscription)
	case Moved:
		t.moved()
	case Read:
		t.read(m)
	case ReadFailed:
		t.readFailed(m)
	case Taken:
		if t.Waits() {
			t.proceed()
		}
	case Prove:
		t.prove()
	case Fired:
		t.fired(m)
	}
	return t.out
}

// Quit is what to tell owners when the subscriber ends. Nobody waits for an answer.
func (f *Follower) Quit() []Output {
	if f.join == 0 || f.current() == nil { // the second one after a failure in the middle of a Step
		return nil
	}
	// Whatever was asked for before, and may have been taken, is below.
	return []Output{Leave{f.current().Lane, f.asked}}
}

func (t *turn) emit(o Output) { t.out = append(t.out, o) }

// current is the subscription that is read and joined now.
func (f *Follower) current() *Subscription {
	if f.way != nil && f.way.trial != nil {
		return f.way.trial
	}
	return f.sub
}

// work is the way, made where there is none.
func (t *turn) work() *way {
	if t.way == nil {
		t.way = &way{nearest: math.MaxUint64}
	}
	return t.way
}

// rest: nothing is open any more. The way is kept only for what waits.
func (t *turn) rest() {
	w := t.way
	if w == nil {
		return
	}
	t.open(nothing, 0)
	if len(w.pending) == 0 {
		t.way = nil
		return
	}
	t.way = &way{nearest: math.MaxUint64, pending: w.pending}
}

// question is the number of a new question.
func (t *turn) question() uint64 {
	t.asked++
	return t.asked
}

// ask opens a question with a fresh patience.
func (t *turn) ask(what await) {
	t.way.patience = t.cfg.Patience
	t.open(what, t.cfg.Patience)
}

// open says what is awaited, for how long; 0: without end.
func (t *turn) open(what await, d time.Duration) {
	w := t.way
	w.await, w.wait = what, d
	if d == 0 {
		if w.timer != 0 {
			w.timer = 0
			t.emit(Wait{})
		}
		return
	}
	w.timer = t.question()
	t.emit(Wait{d, w.timer})
}

// reach: the owner has said that nothing more comes at or before p.
func (t *turn) reach(p messages.Position) {
	if p < t.place.Position {
		return
	}
	t.place = End(p)
	t.emit(Reached{Position: p})
}

// over ends the follower: it is idle and stays so.
func (t *turn) over(why Why, detail string) {
	if t.join != 0 {
		t.emit(Leave{t.current().Lane, t.asked})
	}
	t.open(nothing, 0)
	t.emit(Over{why, detail})
	t.state, t.join, t.way = idle, 0, nil
}
