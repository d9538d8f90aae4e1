package desk

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
	"github.com/birdwire/birdwire/messages"
)

// Source is the source of the newsdesk's own events, and where their ids begin.
const Source = "newsdesk"

// Machine is the newsdesk. Not for concurrent use.
type Machine struct {
	cfg     Config
	sim     *similarity.Engine
	stories map[uint64]*entry
	of      map[uint64]uint64 // article -> story
	awake   map[uint64]*entry // of stories

	place  messages.Position // everything at or before it was taken
	now    int64             // event time, ms; never goes back
	latest int64             // the latest detection seen
	looked int64             // the minute that was last looked at

	ranked   []*messages.RankedCluster // as last told
	rankedAt int64
	rerank   bool // something changed since

	pending []*messages.Event // computed, and not read in the log
	begun   bool              // events were offered, or could have been
	past    bool              // what is taken was in the log when it was read

	entities  map[int64]*messages.Entity // what ids mean; at most entitiesMost
	questions []*messages.DeskQuestion   // that have no verdict, the oldest first; at most questionsMost

	turn   *turn // nil between turns
	number uint64
	saved  map[uint64][]byte // by story, while a turn of Save goes on
}

// entry is one live story as the machine knows it.
type entry struct {
	face     *messages.StoryFace
	state    []byte   // StoryState; nil while its actor has it
	articles []uint64 // numbers, the oldest first; at most articlesMost
	awake    bool
	touched  int64 // now, when it was last told of an article
}

// New is a newsdesk at the beginning of the log.
func New(cfg Config) (*Machine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	sim, err := similarity.New(cfg.Similarity)
	if err != nil {
		return nil, fmt.Errorf("desk: %w", err)
	}
	return &Machine{cfg: cfg, sim: sim, stories: map[uint64]*entry{}, of: map[uint64]uint64{}, awake: map[uint64]*entry{}, entities: map[int64]*messages.Entity{}}, nil
}

// Place is the position up to which everything was taken.
func (m *Machine) Place() messages.Position { return m.place }

// Skip moves the place without taking what is there: it is lost, or was read
// and is nothing that the newsdesk asks for.
func (m *Machine) Skip(p messages.Position) { m.place = max(m.place, p) }

// Now is the event time in Unix milliseconds; 0 before the first event.
func (m *Machine) Now() int64 { return m.now }

// Live is how many stories may still be joined, and how many of them are awake.
func (m *Machine) Live() (live, awake int) { return len(m.stories), len(m.awake) }

// Waiting says whether something is to be told as soon as time goes by.
func (m *Machine) Waiting() bool { return m.rerank }

// Pending are the events that follow from what was taken and that were not read
// in the log yet, in order. They and the slice are not to be changed; the slice
// is good until the next Take.
func (m *Machine) Pending() []*messages.Event { return m.pending }

// After are those of Pending that come after the event with the id; all of them
// where id is "".
func (m *Machine) After(id string) []*messages.Event {
	position, index, ok := parse(id)
	if !ok {
		return m.pending
	}
	n, _ := slices.BinarySearchFunc(m.pending, 0, func(e *messages.Event, _ int) int {
		if p, i, _ := parse(e.GetId()); p < position || p == position && i <= index {
			return -1
		}
		return 1
	})
	return m.pending[n:]
}

// Current says whether what is taken from now on is news. Of rankings of the
// past the last one alone is pending: they say how things are, and the ones
// before are not so any more.
func (m *Machine) Current(is bool) { m.past = !is }

// Begin is told once everything in the log was taken: what is pending now will
// be offered. A newsdesk that never offered anything keeps the past to itself.
func (m *Machine) Begin() {
	m.forget()
	m.begun = true
}

// forget drops pending events of the past that nobody will be told.
func (m *Machine) forget() {
	if m.begun {
		return
	}
	n := 0
	for n < len(m.pending) && m.pending[n].GetDetectedMs() < m.now-lateMost {
		n++
	}
	m.pending = slices.Delete(m.pending, 0, n)
}

// Take begins the turn of the event at the position. There must be no other
// turn, and positions must grow.
func (m *Machine) Take(p messages.Position, e *messages.Event) {
	if m.turn != nil {
		panic("desk: taken in the middle of a turn")
	}
	m.place = p
	if e.GetSource() == Source && e.GetDeskTime() == nil && e.GetStoryVerdict() == nil {
		m.told(e.GetId())
		return
	}
	m.number++
	m.turn = &turn{position: p, at: e.GetDetectedMs()}
	switch t, v := e.GetDeskTime(), e.GetStoryVerdict(); {
	case t != nil:
		at := t.GetAtMs()
		if m.now != 0 {
			at = min(at, m.now+leapMost)
		}
		m.now = max(m.now, at)
	case v != nil: // its time is of the newsdesk's own clock
		m.verdict(v)
	default:
		m.advance(e.GetDetectedMs())
	}
	m.look()
	if c := e.GetArticle(); c.GetArticle().GetNumber() != 0 {
		m.article(p, c)
	}
	m.goOn()
}

