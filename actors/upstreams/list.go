package upstreams

import (
	"slices"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// listing is a question whose answer needs the sources' word.
type listing struct {
	answer  func(described map[string]*messages.SourceDescribed) proto.Message
	sender  *actor.PID
	waiting map[string]bool // sources that have not said, by id
	said    map[string]*messages.SourceDescribed
	cancel  func()
}

// listings are those under way. They are as many as come within
// Config.DescribeTimeout from operators, whose requests are bounded there.
type listings struct{ all []*listing }

func (u *upstreams) listSources(ctx actor.Context) {
	ids := u.sources.running()
	u.listen(ctx, ctx.Sender(), ids, func(said map[string]*messages.SourceDescribed) proto.Message {
		listed := &messages.SourcesListed{}
		for _, c := range ids {
			if d := said[c.id]; d != nil {
				listed.Sources = append(listed.Sources, d)
			}
		}
		return listed
	})
}

// listFeeds answers with the feeds that are made, and how their sources are.
func (u *upstreams) listFeeds(ctx actor.Context, r *request, all []record) {
	all = slices.DeleteFunc(all, func(s record) bool { return !s.made() })
	var asked []*child
	for _, c := range u.sources.running() {
		if slices.ContainsFunc(all, func(s record) bool { return s.feed.GetId() == c.id }) {
			asked = append(asked, c)
		}
	}
	u.listen(ctx, r.sender, asked, func(said map[string]*messages.SourceDescribed) proto.Message {
		listed := &messages.FeedsListed{}
		for _, s := range all {
			source := said[s.feed.GetId()]
			if s.damaged != nil {
				source = &messages.SourceDescribed{Id: s.feed.GetId(), Kind: kindFeed, Status: "failing", LastError: s.damaged.Error()}
			}
			listed.Feeds = append(listed.Feeds, &messages.FeedShown{Feed: s.feed, Revision: s.revision, Source: source})
		}
		if _, one := r.message.(*messages.GetFeed); one {
			return listed.Feeds[0]
		}
		return listed
	})
}

// listen asks the sources, and answers when all have said or the time is over.
func (u *upstreams) listen(ctx actor.Context, sender *actor.PID, asked []*child, answer func(map[string]*messages.SourceDescribed) proto.Message) {
	l := &listing{answer: answer, sender: sender, waiting: map[string]bool{}, said: map[string]*messages.SourceDescribed{}}
	for _, c := range asked {
		if c.failed != nil { // its mailbox rests with it
			l.said[c.id] = &messages.SourceDescribed{Id: c.id, Kind: c.kind, Status: "failing", LastError: "it failed and is about to start again"}
			continue
		}
		l.waiting[c.id] = true
		ctx.Request(c.pid, &messages.DescribeSource{})
	}
	l.cancel = u.cfg.Clock.After(u.cfg.DescribeTimeout, ctx.Self(), &describeTime{l})
	u.listings.all = append(u.listings.all, l)
	u.listings.tellWhole(ctx)
}

// described is what one source said, to whoever waits for it.
func (ls *listings) described(ctx actor.Context, m *messages.SourceDescribed) {
	for _, l := range ls.all {
		if l.waiting[m.GetId()] {
			delete(l.waiting, m.GetId())
			l.said[m.GetId()] = m
		}
	}
	ls.tellWhole(ctx)
}

// tellWhole answers those that wait for nobody.
func (ls *listings) tellWhole(ctx actor.Context) {
	for _, l := range slices.Clone(ls.all) {
		if len(l.waiting) == 0 {
			ls.finish(ctx, l)
		}
	}
}

func (ls *listings) finish(ctx actor.Context, l *listing) {
	i := slices.Index(ls.all, l)
	if i < 0 {
		return
	}
	ls.all = slices.Delete(ls.all, i, i+1)
	l.cancel()
	if l.sender != nil {
		ctx.Send(l.sender, l.answer(l.said))
	}
}

func (ls *listings) stop() {
	for _, l := range ls.all {
		l.cancel()
	}
}
