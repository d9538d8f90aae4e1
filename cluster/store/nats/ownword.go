package nats

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// A server takes itself for a stream's leader until it hears of another: after it was
// suspended for as long as that takes to reach it, and cut off for up to twenty seconds.
// It answers as the leader for as long, and what it says is as old as its last word from
// the others. So each member watches its own server:
//
//	suspended, suspendedLeast   what its server says as a leader does not count until a
//	                            majority was heard from since
//	suspended, suspendedMost    besides, its server gives up what it leads: it would answer
//	                            other members too
//	no majority, heardWithin    what its server says as a leader does not count
//	no majority, electedLeast   its server gives up what it leads, before the others are
//	                            there again and ask it
//
// Why that is enough: a follower waits electedLeast for its leader before it asks for
// votes. A majority that was heard from heardWithin ago, by a process that has not been
// suspended for suspendedLeast since, has chosen no other leader yet. What stays is the
// moment in which a leader that a follower does not hear, and the others do, is replaced
// and is not told yet.
const (
	electedLeast   = 4 * time.Second         // the server's minElectionTimeout
	suspendedLeast = 1500 * time.Millisecond // with heardWithin no more than electedLeast
	heardWithin    = 2500 * time.Millisecond // an idle leader says something every two seconds
	suspendedMost  = 3 * time.Second
	// buffered is how long after a suspension what comes in may have been sent before it.
	buffered = 500 * time.Millisecond
	beatEach = 100 * time.Millisecond
	lookEach = 200 * time.Millisecond
)

var (
	errSuspended = errors.New("this process was suspended, and does not know yet what its server leads")
	errUnheard   = errors.New("its leader has not heard from a majority of its replicas lately")
)

// ownWord is what a member's own server is worth as a leader. Its two goroutines end
// with the session: one sees whether the process runs, the other one asks the server,
// which may take as long as a disk does.
type ownWord struct {
	server *server.Server
	log    *slog.Logger
	kick   chan struct{} // it was suspended: look now

	mu     sync.Mutex           // protects what follows
	beat   time.Time            // when the process was seen to run last
	woke   time.Time            // when it was seen to run again after it had not
	resign bool                 // it is to give up what it leads
	looked time.Time            // when the server was asked last
	heard  map[string]time.Time // by stream that it leads: when a majority of its replicas had been heard from
}

func watchOwn(srv *server.Server, log *slog.Logger, done <-chan struct{}) *ownWord {
	now := time.Now()
	o := &ownWord{server: srv, log: log, kick: make(chan struct{}, 1), beat: now, looked: now}
	go every(beatEach, nil, done, o.beats)
	go every(lookEach, o.kick, done, o.look)
	return o
}

// every does f regularly, and when it is asked to, until done is closed.
func every(long time.Duration, kick, done <-chan struct{}, f func()) {
	ticker := time.NewTicker(long)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-kick:
		case <-done:
			return
		}
		f()
	}
}

// since is how much later now is, by the clock that counts more: one of them stops while
// the whole machine is suspended.
func since(then, now time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

func (o *ownWord) beats() {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	slept := since(o.beat, now)
	o.beat = now
	if slept < suspendedLeast {
		return
	}
	o.woke, o.resign = now, o.resign || slept >= suspendedMost
	o.log.Warn("this process did not run: what its server says of streams that it leads is not believed until it has heard from the others", "for", slept.Round(time.Millisecond))
	select {
	case o.kick <- struct{}{}:
	default:
	}
}

// look asks the server what it leads and when it has heard from whom, and has it give
// up what it cannot lead any more.
func (o *ownWord) look() {
	o.mu.Lock()
	resign, at := o.resign, time.Now() // before it is asked: what it says is no older
	o.mu.Unlock()
	jsz, err := o.server.Jsz(&server.JSzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Streams: true})
	if err != nil {
		return // it is starting, or ending
	}
	heard := map[string]time.Time{}
	for _, account := range jsz.AccountDetails {
		for _, s := range account.Streams {
			if s.Cluster == nil || s.Cluster.Leader != o.server.Name() {
				continue
			}
			active := make([]time.Duration, len(s.Cluster.Replicas))
			for i, r := range s.Cluster.Replicas {
				active[i] = r.Active
			}
			silent := majorityHeard(active)
			heard[s.Name] = at.Add(-silent)
			if !resign && silent < electedLeast {
				continue
			}
			o.log.Warn("this node's server gives up leading a stream: others may lead it since", "stream", shown(s.Name), "suspended", resign, "silent", silent)
			if err := o.server.JetStreamStepdownStream(account.Name, s.Name); err != nil {
				o.log.Warn("it could not give it up", "stream", shown(s.Name), "error", err)
			}
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.looked, o.heard = at, heard
	if resign {
		o.resign = !o.woke.Before(at) // suspended again meanwhile
	}
}

// majorityHeard is how long ago a leader had heard from a majority, itself included, of
// its replicas, by how long each of the others has been silent.
func majorityHeard(silent []time.Duration) time.Duration {
	others := (len(silent) + 1) / 2
	if others == 0 {
		return 0
	}
	slices.Sort(silent)
	return silent[others-1]
}

// counts says why an answer of a leader of the stream is not to be believed, as this
// server might be the one that answers.
func (o *ownWord) counts(stream string) error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	heard, leads := o.heard[stream]
	switch {
	case since(o.beat, now) >= suspendedLeast, o.looked.Before(o.woke):
		return errSuspended
	case leads && (now.Sub(heard) > heardWithin || heard.Before(o.woke.Add(buffered))):
		return fmt.Errorf("%w: %v", errUnheard, now.Sub(heard).Round(time.Millisecond))
	}
	return nil
}

// ofLeader is nil where what a stream says of itself is the word of a leader that a
// majority follows. Where no replica knows a leader each of them answers.
func ofLeader(c *jetstream.ClusterInfo) error {
	if c == nil {
		return nil
	}
	if c.Leader == "" {
		return errLeaderless
	}
	silent := make([]time.Duration, len(c.Replicas))
	for i, r := range c.Replicas {
		silent[i] = r.Active
	}
	if long := majorityHeard(silent); long > heardWithin {
		return fmt.Errorf("%w: %v", errUnheard, long.Round(time.Millisecond))
	}
	return nil
}
