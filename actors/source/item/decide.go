package item

import (
	"bytes"
	"cmp"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/revision"
	"github.com/birdwire/birdwire/messages"
)

// State is what the item table holds of one identity, and the revision to
// write it with. Item nil: never seen.
type State struct {
	Item     *messages.Item
	Revision uint64
}

// Rules are the source's own.
type Rules struct {
	Source string // the source actor's id
	NowMs  int64  // Unix milliseconds
	Dated  bool   // a changed publication date is a change (see ContentHash)
}

// Plan is what a list of drafts means. Events, Drafts and After run parallel.
type Plan struct {
	Events []*messages.Event // to offer, in order
	Drafts []int             // the draft each event came of
	After  []*messages.Item  // the table's item once the event is durable; nil for posts
}

// Decide compares drafts, in order, with what the table holds of their
// identities. A second draft of one identity is compared with what the first
// results in.
func Decide(drafts []*messages.Event, states map[string]State, r Rules) Plan {
	d := decider{rules: r, states: states, now: make(map[string]*messages.Item)}
	for i, draft := range drafts {
		d.draft(i, draft)
	}
	return d.plan
}

type decider struct {
	rules  Rules
	states map[string]State
	now    map[string]*messages.Item // what the drafts so far result in
	plan   Plan
}

func (d *decider) draft(i int, draft *messages.Event) {
	if post := draft.GetPost(); post != nil {
		e := &messages.Event{
			Id: draft.GetId(), Source: d.rules.Source, DetectedMs: draft.GetDetectedMs(),
			Body: &messages.Event_Post{Post: post},
		}
		if e.GetId() == "" {
			e.Id = PostEventID(d.rules.Source, post.GetId())
		}
		if e.GetDetectedMs() == 0 {
			e.DetectedMs = d.rules.NowMs
		}
		d.add(i, e, nil)
		return
	}
	if fact := draft.GetFeedIdentity(); fact != nil {
		d.add(i, &messages.Event{
			Id: draft.GetId(), Source: d.rules.Source, DetectedMs: d.rules.NowMs, Body: &messages.Event_FeedIdentity{FeedIdentity: fact},
		}, nil)
		return
	}
	change := draft.GetArticle()
	if change.GetArticle() == nil {
		return
	}
	if change.GetAction() == messages.ArticleAction_ARTICLE_DELETED {
		d.withdrawn(i, Identity(change.GetArticle()))
		return
	}
	d.read(i, change.GetArticle(), cmp.Or(draft.GetDetectedMs(), d.rules.NowMs))
}

func (d *decider) known(identity string) *messages.Item {
	if item := d.now[identity]; item != nil {
		return item
	}
	return d.states[identity].Item
}

// read is an article that its source shows. One that was withdrawn and
// is shown again is created again. It came at nowMs, which is now unless its
// source knows better: a sample plays what is said to have come before.
func (d *decider) read(i int, draft *messages.Article, nowMs int64) {
	identity := Identity(draft)
	last := d.known(identity)
	hash := ContentHash(draft, d.rules.Dated)
	action := messages.ArticleAction_ARTICLE_CREATED
	if last != nil && !last.GetDeleted() {
		if bytes.Equal(last.GetContentHash(), hash) {
			return
		}
		action = messages.ArticleAction_ARTICLE_UPDATED
	}
	a := proto.CloneOf(draft)
	complete(a, identity)
	a.UpdatedMs, a.DiscoveredMs = nowMs, nowMs
	if action == messages.ArticleAction_ARTICLE_UPDATED && last.GetArticle().GetDiscoveredMs() != 0 {
		a.DiscoveredMs = last.GetArticle().GetDiscoveredMs()
	}
	past := last.GetPast()
	if action == messages.ArticleAction_ARTICLE_UPDATED {
		past = revision.Add(past, last.GetRevision()+1, revision.Said(last), a)
	}
	d.change(i, action, a, &messages.Item{
		Identity: identity, Revision: last.GetRevision() + 1, ContentHash: hash, Article: a, Past: past,
	})
}

// withdrawn carries the last known article whole: those who filter by its
// words must hear that it is gone. What nobody was ever shown is nothing.
func (d *decider) withdrawn(i int, identity string) {
	last := d.known(identity)
	if last == nil || last.GetDeleted() {
		return
	}
	a := proto.CloneOf(last.GetArticle())
	a.UpdatedMs = d.rules.NowMs
	d.change(i, messages.ArticleAction_ARTICLE_DELETED, a, &messages.Item{
		Identity: identity, Revision: last.GetRevision() + 1, Article: a, Deleted: true, Past: last.GetPast(),
	})
}

func (d *decider) change(i int, action messages.ArticleAction, a *messages.Article, after *messages.Item) {
	d.now[after.GetIdentity()] = after
	d.add(i, &messages.Event{
		Id: eventID(a, action, after.GetRevision()), Source: d.rules.Source, DetectedMs: a.GetUpdatedMs(),
		Body: &messages.Event_Article{Article: &messages.ArticleChange{
			Action: action, Article: a, Revision: after.GetRevision(),
		}},
	}, after)
}

func (d *decider) add(draft int, e *messages.Event, after *messages.Item) {
	d.plan.Events = append(d.plan.Events, e)
	d.plan.Drafts = append(d.plan.Drafts, draft)
	d.plan.After = append(d.plan.After, after)
}

// complete fills in what follows from the rest.
func complete(a *messages.Article, identity string) {
	a.Identity = identity
	a.Number = Number(identity)
	a.UrlHash = URLHash(a.GetUrl())
	if a.GetExcerpt() == "" {
		text := a.GetDescription()
		if text == "" {
			text = a.GetContent()
		}
		a.Excerpt = Excerpt(text)
	}
	a.SourceName = sourceName(a)
	a.ArticleType = articleType(a)
}

func sourceName(a *messages.Article) string {
	if name := a.GetSourceName(); name != "" {
		return name
	}
	return a.GetSourceId()
}

func articleType(a *messages.Article) string {
	if kind := a.GetArticleType(); kind != "" {
		return kind
	}
	return "news"
}

// FromLog is the table's item as an event in the log left it.
func FromLog(e *messages.Event, dated bool) *messages.Item {
	change := e.GetArticle()
	a := change.GetArticle()
	item := &messages.Item{Identity: a.GetIdentity(), Revision: change.GetRevision(), Article: a}
	if change.GetAction() == messages.ArticleAction_ARTICLE_DELETED {
		item.Deleted = true
		return item
	}
	item.ContentHash = ContentHash(a, dated)
	return item
}
