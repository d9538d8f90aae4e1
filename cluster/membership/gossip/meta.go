package gossip

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// Meta is what a node says of itself.
type Meta struct {
	Cluster     string // its name: a node of another one is a stranger
	Incarnation uint64 // of the process; 0: it is starting, and the store has yet to count it
	// Wire is the newest version of what nodes say to each other that the node
	// knows, and WireLeast the oldest that it can still talk with.
	Wire, WireLeast uint32
	Link            string // host:port that takes actor messages
	Routes          string // host:port of its store's routes; "": it has no store of its own
	Version         string // of the program, in words
	Roles           []string
	Capabilities    []string
	Leaving         bool
}

// Capabilities that gossip itself looks at: how the link and the routes of the node
// know others. One that says neither is of a version that did not.
const (
	Certificates = "certificates"
	Insecure     = "insecure"
)

// The bounds of what a node says. Together they may pass maxMeta, which is the
// bound that counts.
const (
	maxMeta  = 512 // bytes: memberlist's MetaMaxSize
	maxName  = 64  // of a cluster, a node, a version, a role
	maxWords = 16  // roles, and capabilities
	maxHost  = 255
)

// Encode is the Meta as it is gossiped, or why it cannot be.
func (m Meta) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	data, err := proto.Marshal(&messages.NodeMeta{
		Cluster: m.Cluster, Incarnation: m.Incarnation, Wire: m.Wire, WireLeast: m.WireLeast, Link: m.Link, Routes: m.Routes,
		Version: m.Version, Roles: m.Roles, Capabilities: m.Capabilities, Leaving: m.Leaving,
	})
	if err != nil {
		return nil, fmt.Errorf("encode what the node says of itself: %w", err)
	}
	if len(data) > maxMeta {
		return nil, fmt.Errorf("what the node says of itself takes %d bytes, and gossip has room for %d: shorten its names and addresses", len(data), maxMeta)
	}
	return data, nil
}

// errMeta: what a node says of itself is not what a node says.
var errMeta = errors.New("what it says of itself is damaged")

// DecodeMeta is Encode's opposite. What it does not know it passes over, so that
// a later program may say more.
func DecodeMeta(data []byte) (Meta, error) {
	if len(data) > maxMeta {
		return Meta{}, fmt.Errorf("%w: %d bytes", errMeta, len(data))
	}
	var said messages.NodeMeta
	if err := proto.Unmarshal(data, &said); err != nil {
		return Meta{}, fmt.Errorf("%w: %w", errMeta, err)
	}
	m := Meta{
		Cluster: said.GetCluster(), Incarnation: said.GetIncarnation(), Wire: said.GetWire(), WireLeast: said.GetWireLeast(),
		Link: said.GetLink(), Routes: said.GetRoutes(), Version: said.GetVersion(),
		Roles: said.GetRoles(), Capabilities: said.GetCapabilities(), Leaving: said.GetLeaving(),
	}
	if err := m.check(); err != nil {
		return Meta{}, fmt.Errorf("%w: %w", errMeta, err)
	}
	return m, nil
}

func (m Meta) check() error {
	if !name(m.Cluster) {
		return fmt.Errorf("cluster %q: a name has 1 to %d letters, digits, dots, dashes or underscores", m.Cluster, maxName)
	}
	if m.Wire == 0 || m.WireLeast == 0 || m.WireLeast > m.Wire {
		return fmt.Errorf("wire versions %d to %d", m.WireLeast, m.Wire)
	}
	if err := checkAddress(m.Link); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	if m.Routes != "" {
		if err := checkAddress(m.Routes); err != nil {
			return fmt.Errorf("routes: %w", err)
		}
	}
	if len(m.Version) > maxName {
		return fmt.Errorf("version: %d characters", len(m.Version))
	}
	for _, words := range [][]string{m.Roles, m.Capabilities} {
		if len(words) > maxWords || slices.ContainsFunc(words, func(w string) bool { return !name(w) }) {
			return fmt.Errorf("roles and capabilities are up to %d names", maxWords)
		}
	}
	return nil
}

func name(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

// checkAddress says why the address is not one that another node can connect to.
func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no host:port", address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q has no port that can be connected to", address)
	}
	if host == "" || len(host) > maxHost {
		return fmt.Errorf("%q has no host that can be connected to", address)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return fmt.Errorf("%q stands for every address of its machine, and others cannot connect to it", address)
	}
	return nil
}

// accepts says why a node that says this is not taken for a member by one that
// says m; nil where it is.
func (m Meta) accepts(other Meta) error {
	switch {
	case other.Cluster != m.Cluster:
		return fmt.Errorf("it is of cluster %q, and this node is of %q: one of the two has a wrong --join or --cluster", other.Cluster, m.Cluster)
	case other.Wire < m.WireLeast:
		return fmt.Errorf("it is too old: it speaks version %d, and this node none before %d; upgrade it", other.Wire, m.WireLeast)
	case m.Wire < other.WireLeast:
		return fmt.Errorf("it is too new: it speaks no version before %d, and this node none after %d; upgrade this one", other.WireLeast, m.Wire)
	case slices.Contains(m.Capabilities, Certificates) && slices.Contains(other.Capabilities, Insecure):
		return errors.New("it has no certificates, and this node has: start all nodes with --cert-dir, or all without")
	case slices.Contains(m.Capabilities, Insecure) && slices.Contains(other.Capabilities, Certificates):
		return errors.New("it has certificates, and this node has none: start all nodes with --cert-dir, or all without")
	}
	return nil
}
