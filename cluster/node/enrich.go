package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/birdwire/birdwire/actors/enricher"
	"github.com/birdwire/birdwire/actors/enricher/gazetteer"
	"github.com/birdwire/birdwire/actors/enricher/hashvector"
	"github.com/birdwire/birdwire/actors/newsdesk"
	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/cluster/openai"
	"github.com/birdwire/birdwire/messages"
)

// Enrich is how articles are read closely.
type Enrich struct {
	Off       bool   // they stay as their sources had them
	Pages     bool   // articles without a text have their page read
	Gazetteer string // a file of names, read again when it changes; "" none
	Model     Model
}

// Model is an endpoint that speaks OpenAI's API. Without a URL none is asked.
type Model struct {
	URL, Key        string
	Embedding, Chat string        // which models to ask; "" none
	Timeout         time.Duration // default 20 s
	Parallel        int           // default 4
	TokensADay      int64         // 0: any number
}

// enrichment is what a node's Reader is made of.
type enrichment struct {
	names *names         // nil: only what is bundled
	model *openai.Client // nil: none

	mu    sync.Mutex // protects pages
	pages map[string]int
}

// enriched counts, and keeps how pages were had.
func (n *Node) enriched(o enricher.Observation) {
	n.metrics.enrichedOne(o)
	if o.Page == "" || o.Page == "none" {
		return
	}
	e := &n.enrich
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pages == nil {
		e.pages = map[string]int{}
	}
	e.pages[o.Page]++
}

// detail says of the pages that were wanted how many were had, and why others
// were not: those articles have what their source gave.
func (e *enrichment) detail() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.pages) == 0 {
		return ""
	}
	said := fmt.Sprintf("pages: %d read", e.pages["ok"])
	for _, outcome := range slices.Sorted(maps.Keys(e.pages)) {
		if outcome != "ok" {
			said += fmt.Sprintf(", %d not (%s)", e.pages[outcome], outcome)
		}
	}
	return said
}

// openEnrich makes what reads articles closely; nil where nobody does.
func (n *Node) openEnrich() (enricher.Reader, error) {
	cfg := n.cfg.Enrich
	if cfg.Off {
		return nil, nil
	}
	r := enricher.Reading{}
	if cfg.Pages {
		r.Pages = pages{n.feeds}
	}
	if cfg.Gazetteer != "" {
		n.enrich.names = &names{path: cfg.Gazetteer, now: time.Now, log: n.log.With("part", "gazetteer")}
		if err := n.enrich.names.read(); err != nil {
			return nil, err
		}
		r.Gazetteer = n.enrich.names.gazetteer
	}
	if m := cfg.Model; m.URL != "" {
		oc := openai.Config{
			URL: m.URL, Key: m.Key, Embedding: m.Embedding, Chat: m.Chat, Size: hashvector.Size, Timeout: m.Timeout, Parallel: m.Parallel,
			TokensADay: m.TokensADay, Now: time.Now, Observe: n.metrics.asked,
		}
		if err := oc.Check(); err != nil {
			return nil, err
		}
		n.enrich.model = openai.New(oc)
		if m.Embedding != "" {
			r.Embedder = n.enrich.model
		}
		if m.Chat != "" {
			r.Summarizer = n.enrich.model
		}
	}
	return r, nil
}

// close lets go of connections.
func (e *enrichment) close() {
	if e.model != nil {
		e.model.Close()
	}
}

// health is what keeps articles from being read as the operator wants it.
func (e *enrichment) health() error {
	var errs []error
	if e.names != nil {
		errs = append(errs, e.names.failure())
	}
	if e.model != nil {
		if err := e.model.Health(); err != nil {
			errs = append(errs, fmt.Errorf("the model is not asked, articles are enriched and developments judged without it: %w", err))
		}
	}
	return errors.Join(errs...)
}

// judge is a model that judges developments.
type judge struct {
	model *openai.Client
	name  string
}

var _ newsdesk.Judge = judge{}

func (j judge) Judge(ctx context.Context, q *messages.StoryQuestion) (significance, model string, err error) {
	significance, err = j.model.Judge(ctx, q.GetBefore(), q.GetText())
	return significance, j.name, err
}

// judge is what a node's newsdesk asks; nil where there is no model for it.
func (n *Node) judge() newsdesk.Judge {
	if n.enrich.model == nil || n.cfg.Enrich.Model.Chat == "" {
		return nil
	}
	return judge{n.enrich.model, n.cfg.Enrich.Model.Chat}
}

// pages are fetched at the pace of feeds.
type pages struct{ feeds *feed.Reader }

var _ enricher.Pages = pages{}

func (p pages) Page(ctx context.Context, address string, turn time.Time) (enricher.Document, error) {
	page, err := p.feeds.Page(ctx, address, turn)
	return enricher.Document(page), err
}

// names is an operator's gazetteer: it is looked at again every few seconds, and
// a file that is wrong leaves the last one in force.
type names struct {
	path string
	now  func() time.Time
	log  *slog.Logger

	mu      sync.Mutex // protects what follows
	current *gazetteer.Gazetteer
	looked  time.Time
	size    int64
	changed time.Time // of the file
	err     error
}

const namesEvery = 2 * time.Second

func (n *names) gazetteer() *gazetteer.Gazetteer {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.now().Sub(n.looked) >= namesEvery {
		n.look()
	}
	return n.current
}

func (n *names) failure() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// read is the first look.
func (n *names) read() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.look()
	return n.err
}

func (n *names) look() {
	n.looked = n.now()
	info, err := os.Stat(n.path)
	if err == nil && n.current != nil && info.Size() == n.size && info.ModTime().Equal(n.changed) {
		return
	}
	if err == nil {
		n.size, n.changed = info.Size(), info.ModTime()
		err = n.take()
	}
	if err == nil {
		n.err = nil
		return
	}
	if err = fmt.Errorf("gazetteer: %w", err); n.err == nil || n.err.Error() != err.Error() {
		n.log.Error("the gazetteer cannot be read; what was read before is in force", "error", err)
	}
	n.err = err
}

func (n *names) take() error {
	file, err := os.Open(n.path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	entries, err := gazetteer.Parse(file)
	if err != nil {
		return fmt.Errorf("%s: %w", n.path, err)
	}
	n.current = gazetteer.Bundled().With(entries)
	n.log.Info("the gazetteer was read", "file", n.path, "entries", len(entries), "in_all", n.current.Len())
	return nil
}
