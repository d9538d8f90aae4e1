package admin

import (
	"context"

	"github.com/birdwire/birdwire/messages"
)

// The ports' errors may wrap messages.ErrNotFound (there is none under that id)
// and messages.ErrConflict (it exists already; the text around it is shown).
// Anything else is a fault: 503, and the client comes back.

// KeyList is every key there is.
type KeyList interface {
	// ListKeys is in order of creation. secret_hash is not looked at.
	ListKeys(ctx context.Context) ([]*messages.Key, error)
}

// FeedState is a feed and how its source is.
type FeedState struct {
	Feed   *messages.Feed
	Source *messages.SourceDescribed // nil: its source has not started
}

// Tried is what a feed's address holds now.
type Tried struct {
	URL     string // of the feed; another than was asked for where that is a page that names it
	Title   string
	Format  string // "RSS 2.0"
	Items   int
	Warning string // what its operator has to know; "" for nothing
}

// Feeds are the configured feeds. A change is durable before it is answered,
// and its source follows it.
type Feeds interface {
	ListFeeds(ctx context.Context) ([]FeedState, error) // in order of creation
	GetFeed(ctx context.Context, id string) (FeedState, error)
	// FeedURL is an address as it is kept. The error's text says what is wanted.
	FeedURL(raw string) (string, error)
	// TryFeed reads an address once and changes nothing. The error says for an
	// operator why it cannot be read.
	TryFeed(ctx context.Context, url string) (Tried, error)
	// CreateFeed takes a feed whole, id included. ErrConflict: its URL is that
	// of another one.
	CreateFeed(ctx context.Context, feed *messages.Feed) error
	// UpdateFeed lets change alter a copy of what is kept and writes it; change
	// may be called again where another writer came between.
	UpdateFeed(ctx context.Context, id string, change func(*messages.Feed)) (FeedState, error)
	DeleteFeed(ctx context.Context, id string) error
}

// Source is what brings events to a node, and how it is.
type Source struct {
	Node string
	*messages.SourceDescribed
}

// Sources are all sources of the cluster, feeds' and others.
type Sources interface {
	// ListSources is by id. incomplete says in words what is missing, as of nodes that
	// did not answer.
	ListSources(ctx context.Context) (list []Source, incomplete []string, err error)
}

// Connection is one open socket.
type Connection struct {
	ID          string
	KeyID       string
	API         messages.Api
	Node        string
	Address     string // the client's
	OpenedMs    int64
	QueuedBytes int64  // frames not yet written
	Delivered   int64  // event frames handed to the socket
	Position    uint64 // of the log, up to which it was served
}

// Connections are all open sockets of the cluster.
type Connections interface {
	// ListConnections is those of a key and an API, of all where they are zero, oldest
	// first. incomplete says in words what is missing, as of nodes that did not answer.
	ListConnections(ctx context.Context, keyID string, api messages.Api) (list []Connection, incomplete []string, err error)
	// CloseConnection ends one, as evicted by an operator. ErrNotFound.
	CloseConnection(ctx context.Context, id string) error
}

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // why not, or a figure
}

// State is how the node is.
type State struct {
	Node      string  `json:"node"`
	Version   string  `json:"version"`
	StartedAt string  `json:"started_at"` // RFC 3339
	Epoch     string  `json:"epoch"`      // of the log
	Checks    []Check `json:"checks"`
}

// ClusterState is how the cluster is, as one of its nodes knows.
type ClusterState struct {
	Cluster  string        `json:"cluster"`
	Nodes    []ClusterNode `json:"nodes"` // by name
	Store    ClusterStore  `json:"store"`
	Problems []string      `json:"problems"` // what is wrong and what to do, in plain words
}

// ClusterNode is one node.
type ClusterNode struct {
	Name        string        `json:"name"`
	Incarnation uint64        `json:"incarnation"`
	Version     string        `json:"version"` // of the program; "" where it is not known
	State       string        `json:"state"`   // core | leaving | apart | down | starting
	Core        bool          `json:"core"`    // it may own and admits clients
	Shards      int           `json:"shards"`  // of the 1,024
	Links       []ClusterLink `json:"links"`   // to every other node, by its own word
}

// ClusterLink is whether two nodes reach each other.
type ClusterLink struct {
	Node   string `json:"node"`
	Up     bool   `json:"up"`
	Detail string `json:"detail,omitempty"` // why not, where it is known
}

// ClusterStore is how the copies of the store are.
type ClusterStore struct {
	Leader   string           `json:"leader"` // "": none; nothing can be written
	Replicas []ClusterReplica `json:"replicas"`
	Streams  []ClusterStream  `json:"streams"`
}

// ClusterStream is one part of the store.
type ClusterStream struct {
	Stream string `json:"stream"` // journal | control | items | snapshots
	Leader string `json:"leader"` // "": none; it takes no writes
}

// ClusterReplica is what one node has of the store.
type ClusterReplica struct {
	Node   string `json:"node"`
	Online bool   `json:"online"`
	Lag    uint64 `json:"lag"` // operations that it is behind, of the stream where that is most
	// Leads are the streams (journal, control, items, snapshots) that it takes the
	// writes of: while one has no leader, nothing of it is written.
	Leads []string `json:"leads,omitempty"`
}

// Cluster is the cluster that the node is one of.
type Cluster interface {
	LookCluster(ctx context.Context) ClusterState
	// DrainNode has the node of that name drain and end, and returns once it has
	// begun. ErrNotFound: it is no node of the cluster, or down.
	DrainNode(ctx context.Context, name string) error
	// ForgetNode takes a node that is down for good out of the cluster. ErrNotFound:
	// there is none of that name; ErrConflict: it is there, or it would not be safe,
	// and the text says why.
	ForgetNode(ctx context.Context, name string) error
	// StepDown has the leader of a stream of the store give that up, to the node that
	// is named, or to any where node is "", and returns who leads it then.
	// ErrNotFound: there is no such stream; ErrConflict: nobody else can lead it, and
	// the text says why.
	StepDown(ctx context.Context, stream, node string) (leader string, err error)
	// KeyNode is the node that owns the key, as this one knows; "": none does.
	KeyNode(keyID string) string
}

// Checks look at the node.
type Checks interface {
	// Alive and Ready are the probes' answers: nil, or what is wrong.
	Alive(ctx context.Context) error
	Ready(ctx context.Context) error
	Look(ctx context.Context) State
}
