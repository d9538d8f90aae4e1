package connection_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/connection"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/filterrule"
	"github.com/birdwire/birdwire/actors/monitor"
	"github.com/birdwire/birdwire/actors/router"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// This file has the product's own followers, routers, shard and key in one
// kit, with the messages between them lost, doubled and late, and clients that
// write down what they see. conversation_test.go says what happens to them;
// oracle_test.go says what they should have seen.

const worldKey = "key-abcdefghij"

// world is a node's way of an event, from the log to its clients.
type world struct {
	t        *testing.T
	k        *testkit.Kit
	log      *worldLog
	faults   *faults
	routers  [2]*actor.PID // plain, semantic
	shard    *actor.PID
	parent   *testkit.Probe // of connections
	asker    *testkit.Probe
	cfg      connection.Config
	clients  []*client
	ids      int
	rules    []string // the key's, by number from 1
	articles int
	reads    int               // that clients begin with: see client.reads
	restarts int               // of a key, before it cools down; 0: as many as usual
	versions []*messages.Query // of the key's rules, where they change: then these say what was wanted
}

// worldLog is a log in memory.
type worldLog struct {
	frames []*messages.Frame // by sequence - 1; nil: gone
	first  uint64
	fail   int // readings
	found  int // at most, a reading; 0: as asked
	memory *replay.Voids
}

func (l *worldLog) Bounds(context.Context) (first, last uint64, err error) {
	return max(l.first, 1), uint64(len(l.frames)), nil
}

func (l *worldLog) Read(_ context.Context, from uint64) (replay.Frames, error) {
	return &worldReading{l, max(from, l.first, 1)}, nil
}

// Replay reads as a node's does.
func (l *worldLog) Held(context.Context) (connection.Held, error) {
	return connection.Held{First: 1, Last: 1 << 30}, nil
}

func (l *worldLog) Replay(ctx context.Context, r follow.Request) (follow.Result, error) {
	if l.fail > 0 {
		l.fail--
		return follow.Result{}, errors.New("the log does not answer")
	}
	if l.found > 0 {
		r.Found = min(r.Found, l.found)
	}
	return replay.Run(ctx, l, l.memory, r)
}

type worldReading struct {
	log  *worldLog
	next uint64
}

func (r *worldReading) Next(context.Context) (replay.Entry, error) {
	if r.next > uint64(len(r.log.frames)) {
		return replay.Entry{}, io.EOF
	}
	r.next++
	e := replay.Entry{From: r.next - 1, Sequence: r.next - 1, Frame: r.log.frames[r.next-2]}
	if e.Frame == nil {
		e.Loss = messages.Damaged
	}
	return e, nil
}

func (r *worldReading) Close() error { return nil }

// newWorld has a key with a rule for each word, and the routers at the log's
// beginning.
func newWorld(t *testing.T, k *testkit.Kit, rules ...string) *world {
	t.Helper()
	return beginWorld(&world{t: t, k: k, log: &worldLog{memory: replay.NewVoids()}, rules: rules, asker: k.Probe()})
}

func beginWorld(w *world) *world {
	t, k := w.t, w.k
	w.faults = &faults{k: k, names: conversationNames}
	w.faults.pid = k.Spawn("faults", func() actor.Actor { return w.faults })
	w.parent = k.Supervisor(actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective }))
	state, err := router.Begin(t.Context(), w.log, index.Config{})
	if err != nil {
		t.Fatal(err)
	}
	owners := actors.OwnersFunc(func(string) *actor.PID { return w.shard })
	for i, state := range []*router.State{state, state.Fork(index.Config{})} {
		w.routers[i] = k.SpawnProps("router", router.Props(router.Config{
			Log: w.log, State: state, Clock: k.Clock, Worker: k.Worker, Props: w.faults.props, Owners: owners, Logger: quiet,
		}))
	}
	w.startShard()
	w.cfg = connection.Config{
		Router: w.routers[0], Semantic: w.routers[1], Owners: owners, Clock: k.Clock, Rand: k.Rand,
		Reads: func(string) actors.Worker { return k.Worker }, Props: w.faults.props, Replays: w.log, Logger: quiet,
	}
	w.ask(&messages.CreateKey{Key: &messages.Key{
		Id: worldKey, Name: "n", Plan: "p", SecretHash: secretHash(), Scopes: []string{"ws:connect", "rules:write"},
	}})
	for _, word := range w.rules {
		w.ask(&messages.CreateRule{KeyId: worldKey, Rule: &messages.Rule{Tag: word, Query: word}})
	}
	return w
}

func secretHash() []byte {
	sum := sha256.Sum256([]byte("s"))
	return sum[:]
}

