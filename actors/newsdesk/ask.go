package newsdesk

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/messages"
)

// This file is what readers ask. Every question is answered: with what there
// is, or with why there is nothing.

// lists are those that readers page through: each as it was when it was made.
// Bound: listsMost, of listMost stories; past it the oldest is forgotten, and
// its reader is told to begin again.
type lists struct {
	made []list
	last uint64
}

type list struct {
	number uint64
	faces  []*messages.StoryFace
	now    int64
}

const (
	listsMost = 64
	listMost  = 1000
	pageMost  = 100
)

func (d *newsdesk) question(ctx actor.Context) {
	if ctx.Sender() == nil {
		return
	}
	if d.state != following || !d.begun {
		reject(ctx, messages.Rejection_REJECTION_UNAVAILABLE, "the newsdesk reads the log and is not ready: try again")
		return
	}
	switch m := ctx.Message().(type) {
	case *messages.ListStories:
		d.list(ctx, m)
	case *messages.GetStory:
		d.describe(ctx, m.GetId())
	case *messages.FindArticle:
		ctx.Respond(&messages.ArticleFound{Number: m.GetNumber(), Story: d.desk.Of(m.GetNumber())})
	case *messages.ListEntities:
		ctx.Respond(&messages.EntitiesListed{Entities: d.desk.Entities(pageOf(m.GetLimit()))})
	}
}

func reject(ctx actor.Context, why messages.Rejection, detail string) {
	ctx.Respond(&messages.Rejected{Rejection: why, Detail: detail})
}

func pageOf(limit uint32) int { return min(max(int(limit), 1), pageMost) }

func (d *newsdesk) list(ctx actor.Context, m *messages.ListStories) {
	l := d.listOf(m)
	if l == nil {
		reject(ctx, messages.Rejection_REJECTION_NOT_FOUND, "the list is not kept any more: begin again without a cursor")
		return
	}
	from := min(int(m.GetFrom()), len(l.faces))
	to := min(from+pageOf(m.GetLimit()), len(l.faces))
	answer := &messages.StoriesListed{
		Stories: l.faces[from:to:to], List: l.number, Total: uint32(len(l.faces)), From: uint32(from), NowMs: l.now,
	}
	if to < len(l.faces) {
		answer.Next = uint32(to)
	}
	ctx.Respond(answer)
}

// listOf is the list that is asked for, or a new one; nil: it is gone.
func (d *newsdesk) listOf(m *messages.ListStories) *list {
	if m.GetList() != 0 {
		for i := range d.lists.made {
			if d.lists.made[i].number == m.GetList() {
				return &d.lists.made[i]
			}
		}
		return nil
	}
	// The number names the list over restarts, too: it is of the clock.
	d.last = max(d.last+1, uint64(d.cfg.Clock.Now().UnixMilli())<<4)
	l := list{number: d.last, now: d.desk.Now(), faces: d.desk.List(desk.Wanted{
		Category: m.GetCategory(), Priority: m.GetPriority(), Since: m.GetSinceMs(), Entity: m.GetEntity(),
	}, listMost)}
	if len(l.faces) > pageOf(m.GetLimit()) { // else nobody comes for the next page
		if len(d.lists.made) == listsMost {
			d.lists.made = append(d.lists.made[:0], d.lists.made[1:]...)
		}
		d.lists.made = append(d.lists.made, l)
	}
	return &l
}

// describe has the story's actor answer. One at rest is woken for it and sleeps
// again: a reader changes nothing.
func (d *newsdesk) describe(ctx actor.Context, id uint64) {
	state, ok := d.desk.Story(id)
	if !ok {
		reject(ctx, messages.Rejection_REJECTION_NOT_FOUND, "there is no such story, or it has ended")
		return
	}
	m := &messages.DescribeStory{Id: id, State: state, ScoreNames: desk.ScoreNames()}
	if pid := d.stories[id]; pid != nil {
		ctx.RequestWithCustomSender(pid, m, ctx.Sender())
		return
	}
	d.spawned++
	pid, err := ctx.SpawnNamed(d.cfg.Story, storyName(id, d.spawned))
	if err != nil {
		reject(ctx, messages.Rejection_REJECTION_UNAVAILABLE, "the story can not be read now: try again")
		return
	}
	ctx.RequestWithCustomSender(pid, m, ctx.Sender())
	ctx.Poison(pid)
}
