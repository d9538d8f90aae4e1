package apikey_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/filterrule"
	"github.com/birdwire/birdwire/actors/monitor"
	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

const keyID = "key-abcdefghij"

// rig is a shard with real keys, monitors and rules, a router that is a few
// lines, and a client that asks.
type rig struct {
	t      testing.TB
	k      *testkit.Kit
	cfg    apikey.Config
	shard  *actor.PID
	router *router
	posts  *posts
	ledger *ledgers
	client *testkit.Probe
	conns  map[string]*testkit.Probe
	counts map[string]int
	key    *actor.PID // that was spawned last
}

func newRig(t testing.TB, k *testkit.Kit, change ...func(*apikey.Config)) *rig {
	r := &rig{
		t: t, k: k, client: k.Probe(), conns: map[string]*testkit.Probe{}, counts: map[string]int{},
		router: &router{queries: map[name]*messages.Query{}, until: map[name]uint64{}, position: 100}, ledger: newLedgers(),
		posts: &posts{at: map[messages.Position]*messages.Event{}},
	}
	routerPID := k.Spawn("router", func() actor.Actor { return r.router })
	monitors := monitor.Config{Clock: k.Clock, Props: k.Props}
	rules := filterrule.Config{Props: k.Props, Parse: parse}
	r.cfg = apikey.Config{
		Records: records(k), Counters: r.ledger, Clock: k.Clock, Rand: k.Rand, Worker: k.Worker, Props: k.Props, Router: routerPID,
		Monitor:    func(id string, f *messages.Figures) *actor.Props { return monitor.Props(monitors, id, f) },
		Rule:       func(id string, f *messages.Figures) *actor.Props { return filterrule.Props(rules, id, f) },
		Connection: r.connection,
		Events:     r.posts,
		Count:      func(m string) { r.counts[m]++ },
		Logger:     k.Log,
	}
	for _, c := range change {
		c(&r.cfg)
	}
	r.startShard()
	return r
}

// startShard begins one more incarnation of the node's shard.
func (r *rig) startShard() {
	r.shard = r.k.SpawnProps("shard", shard.Props(shard.Config{
		Node: "n1", Incarnation: 7, Records: records(r.k), Clock: r.k.Clock, Worker: r.k.Worker, Props: r.k.Props,
		Router: r.cfg.Router, Key: r.props, Logger: r.cfg.Logger,
	})(actors.ShardOf(keyID)))
	r.k.Settle()
}

// props is that of the key, whose actor tells the test who it is.
func (r *rig) props(id string) *actor.Props {
	p := apikey.Props(r.cfg, id)
	return p.Clone(actor.WithOnInit(func(ctx actor.Context) { r.key = ctx.Self() }))
}

func (r *rig) connection(s *messages.Slot) *actor.PID {
	if p := r.conns[s.GetConnectionId()]; p != nil {
		return p.PID()
	}
	return actor.NewPID(testkit.Address, "connection/"+s.GetConnectionId())
}

func parse(query string) error {
	switch query {
	case "(":
		return &messages.SyntaxError{Position: 1, Found: "the end", Expected: "a term"}
	case "panic":
		panic("parser")
	}
	return nil
}

func hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

func credential(secret string) *messages.Credential {
	return &messages.Credential{KeyId: keyID, SecretHash: hash(secret)}
}

// create makes the key, with the plan business and the secret "s".
func (r *rig) create(change ...func(*messages.Key)) *rig {
	r.t.Helper()
	key := &messages.Key{
		Id: keyID, Name: "n", Plan: "business", SecretHash: hash("s"), Scopes: []string{"ws:connect", "rules:write"},
	}
	for _, c := range change {
		c(key)
	}
	ask[*messages.KeyDescribed](r, &messages.CreateKey{Key: key})
	return r
}

// ask sends the client's message to the shard and takes the answer, giving the
// group commit its time.
func ask[T any](r *rig, message any) T {
	r.t.Helper()
	r.client.Messages()
	r.client.Request(r.shard, message)
	r.k.Advance(5 * time.Millisecond)
	return testkit.Expect[T](r.client)
}

func (r *rig) rejected(message any) *messages.Rejected {
	r.t.Helper()
	return ask[*messages.Rejected](r, message)
}

func (r *rig) tell(message any) {
	r.t.Helper()
	r.k.Tell(r.shard, message)
	r.k.Settle()
}

func admitMessage(api messages.Api, connection string) *messages.Admit {
	return &messages.Admit{Credential: credential("s"), Api: api, ConnectionId: connection, Node: "n1", Incarnation: 7}
}

// connect admits a connection and gives it a probe.
func (r *rig) connect(api messages.Api, connection string) *testkit.Probe {
	r.t.Helper()
	p := r.k.Probe()
	r.conns[connection] = p
	ask[*messages.Admitted](r, admitMessage(api, connection))
	return p
}

