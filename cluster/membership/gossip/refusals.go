package gossip

import (
	"bytes"
	"log/slog"
	"strings"
	"time"
)

// refusals are what has been refused and of whom: each is said once, and again
// after refusalEvery while it goes on. At most maxRefusals are told apart; of what
// is past it only the count is kept.
type refusals map[refusal]*refused

type refusal struct{ node, address, why string }

type refused struct {
	times  int    // since it was said last
	last   string // where it came from, where that is no part of what it is told by
	toldAt time.Time
}

const (
	maxRefusals  = 64
	refusalEvery = time.Hour
)

// refuse writes down that a node was refused. address is where it says it is.
func (g *Gossip) refuse(node, address string, why error) {
	g.cfg.Count("refused")
	g.writeRefusal(refusal{node, address, why.Error()}, address)
}

func (g *Gossip) writeRefusal(r refusal, from string) {
	g.mu.Lock()
	of := g.refused[r]
	if of == nil && len(g.refused) < maxRefusals {
		of = &refused{}
		g.refused[r] = of
	}
	due := false
	if of != nil {
		of.times++
		of.last = from
		due = time.Since(of.toldAt) >= refusalEvery
	}
	g.mu.Unlock()
	if due {
		g.note()
	}
}

// sayRefused logs what is due, and forgets what has ended.
func (g *Gossip) sayRefused() {
	type said struct {
		refusal
		times int
		last  string
	}
	var due []said
	g.mu.Lock()
	for r, of := range g.refused {
		switch {
		case time.Since(of.toldAt) < refusalEvery:
		case of.times == 0:
			delete(g.refused, r)
		default:
			due = append(due, said{r, of.times, of.last})
			of.times, of.toldAt = 0, time.Now()
		}
	}
	g.mu.Unlock()
	for _, r := range due {
		if r.node == "" {
			g.log.Warn("what is no gossip of this cluster arrives, and is dropped", "why", r.why, "from", r.last, "times", r.times)
			continue
		}
		g.log.Warn("a node is refused", "peer", r.node, "at", r.address, "why", r.why, "times", r.times)
	}
}

// lines takes memberlist's log, a line a Write.
type lines Gossip

func (l *lines) Write(line []byte) (int, error) {
	g := (*Gossip)(l)
	// That a merge failed is told where it was refused.
	if bytes.HasPrefix(line, []byte("[ERR]")) && bytes.Contains(line, []byte(" from=")) && !bytes.Contains(line, []byte("push/pull merge")) {
		g.garbage(string(line))
	}
	if g.log.Enabled(g.ctx, slog.LevelDebug) {
		g.log.Debug(strings.TrimSpace(string(line)))
	}
	return len(line), nil
}

// garbage is what came to the port and could not be read. Only the last address
// that it came from is kept: a sender can claim any, and each would be one more to
// tell of.
func (g *Gossip) garbage(line string) {
	g.cfg.Count("garbage")
	why := "it is not understood"
	if lower := strings.ToLower(line); strings.Contains(lower, "crypt") {
		why = "it is not encrypted with the cluster's secret: a node with another --secret-file, or nobody's"
	}
	_, from, _ := strings.Cut(line, " from=")
	from, _, _ = strings.Cut(strings.TrimSpace(from), " ")
	g.writeRefusal(refusal{why: why}, from)
}
