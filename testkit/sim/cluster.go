package sim

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/enricher"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// Cluster is some nodes, the disk that they share, and the network between them.
type Cluster struct {
	*testkit.Kit
	Net  *Network
	Disk *memory.Disk
	// Steady is what must hold always, besides what a cluster always looks at.
	Steady []Steady
	// Stalls: a client takes no more one time in so many, and is a slow consumer; 0: never.
	Stalls uint64
	// Breaks: one time in so many a connection breaks while its client is handed several
	// deliveries at once, after the first; 0: never.
	Breaks uint64

	enrich   enricher.Reader // nil: articles are not enriched
	judge    moody           // of all nodes' newsdesks
	nodes    []*Node         // in order of their first start
	clients  []*Client
	keys     []string
	feeds    []*Feed
	secrets  map[string][]byte   // by key, hashed: what clients use
	terms    map[termOf]string   // who has taken a term of a shard: see checkTerm
	taken    <-chan store.Change // changes of shards' records that were not looked at
	moves    *moves
	offered  []*publisher // all that there were
	reported []*publisher // of articles

	histories *histories

	// costly: something has happened that may cost a key credits for which it was
	// handed nothing.
	costly bool

	logged  map[string]bool // ids of what the log holds, or held, up to scanned
	scanned uint64

	takes   time.Duration // each piece of work: see Busy
	bad     badStore
	panicky bool                         // work has been given out that panics on purpose
	shed    int                          // messages that full mailboxes have dropped
	trimmed []entry                      // of the log, in order
	past    map[string][]*messages.Query // by key: what Trim has found of versions that were replaced
}

// Node is one node of a cluster: its present process, or its last.
type Node struct {
	*testkit.Host
	Name    string
	Version uint32 // that its next process runs
	Actors  *assembly.Node

	cluster     *Cluster
	incarnation uint64
	store       *memory.Store
	remote      *link.Remote
	up          bool
	frozen      bool
	storeDown   bool
	mailboxes   *mailboxes
	hung        bool // it answers, and makes no progress
	starting    bool // it reads what it begins with
	slow        bool
	lags        bool          // its routers read the log slowly
	late        bool          // most of what it writes happens later
	unsure      time.Duration // until when its store answers no reading: see doubt
	waits       []func()      // what the stuck pool was asked
	stuck       Pool          // that does nothing of what it is asked
	dieAt       int           // so many writes from now it ends, in the middle of one; 0: it does not
	dying       bool          // it has come to that
	panics      int           // so many pieces of its work will
	failed      []error
	aparted     bool          // it says that it should have no clients
	since       time.Duration // since when
	lapsed      time.Duration // for how long it has run without a live lease
	hits        hits
	moments     []*moment
	gave        map[string]uint64 // shards that its process has given up, by record: where the log ended then
}

// New is a cluster of n nodes, n1 and so on, that serve.
func New(k *testkit.Kit, n int) *Cluster { return NewEnriching(k, n, nil) }

// NewEnriching is New with nodes that enrich articles.
func NewEnriching(k *testkit.Kit, n int, reader enricher.Reader) *Cluster {
	c := &Cluster{
		enrich: reader,
		Kit:    k, Net: NewNetwork(k), histories: newHistories(), terms: make(map[termOf]string, actors.Shards), moves: newMoves(),
		bad: badStore{chance: k.Chance(testkit.Faults), due: map[string]time.Duration{}}, past: map[string][]*messages.Query{}, secrets: map[string][]byte{},
		logged: map[string]bool{},
	}
	c.Disk = memory.NewDisk(memory.Config{Now: k.Clock.Now, WatchBuffer: 4096})
	c.Net.Sent = c.checkSent
	c.watchTerms()
	var all []*Node
	for i := range n {
		node := &Node{Name: fmt.Sprint("n", i+1), Version: 1, cluster: c}
		c.nodes = append(c.nodes, node)
		all = append(all, node)
	}
	for _, node := range all {
		node.connect()
	}
	k.Settle()
	for _, node := range all {
		node.run()
	}
	c.Until(5*time.Second, "all nodes are in the core", func() bool {
		return c.Agree() && len(c.nodes[0].Actors.View().Members()) == n
	})
	c.Until(5*time.Second, "each shard has one owner", c.Placed)
	return c
}

