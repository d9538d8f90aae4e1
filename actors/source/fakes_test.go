package source_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// table is an item table in memory. before, when set, is called ahead of every
// CAS: another writer's chance.
type table struct {
	mu       sync.Mutex
	items    map[string]*messages.Item
	revision map[string]uint64
	last     uint64
	before   func()
	getErrs  []error
	casErrs  []error
	commits  bool // a failed CAS has happened all the same
	writes   int
}

func newTable() *table {
	return &table{items: map[string]*messages.Item{}, revision: map[string]uint64{}}
}

func (t *table) Get(_ context.Context, identities []string) ([]*messages.Item, []uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := pop(&t.getErrs); err != nil {
		return nil, nil, err
	}
	items, revisions := make([]*messages.Item, len(identities)), make([]uint64, len(identities))
	for i, id := range identities {
		if item := t.items[id]; item != nil {
			items[i], revisions[i] = proto.CloneOf(item), t.revision[id]
		}
	}
	return items, revisions, nil
}

func (t *table) CAS(_ context.Context, items []*messages.Item, revisions []uint64) ([]error, error) {
	if t.before != nil {
		before := t.before
		t.before = nil
		before()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	err := pop(&t.casErrs)
	if err != nil && !t.commits {
		return nil, err
	}
	each := make([]error, len(items))
	for i, item := range items {
		if t.revision[item.GetIdentity()] != revisions[i] {
			each[i] = messages.ErrConflict
			continue
		}
		t.put(item)
	}
	if err != nil {
		return nil, err
	}
	return each, nil
}

func (t *table) put(item *messages.Item) {
	t.last++
	t.writes++
	t.items[item.GetIdentity()] = proto.CloneOf(item)
	t.revision[item.GetIdentity()] = t.last
}

func pop(errs *[]error) error {
	if len(*errs) == 0 {
		return nil
	}
	err := (*errs)[0]
	*errs = (*errs)[1:]
	return err
}

// held is what the log holds: one event a frame, the first of each id.
type held struct {
	events map[string]*messages.Event
	at     map[string]messages.Position
	frames []*messages.Event
	err    error // of every reading
}

func newHeld() *held {
	return &held{events: map[string]*messages.Event{}, at: map[string]messages.Position{}}
}

func (h *held) put(e *messages.Event) {
	if h.events[e.GetId()] == nil {
		h.frames = append(h.frames, e)
		h.events[e.GetId()], h.at[e.GetId()] = e, messages.At(uint64(len(h.frames)), 0)
	}
}

func (h *held) Events(c context.Context, positions []messages.Position) ([]*messages.Event, error) {
	if err := errors.Join(h.err, c.Err()); err != nil {
		return nil, err
	}
	found := make([]*messages.Event, len(positions))
	for i, p := range positions {
		found[i] = h.frames[p.Sequence()-1]
	}
	return found, nil
}

// poll is one answer of a scripted adapter.
type poll struct {
	drafts []*messages.Event
	next   string
	after  time.Duration
	err    error
	panics any
}

// script is an adapter that answers from a list; past its end, that nothing is new.
type script struct {
	mu    sync.Mutex
	polls []poll
	marks []string // what each poll was given
}

func (s *script) add(p ...poll) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polls = append(s.polls, p...)
}

func (s *script) polled() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.marks...)
}

func (s *script) Poll(_ context.Context, mark []byte) ([]*messages.Event, []byte, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks = append(s.marks, string(mark))
	if len(s.polls) == 0 {
		return nil, append([]byte(nil), mark...), 0, nil
	}
	p := s.polls[0]
	s.polls = s.polls[1:]
	if p.panics != nil {
		panic(p.panics)
	}
	var next []byte
	if p.next != "" {
		next = []byte(p.next)
	}
	return p.drafts, next, p.after, p.err
}

// world is one source among fakes; the journal is the test's own probe.
type world struct {
	*testkit.Kit
	t       *testing.T
	table   *table
	adapter *script
	journal *testkit.Probe
	log     *held
	cfg     source.Config
	seen    []source.Observation
}

func newWorld(t *testing.T, k *testkit.Kit) *world {
	w := &world{Kit: k, t: t, table: newTable(), adapter: &script{}, journal: k.Probe(), log: newHeld()}
	w.cfg = source.Config{
		ID: "feed-1", Kind: "feed", URL: "https://example.com/feed",
		Adapter: w.adapter, Items: w.table, Log: w.log, Records: records(k),
		Clock: k.Clock, Rand: k.Rand, Worker: k.Worker, Props: k.Props,
		Journal: w.journal.PID(), Logger: k.Log, Interval: time.Minute,
		Observe: func(o source.Observation) { w.seen = append(w.seen, o) },
	}
	return w
}

func (w *world) start() *actor.PID {
	w.t.Helper()
	if err := w.cfg.Validate(); err != nil {
		w.t.Fatal(err)
	}
	pid := w.SpawnProps("source", source.Props(w.cfg))
	w.Advance(0)
	return pid
}

// offer takes the next offer and answers that it is durable.
func (w *world) offer() *messages.Offer {
	w.t.Helper()
	o := testkit.Expect[*messages.Offer](w.journal)
	w.ack(o)
	return o
}

func (w *world) ack(o *messages.Offer, duplicates ...uint32) {
	for _, e := range o.GetEvents() {
		w.log.put(e)
	}
	answer := &messages.Appended{Id: o.GetId(), LastPosition: 1, Duplicates: duplicates}
	for _, d := range duplicates {
		answer.Held = append(answer.Held, uint64(w.log.at[o.GetEvents()[d].GetId()]))
	}
	w.journal.Reply(answer)
	w.Settle()
}

func (w *world) describe(pid *actor.PID) *messages.SourceDescribed {
	w.t.Helper()
	p := w.Probe()
	p.Request(pid, &messages.DescribeSource{})
	return testkit.Expect[*messages.SourceDescribed](p)
}

func (w *world) mark() string {
	for _, r := range records(w.Kit).All() {
		if r.Key == "marks."+w.cfg.ID {
			return string(r.Data)
		}
	}
	return ""
}

func article(name, title string) *messages.Event {
	return draft(messages.ArticleAction_ARTICLE_ACTION_UNSPECIFIED, &messages.Article{
		Identity: "guid|" + name, SourceId: "bbc", SourceName: "BBC", Title: title, Url: "https://bbc.example/" + name,
	})
}

func withdrawal(name string) *messages.Event {
	return draft(messages.ArticleAction_ARTICLE_DELETED, &messages.Article{Identity: "guid|" + name, SourceId: "bbc"})
}

func draft(action messages.ArticleAction, a *messages.Article) *messages.Event {
	return &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Action: action, Article: a}}}
}

func post(id string) *messages.Event {
	return &messages.Event{Body: &messages.Event_Post{Post: &messages.Post{Id: id, Text: "text of " + id}}}
}

// summary is an offer as "action title revision", for comparing.
func summary(o *messages.Offer) []string {
	var lines []string
	for _, e := range o.GetEvents() {
		if p := e.GetPost(); p != nil {
			lines = append(lines, "post "+p.GetId())
			continue
		}
		c := e.GetArticle()
		word := map[messages.ArticleAction]string{
			messages.ArticleAction_ARTICLE_CREATED: "create", messages.ArticleAction_ARTICLE_UPDATED: "update",
			messages.ArticleAction_ARTICLE_DELETED: "delete",
		}[c.GetAction()]
		lines = append(lines, fmt.Sprintf("%s %s %d", word, c.GetArticle().GetTitle(), c.GetRevision()))
	}
	return lines
}
