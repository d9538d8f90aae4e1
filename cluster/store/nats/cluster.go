package nats

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster makes the store one member of several: their embedded servers are
// joined by routes, and every stream has three replicas.
type Cluster struct {
	Node string // this member's name, unique in the cluster and the same at every start
	Name string // of the cluster

	// Listen is where other members' routes come in, host:port; a port of 0 is
	// any that is free, which Store.Routes says.
	Listen string
	// Advertise is the host:port that others are told; "": what Listen says.
	Advertise string
	// Seeds are the route addresses of members, host:port, in any order, this
	// one's own among them or not; none for one that others look for. They may be
	// started in any order too.
	Seeds []string

	// Secret is the cluster's: the routes' user and password are derived from
	// it, so that the routes never carry it. Required.
	Secret []byte
	// Secrets are those that others may come with besides, asked with every route: so
	// the secret can be changed while some nodes still have the old one. A process
	// goes on with its own until its end. nil: there are none.
	Secrets func() [][]byte
	// TLS is of the routes, both ways: it needs a certificate of both key usages,
	// RootCAs, ClientCAs and ClientAuth. nil: the routes are not encrypted, for a
	// network that nobody else is on.
	TLS *tls.Config
}

// members is how many a cluster has at least. Two tolerate the loss of none, so
// they are no better than one.
const members = 3

// replicasMost is how many copies there are of everything.
const replicasMost = 3

func (c *Cluster) validate() error {
	switch {
	case c.Node == "" || strings.ContainsAny(c.Node, " \t\r\n"):
		return fmt.Errorf("node %q: a member of a cluster needs a name of its own without spaces", c.Node)
	case c.Name == "" || strings.ContainsAny(c.Name, " \t\r\n"):
		return fmt.Errorf("cluster %q: a cluster needs a name without spaces", c.Name)
	case len(c.Secret) == 0:
		return errors.New("cluster: the secret that its members share is missing")
	}
	_, port, err := splitAddress(c.Listen)
	if err != nil {
		return fmt.Errorf("routes' address %q: %w", c.Listen, err)
	}
	if port == 0 && c.Advertise == "" && len(c.Seeds) == 0 {
		return errors.New("cluster: with any free port for the routes, and no seed, no other member can be met")
	}
	for _, seed := range c.Seeds {
		if host, port, err := splitAddress(seed); err != nil || host == "" || port == 0 {
			return fmt.Errorf("seed %q: want host:port of a member's routes", seed)
		}
	}
	return nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("port %q: want 0 to 65535", text)
	}
	return host, port, nil
}

// derived is a word that only those who have the secret know.
func (c *Cluster) derived(what string) string { return c.derivedOf(c.Secret, what) }

func (c *Cluster) derivedOf(secret []byte, what string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("birdwire " + c.Name + " " + what))
	return hex.EncodeToString(mac.Sum(nil))
}

// admits takes the routes of those who have one of the secrets.
type admits struct{ *Cluster }

func (a admits) Check(client server.ClientAuthentication) bool {
	secrets := [][]byte{a.Secret}
	if a.Secrets != nil {
		secrets = append(secrets, a.Secrets()...)
	}
	said, found := client.GetOpts(), 0
	for _, secret := range secrets {
		found |= subtle.ConstantTimeCompare([]byte(said.Username), []byte(a.derivedOf(secret, "routes user"))) &
			subtle.ConstantTimeCompare([]byte(said.Password), []byte(a.derivedOf(secret, "routes password")))
	}
	return found == 1
}

// route is the address of a member's routes as the server takes it.
func (c *Cluster) route(address string) *url.URL {
	return &url.URL{Scheme: "nats", Host: address, User: url.UserPassword(c.derived("routes user"), c.derived("routes password"))}
}

// options are the embedded server's, the first that it is started with. Those
// that it is given later are made from a copy of these, since it fills in its
// own and takes any difference for a change.
func (c *Cluster) options(base server.Options) (server.Options, error) {
	host, port, err := splitAddress(c.Listen)
	if err != nil {
		return base, err
	}
	if port == 0 {
		port = -1
	}
	base.ServerName = c.Node
	// A cluster's server must listen for clients: without it the start hangs. It
	// does so where only this machine reaches it, for those who know a token
	// that is made here and never leaves the process.
	base.DontListen, base.Host, base.Port = false, "127.0.0.1", -1
	base.CustomClientAuthentication = &visitors{all: []visitor{{token: rand.Text()}, {token: rand.Text(), system: true}}}
	base.CustomRouterAuthentication = admits{c}
	base.Cluster = server.ClusterOpts{
		Name: c.Name, Host: host, Port: port, Advertise: c.Advertise,
		Username: c.derived("routes user"), Password: c.derived("routes password"), AuthTimeout: 5,
		TLSConfig: c.TLS, TLSTimeout: 5,
		ConnectRetries: 1 << 30, // a member that is away for a week is tried for a week
		// A peer that does not answer is let go of within seconds: what waits for it
		// is held in memory.
		PingInterval: 2 * time.Second, MaxPingsOut: 2, WriteDeadline: 5 * time.Second,
	}
	seeds := c.Seeds
	if len(seeds) == 0 {
		seeds = []string{c.own()}
	}
	for _, seed := range seeds {
		base.Routes = append(base.Routes, c.route(seed))
	}
	return base, nil
}

// own is where others reach this member's routes. The server knows itself when it
// meets itself there.
func (c *Cluster) own() string {
	if c.Advertise != "" {
		return c.Advertise
	}
	return c.Listen
}

// AddRoute has the server connect to another member's routes, host:port, besides
// the seeds. One that is known already changes nothing.
func (s *Store) AddRoute(address string) error {
	if s.cfg.Cluster == nil {
		return errors.New("add a route: the store is no member of a cluster")
	}
	if host, port, err := splitAddress(address); err != nil || host == "" || port == 0 {
		return fmt.Errorf("add route %q: want host:port of a member's routes", address)
	}
	s.routesMu.Lock()
	defer s.routesMu.Unlock()
	if slices.Contains(s.cfg.Cluster.Seeds, address) || slices.Contains(s.routes, address) {
		return nil
	}
	s.routes = append(s.routes, address)
	if sess, _, _ := s.now(); sess != nil {
		if err := sess.reroute(s.cfg.Cluster, s.routes); err != nil {
			return fmt.Errorf("add route %s: %w", address, err)
		}
	}
	return nil
}

// reroute gives the running server more routes.
func (s *session) reroute(c *Cluster, more []string) error {
	options := s.first.Clone()
	for _, address := range more {
		options.Routes = append(options.Routes, c.route(address))
	}
	return s.server.ReloadOptions(options)
}

// Routes is the address that other members' routes come in at; "" where the store
// is no member of a cluster, or its server is being started again.
func (s *Store) Routes() string {
	sess, _, _ := s.now()
	if sess == nil || sess.server == nil || s.cfg.Cluster == nil || sess.server.ClusterAddr() == nil {
		return ""
	}
	return sess.server.ClusterAddr().String()
}
