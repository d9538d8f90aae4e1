package gossip

import "time"

// rival is where another process of this node's name is, by the others' word. A
// node that has no incarnation yet waits until they know none: its store would
// otherwise join under a name that is taken, which breaks what the other one has
// there. One that has its incarnation is told apart by that, and does not care.
type rival struct {
	at    string
	heard time.Time
}

const (
	// rivalFor is how long a word of a rival counts: past it whoever knows one
	// would have said so again.
	rivalFor = 2*syncEvery + 2*time.Second
	askEvery = time.Second
	askMost  = 8 // others, at once
)

// where is the rival that counts for a node that says this of itself.
func (r rival) where(self Meta) string {
	if self.Incarnation > 0 || time.Since(r.heard) > rivalFor {
		return ""
	}
	return r.at
}

func (g *Gossip) metRival(at string) {
	g.mu.Lock()
	g.rival = rival{at, time.Now()}
	g.mu.Unlock()
	g.note()
}

// askOfRival asks those that are seen, one question at a time: what they know they
// say, and what has changed counts at once, not after rivalFor. Only run calls it.
func (g *Gossip) askOfRival() {
	s := g.Snapshot()
	if s.Rival == "" || g.asking || time.Now().Before(g.askDue) {
		return
	}
	var others []string
	for _, n := range s.Nodes {
		if n.State == Seen && n.Name != g.cfg.Name && len(others) < askMost {
			others = append(others, n.Gossip)
		}
	}
	if others == nil {
		return
	}
	g.asking = true
	g.done.Go(func() { // ends with the question
		began := time.Now()
		_, err := g.list.Join(others)
		g.tried <- attempt{began: began, err: err, ofRival: true}
	})
}

func (g *Gossip) askedOfRival(a attempt) {
	g.asking, g.askDue = false, time.Now().Add(askEvery)
	g.mu.Lock()
	if a.err == nil && g.rival.heard.Before(a.began) {
		g.rival = rival{}
	}
	g.mu.Unlock()
	g.publish()
}
