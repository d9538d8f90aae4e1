package rest

import (
	"cmp"

	"github.com/birdwire/birdwire/messages"
)

// Story is a story in a list. Times are Unix milliseconds, as on the socket.
type Story struct {
	ID                   uint64   `json:"id"`
	Rank                 int      `json:"rank,omitempty"` // in the list
	Title                string   `json:"title"`
	Category             string   `json:"category"`
	Priority             string   `json:"priority"`
	ArticleCount         int64    `json:"article_count"`
	IndependentPublisher int64    `json:"independent_publishers"` // that reported it themselves: copies count none
	TopSource            string   `json:"top_source"`
	OverallScore         float64  `json:"overall_score"`
	Velocity             float64  `json:"velocity"` // articles an hour, weighed
	AccelerationScore    float64  `json:"acceleration_score"`
	Developments         int64    `json:"developments"`
	EntityIDs            []int64  `json:"entity_ids"`
	Tickers              []string `json:"tickers"`
	FirstAt              int64    `json:"first_at"`
	LastAt               int64    `json:"last_at"` // of the latest article
	UpdatedAt            int64    `json:"updated_at"`
}

// StoryList is a page. Next is null on the last one.
type StoryList struct {
	Stories []Story `json:"stories"`
	Total   int     `json:"total"`
	AsOf    int64   `json:"as_of"`
	Next    *string `json:"next_cursor"`
}

// WholeStory is all that is known of one.
type WholeStory struct {
	Story
	Publishers      []string         `json:"publishers"` // ids, of those that are independent
	Articles        []StoryArticle   `json:"articles"`   // in the order of joining; of a large story the first and the latest
	Timeline        []Turn           `json:"timeline"`
	PriorityHistory []PriorityChange `json:"priority_history"`
}

// StoryArticle is an article in its story.
type StoryArticle struct {
	ID           uint64   `json:"id"`
	Title        string   `json:"title"`
	URL          string   `json:"url"`
	SourceID     string   `json:"source_id"`
	SourceName   string   `json:"source_name"`
	Category     string   `json:"category"`
	PublishedAt  int64    `json:"published_at"`
	DiscoveredAt int64    `json:"discovered_at"`
	Syndicated   bool     `json:"syndicated"` // nearly word for word what another one says
	Heads        bool     `json:"heads"`      // the story has its title
	EntityIDs    []int64  `json:"entity_ids"`
	Tickers      []string `json:"tickers"`
	Joined       Joined   `json:"joined"`
}

// Joined is why an article is in its story: above 0 the logit says that both
// tell the same. Of a story's first article it is how near it came to another
// story.
type Joined struct {
	Logit      float64            `json:"logit"`
	Similarity float64            `json:"similarity"` // cosine with the article that is most like it, when it came
	Scores     map[string]float64 `json:"scores"`
}

// Turn is one development.
type Turn struct {
	At               int64  `json:"at"`
	ArticleID        uint64 `json:"article_id"`
	Title            string `json:"title"`
	Significance     string `json:"significance"`
	PreviousHeadline string `json:"previous_headline"`
	NewHeadline      string `json:"new_headline"`
}

// PriorityChange is one change of a story's priority.
type PriorityChange struct {
	At                int64   `json:"at"`
	Previous          string  `json:"previous_priority"`
	New               string  `json:"new_priority"`
	OverallScore      float64 `json:"overall_score"`
	AccelerationScore float64 `json:"acceleration_score"`
}

// WholeArticle is an article, where it is, and how it changed.
type WholeArticle struct {
	StoryArticle
	StoryID         uint64     `json:"story_id"`
	Withdrawn       bool       `json:"withdrawn"`
	Language        string     `json:"language"`
	HeadlineSummary string     `json:"headline_summary"`
	SyndicatedFrom  string     `json:"syndicated_from"`
	Revisions       []Revision `json:"revisions"` // as far as the log holds them
}

// Revision is an article as an event showed it. Changes are what differs from
// the revision before, where that is still known.
type Revision struct {
	Revision uint32   `json:"revision"`
	Action   string   `json:"action"` // created | updated | enriched | deleted
	At       int64    `json:"at"`
	Title    string   `json:"title"`
	Excerpt  string   `json:"excerpt"`
	Changes  []Change `json:"changes"`
}

// Change is one field of a revision. Of a text, edits say what was taken out
// and put in.
type Change struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
	Edits  []Edit `json:"edits,omitempty"`
}

// Edit is one place of a text, counted in words from 0.
type Edit struct {
	Word    uint32 `json:"word"`
	Removed string `json:"removed"`
	Added   string `json:"added"`
}

// EntityList are the entities of most stories.
type EntityList struct {
	Entities []StoryEntity `json:"entities"`
}

// StoryEntity is an entity that stories are about.
type StoryEntity struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"` // "": it was not named for a while
	Kind     string `json:"type"`
	Ticker   string `json:"ticker"`
	Stories  int64  `json:"stories"`
	Articles int64  `json:"articles"`
}

func showStory(f *messages.StoryFace, rank int) Story {
	return Story{
		ID: f.GetId(), Rank: rank, Title: f.GetHeadline(), Category: f.GetCategory(), Priority: f.GetPriority(), ArticleCount: f.GetArticles(),
		IndependentPublisher: f.GetPublishers(), TopSource: f.GetTopSource(), OverallScore: f.GetOverallScore(), Velocity: f.GetVelocity(),
		AccelerationScore: f.GetAccelerationScore(), Developments: f.GetDevelopments(),
		EntityIDs: list(f.GetEntityIds()), Tickers: list(f.GetTickers()), FirstAt: f.GetFirstMs(), LastAt: f.GetLastMs(), UpdatedAt: f.GetChangedMs(),
	}
}

