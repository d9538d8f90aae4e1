package fanout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// FailoverLoad is what nodes are killed under.
type FailoverLoad struct {
	Kills int
	Keys  int     // besides those of the clients, each with a rule that nothing matches
	Rate  float64 // posts a second
	Size  int     // bytes of a frame, about
}

// failoverKeys are those with clients, three each, one at every node.
const failoverKeys = 20

// Kill is what one kill of a node came to. Times are from the kill.
type Kill struct {
	Node  string        `json:"node"`
	Led   bool          `json:"led"`              // it took the writes of a part of the store
	View  time.Duration `json:"view_ns"`          // until both others have dealt out what it owned
	Stay  time.Duration `json:"stayed_ns"`        // the longest that a post was on its way to a client of the others
	Moved time.Duration `json:"moved_ns"`         // the same of a client of the killed node, which comes back at another
	Back  time.Duration `json:"started_again_ns"` // from its new start until all three are one again
	Given time.Duration `json:"given_back_ns"`    // since then, as Stay: it takes its part of the keys, and its clients come home
}

// Failovers are all of them, and what clients say.
type Failovers struct {
	Keys    int           `json:"keys"`
	MadeIn  time.Duration `json:"keys_made_in_ns"`
	Clients int           `json:"clients"`
	Kills   []Kill        `json:"kills"`
	Posts   int           `json:"posts"`
	Missing int           `json:"missing"` // deliveries
	Twice   int           `json:"twice"`
	Summary []Summary     `json:"summary"`
}

// Summary is of the kills of one sort.
type Summary struct {
	Led                      bool `json:"led"`
	Kills                    int  `json:"kills"`
	View, Stay, Moved, Given Latencies
}

// resumer is a client that comes back at another node with its cursor.
type resumer struct {
	fleet    *Fleet
	key      string
	home     int32        // number of the node that it begins at
	at       atomic.Int32 // of the one that it is connected to
	stream   atomic.Pointer[Stream]
	called   atomic.Bool  // it is to go home
	taken    atomic.Int64 // posts
	twice    atomic.Int64
	longest  atomic.Int64 // time on its way of a post that was published since, in ns
	since    atomic.Int64 // Unix ns
	newest   int64        // stamp; its goroutine's
	cursor   string       // its goroutine's
	attached chan struct{}
}

// run is a client until ctx ends.
func (r *resumer) run(ctx context.Context) {
	first := true
	for try := 0; ctx.Err() == nil; try++ {
		at := int(r.at.Load())
		cursor := r.cursor
		if cursor == "" {
			cursor = "new"
		}
		stream, err := r.fleet.nodes[at].open(ctx, "/v1/twitter/stream?api_key="+r.key+"&resume="+cursor)
		if err == nil {
			stop := context.AfterFunc(ctx, func() { stream.Conn.Close() })
			r.stream.Store(&stream)
			if first {
				first = false
				close(r.attached)
			}
			r.read(stream)
			stop()
			stream.Conn.Close()
		}
		r.at.Store(int32((at + 1) % len(r.fleet.nodes)))
		if r.called.Swap(false) {
			r.at.Store(r.home)
		}
		_ = wait(ctx, 20*time.Millisecond) // then ctx has ended, which is looked at
	}
}

// goHome has it connect to the node again that it began at.
func (r *resumer) goHome() {
	if r.at.Load() != r.home {
		r.called.Store(true)
		r.stream.Load().Conn.Close()
	}
}

func (r *resumer) read(stream Stream) {
	buf := make([]byte, 0, 1024)
	for {
		opcode, payload, err := readFrame(stream.Reader, buf)
		if err != nil {
			return
		}
		buf = payload[:0]
		switch opcode {
		case 0x9:
			if _, err := stream.Conn.Write(maskedFrame(0xA, payload)); err != nil {
				return
			}
		case 0x1:
			r.take(payload)
		}
	}
}

