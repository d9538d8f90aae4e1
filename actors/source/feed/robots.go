package feed

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/actors/source/feed/robots"
)

const (
	agentName    = "birdwire"
	robotsFresh  = 24 * time.Hour   // of an answer
	robotsFailed = 10 * time.Minute // of none: until then nothing is fetched of the host
	hostsMost    = 4096             // whose robots.txt is kept; past it the oldest ones are asked for again
	movesMost    = 1024             // pages that were redirected to another host
)

// robotsKept is what hosts have said of their pages.
type robotsKept struct {
	mu    sync.Mutex // protects what follows
	hosts map[string]robotsOf
	moves map[string]*weburl.URL
}

type robotsOf struct {
	rules   robots.Rules
	until   time.Time
	failure error // why the host could not be asked; nil: it could
}

func newRobotsKept() robotsKept {
	return robotsKept{hosts: map[string]robotsOf{}, moves: map[string]*weburl.URL{}}
}

// robots is what the page's host says; asked: it had to be asked now.
func (r *Reader) robots(ctx context.Context, page *weburl.URL) (kept robotsOf, asked bool) {
	origin := page.Scheme() + "://" + page.Host()
	now := r.cfg.Now()
	r.asked.mu.Lock()
	kept, ok := r.asked.hosts[origin]
	r.asked.mu.Unlock()
	if ok && now.Before(kept.until) {
		return kept, false
	}
	kept = r.askRobots(ctx, origin)
	r.asked.mu.Lock()
	defer r.asked.mu.Unlock()
	if len(r.asked.hosts) >= hostsMost {
		r.asked.forget(now)
	}
	r.asked.hosts[origin] = kept
	return kept, true
}

// askRobots follows RFC 9309: no file allows everything, a server that fails
// allows nothing for now.
func (r *Reader) askRobots(ctx context.Context, origin string) robotsOf {
	room := r.memory.hold()
	defer room.release()
	resp, err := r.get(ctx, origin+"/robots.txt", mark{}, room, wanted{accept: "text/plain, */*;q=0.1", most: 2 * robots.BytesMost})
	now := r.cfg.Now()
	switch {
	case err != nil:
		return robotsOf{robots.Nothing, now.Add(robotsFailed), err}
	case resp.status >= http.StatusInternalServerError || resp.status == http.StatusTooManyRequests:
		return robotsOf{robots.Nothing, now.Add(robotsFailed), statusError(resp.status)}
	case resp.status == http.StatusOK:
		return robotsOf{robots.Parse(resp.body, agentName), now.Add(robotsFresh), nil}
	}
	return robotsOf{robots.Rules{}, now.Add(robotsFresh), nil}
}

// forget drops what has expired, or else a half of all, whichever that is.
func (k *robotsKept) forget(now time.Time) {
	for origin, of := range k.hosts {
		if now.After(of.until) {
			delete(k.hosts, origin)
		}
	}
	for origin := range k.hosts {
		if len(k.hosts) <= hostsMost/2 {
			return
		}
		delete(k.hosts, origin)
	}
}

// moved is where a page was redirected to when its other host had no turn.
func (k *robotsKept) moved(address string) *weburl.URL {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.moves[address]
}

// move says so; to is nil once the page was had.
func (k *robotsKept) move(address string, to *weburl.URL) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if to == nil {
		delete(k.moves, address)
		return
	}
	if len(k.moves) >= movesMost {
		clear(k.moves)
	}
	k.moves[address] = to
}
