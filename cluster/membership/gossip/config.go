package gossip

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"
)

// Config is what one node's gossip takes.
type Config struct {
	Name string // of the node: stable over its restarts, and nobody else's in the cluster
	Meta Meta   // what it says of itself at first; Say changes it

	Listen string // host:port, for UDP and TCP alike; port 0 picks one
	// Host is the address by which the others reach this node: an IP. Default: the
	// host of Listen, which then must not stand for all addresses.
	Host string
	// Join are the seeds: the gossip addresses of some nodes, host:port. This node
	// may be among them, and all may be down: they are asked again for ever.
	Join []string
	// SecretFile is read as ReadSecrets says, and again when it changes. "": gossip
	// is neither encrypted nor authenticated.
	SecretFile string

	Logger *slog.Logger
	// Count is told what happens, for metrics: seen, gone, left, refused, garbage,
	// conflict, secrets. It must not block.
	Count func(metric string)
	// Changed is told each snapshot, in order, from one goroutine: the next waits
	// for it to return. nil: nobody wants to know.
	Changed func(*Snapshot)

	transport memberlist.NodeAwareTransport // tests have their own; nil: sockets
}

func (c Config) withDefaults() (Config, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Count == nil {
		c.Count = func(string) {}
	}
	if c.Changed == nil {
		c.Changed = func(*Snapshot) {}
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return c, fmt.Errorf("gossip: %q is no host:port", c.Listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return c, fmt.Errorf("gossip: %q has no port", c.Listen)
	}
	if c.Host == "" {
		c.Host = host
	}
	if !name(c.Name) {
		return c, fmt.Errorf("node %q: a name has 1 to %d letters, digits, dots, dashes or underscores", c.Name, maxName)
	}
	if ip := net.ParseIP(c.Host); ip == nil || ip.IsUnspecified() {
		return c, fmt.Errorf("gossip: %q is no address by which others reach this node", c.Host)
	}
	if len(c.Join) > maxSeeds {
		return c, fmt.Errorf("join: %d seeds, at most %d are taken; a few are enough", len(c.Join), maxSeeds)
	}
	var errs []error
	for _, seed := range c.Join {
		if err := checkAddress(seed); err != nil {
			errs = append(errs, fmt.Errorf("join: %w", err))
		}
	}
	return c, errors.Join(errs...)
}

const (
	maxSeeds = 64
	maxNodes = 256 // that are known, gone ones too; past it new ones are refused
)

// Times. A dead node is suspected after one failed probe (probeEvery), and taken
// for gone once another has seen the same, or after suspectMost times the least.
const (
	probeEvery   = 300 * time.Millisecond
	probeTimeout = 150 * time.Millisecond
	suspectLeast = 3 // times probeEvery, times the cluster's logarithm
	suspectMost  = 2 // times that, where nobody else says the same
	gossipEvery  = 100 * time.Millisecond
	// syncEvery is how often everything is compared with one other node: what
	// gossip lost is mended so.
	syncEvery     = 5 * time.Second
	streamTimeout = 3 * time.Second
	// reclaimAfter is how long a name must have been gone before it may be at a
	// new address: memberlist wants more than 0. Two processes of one name are
	// told apart by their lease records, not here.
	reclaimAfter = time.Nanosecond
)

// memberlist's own configuration, but for its callbacks.
func (c Config) memberlist(ring *memberlist.Keyring, port int) *memberlist.Config {
	m := memberlist.DefaultLANConfig()
	m.Name, m.Keyring = c.Name, ring
	m.AdvertiseAddr, m.AdvertisePort, m.BindPort = c.Host, port, port
	m.ProtocolVersion = memberlist.ProtocolVersionMax
	m.ProbeInterval, m.ProbeTimeout = probeEvery, probeTimeout
	m.SuspicionMult, m.SuspicionMaxTimeoutMult = suspectLeast, suspectMost
	m.AwarenessMaxMultiplier = 4
	m.GossipInterval, m.PushPullInterval, m.TCPTimeout = gossipEvery, syncEvery, streamTimeout
	m.DeadNodeReclaimTime = reclaimAfter
	m.EnableCompression = false // some hundred bytes a node: not worth the time
	return m
}