func (r *resumer) take(payload []byte) {
	if _, after, found := bytes.Cut(payload, []byte(`"cursor":"`)); found {
		cursor, _, _ := bytes.Cut(after, []byte(`"`))
		r.cursor = string(cursor)
	}
	_, after, found := bytes.Cut(payload, []byte(stampMark))
	if !found {
		return
	}
	digits, _, _ := bytes.Cut(after, []byte(" "))
	at, err := strconv.ParseInt(string(digits), 10, 64)
	switch {
	case err != nil:
		return
	case at <= r.newest: // posts are pushed one after the other
		r.twice.Add(1)
		return
	}
	r.newest = at
	if at >= r.since.Load() {
		r.longest.Store(max(r.longest.Load(), time.Now().UnixNano()-at))
	}
	r.taken.Add(1)
}

// failing is the measurement under way.
type failing struct {
	*Fleet
	clients []*resumer
	posts   atomic.Int64 // that were accepted
	second  int64        // as many as are pushed in a second
	target  atomic.Int32 // number of the node that posts are pushed at
}

// MeasureFailovers kills nodes of three, one after the other, under a steady load of
// posts that every client wants, and lets each come back.
func MeasureFailovers(ctx context.Context, executable, logs string, l FailoverLoad, progress func(Kill)) (all Failovers, err error) {
	fleet, err := StartFleet(ctx, executable, logs, 3, failoverKeys*twitterEach, l.Size)
	if err != nil {
		return all, err
	}
	defer func() { err = errors.Join(err, fleet.Stop()) }()
	began := time.Now()
	if err := fleet.makeIdle(ctx, l.Keys); err != nil {
		return all, err
	}
	all.Keys, all.MadeIn = l.Keys, time.Since(began)
	f := &failing{Fleet: fleet, second: max(1, int64(l.Rate))}
	life, end := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer end()
	for i := range failoverKeys * len(f.nodes) {
		c := &resumer{fleet: fleet, key: f.keys[i%failoverKeys], home: int32(i / failoverKeys), attached: make(chan struct{})}
		c.at.Store(c.home)
		f.clients = append(f.clients, c)
		running.Go(func() { c.run(life) })
	}
	for _, c := range f.clients {
		select {
		case <-c.attached:
		case <-ctx.Done():
			return all, ctx.Err()
		}
	}
	all.Clients = len(f.clients)
	pushing, enough := context.WithCancel(life)
	defer enough()
	pushed := make(chan struct{})
	running.Go(func() {
		defer close(pushed)
		f.push(life, pushing, l.Rate)
	})
	for i := range l.Kills {
		k, err := f.kill(ctx, f.nodes[i%len(f.nodes)])
		if err != nil {
			return all, fmt.Errorf("kill %d: %w", i+1, err)
		}
		all.Kills = append(all.Kills, k)
		progress(k)
	}
	enough()
	<-pushed
	// What is still missing after its minute is counted.
	if err := f.caughtUp(ctx); err != nil && ctx.Err() != nil {
		return all, err
	}
	end()
	running.Wait()
	all.Posts = int(f.posts.Load())
	for _, c := range f.clients {
		all.Missing += max(0, all.Posts-int(c.taken.Load()))
		all.Twice += int(c.twice.Load())
	}
	all.summarize()
	return all, nil
}