func (w *world) startShard() {
	k := w.k
	monitors := monitor.Config{Clock: k.Clock, Props: k.Props}
	rules := filterrule.Config{Props: k.Props, Parse: func(string) error { return nil }}
	keys := apikey.Config{
		Records: records(k), Counters: noCounters{}, Clock: k.Clock, Rand: k.Rand, Worker: k.Worker, Props: w.faults.props, Router: w.routers[0],
		Plans:   map[string]apikey.Plan{"p": {Connections: map[messages.Api]int{messages.Api_API_TWITTER: 50, messages.Api_API_KITE: 50, messages.Api_API_NEWSRANK: 50}}},
		Monitor: func(id string, f *messages.Figures) *actor.Props { return monitor.Props(monitors, id, f) },
		Rule:    func(id string, f *messages.Figures) *actor.Props { return filterrule.Props(rules, id, f) },
		Connection: func(s *messages.Slot) *actor.PID {
			for _, c := range w.clients {
				if c.id == s.GetConnectionId() {
					return c.pid
				}
			}
			return nil
		},
		Logger: quiet,
	}
	w.shard = k.SpawnProps("shard", shard.Props(shard.Config{
		Node: "n1", Incarnation: 7, Records: records(k), Clock: k.Clock, Worker: k.Worker, Props: w.faults.props,
		Router: w.routers[0], Key: func(id string) *actor.Props { return apikey.Props(keys, id) }, Logger: quiet, RestartsMost: w.restarts,
	})(actors.ShardOf(worldKey)))
	k.Settle()
}

// noCounters: nothing is metered.
type noCounters struct{}

func (noCounters) Reserve(context.Context, apikey.Reservation) (*messages.Grant, error) {
	return nil, errors.New("nothing is metered")
}

func (noCounters) Settle(context.Context, *messages.Grant, int64) error {
	return errors.New("nothing is metered")
}

func (noCounters) Prune(context.Context, string, int) error { return nil }

func (noCounters) Usage(context.Context, string, string) (*messages.Ledger, error) {
	return &messages.Ledger{}, nil
}

// ask sends to the shard and waits for the answer, as a gateway does.
func (w *world) ask(message any) any {
	w.t.Helper()
	for range 30 {
		w.asker.Messages()
		w.asker.Request(w.shard, message)
		w.k.Advance(50 * time.Millisecond)
		for _, m := range w.asker.Messages() {
			switch m.(type) {
			case *messages.Refused, *messages.Rejected, *messages.NotOwner:
			default:
				return m
			}
		}
		w.k.Advance(time.Second)
	}
	w.t.Fatalf("%T was not answered", message)
	return nil
}

// append makes a frame durable and announces it.
func (w *world) append(events ...*messages.Event) {
	w.log.frames = append(w.log.frames, &messages.Frame{Number: uint64(len(w.log.frames) + 1), Events: events})
	for _, r := range w.routers {
		w.k.Tell(r, &messages.FrameAppended{Sequence: uint64(len(w.log.frames)), Frame: w.log.frames[len(w.log.frames)-1]})
	}
	w.k.Settle()
}

var vectors = func() (v [2][]float32) {
	for i := range v {
		v[i] = make([]float32, 1536)
		v[i][i] = 1
	}
	return v
}()

// event is a post or an article with the words; an article has one of two vectors.
func (w *world) event(post bool, near int, words ...string) *messages.Event {
	w.articles++
	id, text := fmt.Sprint("e", w.articles), strings.Join(words, " ")
	if post {
		return &messages.Event{Id: id, Body: &messages.Event_Post{Post: &messages.Post{Id: id, Text: text, Author: &messages.Author{Id: "7", Username: "a"}}}}
	}
	return &messages.Event{Id: id, Body: &messages.Event_Article{Article: &messages.ArticleChange{
		Action: messages.ArticleAction_ARTICLE_CREATED, Revision: 1, Article: &messages.Article{
			Id: id, Title: text, Category: "c", SourceId: "s", SourceName: "S", Embedding: vectors[near],
		},
	}}}
}

var words = []string{"moon", "sun", "star"}

// random appends a frame of a few events, some of them repeats.
func (w *world) random(r *rand.Rand) {
	var events []*messages.Event
	for range 1 + r.IntN(3) {
		if n := len(w.log.frames); n > 0 && r.IntN(8) == 0 {
			if f := w.log.frames[r.IntN(n)]; f != nil {
				events = append(events, f.GetEvents()[0])
				continue
			}
		}
		var some []string
		for _, word := range words {
			if r.IntN(2) == 0 {
				some = append(some, word)
			}
		}
		events = append(events, w.event(r.IntN(2) == 0, r.IntN(2), append(some, "x")...))
	}
	w.append(events...)
}