// list is what JSON shows as [] where there is nothing.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func showWhole(m *messages.StoryDescribed) WholeStory {
	s := m.GetStory()
	whole := WholeStory{
		Story: showStory(m.GetFace(), 0), Publishers: list(s.GetPublishers()),
		Articles: make([]StoryArticle, 0, len(s.GetKept())), Timeline: make([]Turn, 0, len(s.GetTimeline())),
		PriorityHistory: make([]PriorityChange, 0, len(s.GetPriorities())),
	}
	for _, a := range s.GetKept() {
		whole.Articles = append(whole.Articles, showJoined(m, a))
	}
	for _, t := range s.GetTimeline() {
		whole.Timeline = append(whole.Timeline, Turn{
			At: t.GetAtMs(), ArticleID: t.GetArticle(), Title: t.GetTitle(), Significance: t.GetSignificance(),
			PreviousHeadline: t.GetPreviousHeadline(), NewHeadline: t.GetHeadline(),
		})
	}
	for _, p := range s.GetPriorities() {
		whole.PriorityHistory = append(whole.PriorityHistory, PriorityChange{
			At: p.GetAtMs(), Previous: p.GetFrom(), New: p.GetTo(), OverallScore: p.GetOverallScore(), AccelerationScore: p.GetAccelerationScore(),
		})
	}
	return whole
}

func showJoined(m *messages.StoryDescribed, a *messages.StoryArticle) StoryArticle {
	scores := map[string]float64{}
	for i, name := range m.GetScoreNames() {
		if i < len(a.GetScores()) && i > 0 { // the first is the constant
			scores[name] = a.GetScores()[i]
		}
	}
	return StoryArticle{
		ID: a.GetNumber(), Title: a.GetTitle(), URL: a.GetUrl(), SourceID: a.GetSourceId(), SourceName: a.GetSourceName(), Category: a.GetCategory(),
		PublishedAt: a.GetPublishedMs(), DiscoveredAt: a.GetDiscoveredMs(), Syndicated: a.GetCopy(), Heads: a.GetNumber() == m.GetStory().GetHead(),
		EntityIDs: list(a.GetEntityIds()), Tickers: list(a.GetTickers()), Joined: Joined{Logit: a.GetLogit(), Similarity: a.GetNearest(), Scores: scores},
	}
}

// actions are the words of a change.
var actions = map[messages.ArticleAction]string{
	messages.ArticleAction_ARTICLE_CREATED: "created", messages.ArticleAction_ARTICLE_UPDATED: "updated",
	messages.ArticleAction_ARTICLE_ENRICHED: "enriched", messages.ArticleAction_ARTICLE_DELETED: "deleted",
}

func showArticle(m *messages.StoryDescribed, a *messages.StoryArticle, events []*messages.Event, item *messages.Item) WholeArticle {
	whole := WholeArticle{StoryArticle: showJoined(m, a), StoryID: m.GetFace().GetId(), Withdrawn: item.GetDeleted(), Revisions: []Revision{}}
	for _, e := range events {
		c := e.GetArticle()
		shown := c.GetArticle()
		whole.Language = cmp.Or(shown.GetLanguage(), whole.Language)
		whole.HeadlineSummary = cmp.Or(shown.GetHeadlineSummary(), whole.HeadlineSummary)
		whole.SyndicatedFrom = cmp.Or(shown.GetSyndicatedFrom(), whole.SyndicatedFrom)
		r := Revision{
			Revision: c.GetRevision(), Action: actions[c.GetAction()], At: cmp.Or(shown.GetUpdatedMs(), e.GetDetectedMs()),
			Title: shown.GetTitle(), Excerpt: shown.GetExcerpt(), Changes: []Change{},
		}
		if c.GetAction() == messages.ArticleAction_ARTICLE_UPDATED {
			r.Changes = showChanges(item, c.GetRevision())
		}
		whole.Revisions = append(whole.Revisions, r)
	}
	return whole
}

// showChanges is what the item table knows of one revision.
func showChanges(item *messages.Item, revision uint32) []Change {
	changes := []Change{}
	for _, past := range item.GetPast() {
		if past.GetNumber() != revision {
			continue
		}
		for _, c := range past.GetChanges() {
			change := Change{Field: c.GetField(), Before: c.GetBefore(), After: c.GetAfter()}
			for _, e := range c.GetEdits() {
				change.Edits = append(change.Edits, Edit{Word: e.GetWord(), Removed: e.GetRemoved(), Added: e.GetAdded()})
			}
			changes = append(changes, change)
		}
	}
	return changes
}

func showEntities(m *messages.EntitiesListed) EntityList {
	l := EntityList{Entities: make([]StoryEntity, 0, len(m.GetEntities()))}
	for _, c := range m.GetEntities() {
		e := c.GetEntity()
		l.Entities = append(l.Entities, StoryEntity{
			ID: e.GetId(), Name: e.GetName(), Kind: e.GetKind(), Ticker: e.GetTicker(), Stories: c.GetStories(), Articles: c.GetArticles(),
		})
	}
	return l
}