// advance moves the time as far as two events have reached.
func (m *Machine) advance(at int64) {
	switch {
	case m.latest == 0:
		m.now, m.latest = at, at
	case at > m.latest:
		m.now, m.latest = max(m.now, m.latest), at
	default:
		m.now = max(m.now, at)
	}
}

// told: an event of the newsdesk's is in the log, so all before it are.
func (m *Machine) told(id string) {
	m.begun = true
	position, index, ok := parse(id)
	if !ok {
		return
	}
	n := 0
	for n < len(m.pending) {
		p, i, _ := parse(m.pending[n].GetId())
		if p > position || p == position && i > index {
			break
		}
		n++
	}
	m.pending = slices.Delete(m.pending, 0, n)
}

func eventID(p messages.Position, index int) string {
	return Source + ":" + strconv.FormatUint(uint64(p), 10) + ":" + strconv.Itoa(index)
}

func parse(id string) (p messages.Position, index int, ok bool) {
	rest, ok := strings.CutPrefix(id, Source+":")
	at, number, cut := strings.Cut(rest, ":")
	position, err := strconv.ParseUint(at, 10, 64)
	index, err2 := strconv.Atoi(number)
	return messages.Position(position), index, ok && cut && err == nil && err2 == nil
}

// look has the stories that are awake looked at, once a minute.
func (m *Machine) look() {
	if m.now-m.looked < minute {
		return
	}
	m.looked = m.now - m.now%minute
	m.giveUp()
	m.rerank = m.rerank || len(m.awake) > 0
	tells := make([]*messages.TellStory, 0, min(stepMost, len(m.awake)))
	flush := func() {
		if len(tells) > 0 {
			m.turn.steps = append(m.turn.steps, &step{tells: tells})
			tells = make([]*messages.TellStory, 0, stepMost)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.awake)) {
		t := &messages.TellStory{Story: id, What: &messages.TellStory_Look{Look: &messages.StoryLook{}}}
		if m.tired(m.awake[id]) {
			t.What = &messages.TellStory_Keep{Keep: &messages.StoryKeep{Rest: true}}
		}
		if tells = append(tells, t); len(tells) == stepMost {
			flush()
		}
	}
	flush()
}

// tired says whether the story may rest.
func (m *Machine) tired(e *entry) bool {
	idle := m.now - e.touched
	if e.face.GetArticles() < 2 && e.face.GetPriority() == "normal" {
		return idle >= aloneAfter
	}
	return idle >= restAfter && e.face.GetPriority() == "normal"
}

// rank tells the best stories where that changed, at most every few seconds.
func (m *Machine) rank() {
	if !m.rerank || m.now-m.rankedAt < rankEvery {
		return
	}
	// Looking costs as much as telling: with no more than this even an order that
	// stays as it is is not looked for after every article.
	m.rerank, m.rankedAt = false, m.now
	list := m.best()
	if slices.EqualFunc(list, m.ranked, func(a, b *messages.RankedCluster) bool {
		return a.GetId() == b.GetId() && a.GetTitle() == b.GetTitle() && a.GetArticleCount() == b.GetArticleCount() &&
			a.GetCategory() == b.GetCategory() && a.GetTopSource() == b.GetTopSource() && a.GetPriority() == b.GetPriority()
	}) {
		return
	}
	m.ranked = list
	if n := len(m.pending); m.past && n > 0 {
		m.pending = slices.DeleteFunc(m.pending, func(e *messages.Event) bool { return e.GetClustersRanked() != nil })
	}
	m.say(&messages.Event{Body: &messages.Event_ClustersRanked{ClustersRanked: &messages.ClustersRanked{Clusters: list}}})
}

// best are the stories that are awake and announced, best first. Tens of
// thousands may be awake, of which a list has a few: they are not all sorted.
func (m *Machine) best() []*messages.RankedCluster {
	faces := make([]*messages.StoryFace, 0, m.cfg.Ranked)
	for _, e := range m.awake {
		f := e.face
		full := len(faces) == m.cfg.Ranked
		if f.GetArticles() < 2 || full && better(faces[len(faces)-1], f) < 0 {
			continue
		}
		if full {
			faces = faces[:len(faces)-1]
		}
		at, _ := slices.BinarySearchFunc(faces, f, better)
		faces = slices.Insert(faces, at, f)
	}
	list := make([]*messages.RankedCluster, 0, len(faces))
	for i, f := range faces {
		list = append(list, &messages.RankedCluster{
			Id: f.GetId(), Title: f.GetHeadline(), ArticleCount: f.GetArticles(), Category: f.GetCategory(), TopSource: f.GetTopSource(),
			Rank: int32(i + 1), OverallScore: f.GetOverallScore(), Velocity: f.GetVelocity(), AccelerationScore: f.GetAccelerationScore(),
			Priority: f.GetPriority(),
		})
	}
	return list
}

// better is the order of stories: score, then articles, then the older id.
func better(a, b *messages.StoryFace) int {
	return cmp.Or(
		cmp.Compare(b.GetOverallScore(), a.GetOverallScore()),
		cmp.Compare(b.GetArticles(), a.GetArticles()),
		cmp.Compare(a.GetId(), b.GetId()))
}
