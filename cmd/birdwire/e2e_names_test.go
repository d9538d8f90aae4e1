package main_test

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestANameThatIsTaken: a second process of a node's name, as where one configuration
// was copied to two hosts, opens nothing, says why to whoever asks, and ends without
// the others taking the first for gone.
func TestANameThatIsTaken(t *testing.T) {
	t.Parallel()
	all := members(t, 3)
	nodes := together(t, all)
	wantCluster(t, nodes[0], "a core, b core, c core")

	ports := freePorts(t, 5)
	double := *all[1]
	double.dir += "-double"
	double.flags = append(slices.Clone(double.flags), "--gossip", ports[0], "--link", ports[1], "--routes", ports[2], "--listen", ports[3], "--admin", ports[4])
	second := double.begin(t)
	second.notes.await(t, regexp.MustCompile(`not opened yet.*a process with this node's name, b, is at `))
	asked := run(t, "", "cluster", "status", "--data", double.dir, "--admin", ports[4])
	if code := asked.exit(); code != 1 || !strings.Contains(asked.notes.String(), "another --node") {
		t.Errorf("cluster status of it: exit code %d, %s", code, asked.notes)
	}
	second.terminate()
	if code := second.exit(); code != 0 {
		t.Errorf("it ends with %d", code)
	}
	if log := second.notes.String(); strings.Contains(log, "part=store") || strings.Contains(log, "nats:") {
		t.Errorf("it opened its store:\n%s", log)
	}

	fourth := members(t, 1)[0]
	fourth.name, fourth.flags = "d", append(slices.Clone(all[0].flags), "--node", "d", "--gossip", ports[0], "--link", ports[1], "--routes", ports[2])
	fourth.flags = append(fourth.flags, "--cert-dir", "", "--insecure")
	plain := fourth.begin(t)
	plain.notes.await(t, regexp.MustCompile(`a node is refused.*it has certificates, and this node has none`))
	nodes[0].notes.await(t, regexp.MustCompile(`a node is refused.*peer=d.*it has no certificates, and this node has`))
	plain.terminate()
	plain.exit()

	wantCluster(t, nodes[0], "a core, b core, c core")
	for i, s := range nodes {
		if log := s.notes.String(); strings.Contains(log, "does not answer any more") || strings.Contains(log, "was lost and is made again") {
			t.Errorf("node %s was disturbed", all[i].name)
		}
	}
}

// A port for routes that is taken is said at once, and not only by a node that nobody
// finds.
func TestARoutesPortThatIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ports := freePorts(t, 2)
	p := run(t, "", "serve", "--node", "a", "--join", "127.0.0.1:1", "--insecure", "--gossip", ports[0], "--link", ports[1],
		"--routes", taken.Addr().String(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	if code := p.exit(); code != 1 || !strings.Contains(p.notes.String(), "for the routes of the other nodes' stores") {
		t.Errorf("exit code %d, %s", code, p.notes)
	}
}
