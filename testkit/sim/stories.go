package sim

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/actors/storycluster/story"
	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/cluster/placement"
	"github.com/birdwire/birdwire/messages"
)

// Report pushes an article at the node, or at the next one where that does not
// take it, until it is known to be in the log.
func (c *Cluster) Report(node string, a *messages.Article) {
	c.TB.Helper()
	p := &publisher{cluster: c, at: c.place(node), event: &messages.Event{
		Body: &messages.Event_Article{Article: &messages.ArticleChange{Article: a}},
	}}
	c.reported = append(c.reported, p)
	p.offer()
}

// Desk is the node that has the newsdesk, as this one knows.
func (n *Node) Desk() string {
	m, _ := placement.Singleton(n.Actors.View(), assembly.NewsdeskName)
	return m.Name
}

// Reported says whether all articles are known to be in the log.
func (c *Cluster) Reported() bool {
	for _, p := range c.reported {
		if p.asked != 0 {
			return false
		}
	}
	return true
}

// CheckStories holds, after it has settled, that what follows from the articles
// in the log was told, all of it and nothing else, as one newsdesk that never
// failed computes it. Rankings are left out: of those of the past the last one
// alone is told. It returns what was told, by kind, and how many verdicts there are.
func (c *Cluster) CheckStories() map[string]int {
	c.TB.Helper()
	want, got := map[string]*messages.Event{}, map[string]*messages.Event{}
	o := newsroom{c: c, stories: map[uint64]*story.Story{}}
	var err error
	if o.desk, err = desk.New(desk.Config{}); err != nil {
		c.TB.Fatal(err)
	}
	o.desk.Begin()
	last, kinds := "", map[string]int{}
	c.log(func(p messages.Position, e *messages.Event) {
		if e.GetPost() != nil || e.GetFeedIdentity() != nil {
			return
		}
		switch {
		case e.GetStoryVerdict() != nil:
			kinds["story_verdict"]++
		case e.GetSource() == desk.Source && e.GetDeskTime() == nil && e.GetClustersRanked() == nil:
			got[e.GetId()] = e
		}
		o.take(p, e)
		for _, said := range o.desk.After(last) {
			if last = said.GetId(); said.GetClustersRanked() == nil {
				want[said.GetId()] = said
			}
		}
	})
	for id, e := range want {
		switch {
		case got[id] == nil:
			c.TB.Errorf("%s was never told: %v", id, e)
		case !proto.Equal(got[id], e):
			c.TB.Errorf("%s was told as\n%v\nwant\n%v", id, got[id], e)
		}
		kinds[string(e.ProtoReflect().WhichOneof(e.ProtoReflect().Descriptor().Oneofs().ByName("body")).Name())]++
	}
	for id, e := range got {
		if want[id] == nil {
			c.TB.Errorf("%s follows from nothing: %v", id, e)
		}
	}
	return kinds
}

// moody is a model that judges developments: it never says the same twice in a row,
// whatever it is asked, and fails now and then.
type moody struct{ asked int }

func (m *moody) Judge(context.Context, *messages.StoryQuestion) (significance, model string, err error) {
	m.asked++
	words := []string{"minor", "", "none", "major"}
	if significance = words[m.asked%len(words)]; significance == "" {
		return "", "", errors.New("the model is in no mood to answer")
	}
	return significance, "moody", nil
}

// newsroom is the newsdesk's machine with its stories, without actors.
type newsroom struct {
	c       *Cluster
	desk    *desk.Machine
	stories map[uint64]*story.Story
}

func (o *newsroom) take(p messages.Position, e *messages.Event) {
	o.desk.Take(p, e)
	for o.desk.Busy() {
		for _, tell := range o.desk.Tells() {
			o.tell(tell)
		}
	}
}

func (o *newsroom) tell(tell *messages.TellStory) {
	s := o.stories[tell.GetStory()]
	if len(tell.GetState()) > 0 {
		var err error
		if s, err = story.Restore(tell.GetState()); err != nil {
			o.c.TB.Fatal(err)
		}
	} else if s == nil {
		s = story.New(tell.GetStory())
	}
	o.stories[tell.GetStory()] = s
	told, err := s.Do(tell)
	if err != nil {
		o.c.TB.Fatal(err)
	}
	if tell.GetKeep().GetRest() {
		delete(o.stories, tell.GetStory())
	}
	o.desk.Told(told)
}
