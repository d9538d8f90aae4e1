package node

import (
	"context"
	"fmt"
	"time"

	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/actors/source/sample"
	"github.com/birdwire/birdwire/messages"
)

// openFeed makes what reads a feed.
func (n *Node) openFeed(f *messages.Feed) (source.Adapter, error) {
	if err := feed.CheckURL(f.GetUrl()); err != nil {
		return nil, fmt.Errorf("feed %s: %w", f.GetId(), err)
	}
	return n.feeds.Feed(feed.Config{
		ID: f.GetId(), Identity: f.GetIdentity(),
		URL: f.GetUrl(), Name: f.GetName(), Category: f.GetCategory(), SourceID: f.GetSourceId(), Language: f.GetLanguage(),
	}), nil
}

// openSample makes what reads the bundled sample; nil where none is wanted.
func (n *Node) openSample() (source.Adapter, error) {
	if !n.cfg.Sample {
		return nil, nil
	}
	bundled, err := sample.New(sample.Config{
		Files: sample.Bundled(), Post: push.ParsePost, Article: push.ParseArticle, Now: time.Now, Rand: n.rand.Uint64N,
	})
	if err != nil {
		return nil, fmt.Errorf("read the bundled sample: %w", err)
	}
	return bundled, nil
}

func (n *Node) ingest() ingest {
	return ingest{
		push.New(push.Config{Intake: intake{n.actors}, Now: time.Now, MaxBody: n.cfg.Push.Body, Model: n.cfg.EmbeddingModel}),
		func() error { return n.store.Healthy(context.Background()) },
	}
}