// client is one user's program: it keeps its cursor, and comes back when it is
// closed.
type client struct {
	w     *world
	api   messages.Api
	id    string // of the connection
	pid   *actor.PID
	wants *filters // the newest that was asked for

	cursor  follow.Place // of what was seen last
	begun   bool         // it has a cursor
	seen    []seen
	said    []*filters // subscribes of this connection that are not answered
	closed  bool
	closes  int
	pending int
	asked   bool // to be told when drained
	reads   int  // bytes it reads with every step; 0: whatever there is
}

// seen is one thing that a client sees: an event, a place, an answer, a new connection.
type seen struct {
	position messages.Position
	k        uint32
	cursor   bool
	answer   *filters
	opened   bool
	name     string // that the event carries
	text     string
}

// filters are what a news client asks for: any of the words, and near a vector.
type filters struct {
	words []string
	near  int // 0: whatever it is; else vectors[near-1]
}

func (f *filters) message() *messages.ClientSubscribed {
	n := &messages.NewsrankFilters{Keywords: f.words, Topics: []string{"articles"}}
	if f.near > 0 {
		n.EmbeddingFilters = []*messages.EmbeddingFilter{{Embedding: vectors[f.near-1], Threshold: 0.9}}
	}
	return &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Newsrank{Newsrank: n}}
}

func (f *filters) String() string { return fmt.Sprintf("%v near %d", f.words, f.near) }

func (w *world) connect(api messages.Api, first *filters) *client {
	c := &client{w: w, api: api, wants: first, reads: w.reads}
	w.clients = append(w.clients, c)
	c.open()
	return c
}

// open connects, from the cursor where there is one.
func (c *client) open() {
	w := c.w
	w.ids++
	c.id, c.closed, c.said, c.pending, c.asked = fmt.Sprint("c", w.ids), false, nil, 0, false
	c.seen = append(c.seen, seen{opened: true})
	w.ask(&messages.Admit{
		Credential: &messages.Credential{KeyId: worldKey, SecretHash: secretHash()}, Api: c.api, ConnectionId: c.id, Node: "n1", Incarnation: 7,
	})
	c.pid = w.parent.SpawnProps("connection", connection.Props(w.cfg))
	begin := &connection.Begin{ID: c.id, API: c.api, KeyID: worldKey, Socket: c, Cursors: true}
	if c.begun {
		begin.Cursor = &messages.Cursor{Position: c.cursor.Position, K: c.cursor.K}
	}
	w.k.Tell(c.pid, begin)
	if c.api == messages.Api_API_NEWSRANK {
		c.subscribe(c.wants)
	}
	w.k.Settle()
}

func (c *client) subscribe(f *filters) {
	c.wants = f
	c.said = append(c.said, f)
	c.w.k.Tell(c.pid, f.message())
	c.w.k.Settle()
}

// step has closed clients come back, and slow ones read.
func (w *world) step() {
	for _, c := range w.clients {
		if c.closed {
			c.open()
		}
		if c.pending = max(0, c.pending-c.reads); c.reads == 0 || c.pending == 0 {
			c.pending = 0
			if c.asked {
				c.asked = false
				w.k.Tell(c.pid, &messages.SocketDrained{})
			}
		}
	}
	w.k.Settle()
}

// advance lets time pass, and clients come back.
func (w *world) advance(d time.Duration) {
	const stride = 500 * time.Millisecond
	for ; d > 0; d -= stride {
		w.k.Advance(min(d, stride))
		w.step()
	}
}

func (c *client) Connected()             {}
func (c *client) Pong()                  {}
func (c *client) Ping()                  {}
func (c *client) Silence() time.Duration { return 0 }
func (c *client) Pending() int           { return c.pending }
func (c *client) NotifyDrained()         { c.asked = true }
func (c *client) Error(text string)      { c.see(seen{text: text}) }

func (c *client) Subscribed(s *messages.ClientSubscribed) {
	if len(c.said) == 0 || !reflect.DeepEqual(c.said[0].words, s.GetNewsrank().GetKeywords()) || (c.said[0].near > 0) != (len(s.GetNewsrank().GetEmbeddingFilters()) > 0) {
		c.w.t.Errorf("%s: an answer to %v, and asked was for %v", c.id, s, c.said)
		return
	}
	c.see(seen{answer: c.said[0]})
	c.said = c.said[1:]
}

func (c *client) Cursor(p messages.Position) {
	c.begun, c.cursor = true, follow.End(p)
	c.see(seen{position: p, cursor: true})
}

func (c *client) Deliver(ds []*messages.Delivery, _, _ bool) bool {
	for _, d := range ds {
		c.begun, c.cursor = true, follow.Place{Position: messages.Position(d.GetPosition()), K: d.GetK()}
		c.see(seen{position: messages.Position(d.GetPosition()), k: d.GetK(), name: d.GetOrigin().GetName()})
		if c.reads > 0 {
			c.pending += 32 << 10
		}
	}
	return true
}

