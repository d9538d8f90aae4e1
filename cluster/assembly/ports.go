package assembly

import (
	"log/slog"
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/enricher"
	"github.com/birdwire/birdwire/actors/journal"
	"github.com/birdwire/birdwire/actors/newsdesk"
	"github.com/birdwire/birdwire/actors/router"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// Ports are all that a node's actors take from their world.
type Ports struct {
	Node        string // its name; of a node that is alone also the address in its actors' PIDs
	Incarnation uint64 // of the process: grows with every start of the node
	// Cluster is what a node takes besides that is one of several. The address in
	// its actors' PIDs is then that of its link.Peer. nil: the node is alone and
	// owns everything.
	Cluster *Cluster

	System *actor.ActorSystem
	Props  actors.Props
	Clock  actors.Clock
	Rand   actors.Rand
	Work   Work
	Store  store.Store
	// Formats are those of the control store's records; of a node that is alone the
	// newest are used.
	Formats store.Formats
	// Feed makes what reads a feed, or says why it can have none.
	Feed   func(*messages.Feed) (source.Adapter, error)
	Sample source.Adapter // nil: no sample is read
	// Enrich reads articles closely; nil: articles stay as their sources had them.
	Enrich enricher.Reader
	// Judge says what is a development where stories cannot tell; nil: nobody does.
	Judge newsdesk.Judge
	// Repeats is what replays have found out about the log. It is used inside
	// workers, several at once where Work.Read runs several at once.
	Repeats replay.Memory

	Logger    *slog.Logger
	Observe   Observe
	Sometimes actors.Sometimes // for simulations; nil: nobody wants to know
	Queues    gauge.Told       // as Sometimes, of what waits inside actors
	// Failed is told, perhaps more than once, that the node cannot go on and
	// why. It must not block.
	Failed func(error)
}

// records are the control store's, as this program reads and writes them. of is the
// node; nil before there is one, when nothing is written.
func (p Ports) records(of *Node) *store.Gated {
	return p.Formats.Gate(p.Store.Control(), func() uint32 {
		switch {
		case p.Cluster == nil:
			return math.MaxUint32
		case of == nil:
			return 0
		}
		return of.View().Lowest()
	})
}

// Cluster is what a node takes that is one of several.
type Cluster struct {
	Version uint32 // of the program, as far as the others mind: a newer one is greater
	Peers   Peers
	// Drain is told that the process is to drain and end, as an operator asked
	// another node. It must not block. nil: it cannot be asked.
	Drain func()
	// Connections lists the node's sockets, for operators who have asked another
	// node. It must not block. nil: it has none.
	Connections func(*messages.ListConnections) *messages.ConnectionsListed
}

// Work are the pools for what would block an actor: apart, so that a slow feed
// does not delay the journal.
type Work struct {
	Append  actors.Worker // frames to the log
	Records actors.Worker // keys, shards, items: short reads and writes of the store
	// Wake is Records for keys that start because something matched, and that
	// nobody waits for: one post may start thousands. nil: Records itself.
	Wake actors.Worker
	// Lease renews the node's lease: apart, since the node may do nothing once it
	// waits for too long. nil: Records itself.
	Lease actors.Worker
	Read  actors.Worker // the log in stretches, for clients
	// ReadFor is Read for what one key's clients cause: keys take turns. nil:
	// Read itself.
	ReadFor func(keyID string) actors.Worker
	Mend    actors.Worker // the log, for the routers: what did not come by message
	// Compile compiles what a key's clients ask for: keys take turns.
	Compile func(keyID string) actors.Worker
	Merge   actors.Worker // parts of the routers' indexes made one: seconds of work where there are a million rules
	Poll    actors.Worker // upstreams
	Enrich  actors.Worker // articles: their pages, what they say, the models that are asked
	// Judge is the model, for the newsdesk: apart, since enrichment may keep every
	// place of its own. nil: Enrich itself.
	Judge actors.Worker
}

func (w Work) judge() actors.Worker {
	if w.Judge == nil {
		return w.Enrich
	}
	return w.Judge
}

func (w Work) readFor(keyID string) actors.Worker {
	if w.ReadFor == nil {
		return w.Read
	}
	return w.ReadFor(keyID)
}

// Observe is told what happens, for metrics. None of them may block; all are
// called from many goroutines. nil: nobody wants to know.
type Observe struct {
	Journal  func(journal.Observation)
	Router   func(router.Observation)
	Semantic func(router.Observation) // of the second router
	Source   func(source.Observation)
	Enriched func(enricher.Observation)
	Keys     func(event string) // keys and shards: restarts, stops, what could not be read
	Newsdesk func(newsdesk.Observation)
	// How far each router is behind, several times a second; may be nil.
	RouterLag, SemanticLag func(lag time.Duration)
}

func (o Observe) withDefaults() Observe {
	if o.Journal == nil {
		o.Journal = func(journal.Observation) {}
	}
	if o.Router == nil {
		o.Router = func(router.Observation) {}
	}
	if o.Semantic == nil {
		o.Semantic = func(router.Observation) {}
	}
	if o.Source == nil {
		o.Source = func(source.Observation) {}
	}
	if o.Keys == nil {
		o.Keys = func(string) {}
	}
	if o.Newsdesk == nil {
		o.Newsdesk = func(newsdesk.Observation) {}
	}
	return o
}

// Config is what an operator decides of a node's actors. Zero values are
// defaults.
type Config struct {
	Plans          map[string]apikey.Plan // default: apikey.DefaultPlans
	Scopes         []string               // that a key may have; empty: any
	MonitorsPerKey int                    // default 50
	RulesPerKey    int                    // default 50
	Query          rule.Limits
	Waiting        Waiting
	Newsdesk       newsdesk.Settings // what stories are made by: the same on every node
}

// Waiting is how much may wait inside actors; zero is what each has by itself. A
// simulation makes it so little that what happens past it is seen.
type Waiting struct {
	Offered int // events, inside the journal
	Frames  int // inside each router, after a hole
	Held    int // messages, inside each connection's follower; and deliveries that wait for credit
}
