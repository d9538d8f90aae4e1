package enricher

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/revision"
	"github.com/birdwire/birdwire/messages"
)

// write is what the log holds last of an article, on its way into the item
// table: enriched, it is what a withdrawal carries, because who filters by its
// tickers must hear that it is gone. The content's hash stays its source's,
// which compares with what it reads. A withdrawal is here until its source has
// written it: an enrichment that comes after it must be known for what it is.
type write struct {
	position  messages.Position
	revision  uint32
	article   *messages.Article
	withdrawn bool
	late      messages.Position // of the last enrichment of an older revision that came after this; 0: none
	bytes     int
	tries     int
}

// settled is a write that is over, and the row as it is then; nil: its source
// has not written it for so long that nobody waits for it any more.
type settled struct {
	*write
	row *messages.Item
}

// tableWritten is the table's answer.
type tableWritten struct {
	asked uint64
	over  []settled
	again []*write
	err   error
}

// keep has the table take what the log holds.
func (e *enricher) keep(ctx actor.Context, c *messages.ArticleChange, p messages.Position) {
	a := c.GetArticle()
	if last := e.writes[a.GetIdentity()]; last != nil {
		if last.revision > c.GetRevision() {
			last.late = p
			return
		}
		e.overWith(last)
	}
	w := &write{
		position: p, revision: c.GetRevision(), article: a, bytes: proto.Size(a),
		withdrawn: c.GetAction() == messages.ArticleAction_ARTICLE_DELETED,
	}
	e.writes[a.GetIdentity()] = w
	e.bytes += w.bytes
	if e.writing == 0 {
		e.write(ctx)
	}
}

func (e *enricher) write(ctx actor.Context) {
	if e.writing != 0 || len(e.writes) == 0 {
		return
	}
	all := slices.SortedFunc(maps.Values(e.writes), func(a, b *write) int { return cmp.Compare(a.position, b.position) })
	all = all[:min(len(all), writesMost)]
	e.writing = e.question()
	asked, items := e.writing, e.cfg.Items
	e.work(ctx, e.cfg.Worker, func(c context.Context) any {
		m := &tableWritten{asked: asked}
		m.err = m.put(c, items, all)
		return m
	})
}

// put writes the rows that are still of the revision that was enriched. One
// that is older will be: its source writes it after the log.
func (m *tableWritten) put(c context.Context, items Items, all []*write) error {
	identities := make([]string, len(all))
	for i, w := range all {
		identities[i] = w.article.GetIdentity()
	}
	rows, revisions, err := items.Get(c, identities)
	if err != nil {
		return err
	}
	var changed []*messages.Item
	var at []uint64
	var of []*write
	for i, row := range rows {
		switch w := all[i]; {
		case row.GetRevision() < w.revision:
			m.again = append(m.again, w)
		case row.GetRevision() > w.revision || row.GetDeleted():
			m.over = append(m.over, settled{w, row})
		default:
			row = proto.CloneOf(row)
			revision.Fill(row, w.article)
			changed, at, of = append(changed, row), append(at, revisions[i]), append(of, w)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	each, err := items.CAS(c, changed, at)
	if err != nil {
		return err
	}
	for i, err := range each {
		switch {
		case err == nil:
			m.over = append(m.over, settled{of[i], changed[i]})
		case errors.Is(err, messages.ErrConflict):
			m.again = append(m.again, of[i])
		default:
			return err
		}
	}
	return nil
}

func (e *enricher) written(ctx actor.Context, m *tableWritten) {
	if m.asked != e.writing {
		return
	}
	e.writing = 0
	for _, w := range m.over {
		e.settle(ctx, w)
	}
	for _, w := range m.again {
		// A source that died between the log and the table writes the row when
		// it reads the article again, from the log: then without what was found
		// out here, which the next change makes good.
		if w.tries++; w.tries >= writeTries {
			e.settle(ctx, settled{w, nil})
		}
	}
	if m.err != nil {
		e.cfg.Logger.Warn("enriched articles wait for the item table", "error", m.err)
	}
	if m.err != nil || len(m.again) > 0 {
		e.set(ctx, tableTime{}, writeAgain)
	} else {
		e.write(ctx)
	}
	e.goOn(ctx)
}

// settle ends a write, and sets right what came too late.
func (e *enricher) settle(ctx actor.Context, w settled) {
	if e.writes[w.article.GetIdentity()] != w.write {
		return // the log holds something newer
	}
	e.overWith(w.write)
	at := w.late
	if w.row.GetRevision() > w.revision && !w.withdrawn {
		at = max(at, w.position)
	}
	if at != 0 {
		e.correct(ctx, w, at)
	}
}

func (e *enricher) overWith(w *write) {
	if identity := w.article.GetIdentity(); e.writes[identity] == w {
		delete(e.writes, identity)
		e.bytes -= w.bytes
	}
}
