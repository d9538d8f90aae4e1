package gossip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"
)

// target is an address that is asked for ever whether a node is there: a seed, or
// where a node was that is gone. memberlist itself forgets the dead after half a
// minute, and two halves of a cluster that were cut for longer would never meet
// again.
type target struct {
	address string
	seed    bool
	at      []string // what the address was last resolved to, ip:port
	busy    bool     // an attempt is under way
	due     time.Time
	wait    time.Duration
	told    string // what its last failure was, as it was logged; "" after a success
}

// attempt is how one ended.
type attempt struct {
	address string
	at      []string
	err     error
	began   time.Time
	ofRival bool // the question was whether the others know a rival
}

const (
	waitFirst  = 500 * time.Millisecond
	waitMost   = 5 * time.Second
	maxTargets = maxSeeds + maxNodes
	// tryTime bounds one attempt, with the look-up of a name.
	tryTime = 2 * streamTimeout
)

// seek asks the targets that are due and where no member is known to be. Each is
// asked by a goroutine of its own, one at a time, that ends with the attempt.
func (g *Gossip) seek() {
	seen := g.aim()
	now := time.Now()
	for _, t := range g.targets {
		if slices.ContainsFunc(t.at, func(at string) bool { return seen[at] }) {
			t.wait, t.due, t.told = 0, time.Time{}, ""
			continue
		}
		if t.busy || now.Before(t.due) {
			continue
		}
		t.busy = true
		address := t.address
		g.done.Go(func() { g.tried <- g.try(address) })
	}
}

// aim keeps the targets: all seeds, and where those were that are gone. It returns
// where members are.
func (g *Gossip) aim() (seen map[string]bool) {
	seen = map[string]bool{}
	want := map[string]bool{}
	for _, seed := range g.cfg.Join {
		want[seed] = true
	}
	for _, n := range g.Snapshot().Nodes {
		if n.State == Seen {
			seen[n.Gossip] = true
		} else if !want[n.Gossip] && n.Name != g.cfg.Name {
			want[n.Gossip] = false
		}
	}
	for address, seed := range want {
		if g.targets[address] == nil && len(g.targets) < maxTargets {
			g.targets[address] = &target{address: address, seed: seed}
		}
	}
	for address, t := range g.targets {
		if _, wanted := want[address]; !wanted && !t.busy {
			delete(g.targets, address)
		}
	}
	return seen
}

func (g *Gossip) try(address string) attempt {
	ctx, cancel := context.WithTimeout(g.ctx, tryTime)
	defer cancel()
	at, err := resolve(ctx, address)
	if err == nil {
		_, err = g.list.Join(at)
	}
	return attempt{address: address, at: at, err: err}
}

// resolve is the address as one or several ip:port. memberlist would do it too,
// and ask a name server by TCP for whatever it has.
func resolve(ctx context.Context, address string) ([]string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ips := []string{host}
	if net.ParseIP(host) == nil {
		if ips, err = net.DefaultResolver.LookupHost(ctx, host); err != nil {
			return nil, fmt.Errorf("look up %s: %w", host, err)
		}
	}
	for i, ip := range ips {
		ips[i] = net.JoinHostPort(ip, port)
	}
	return ips, nil
}

func (g *Gossip) attempted(a attempt) {
	if a.ofRival {
		g.askedOfRival(a)
		return
	}
	t := g.targets[a.address]
	t.busy = false
	if len(a.at) > 0 {
		t.at = a.at
	}
	t.wait = min(max(2*t.wait, waitFirst), waitMost)
	t.due = time.Now().Add(t.wait/2 + rand.N(t.wait/2)) // apart from the others': all may have begun at once
	if a.err == nil {
		t.told = ""
		return
	}
	if why := because(a.err); t.seed && t.told != why {
		t.told = why
		g.log.Info("a seed does not take this node in yet; it is asked again until it does", "seed", t.address, "why", why)
	}
}

// because is why an attempt failed, for an operator.
func because(err error) string {
	why := err.Error()
	switch lower := strings.ToLower(why); {
	case strings.Contains(lower, "crypt"):
		return "it has another secret, or is no node's gossip: compare the --secret-file of the two, and --join with its --gossip"
	case strings.Contains(lower, "connection refused"):
		return "nothing listens there"
	case errors.Is(err, io.EOF), strings.HasSuffix(strings.TrimSpace(why), "EOF"),
		strings.Contains(lower, "connection reset by peer"), strings.Contains(lower, "broken pipe"): // writing was first to find it
		return "what listens there hangs up: it is no node's gossip, or takes no more connections"
	}
	for _, noise := range []string{"1 error occurred:", "\n", "\t", "* "} {
		why = strings.ReplaceAll(why, noise, "")
	}
	if _, rest, found := strings.Cut(why, "failed to join "); found {
		if _, reason, found := strings.Cut(rest, ": "); found {
			return strings.TrimSpace(reason) // the address is said beside it
		}
	}
	return strings.TrimSpace(why)
}
