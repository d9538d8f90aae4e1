package enricher

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// This file is about enrichments that come too late. Between the look at the
// table and the log an article may be changed or withdrawn, and for as long as
// two nodes take a lane for theirs the slower one may enrich what the other has
// enriched since. Then the last that a client hears is not true:
//
//	created 1, withdrawn 2, enriched 1             withdrawn 2 is said again
//	created 1, updated 2, enriched 1, enriched 2   nothing: the last word is true
//	created 1, updated 2, enriched 2, enriched 1   enriched 2 is said again
//
// Whoever owns the lane sees it, because it reads the log and compares with the
// table. A log that refused such an event would have to know articles.

// correct says again what is true of an article after the late enrichment at
// the position. Its event has that position in its id, so that it is said once
// by whoever says it.
func (e *enricher) correct(ctx actor.Context, w settled, late messages.Position) {
	a, revision, withdrawn := w.row.GetArticle(), w.row.GetRevision(), w.row.GetDeleted()
	if w.row == nil {
		a, revision, withdrawn = w.article, w.revision, w.withdrawn
	}
	last := e.jobs[a.GetIdentity()]
	if last != nil && last.revision >= revision {
		return // the last word is still to come
	}
	action := messages.ArticleAction_ARTICLE_DELETED
	if !withdrawn {
		action = messages.ArticleAction_ARTICLE_ENRICHED
		if w.row != nil && len(w.row.GetFilled()) == 0 {
			return // the log is not read so far: it will be enriched
		}
	}
	if last != nil {
		e.forget(last)
	}
	a = proto.CloneOf(a)
	a.UpdatedMs = max(e.cfg.Clock.Now().UnixMilli(), a.GetUpdatedMs())
	j := &job{
		identity: a.GetIdentity(), lane: LaneOf(a.GetNumber()), position: late, revision: revision, article: a,
		bytes: proto.Size(a), begun: e.cfg.Clock.Elapsed(), corrects: true,
		event: &messages.Event{
			Id: fmt.Sprintf("%s:%013x:again:%d", a.GetSourceId(), a.GetNumber(), late), Source: id, DetectedMs: a.GetUpdatedMs(),
			Body: &messages.Event_Article{Article: &messages.ArticleChange{Action: action, Article: a, Revision: revision}},
		},
	}
	e.jobs[j.identity] = j
	e.bytes += j.bytes
	e.done = append(e.done, j)
	e.flush(ctx)
}
