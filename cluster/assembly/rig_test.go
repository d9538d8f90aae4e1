package assembly_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/enricher"
	"github.com/birdwire/birdwire/actors/newsdesk"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// node is a whole node in virtual time, on a disk that outlives it.
type node struct {
	*testkit.Kit
	t       testing.TB
	disk    *memory.Disk
	store   *memory.Store
	actors  *assembly.Node
	starts  uint64
	plans   map[string]apikey.Plan // nil: the default ones
	failed  []error
	sockets int
	cursor  *messages.Cursor                  // that the next clients bring; nil: none
	drop    func(to string, message any) bool // messages that are lost; nil: none
	enrich  enricher.Reader                   // nil: articles are not enriched
	judge   newsdesk.Judge                    // nil: nobody judges developments
}

func newNode(t testing.TB, k *testkit.Kit) *node {
	return nodeOn(t, k, memory.NewDisk(memory.Config{Now: k.Clock.Now}), 1)
}

// nodeOn starts the process on a disk for the nth time.
func nodeOn(t testing.TB, k *testkit.Kit, disk *memory.Disk, starts uint64) *node {
	return nodeWith(t, k, disk, starts, nil)
}

// nodeWith is nodeOn with these plans.
func nodeWith(t testing.TB, k *testkit.Kit, disk *memory.Disk, starts uint64, plans map[string]apikey.Plan) *node {
	n := &node{Kit: k, t: t, disk: disk, starts: starts - 1, plans: plans}
	n.start()
	return n
}

// start starts a process on the disk, and settles until it serves.
func (n *node) start() {
	n.t.Helper()
	n.starts++
	n.store = n.disk.Open(nil)
	ports := assembly.Ports{
		Node: testkit.Address, Incarnation: n.starts, System: n.System, Props: n.props, Clock: n.Clock, Rand: n.Rand,
		Work:   assembly.Work{Append: n.Worker, Records: n.Worker, Read: n.Worker, Mend: n.Worker, Merge: n.Worker, Poll: n.Worker, Enrich: n.Worker},
		Enrich: n.enrich, Judge: n.judge,
		Store: n.store, Repeats: replay.NewVoids(), Logger: n.Log, Failed: func(err error) { n.failed = append(n.failed, err) },
	}
	state, err := assembly.Load(n.t.Context(), ports)
	if err != nil {
		n.t.Fatal(err)
	}
	active := 0
	if n.actors, err = assembly.Start(ports, assembly.Config{Plans: n.plans}, state, func() { active++ }); err != nil {
		n.t.Fatal(err)
	}
	n.Settle()
	if active != 1 {
		n.t.Fatalf("active was told %d times", active)
	}
}

// stop stops the process in order and checks that nothing of it is left.
func (n *node) stop() {
	n.t.Helper()
	var ended []error
	n.actors.Stop(func(err error) { ended = append(ended, err) })
	n.Advance(0)
	if len(ended) != 1 || ended[0] != nil {
		n.t.Fatalf("the end: %v", ended)
	}
	if len(n.failed) > 0 {
		n.t.Errorf("the node said that it cannot go on: %v", n.failed)
	}
	if timers := n.Clock.Pending(); len(timers) > 0 {
		n.t.Errorf("timers are left: %v", timers)
	}
	if left := n.left(); len(left) > 0 {
		n.t.Errorf("actors are left: %v", left)
	}
}

// left are the actors that there are, except for the test's own.
func (n *node) left() []string {
	return slices.DeleteFunc(n.Actors(), func(id string) bool {
		return !strings.HasPrefix(id, "node") && !strings.HasPrefix(id, "connection/")
	})
}

// ask is a gateway's question to a key.
func (n *node) ask(keyID string, command proto.Message) proto.Message {
	n.t.Helper()
	var got proto.Message
	var failed error
	n.actors.AskKey(keyID, command, 10*time.Second, func(m proto.Message, err error) { got, failed = m, err })
	for range 100 { // a store that writes in groups waits for some milliseconds
		n.Advance(10 * time.Millisecond)
		if got != nil || failed != nil {
			break
		}
	}
	if failed != nil || got == nil {
		n.t.Fatalf("%T: no answer, %v", command, failed)
	}
	return got
}

const keyID = "key-abcdefghij"

var secret = sha256.Sum256([]byte("secret"))

// makeKey makes the test's key.
func (n *node) makeKey(plan string) {
	n.t.Helper()
	m := n.ask(keyID, &messages.CreateKey{Key: &messages.Key{
		Id: keyID, Name: "test", Plan: plan, SecretHash: secret[:], State: messages.KeyState_KEY_ACTIVE,
		Scopes: []string{"ws:connect", "rules:write"},
	}})
	if _, ok := m.(*messages.KeyDescribed); !ok {
		n.t.Fatalf("create key: %v", m)
	}
}

func (n *node) makeRule(tag, query string) *messages.Rule {
	n.t.Helper()
	m := n.ask(keyID, &messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: tag, Query: query, Status: "active", IntervalSeconds: 1, MaxResultsPerPoll: 20}})
	shown, ok := m.(*messages.RuleShown)
	if !ok {
		n.t.Fatalf("create rule: %v", m)
	}
	return shown.GetRule()
}

// socket is the client's end of one connection.
type socket struct {
	n     *node
	pid   *actor.PID
	id    string
	shown []string // what was shown to the client and not looked at yet
	had   []*messages.Event
	heard actors.Instant
	ended string
}

func (s *socket) say(format string, args ...any) {
	s.shown = append(s.shown, fmt.Sprintf(format, args...))
}

