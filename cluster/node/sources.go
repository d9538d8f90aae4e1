package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/actors/source/sample"
	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/cluster/runtime"
	"github.com/birdwire/birdwire/gateway/admin"
	"github.com/birdwire/birdwire/messages"
)

// sources are the source actors of this node and the records of the feeds.
type sources struct {
	n     *Node
	feeds *feed.Reader // shared by all feeds: its limits are per host

	mu      sync.Mutex // protects running and stopped
	running map[string]*actor.PID
	stopped bool
}

const feedsPrefix = "feeds."

// describeTimeout bounds how long one source may hold up a list of all.
const describeTimeout = 2 * time.Second

func (n *Node) startSources(ctx context.Context) error {
	s := &sources{n: n, running: map[string]*actor.PID{}}
	n.sources = s
	s.feeds = feed.NewReader(feed.ReaderConfig{AllowPrivate: n.cfg.AllowPrivateFeeds, Now: time.Now})
	if err := s.spawn("push", source.PushProps(s.config("push", "push", "", nil, 0))); err != nil {
		return err
	}
	feeds, err := s.list(ctx)
	if err != nil {
		return err
	}
	for _, f := range feeds {
		if err := s.spawnFeed(f); err != nil {
			n.log.Error("a feed cannot be started and is left out", "feed", f.GetId(), "error", err)
		}
	}
	if !n.cfg.Sample {
		return nil
	}
	bundled, err := sample.New(sample.Config{
		Files: sample.Bundled(), Post: push.ParsePost, Article: push.ParseArticle, Now: time.Now, Rand: n.rand.Uint64N,
	})
	if err != nil {
		return fmt.Errorf("start sample: %w", err)
	}
	return s.spawn("sample", source.Props(s.config("sample", "sample", "", bundled, sampleInterval)))
}

// sampleInterval is how often the sample is asked for what is due; it paces itself.
const sampleInterval = 100 * time.Millisecond

func (s *sources) config(id, kind, url string, adapter source.Adapter, every time.Duration) source.Config {
	n := s.n
	return source.Config{
		ID: id, Kind: kind, URL: url, Adapter: adapter, Interval: every,
		Items: assembly.Items{Table: n.store.Items()}, Records: assembly.Records{Control: n.store.Control()},
		Clock: n.clock, Rand: n.rand, Worker: n.records, Polls: n.polling, Props: n.system.Props, Journal: n.actors.Journal(),
		Log:    assembly.Log{Journal: n.store.Journal()},
		Logger: n.log, Observe: n.metrics.read,
	}
}

func (s *sources) spawn(id string, props *actor.Props) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("start source: the node is stopping")
	}
	pid, err := s.n.system.Spawn("source/"+id, props, runtime.RestartWithPause)
	if err != nil {
		return fmt.Errorf("start source %s: %w", id, err)
	}
	s.running[id] = pid
	return nil
}

func (s *sources) spawnFeed(f *messages.Feed) error {
	if err := feed.CheckURL(f.GetUrl()); err != nil {
		return fmt.Errorf("feed %s: %w", f.GetId(), err)
	}
	adapter := s.feeds.Feed(feed.Config{
		URL: f.GetUrl(), Name: f.GetName(), Category: f.GetCategory(), SourceID: f.GetSourceId(), Language: f.GetLanguage(),
	})
	cfg := s.config(f.GetId(), "feed", f.GetUrl(), adapter, time.Duration(f.GetIntervalMs())*time.Millisecond)
	if err := cfg.Validate(); err != nil {
		return err
	}
	return s.spawn(f.GetId(), source.Props(cfg))
}

// end stops a source and waits, so that the next one of that id can be spawned.
func (s *sources) end(id string) {
	s.mu.Lock()
	pid := s.running[id]
	delete(s.running, id)
	s.mu.Unlock()
	if pid == nil {
		return
	}
	if err := s.n.system.Root.StopFuture(pid).Wait(); err != nil {
		s.n.log.Warn("a source did not stop in time", "source", id, "error", err)
	}
}

// stop ends all sources and starts none any more.
func (s *sources) stop() {
	s.mu.Lock()
	s.stopped = true
	ids := make([]string, 0, len(s.running))
	for id := range s.running {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	slices.Sort(ids)
	for _, id := range ids {
		s.end(id)
	}
}

func (s *sources) describe(id string) *messages.SourceDescribed {
	s.mu.Lock()
	pid := s.running[id]
	s.mu.Unlock()
	if pid == nil {
		return nil
	}
	answer, err := ask(context.Background(), s.n.actors, pid, &messages.DescribeSource{}, describeTimeout)
	if err != nil {
		return nil
	}
	described, _ := answer.(*messages.SourceDescribed)
	return described
}

var _ admin.Sources = (*sources)(nil)

// ListSources is every source of this node, by id.
func (s *sources) ListSources(context.Context) ([]*messages.SourceDescribed, error) {
	s.mu.Lock()
	ids := make([]string, 0, len(s.running))
	for id := range s.running {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	slices.Sort(ids)
	var list []*messages.SourceDescribed
	for _, id := range ids {
		if d := s.describe(id); d != nil {
			list = append(list, d)
		}
	}
	return list, nil
}

func (s *sources) ingest() ingest {
	pid := actor.NewPID(s.n.cfg.Name, "source/push")
	return ingest{push.New(push.Config{Intake: intake{s.n.actors, pid}, Now: time.Now})}
}

// list reads the feeds' records, in order of creation.
func (s *sources) list(ctx context.Context) ([]*messages.Feed, error) {
	values, err := s.n.store.Control().List(ctx, feedsPrefix)
	if err != nil {
		return nil, fmt.Errorf("list feeds: %w", err)
	}
	feeds := make([]*messages.Feed, 0, len(values))
	for _, v := range values {
		f := new(messages.Feed)
		if err := proto.Unmarshal(v.Data, f); err != nil {
			return nil, fmt.Errorf("list feeds: record %s: %w", v.Key, err)
		}
		feeds = append(feeds, f)
	}
	slices.SortStableFunc(feeds, func(a, b *messages.Feed) int { return cmp.Compare(a.GetCreatedMs(), b.GetCreatedMs()) })
	return feeds, nil
}
