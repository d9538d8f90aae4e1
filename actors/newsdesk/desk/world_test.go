package desk_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/actors/storycluster/story"
	"github.com/birdwire/birdwire/messages"
)

// world is a newsdesk with its stories and the log that it reads: what it
// offers is appended to the log, some events later.
type world struct {
	t       testing.TB
	cfg     desk.Config
	desk    *desk.Machine
	stories map[uint64]*story.Story
	log     []*messages.Event // by position-1
}

func newWorld(t testing.TB, cfg desk.Config) *world {
	t.Helper()
	w := &world{t: t, cfg: cfg}
	w.begin(nil)
	return w
}

// begin makes the newsdesk anew, from a snapshot or from nothing.
func (w *world) begin(snapshot []byte) {
	w.t.Helper()
	var err error
	if snapshot == nil {
		w.desk, err = desk.New(w.cfg)
	} else {
		w.desk, err = desk.Restore(w.cfg, snapshot)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.stories = map[uint64]*story.Story{}
}

// run takes what is in the log after the newsdesk's place, up to n.
func (w *world) run(n int) {
	w.t.Helper()
	for int(w.desk.Place()) < n {
		p := w.desk.Place() + 1
		w.desk.Take(p, w.log[p-1])
		w.answer()
	}
}

// answer has the stories answer until the turn is over.
func (w *world) answer() {
	w.t.Helper()
	for w.desk.Busy() {
		for _, tell := range w.desk.Tells() {
			s := w.stories[tell.GetStory()]
			if len(tell.GetState()) > 0 {
				var err error
				if s, err = story.Restore(tell.GetState()); err != nil {
					w.t.Fatal(err)
				}
			} else if s == nil {
				s = story.New(tell.GetStory())
			}
			w.stories[tell.GetStory()] = s
			told, err := s.Do(tell)
			if err != nil {
				w.t.Fatal(err)
			}
			if tell.GetKeep().GetRest() {
				delete(w.stories, tell.GetStory())
			}
			w.desk.Told(told)
		}
	}
}

func (w *world) snapshot() []byte {
	w.t.Helper()
	w.desk.Save()
	w.answer()
	b, err := w.desk.Snapshot()
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// article is one as a source would have it.
type article struct {
	number    uint64
	title     string
	text      string
	source    string
	tickers   []string
	published int64 // 0: when it came
	action    messages.ArticleAction
}

func (a *article) event(at int64) *messages.Event {
	action := a.action
	if action == messages.ArticleAction_ARTICLE_ACTION_UNSPECIFIED {
		action = messages.ArticleAction_ARTICLE_CREATED
	}
	published := a.published
	if published == 0 {
		published = at
	}
	return &messages.Event{
		Id: fmt.Sprint("feed:", a.number, ":", action, ":", at), Source: "feed", DetectedMs: at,
		Body: &messages.Event_Article{Article: &messages.ArticleChange{Action: action, Article: &messages.Article{
			Number: a.number, Title: a.title, Description: a.text, SourceId: a.source, SourceName: strings.ToUpper(a.source),
			Category: "business", PublishedMs: published, DiscoveredMs: at, Tickers: a.tickers, Url: "https://" + a.source + ".example/" + fmt.Sprint(a.number),
		}}},
	}
}

// begins is when the made-up logs begin: 2026-03-04 12:00 UTC.
const begins = int64(1_772_625_600_000)

const second, minute = int64(1000), int64(60_000)

// made is a log of articles of made-up events, some of them changed, enriched
// and withdrawn later, with pauses.
func made(seed uint64, n, events int) []*messages.Event {
	r := rand.New(rand.NewPCG(seed, 1))
	at := begins
	var log []*messages.Event
	var known []article
	for i := range n {
		at += int64(r.IntN(90)) * second
		if r.IntN(60) == 0 {
			at += int64(r.IntN(200)) * minute
		}
		if len(known) > 0 && r.IntN(5) == 0 {
			a := known[r.IntN(len(known))]
			a.action = []messages.ArticleAction{
				messages.ArticleAction_ARTICLE_UPDATED, messages.ArticleAction_ARTICLE_ENRICHED, messages.ArticleAction_ARTICLE_DELETED,
			}[r.IntN(3)]
			a.text += " Correction added"
			if a.action == messages.ArticleAction_ARTICLE_ENRICHED {
				a.tickers = []string{fmt.Sprint("T", r.IntN(9))}
			}
			e := a.event(at)
			if a.action == messages.ArticleAction_ARTICLE_ENRICHED {
				e.GetArticle().GetArticle().Embedding, e.GetArticle().GetArticle().EmbeddingModel = vector(r), "m"
				e.GetArticle().GetArticle().EntityIds = []int64{int64(r.IntN(9)) + 1}
			}
			log = append(log, e)
			continue
		}
		event := i*events/n + r.IntN(4)
		a := article{number: uint64(i + 1), title: sentence(r, seed, event, 7), text: sentence(r, seed, event, 30), source: fmt.Sprint("s", r.IntN(12))}
		if r.IntN(4) == 0 { // a turn of the event, in words of its own
			a.title, a.text = sentence(r, seed, event, 3)+sentence(r, seed+9, event, 5), sentence(r, seed, event, 8)+sentence(r, seed+9, event, 24)
		}
		if r.IntN(6) == 0 { // a story of its own, until an article of both kinds has come
			a.title, a.text = sentence(r, seed+9, event, 7), sentence(r, seed+9, event, 30)
		}
		if r.IntN(12) == 0 && len(known) > 0 {
			a.title, a.text = known[len(known)-1].title, known[len(known)-1].text // a copy
		}
		switch r.IntN(30) {
		case 0:
			a.published = 1
		case 1:
			a.published = at + 64*365*24*60*minute
		}
		known = append(known, a)
		log = append(log, a.event(at))
	}
	return log
}

func vector(r *rand.Rand) []float32 {
	v := make([]float32, 1536)
	for range 20 {
		v[r.IntN(len(v))] = r.Float32() - 0.5
	}
	return v
}

// sentence is of words of the event's own and of words that all share.
func sentence(r *rand.Rand, seed uint64, event, words int) string {
	own := rand.New(rand.NewPCG(seed, uint64(event)+2))
	vocabulary := make([]string, 10)
	for w := range vocabulary {
		vocabulary[w] = fmt.Sprintf("%corvin%d", "ABCDEFGH"[w%8], own.IntN(4000))
	}
	var b strings.Builder
	for range words {
		if r.IntN(4) > 0 {
			b.WriteString(vocabulary[r.IntN(len(vocabulary))])
		} else {
			fmt.Fprintf(&b, "word%d", r.IntN(200))
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// kinds counts events by what they are.
func kinds(events []*messages.Event) map[string]int {
	n := map[string]int{}
	for _, e := range events {
		n[kind(e)]++
	}
	return n
}

func kind(e *messages.Event) string {
	switch b := e.GetBody().(type) {
	case *messages.Event_ClusterChange:
		return b.ClusterChange.GetAction()
	case *messages.Event_StoryPriority:
		return b.StoryPriority.GetNewPriority()
	case *messages.Event_StoryDevelopment:
		return "development"
	case *messages.Event_ClustersRanked:
		return "ranked"
	case *messages.Event_TickerNews:
		return "ticker"
	}
	return fmt.Sprintf("%T", e.GetBody())
}

func bytesOf(t testing.TB, e *messages.Event) string {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// withoutTurn is the snapshot without the number of its turns.
func withoutTurn(t *testing.T, snapshot []byte) []byte {
	t.Helper()
	s := &messages.DeskState{}
	if err := proto.Unmarshal(snapshot, s); err != nil {
		t.Fatal(err)
	}
	s.Turn = 0
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
