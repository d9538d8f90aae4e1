package nats

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/birdwire/birdwire/cluster/store/storetest"
)

// trio is a cluster of three in this process.
type trio struct {
	dir    string
	seeds  []string
	tls    func() *tls.Config // of one member; nil: none
	stores [3]*Store
}

// freePorts are addresses on loopback that nobody listens on. They are below those
// that systems give to connections, and none is given twice: several tests run at
// once, and members are closed and opened again.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var all []string
	for len(all) < n {
		address := fmt.Sprint("127.0.0.1:", 12000+(os.Getpid()*64+int(nextPort.Add(1)))%18000)
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		all = append(all, address)
	}
	return all
}

var nextPort atomic.Int32

func (c *trio) config(t *testing.T, i int) Config { return quiet(t, c.member(i)) }

func (c *trio) member(i int) Config {
	cfg := Config{
		Dir: filepath.Join(c.dir, fmt.Sprint(i)), DuplicateWindow: testWindow,
		Cluster: &Cluster{Node: fmt.Sprintf("n%d", i), Name: "test", Listen: c.seeds[i], Seeds: c.seeds, Secret: []byte("of the test")},
	}
	if c.tls != nil {
		cfg.Cluster.TLS = c.tls()
	}
	return cfg
}

// here are the members that run in this process, the first ones.
func (c *trio) here() []*Store {
	for n, s := range c.stores {
		if s == nil {
			return c.stores[:n]
		}
	}
	return c.stores[:]
}

// openTrio starts three members at once.
func openTrio(t *testing.T) *trio {
	t.Helper()
	c := &trio{dir: memoryDir(t), seeds: freePorts(t, 3)}
	c.open(t, 0, 1, 2)
	return c
}

// open starts those members, all at once, and waits for them.
func (c *trio) open(t *testing.T, which ...int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var wait sync.WaitGroup
	for _, i := range which {
		wait.Go(func() {
			s, err := Open(ctx, c.config(t, i))
			if err != nil {
				t.Errorf("open %d: %v", i, err)
				return
			}
			c.stores[i] = s
			t.Cleanup(func() { closeStore(t, s) })
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func TestThreeAreOne(t *testing.T) {
	t.Parallel()
	c := openTrio(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i, s := range c.stores {
		if sequence, err := s.Journal().Append(ctx, storetest.Frame(fmt.Sprint(i), 1, 1, 10)); err != nil || sequence != uint64(i)+1 {
			t.Fatalf("append by node %d: sequence %d, %v", i, sequence, err)
		}
	}
	for i, s := range c.stores {
		first, last, err := s.Journal().Bounds(ctx)
		if err != nil || first != 1 || last != 3 || s.Journal().Epoch() != c.stores[0].Journal().Epoch() {
			t.Fatalf("node %d has frames %d to %d of epoch %s, %v; want 1 to 3 of %s", i, first, last, s.Journal().Epoch(), err, c.stores[0].Journal().Epoch())
		}
	}
}

// Who has come with what, as the server asks about a route.
type comes struct {
	server.ClientAuthentication
	said server.ClientOpts
}

func (c comes) GetOpts() *server.ClientOpts { return &c.said }

// While the cluster's secret is changed, routes are taken under the old and the new
// one; under any other, or that of another cluster, they are not.
func TestWhoseRoutesAreTaken(t *testing.T) {
	member := func(name, secret string) *Cluster { return &Cluster{Name: name, Secret: []byte(secret)} }
	of := func(c *Cluster) comes {
		return comes{said: server.ClientOpts{Username: c.derived("routes user"), Password: c.derived("routes password")}}
	}
	began := member("birds", "old")
	for _, c := range []struct {
		file string // the secrets that the file has now
		from comes
		want bool
	}{
		{"old", of(member("birds", "old")), true},
		{"old", of(member("birds", "new")), false},
		{"old new", of(member("birds", "new")), true},
		{"new", of(member("birds", "new")), true},
		{"new", of(member("birds", "old")), true}, // whoever was started with it goes on with it
		{"new", of(member("fish", "new")), false},
		{"new", comes{}, false},
		{"", of(member("birds", "old")), true},
	} {
		began.Secrets = func() (all [][]byte) {
			for _, s := range strings.Fields(c.file) {
				all = append(all, []byte(s))
			}
			return all
		}
		if got := (admits{began}).Check(c.from); got != c.want {
			t.Errorf("with %q in the file: %t, want %t", c.file, got, c.want)
		}
	}
}

// until waits for what must come.
func until(t *testing.T, ctx context.Context, what string, is func() bool) {
	t.Helper()
	for !is() {
		wait := time.NewTimer(50 * time.Millisecond)
		select {
		case <-wait.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

// A node that joins at an address that was not known costs the others no connection
// of their own: what is under way on one is lost with it.
func TestAnotherRouteKeepsConnections(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := openTrio(t)
	s := c.stores[0]
	if _, err := s.Journal().Append(ctx, storetest.Frame("a", 1, 1, 1)); err != nil {
		t.Fatal(err)
	}
	writing, err := s.sess.link(writes)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddRoute(freePorts(t, 1)[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Journal().Append(ctx, storetest.Frame("a", 1, 2, 1)); err != nil {
		t.Fatal(err)
	}
	if writing.lost() {
		t.Error("the connection for writes was closed")
	}
}