// Node is the one of that name.
func (c *Cluster) Node(name string) *Node {
	c.TB.Helper()
	return c.nodes[c.place(name)]
}

// place is the node's index in nodes.
func (c *Cluster) place(name string) int {
	c.TB.Helper()
	i := slices.IndexFunc(c.nodes, func(n *Node) bool { return n.Name == name })
	if i < 0 {
		c.TB.Fatalf("sim: there is no node %s", name)
	}
	return i
}

// Nodes are all, in order of their first start.
func (c *Cluster) Nodes() []*Node { return c.nodes }

// connect starts the node's next process, as far as its link.
func (n *Node) connect() {
	c := n.cluster
	n.incarnation++
	peer := link.Peer{Node: n.Name, Incarnation: n.incarnation}
	n.Host = c.NewHost(peer.Address())
	n.mailboxes = &mailboxes{node: n, dropped: &c.shed, passed: map[string]string{}, hangs: map[string]func(any) bool{}}
	n.Host.Bounds = n.mailboxes
	n.Host.Posted = n.posted
	n.moments, n.gave = nil, map[string]uint64{}
	n.Host.Worker.Panicked = n.panicked
	n.Worker.Tells = true // by storeFault
	n.Worker.Pauses = c.bad.slow
	n.frozen, n.storeDown, n.hung, n.up = false, false, false, true
	n.dying, n.dieAt, n.slow, n.stuck, n.waits = false, 0, false, "", nil
	n.panics, n.late, n.unsure = 0, false, 0
	n.store = c.Disk.Open(n.storeFault)
	n.remote = link.NewRemote(link.RemoteConfig{
		System: n.System, Link: c.Net.Join(peer, n.Host), Logger: slog.New(slog.DiscardHandler), Count: func(string) {},
		Lowest: n.lowest,
	})
}

// run starts the process's actors.
func (n *Node) run() {
	c := n.cluster
	work, mend := slowWorker{node: n, process: n.Host}, slowWorker{node: n, process: n.Host, mends: true}
	n.starting = true
	ports := assembly.Ports{
		Node: n.Name, Incarnation: n.incarnation, Cluster: &assembly.Cluster{Version: n.Version, Peers: n.remote},
		System: n.System, Props: n.Props, Clock: n.Clock, Rand: n.Rand, Store: paced{remembered{n.store, n}, n}, Repeats: replay.NewVoids(),
		Work:    assembly.Work{Append: work, Records: stuckWorker{work, n, Records}, Read: work, Mend: stuckWorker{mend, n, Mend}, Merge: work, Poll: work, Enrich: work, Lease: work},
		Formats: formatsOf(n.Version), Feed: n.open, Enrich: c.enrich, Judge: &c.judge,
		Logger: slog.New(slog.DiscardHandler), Sometimes: c.Sometimes, Queues: n.hold, Failed: func(err error) { n.failed = append(n.failed, err) },
		Observe: assembly.Observe{Router: n.observe},
	}
	state, err := assembly.Load(c.TB.Context(), ports)
	if err == nil {
		n.Actors, err = assembly.Start(ports, assembly.Config{Waiting: waiting}, state, func() {})
	}
	if err != nil {
		c.TB.Fatalf("sim: start %s: %v", n.Name, err)
	}
	n.starting = false
}

// Start starts the node again, or one that is new.
func (c *Cluster) Start(name string) *Node {
	c.TB.Helper()
	i := slices.IndexFunc(c.nodes, func(n *Node) bool { return n.Name == name })
	if i < 0 {
		i = len(c.nodes)
		c.nodes = append(c.nodes, &Node{Name: name, Version: 1, cluster: c})
	}
	n := c.nodes[i]
	if n.up {
		c.TB.Fatalf("sim: %s is up", name)
	}
	n.connect()
	c.Settle() // sessions begin
	n.run()
	return n
}

