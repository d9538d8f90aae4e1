package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// TestOneNodeBecomesThree: what a node that stood alone has kept is backed up and
// restored into a cluster, where a client goes on by the cursor that it had.
func TestOneNodeBecomesThree(t *testing.T) {
	t.Parallel()
	alone := start(t, "")
	pusher, k := alone.pusher(t), alone.key(t, "pro")
	makeRule(t, alone.owner(t, k), "all", "post")
	socket := alone.dial(t, twitterPath+k.Key+"&resume=new")
	socket.read("connected", nil)
	socket.begins()
	for n := range 3 {
		alone.push(t, client.Posts, pusher, post(fmt.Sprint(n+1), "ada", "a post"))
	}
	cursor := socket.until("3")[0].Cursor
	alone.stop()

	file := filepath.Join(t.TempDir(), "move.birdwire")
	if out := command(t, "", "cluster", "backup", file, "--stopped", "--data", alone.dir); !strings.Contains(out, "and checked") {
		t.Fatalf("backup says %q", out)
	}
	if p := run(t, "", "serve", "--data", alone.dir, "--node", "a", "--join", "127.0.0.1:1", "--insecure", "--secret-file", "s", "--gossip", "127.0.0.1:0", "--link", "127.0.0.1:0", "--routes", "127.0.0.1:1"); p.exit() == 0 {
		t.Fatal("a lone node's folder was served as a member's")
	}

	all := members(t, 3)
	nodes := together(t, all)
	out := command(t, "", "cluster", "restore", file, "--data", nodes[1].dir, "--admin", nodes[1].admin)
	if !strings.Contains(out, "Start every node of the cluster again") {
		t.Fatalf("restore says %q", out)
	}
	for _, s := range nodes {
		s.kill()
	}
	nodes = together(t, all)

	resumed := nodes[2].dial(t, twitterPath+k.Key+"&resume="+cursor)
	resumed.read("connected", nil)
	nodes[0].push(t, client.Posts, pusher, post("4", "ada", "a post"))
	if got := ids(resumed.until("4")); got != "2 3 4" {
		t.Fatalf("in the cluster the client got %s after its cursor, want 2 3 4", got)
	}
	if out := command(t, "", "cluster", "audit", "--data", nodes[0].dir, "--admin", nodes[0].admin); !strings.Contains(out, "all copies agree") {
		t.Fatalf("audit says %q", out)
	}
	whole := filepath.Join(t.TempDir(), "three.birdwire")
	if out := command(t, "", "cluster", "backup", whole, "--data", nodes[0].dir, "--admin", nodes[0].admin); !strings.Contains(out, "and checked") {
		t.Fatalf("backup of a cluster says %q", out)
	}
}