func (s *socket) Connected()                            { s.say("connected") }
func (s *socket) Subscribed(*messages.ClientSubscribed) { s.say("subscribed") }
func (s *socket) Pong()                                 { s.say("pong") }
func (s *socket) Error(text string)                     { s.say("error %s", text) }
func (s *socket) Cursor(messages.Position)              { s.say("cursor") }
func (s *socket) Ping()                                 { s.heard = s.n.Clock.Elapsed() } // the client answers at once
func (s *socket) Silence() time.Duration                { return s.n.Clock.Elapsed() - s.heard }
func (s *socket) Pending() int                          { return 0 }
func (s *socket) NotifyDrained()                        {}
func (s *socket) End(reason messages.EndReason, detail string) {
	s.ended = fmt.Sprint(reason, ": ", detail)
}

func (s *socket) Deliver(ds []*messages.Delivery, _, _ bool) bool {
	for _, d := range ds {
		s.had = append(s.had, d.GetEvent())
		id := d.GetEvent().GetPost().GetId()
		if a := d.GetEvent().GetArticle(); a != nil {
			if id = a.GetArticle().GetId(); a.GetAction() == messages.ArticleAction_ARTICLE_ENRICHED {
				id += " enriched"
			}
		}
		s.say("%s", strings.TrimSpace(id+" "+d.GetOrigin().GetName()))
	}
	return true
}

// connect admits a client of the API.
func (n *node) connect(api messages.Api) *socket {
	n.t.Helper()
	n.sockets++
	s := &socket{n: n, id: fmt.Sprint("c", n.sockets), heard: n.Clock.Elapsed()}
	m := n.ask(keyID, &messages.Admit{
		Credential: &messages.Credential{KeyId: keyID, SecretHash: secret[:]}, Api: api, ConnectionId: s.id,
		Node: testkit.Address, Incarnation: n.starts,
	})
	admitted, ok := m.(*messages.Admitted)
	if !ok {
		n.t.Fatalf("admit: %v", m)
	}
	_, err := n.actors.Start(gateway.Start{ConnectionID: s.id, API: api, Admitted: admitted, Socket: s, Cursor: n.cursor})
	if err != nil {
		n.t.Fatal(err)
	}
	s.pid = n.actors.Connection(s.id)
	n.Advance(100 * time.Millisecond)
	return s
}

// want looks at what was shown since the last look.
func (s *socket) want(want ...string) {
	s.n.t.Helper()
	if !slices.Equal(s.shown, want) || s.ended != "" {
		s.n.t.Errorf("connection %s was shown %q, want %q; ended %q", s.id, s.shown, want, s.ended)
	}
	s.shown = nil
}

// post pushes a post and waits until it has been handed on.
func (n *node) post(id, text string) {
	n.t.Helper()
	post, err := push.ParsePost(fmt.Appendf(nil, `{"id":%q,"text":%q,"created_at":"2026-03-04T12:00:00Z","author":{"id":"7","username":"ada"}}`, id, text))
	if err != nil {
		n.t.Fatal(err)
	}
	n.offer(&messages.Event{Id: "push:post:" + id + ":1", Source: "push", DetectedMs: n.Clock.Now().UnixMilli(), Body: &messages.Event_Post{Post: post}})
}

func (n *node) article(id, title string) {
	n.t.Helper()
	article, err := push.ParseArticle(fmt.Appendf(nil, `{"id":%q,"url":"https://example.com/%s","title":%q,"category":"business","source":{"id":"wire","name":"Wire"}}`, id, id, title))
	if err != nil {
		n.t.Fatal(err)
	}
	n.offer(&messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Article: article}}})
}

func (n *node) offer(e *messages.Event) {
	n.t.Helper()
	var got proto.Message
	n.actors.Ask(n.actors.Push(), &messages.Offer{Id: 1, Events: []*messages.Event{e}}, 30*time.Second, func(m proto.Message, err error) { got = m })
	n.Advance(200 * time.Millisecond)
	if a, ok := got.(*messages.Appended); !ok || len(a.GetDuplicates()) > 0 {
		n.t.Fatalf("push: %v", got)
	}
}

// fault is a message that has whoever handles it fail.
type fault struct{}

// props are those of actors that a fault reaches.
func (n *node) props(kind string, produce actor.Producer, children actor.SupervisorStrategy) *actor.Props {
	return n.Props(kind, produce, children).Configure(actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(ctx actor.ReceiverContext, m *actor.MessageEnvelope) {
			if _, ok := m.Message.(fault); ok {
				panic("a fault")
			}
			if n.drop != nil && n.drop(ctx.Self().GetId(), m.Message) {
				return
			}
			next(ctx, m)
		}
	}))
}

// fail has the one actor fail whose id begins so, and returns its id.
func (n *node) fail(prefix string) string {
	n.t.Helper()
	ids := slices.DeleteFunc(n.left(), func(id string) bool { return !strings.HasPrefix(id, prefix) })
	if len(ids) == 0 {
		n.t.Fatalf("no actor is called %s…", prefix)
	}
	n.Tell(actor.NewPID(testkit.Address, ids[0]), fault{})
	if panics := n.Panics(); len(panics) != 1 {
		n.t.Fatalf("%s: %d failures", ids[0], len(panics))
	}
	return ids[0]
}

// ledger is what the test's key has spent this month.
func (n *node) ledger() *messages.Ledger {
	n.t.Helper()
	l, err := n.store.Counters().Usage(n.t.Context(), keyID, n.Clock.Now().UTC().Format("2006-01"))
	if err != nil {
		n.t.Fatal(err)
	}
	return l
}

// kill has an actor fail that may not be there any more.
func (n *node) kill(id string) {
	n.t.Helper()
	n.Tell(actor.NewPID(testkit.Address, id), fault{})
	n.Settle()
}