// ofNow does f for as long as the node has the process that it has now.
func (n *Node) ofNow(f func()) func() {
	process := n.Host
	return func() {
		if n.Host == process && n.up {
			f()
		}
	}
}

// Crash ends the node's process, as kill -9 does.
func (n *Node) Crash() {
	if !n.up {
		return
	}
	c := n.cluster
	n.up = false
	n.Host.Crash()
	c.Net.End(n.Name)
	_ = n.store.Close() // of memory: it cannot fail
	for _, client := range c.clients {
		client.reset(n)
	}
}

// Freeze suspends the node's process; Thaw has it go on.
func (n *Node) Freeze() {
	n.frozen = true
	n.Host.Freeze()
	n.cluster.Net.Stall(n.Name, true)
	process := n.Host
	n.cluster.Later(unheard, func() {
		if n.frozen && n.Host == process {
			for _, client := range n.cluster.clients {
				client.reset(n)
			}
		}
	})
}

// Thaw has the process go on.
func (n *Node) Thaw() {
	n.frozen = false
	n.doubt()
	n.cluster.Net.Stall(n.Name, false)
	n.Host.Thaw()
}

// Stop ends the node's process in order.
func (n *Node) Stop() {
	c := n.cluster
	c.TB.Helper()
	var ended []error
	n.Actors.Stop(func(err error) { ended = append(ended, err) })
	for range 200 {
		if c.Advance(100 * time.Millisecond); len(ended) > 0 {
			break
		}
	}
	if len(ended) != 1 || ended[0] != nil {
		c.TB.Fatalf("sim: the end of %s: %v", n.Name, ended)
	}
	if timers := n.Clock.Pending(); len(timers) > 0 {
		c.TB.Errorf("sim: timers of %s are left: %v", n.Name, timers)
	}
	if actors := n.Host.Actors(); len(actors) > 0 {
		c.TB.Errorf("sim: actors of %s are left: %v", n.Name, actors)
	}
	n.Crash()
}

// lowest is the lowest version that a node runs, as this one knows.
func (n *Node) lowest() uint32 {
	if n.Actors == nil {
		return 0
	}
	return n.Actors.View().Lowest()
}

// end has the process end in order, in its own time.
func (n *Node) end() {
	crash := n.ofNow(n.Crash)
	n.Actors.Stop(func(err error) {
		if err != nil {
			n.cluster.TB.Errorf("sim: the end of %s: %v", n.Name, err)
		}
		n.cluster.Later(0, crash)
	})
}

// Owner is the node that owns the key, as the node sees it.
func (n *Node) Owner(keyID string) string {
	peer, ok := link.ParseAddress(n.Actors.Owner(keyID).GetAddress())
	if !ok {
		return ""
	}
	return peer.Node
}

// LoseStore cuts the node off from the store, and FindStore takes that back.
func (n *Node) LoseStore() { n.storeDown = true }

// FindStore ends what LoseStore has begun.
func (n *Node) FindStore() { n.storeDown = false }

// ownerOf is the node whose process owns the key, as the record says, or the first.
func (c *Cluster) ownerOf(keyID string) *Node {
	c.TB.Helper()
	if name := c.shard(keyID).GetNode(); name != "" {
		return c.Node(name)
	}
	return c.nodes[0]
}

// Awake says whether the node has a process that is not suspended.
func (n *Node) Awake() bool { return n.up && !n.frozen }

// Isolate cuts the node off from all others and from the store; Rejoin takes
// that back.
func (c *Cluster) Isolate(name string) {
	c.Node(name).storeDown = true
	for _, o := range c.nodes {
		if o.Name != name {
			c.Net.Cut(name, o.Name)
			c.Net.Cut(o.Name, name)
		}
	}
}

// Rejoin ends what Isolate has begun.
func (c *Cluster) Rejoin(name string) {
	c.Node(name).storeDown = false
	c.Node(name).doubt()
	for _, o := range c.nodes {
		c.Net.Mend(name, o.Name)
		c.Net.Mend(o.Name, name)
	}
}