func (c *client) see(s seen) {
	if !c.closed { // what comes after that reaches nobody
		c.seen = append(c.seen, s)
	}
}

func (c *client) End(reason messages.EndReason, detail string) {
	if !c.closed {
		c.closed = true
		c.closes++
		c.seen = append(c.seen, seen{text: fmt.Sprint(reason, " ", detail)})
	}
}

// faults do harm to messages as they arrive: each by its turn and kind.
type faults struct {
	k     *testkit.Kit
	pid   *actor.PID
	count map[string]int // of each kind of message that arrived anywhere
	names []string       // of messages that may come to harm; conversationNames where nothing else is said
	harm  func(message string, n int) harm
	crash func(kind, message string, n int) bool
	did   []string
}

type harm int

const (
	none harm = iota
	lost
	doubled
	late
	veryLate
)

func (h harm) String() string { return [...]string{"none", "lost", "doubled", "late", "very late"}[h] }

// conversation are the messages that may come to harm.
var conversation = []any{
	&messages.Join{}, &messages.Joined{}, &messages.JoinRefused{}, &messages.Leave{}, &messages.Left{}, &messages.Rejoin{},
	&messages.AskThrough{}, &messages.Through{}, &messages.AskVoids{}, &messages.VoidsKnown{},
	&messages.AskQueries{}, &messages.Queries{}, &messages.Deliveries{}, &messages.Matched{}, &messages.FrameAppended{},
}

var conversationNames = func() (names []string) {
	for _, m := range conversation {
		names = append(names, nameOf(m))
	}
	return names
}()

func nameOf(m any) string { return reflect.TypeOf(m).Elem().Name() }

// props are a kit's, with faults before the actor.
func (f *faults) props(kind string, produce actor.Producer, children actor.SupervisorStrategy) *actor.Props {
	return f.k.Props(kind, produce, children).Configure(actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(ctx actor.ReceiverContext, e *actor.MessageEnvelope) {
			f.receive(kind, next, ctx, e)
		}
	}), actor.WithSenderMiddleware(func(next actor.SenderFunc) actor.SenderFunc {
		return func(ctx actor.SenderContext, to *actor.PID, e *actor.MessageEnvelope) {
			f.crashed(kind, "send ", e.Message)
			next(ctx, to, e)
		}
	}))
}

func (f *faults) receive(kind string, next actor.ReceiverFunc, ctx actor.ReceiverContext, e *actor.MessageEnvelope) {
	name := ""
	if r := reflect.TypeOf(e.Message); r != nil && r.Kind() == reflect.Pointer {
		name = r.Elem().Name()
	}
	if f.harm == nil && f.crash == nil || !slices.Contains(f.names, name) {
		next(ctx, e)
		return
	}
	f.crashed(kind, "", e.Message)
	f.count[name]++
	h := none
	if f.harm != nil {
		h = f.harm(name, f.count[name])
	}
	if h != none {
		f.did = append(f.did, fmt.Sprintf("%v %s at %s", h, name, kind))
	}
	switch h {
	case lost:
	case doubled:
		next(ctx, e)
		next(ctx, e)
	case late, veryLate:
		after := 700 * time.Millisecond
		if h == veryLate {
			after = 11 * time.Second
		}
		f.k.Clock.After(after, f.pid, &delayed{ctx.Self(), e})
	default:
		next(ctx, e)
	}
}

// crashed fails the actor where it is to.
func (f *faults) crashed(kind, doing string, message any) {
	if f.crash == nil || reflect.TypeOf(message).Kind() != reflect.Pointer || !slices.Contains(f.names, nameOf(message)) {
		return
	}
	what := kind + " " + doing + nameOf(message)
	f.count[what]++
	if f.crash(kind, doing+nameOf(message), f.count[what]) {
		f.did = append(f.did, "crash of "+what)
		panic("a crash that is wanted")
	}
}

type delayed struct {
	to       *actor.PID
	envelope *actor.MessageEnvelope
}

// Receive brings what is late, past the faults.
func (f *faults) Receive(ctx actor.Context) {
	if d, ok := ctx.Message().(*delayed); ok {
		ctx.RequestWithCustomSender(d.to, d.envelope.Message, d.envelope.Sender)
	}
}

// begin does harm from now on.
func (f *faults) begin(harm func(message string, n int) harm, crash func(kind, message string, n int) bool) {
	f.count, f.harm, f.crash, f.did = map[string]int{}, harm, crash, nil
}

func (f *faults) end() { f.harm, f.crash = nil, nil }