// join connects to twitter and joins.
func (r *rig) join(connection string) (*testkit.Probe, *messages.Joined) {
	r.t.Helper()
	p := r.connect(messages.Api_API_TWITTER, connection)
	return p, r.rejoin(p, connection)
}

func (r *rig) rejoin(p *testkit.Probe, connection string) *messages.Joined {
	r.t.Helper()
	p.Request(r.shard, &messages.Join{ConnectionId: connection, KeyId: keyID, Connection: actors.RefOf(p.PID())})
	return testkit.Expect[*messages.Joined](p)
}

func (r *rig) disconnect(api messages.Api, connection string) {
	r.t.Helper()
	r.tell(&messages.Leave{KeyId: keyID, ConnectionId: connection})
	r.tell(&messages.Release{KeyId: keyID, Api: api, ConnectionId: connection})
	r.k.Advance(5 * time.Millisecond)
}

func (r *rig) rule(tag, query string) *messages.Rule {
	r.t.Helper()
	return ask[*messages.RuleShown](r, &messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: tag, Query: query}}).GetRule()
}

func (r *rig) monitor(name string, usernames ...string) *messages.Monitor {
	r.t.Helper()
	return ask[*messages.MonitorShown](r, &messages.CreateMonitor{KeyId: keyID, Monitor: &messages.Monitor{Name: name, Usernames: usernames}}).GetMonitor()
}

// match has the router find the post for the queries k.
func (r *rig) match(id string, k ...uint32) {
	r.t.Helper()
	r.matchPost(&messages.Post{Id: id}, k...)
}

func (r *rig) matchPost(p *messages.Post, k ...uint32) {
	r.t.Helper()
	r.router.position++
	r.router.number++
	e := &messages.Event{Id: p.GetId(), Body: &messages.Event_Post{Post: p}}
	r.posts.at[messages.Position(r.router.position)] = e
	r.tell(&messages.Matched{KeyId: keyID, Term: r.router.term, Number: r.router.number, Hits: []*messages.Hit{{
		Position: r.router.position, K: k, Version: r.router.versions(k), Event: e,
	}}})
}

// posts are apikey.Events: what the log holds, with faults on demand.
type posts struct {
	at    map[messages.Position]*messages.Event
	err   error
	panic bool
	read  int // positions asked for
}

func (p *posts) Events(ctx context.Context, positions []messages.Position) ([]*messages.Event, error) {
	if p.panic {
		panic("the log")
	}
	if err := cmp.Or(ctx.Err(), p.err); err != nil {
		return nil, err
	}
	p.read += len(positions)
	found := make([]*messages.Event, len(positions))
	for i, at := range positions {
		found[i] = p.at[at]
	}
	return found, nil
}

// storedKey is the key's record.
func (r *rig) storedKey() *messages.Key {
	r.t.Helper()
	m := &messages.Key{}
	r.stored(actors.KeyRecord(keyID), m)
	return m
}

