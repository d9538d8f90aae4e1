package nats

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
)

// outside is a cluster of three servers with an account for every store of the
// suite: a start of three takes seconds, and an account nothing.
type outside struct {
	servers [3]*server.Server
	next    atomic.Int64
}

const outsideAccounts = 400

func startOutside(t *testing.T) *outside {
	t.Helper()
	var accounts strings.Builder
	for i := range outsideAccounts {
		fmt.Fprintf(&accounts, "a%d { jetstream: enabled, users: [ { user: u%d, password: p } ] }\n", i, i)
	}
	dir, routes := memoryDir(t), freePorts(t, 3)
	o := &outside{}
	for i := range o.servers {
		file := filepath.Join(dir, fmt.Sprintf("%d.conf", i))
		text := fmt.Sprintf(`
server_name: s%d, listen: "127.0.0.1:-1", max_payload: %d
jetstream { store_dir: %q, sync_interval: always, max_file_store: 1PB }
cluster { name: outside, listen: %q, routes: [ "nats://%s" ] }
accounts { %s }
`, i, maxPayload, filepath.Join(dir, fmt.Sprint(i)), routes[i], strings.Join(routes, `", "nats://`), accounts.String())
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		options, err := server.ProcessConfigFile(file)
		if err != nil {
			t.Fatal(err)
		}
		options.NoSigs, options.NoLog = true, true
		if o.servers[i], err = server.NewServer(options); err != nil {
			t.Fatal(err)
		}
	}
	var wait sync.WaitGroup
	for _, s := range o.servers {
		wait.Go(s.Start)
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
	}
	wait.Wait()
	for _, s := range o.servers {
		if !s.ReadyForConnections(time.Minute) {
			t.Fatal("a server did not start")
		}
	}
	return o
}

// config is of a store in an account, by way of one node.
func (o *outside) config(account, node int) Config {
	url := strings.Replace(o.servers[node].ClientURL(), "nats://", fmt.Sprintf("nats://u%d:p@", account), 1)
	return Config{External: &External{URLs: []string{url}, Synced: true}, DuplicateWindow: testWindow}
}

// raw does what goes past the contracts.
func raw(t *testing.T, s store.Store, do func(ctx context.Context, js jetstream.JetStream) error) {
	t.Helper()
	conn, err := nc.Connect(s.(*Store).cfg.External.URLs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := do(ctx, js); err != nil {
		t.Fatal(err)
	}
}

// TestSuiteOverThree runs the contracts over three replicas, on one node's handle
// after another: what one has written another reads after a reopening.
func TestSuiteOverThree(t *testing.T) {
	o := startOutside(t)
	var accounts sync.Map // of a store
	enter := func(t *testing.T, account, node int) store.Store {
		t.Helper()
		s := open(t, o.config(account, node%3))
		accounts.Store(s, [2]int{account, node})
		return s
	}
	again := func(t *testing.T, s store.Store) store.Store {
		t.Helper()
		at, _ := accounts.Load(s)
		closeStore(t, s.(*Store))
		return enter(t, at.([2]int)[0], at.([2]int)[1]+1)
	}
	storetest.Run(t, storetest.Subject{
		Open: func(t *testing.T) store.Store {
			n := int(o.next.Add(1))
			return enter(t, n, n)
		},
		Reopen: again,
		Trim: func(t *testing.T, s store.Store, first uint64) {
			raw(t, s, func(ctx context.Context, js jetstream.JetStream) error {
				journal, err := js.Stream(ctx, journalStream)
				if err != nil {
					return err
				}
				return journal.Purge(ctx, jetstream.WithPurgeSequence(first))
			})
		},
		Damage: func(t *testing.T, s store.Store, key string) store.Store {
			raw(t, s, func(ctx context.Context, js jetstream.JetStream) error {
				_, err := js.Publish(ctx, controlSubject+key, []byte("not what was written"))
				return err
			})
			return again(t, s)
		},
		Window: testWindow,
	})
}
