package rule

import (
	"fmt"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// maxEmbeddings a subscription.
const maxEmbeddings = 10

// newsrankTypes are the event types of each topic.
var newsrankTypes = map[string][]string{
	"articles": {"item.new", "item.enriched"},
	"stories":  {"clusters.ranked", "story.development", "story.priority_changed", "cluster.event"},
	"tickers":  {"ticker.news"},
}

// compileNewsrank: AND between the fields, OR inside one; a field restrains
// only the events that have it. Every event has a category and a title, so
// these two come before the types:
//
//	categories keywords (
//	    item.new sources embeddings
//	 OR item.enriched sources embeddings entities
//	 OR clusters.ranked
//	 OR (story.development OR …) embeddings entities
//	 OR ticker.news tickers)
func compileNewsrank(f *messages.NewsrankFilters) (*Compiled, error) {
	keywords, err := anyWords(KindTitle, "keywords", f.GetKeywords())
	if err != nil {
		return nil, err
	}
	topics, err := topicsOf(f.GetTopics())
	if err != nil {
		return nil, err
	}
	near, err := embeddings(f.GetEmbeddingFilters())
	if err != nil {
		return nil, err
	}
	sources := anyValue(KindSourceID, f.GetSources(), strings.TrimSpace)
	tickers := anyValue(KindTicker, f.GetTickers(), ticker)
	var any []*Expr
	seen := map[int64]bool{}
	for _, id := range f.GetEntities() {
		if !seen[id] {
			seen[id] = true
			any = append(any, entityAtom(id))
		}
	}
	entities := oneOf(any)

	var branches []*Expr
	if topics["articles"] {
		branches = append(branches,
			And(event("item.new"), sources, near),
			And(event("item.enriched"), sources, entities, near))
	}
	if topics["stories"] {
		branches = append(branches,
			event("clusters.ranked"),
			And(Or(event("story.development"), event("story.priority_changed"), event("cluster.event")), entities, near))
	}
	if topics["tickers"] {
		branches = append(branches, And(event("ticker.news"), tickers))
	}
	return &Compiled{
		Class: ClassNewsrank, Sample: 100, Embeddings: f.GetEmbeddingFilters(),
		Expr: And(anyValue(KindCategory, f.GetCategories(), strings.TrimSpace), keywords, Or(branches...)),
	}, nil
}

// No events of newsrank's: only the newsdesk asks for them.
const (
	deskTime    = "newsdesk.time"
	deskVerdict = "newsdesk.verdict"
)

// compileNewsdesk asks for all events that are no posts. They are told by
// their types, because a class of its own would be a bit that every record of
// an index pays for one subscriber.
func compileNewsdesk() *Compiled {
	kinds := []*Expr{event(deskTime), event(deskVerdict)}
	for _, action := range []messages.ArticleAction{
		messages.ArticleAction_ARTICLE_CREATED, messages.ArticleAction_ARTICLE_UPDATED,
		messages.ArticleAction_ARTICLE_ENRICHED, messages.ArticleAction_ARTICLE_DELETED,
	} {
		kinds = append(kinds, event(articleTypes[action]))
	}
	for _, topic := range []string{"stories", "tickers"} {
		for _, kind := range newsrankTypes[topic] {
			kinds = append(kinds, event(kind))
		}
	}
	return &Compiled{Class: ClassNewsrank, Sample: 100, Expr: Or(kinds...)}
}

func event(kind string) *Expr { return valueAtom(KindEvent, kind) }

func topicsOf(list []string) (map[string]bool, error) {
	topics := map[string]bool{}
	for _, t := range unique(list, func(s string) string { return strings.TrimSpace(text.FoldName(s)) }) {
		if newsrankTypes[t] == nil {
			return nil, fmt.Errorf("%w: topics: %q is none of articles, stories, tickers", ErrQuery, t)
		}
		topics[t] = true
	}
	if len(topics) == 0 {
		for t := range newsrankTypes {
			topics[t] = true
		}
	}
	return topics, nil
}

func embeddings(list []*messages.EmbeddingFilter) (*Expr, error) {
	if len(list) == 0 {
		return True, nil
	}
	if len(list) > maxEmbeddings {
		return nil, fmt.Errorf("%w: embedding_filters: %d of them, at most %d", ErrQuery, len(list), maxEmbeddings)
	}
	for i, f := range list {
		if err := checkEmbedding(f); err != nil {
			return nil, fmt.Errorf("%w: embedding_filters[%d]: %w", ErrQuery, i, err)
		}
	}
	return &Expr{Atom: Atom{Kind: KindEmbedding, Embeddings: list}}, nil
}