func (r *rig) stored(name string, into proto.Message) {
	r.t.Helper()
	kept, err := records(r.k).Get(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := proto.Unmarshal(kept.Data, into); err != nil {
		r.t.Fatal(err)
	}
}

// has says whether the record is in the store.
func (r *rig) has(name string) bool {
	return slices.ContainsFunc(records(r.k).All(), func(rec messages.KeptRecord) bool { return rec.Key == name })
}

// running says whether the key's actor is there.
func (r *rig) running() bool {
	r.k.Settle()
	if r.key == nil {
		return false
	}
	_, there := r.k.System.ProcessRegistry.GetLocal(r.key.GetId())
	return there
}

// router answers as the real one does, and remembers what it was told.
type router struct {
	asked    int // how far it is
	queries  map[name]*messages.Query
	position uint64
	number   uint64
	term     uint64 // of who put last
	puts     int
	drops    int
	mute     bool
	refuse   func(*messages.Query) string
	until    map[name]uint64 // of versions that are to be removed later

	slow      bool // what is put is compiled until the test says so
	compiling []func()
}

// name is a version of a query.
type name struct{ k, version uint32 }

// query is the newest version of k that is there, nil if none is.
func (r *router) query(k uint32) (q *messages.Query) {
	for n, held := range r.queries {
		if n.k == k && (q == nil || n.version > q.GetVersion()) {
			q = held
		}
	}
	return q
}

// versions are the newest of each k.
func (r *router) versions(ks []uint32) []uint32 {
	versions := make([]uint32, len(ks))
	for i, k := range ks {
		versions[i] = r.query(k).GetVersion()
	}
	return versions
}

// act is done by the router that receives it.
type act func(ctx actor.Context)

func (r *router) Receive(ctx actor.Context) {
	if r.mute {
		return
	}
	switch m := ctx.Message().(type) {
	case act:
		m(ctx)
	case *messages.PutQueries:
		if r.puts++; r.slow {
			from := ctx.Sender()
			r.compiling = append(r.compiling, func() { ctx.Send(from, r.put(m)) })
			return
		}
		ctx.Respond(r.put(m))
	case *messages.DropKey:
		r.drops++
		clear(r.queries)
	case *messages.AskThrough:
		r.asked++
		ctx.Respond(&messages.Through{KeyId: m.GetKeyId(), Position: r.position, Number: r.number})
	}
}

func (r *router) put(m *messages.PutQueries) *messages.QueriesPut {
	r.term = m.GetTerm()
	answer := &messages.QueriesPut{Position: r.position, Id: m.GetId(), KeyId: m.GetKeyId()}
	if m.GetAll() {
		clear(r.queries)
		clear(r.until)
	}
	for _, q := range m.GetPut() {
		if r.refuse != nil && r.refuse(q) != "" {
			refused := &messages.QueryName{K: q.GetK(), Version: q.GetVersion()}
			answer.Refused = append(answer.Refused, &messages.QueryRefused{Query: refused, Detail: r.refuse(q)})
			continue
		}
		r.queries[name{q.GetK(), q.GetVersion()}] = q
		if q.GetUntil() != 0 {
			r.until[name{q.GetK(), q.GetVersion()}] = q.GetUntil()
		}
	}
	for _, q := range m.GetRemove() {
		r.until[name{q.GetK(), q.GetVersion()}] = q.GetUntil()
	}
	r.over()
	return answer
}

// over removes the versions that end where the router is.
func (r *router) over() {
	for n, until := range r.until {
		if until <= r.position {
			delete(r.queries, n)
			delete(r.until, n)
		}
	}
}

// ledgers are apikey.Counters in memory, of one key, with faults on demand.
type ledgers struct {
	months map[string]*month
	fail   []error // the next calls' errors
	commit bool    // a failing call does what it was asked for all the same
	calls  int
}

type month struct {
	charged int64
	limit   int64
	open    map[string]*messages.Grant
	done    map[string]bool
}

func newLedgers() *ledgers { return &ledgers{months: map[string]*month{}} }

var _ apikey.Counters = (*ledgers)(nil)

func (l *ledgers) month(name string) *month {
	if l.months[name] == nil {
		l.months[name] = &month{open: map[string]*messages.Grant{}, done: map[string]bool{}}
	}
	return l.months[name]
}

// meet is the fault that this call meets.
func (l *ledgers) meet() (err error, skip bool) {
	l.calls++
	if len(l.fail) == 0 {
		return nil, false
	}
	err, l.fail = l.fail[0], l.fail[1:]
	return err, err != nil && !l.commit
}

func (l *ledgers) Reserve(_ context.Context, r apikey.Reservation) (*messages.Grant, error) {
	key, name, n, limit, op := r.KeyID, r.Month, r.N, r.Limit, r.Op
	fault, skip := l.meet()
	if skip {
		return nil, fault
	}
	m := l.month(name)
	m.limit = limit
	g := m.open[op]
	if g == nil && m.done[op] {
		g = &messages.Grant{KeyId: key, Month: name, Id: op}
	}
	if g == nil {
		if limit > 0 {
			n = max(min(n, limit-m.charged), 0)
		}
		g = &messages.Grant{KeyId: key, Month: name, Id: op, Size: n, Spenders: r.Spenders}
		if r.Replaces != nil {
			if m.open[r.Replaces.GetId()] == nil {
				return nil, fmt.Errorf("reserve: %w", messages.ErrNotFound)
			}
			g.Size += r.Replaces.GetSize() - r.Used
			delete(m.open, r.Replaces.GetId())
			m.done[r.Replaces.GetId()] = true
		} else if n == 0 {
			return nil, fmt.Errorf("reserve: %w", messages.ErrExhausted)
		}
		m.open[op] = g
		m.charged += n
	}
	if fault != nil {
		return nil, fault
	}
	return g, nil
}

func (l *ledgers) Settle(_ context.Context, g *messages.Grant, used int64) error {
	fault, skip := l.meet()
	if skip {
		return fault
	}
	if used < 0 || used > g.GetSize() {
		return errors.New("settle: used is out of range")
	}
	m := l.month(g.GetMonth())
	if m.open[g.GetId()] != nil {
		delete(m.open, g.GetId())
		m.done[g.GetId()] = true
		m.charged -= g.GetSize() - used
	}
	return fault
}

func (l *ledgers) Prune(_ context.Context, _ string, keep int) error {
	names := slices.Sorted(maps.Keys(l.months))
	for _, name := range names[:max(0, len(names)-keep)] {
		delete(l.months, name)
	}
	return nil
}

func (l *ledgers) Usage(_ context.Context, _, name string) (*messages.Ledger, error) {
	if err, skip := l.meet(); skip {
		return nil, err
	}
	m := l.month(name)
	usage := &messages.Ledger{Charged: m.charged}
	for _, g := range m.open {
		usage.Open = append(usage.Open, g)
	}
	return usage, nil
}

func (l *ledgers) charged() (sum int64) {
	for _, m := range l.months {
		sum += m.charged
	}
	return sum
}