// makeIdle makes keys that cost what a key and its rule cost, and no more.
func (f *Fleet) makeIdle(ctx context.Context, n int) error {
	const atOnce = 24
	var making sync.WaitGroup
	failed := make(chan error, atOnce)
	var next counter
	for worker := range atOnce {
		making.Go(func() {
			at := f.nodes[worker%len(f.nodes)]
			own := Product{listen: at.listen, admin: at.admin, token: at.token, http: at.http}
			for i := next.take(); i < n && len(failed) == 0; i = next.take() {
				own.keys = nil
				err := again(ctx, func() error { return own.makeKey(ctx) })
				if err == nil {
					err = again(ctx, func() error { return own.makeRule(ctx, own.keys[0], fmt.Sprint("unheard", i)) })
				}
				if err != nil {
					failed <- fmt.Errorf("key %d: %w", i, err)
					return
				}
			}
		})
	}
	making.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// again does what may be refused while a busy store chooses a leader: until it is
// done, for half a minute.
func again(ctx context.Context, do func() error) (err error) {
	for late := time.Now().Add(30 * time.Second); ; {
		if err = do(); err == nil || time.Now().After(late) {
			return err
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// push pushes posts one after the other until pushing ends, each until it is taken or
// ctx ends: one of which nothing is known would hide one that is missing.
func (f *failing) push(ctx, pushing context.Context, rate float64) {
	every := time.Duration(float64(time.Second) / rate)
	began := time.Now()
	for i := 0; wait(pushing, time.Until(began.Add(time.Duration(i)*every))) == nil; i++ {
		for ctx.Err() == nil {
			once, cancel := context.WithTimeout(ctx, 5*time.Second)
			err := f.nodes[f.target.Load()].pushPosts(once, f.keys[0], i, 1)
			cancel()
			if err == nil {
				f.posts.Add(1)
				break
			}
			_ = wait(ctx, 20*time.Millisecond) // then ctx has ended, which is looked at
		}
	}
}

// kill has one node die and come back.
func (f *failing) kill(ctx context.Context, victim *fleetNode) (k Kill, err error) {
	state, err := f.nodes[0].state(ctx)
	if err != nil {
		return k, err
	}
	k.Node, k.Led = victim.name, state.led(victim.name)
	number := 0
	for i, n := range f.nodes {
		if n == victim {
			number = i
		}
	}
	var stay, moved []*resumer
	for _, c := range f.clients {
		if int(c.home) == number {
			moved = append(moved, c)
		} else {
			stay = append(stay, c)
		}
	}
	f.target.Store(int32((number + 1) % len(f.nodes)))
	began, pushed := f.measure(), f.posts.Load()
	if err := victim.process.Process.Kill(); err != nil {
		return k, err
	}
	victim.up = false
	_ = victim.process.Wait() // it was killed, and says so
	// Asked by metrics, of which none waits for the store.
	err = f.until(ctx, func(n *fleetNode) (bool, error) {
		var page bytes.Buffer
		err := n.get(ctx, "/metrics", &page)
		return bytes.Contains(page.Bytes(), []byte(`birdwire_cluster_nodes{state="core"} 2`)), err
	})
	k.View = time.Since(began)
	if err != nil {
		return k, err
	}
	// A second's posts since, which are not taken while the store chooses a leader,
	// and all before them are with everybody.
	for late := time.Now().Add(time.Minute); f.posts.Load() < pushed+f.second; {
		if time.Now().After(late) {
			return k, errors.New("a minute after the kill no posts are taken")
		}
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return k, err
		}
	}
	if err := f.caughtUp(ctx); err != nil {
		return k, err
	}
	k.Stay, k.Moved = longest(stay), longest(moved)
	began = f.measure()
	err = f.start(ctx, victim)
	k.Back = time.Since(began)
	if err != nil {
		return k, err
	}
	for _, c := range moved {
		c.goHome()
	}
	if err := wait(ctx, time.Second); err != nil {
		return k, err
	}
	err = f.caughtUp(ctx)
	k.Given = longest(stay)
	return k, err
}

// measure begins to look anew how long posts are on their way.
func (f *failing) measure() (began time.Time) {
	began = time.Now()
	for _, c := range f.clients {
		c.longest.Store(0)
		c.since.Store(began.UnixNano())
	}
	return began
}

// longest is how long a post was on its way to one of the clients since then.
func longest(clients []*resumer) (d time.Duration) {
	for _, c := range clients {
		d = max(d, time.Duration(c.longest.Load()))
	}
	return d
}

// caughtUp waits until every client has had as many posts as were pushed by now.
func (f *failing) caughtUp(ctx context.Context) error {
	late, want := time.Now().Add(time.Minute), f.posts.Load()
	for _, c := range f.clients {
		for c.taken.Load() < want {
			if time.Now().After(late) {
				return fmt.Errorf("a client has had %d of %d posts after a minute", c.taken.Load(), want)
			}
			if err := wait(ctx, 5*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

func (all *Failovers) summarize() {
	for _, led := range []bool{false, true} {
		s := Summary{Led: led}
		var view, stay, moved, given []time.Duration
		for _, k := range all.Kills {
			if k.Led == led {
				s.Kills++
				view, stay, moved, given = append(view, k.View), append(stay, k.Stay), append(moved, k.Moved), append(given, k.Given)
			}
		}
		s.View, s.Stay, s.Moved, s.Given = percentiles(view), percentiles(stay), percentiles(moved), percentiles(given)
		if s.Kills > 0 {
			all.Summary = append(all.Summary, s)
		}
	}
}
