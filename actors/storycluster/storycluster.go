// Package storycluster is one story as an actor: its articles, rank, priority
// and developments, and what its readers ask about it.
//
// It is a child of the newsdesk, which tells it in log order what happens to
// it, and takes its events. A tell that comes again is answered again. What it
// is, is what it was told: where it fails, it cannot know how far it came, so
// the failure is the newsdesk's, and all begins again from the last snapshot
// and the log. A story at rest has no actor; the newsdesk starts one with its
// state when something happens to it or somebody asks.
package storycluster

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/storycluster/story"
	"github.com/birdwire/birdwire/messages"
)

type cluster struct {
	story *story.Story        // nil: nothing was told yet
	told  *messages.StoryTold // the last answer
}

// Props describes every story: the first that one is told says which it is. It
// has no children.
func Props(props actors.Props) *actor.Props {
	return props("storycluster", func() actor.Actor { return &cluster{} }, nil)
}

func (c *cluster) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.TellStory:
		c.tell(ctx, m)
	case *messages.DescribeStory:
		c.describe(ctx, m)
	}
}

func (c *cluster) tell(ctx actor.Context, m *messages.TellStory) {
	if c.told != nil && c.told.GetTurn() == m.GetTurn() && c.told.GetStep() == m.GetStep() {
		ctx.Respond(c.told)
		return
	}
	c.become(m.GetStory(), m.GetState())
	told, err := c.story.Do(m)
	if err != nil {
		panic(fmt.Sprintf("storycluster: %v", err)) // the newsdesk begins again
	}
	c.told = told
	ctx.Respond(told)
}

// become makes the story what the newsdesk kept of it; of nothing, new.
func (c *cluster) become(id uint64, state []byte) {
	if len(state) == 0 {
		if c.story == nil {
			c.story = story.New(id)
		}
		return
	}
	s, err := story.Restore(state)
	if err != nil {
		panic(fmt.Sprintf("storycluster: %v", err))
	}
	c.story = s
}

// describe answers a reader.
func (c *cluster) describe(ctx actor.Context, m *messages.DescribeStory) {
	if c.story == nil {
		c.become(m.GetId(), m.GetState())
	}
	ctx.Respond(&messages.StoryDescribed{Face: c.story.Face(), Story: proto.CloneOf(c.story.Whole()), ScoreNames: m.GetScoreNames()})
}
