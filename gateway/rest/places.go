package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// places shares out what pushed bodies take: their number, by key and by
// address, since each holds memory for as long as it is on its way; and the
// work, which a body needs only while it is read from memory and made durable.
// A body that waits for its client's bytes holds no work.
//
// Where there is no room left for a body, one that has waited for its client's
// bytes for a while makes room: the longest waiting of the key that has most,
// if the newcomer's key has none, or would still have fewer. So however many
// slow uploads there are, they refuse nobody else.
type places struct {
	all, each, address int
	stalled            time.Duration // a body that has waited so long for bytes makes room
	work               chan struct{} // a place is taken while something is in it

	mu      sync.Mutex // protects what follows, and every upload's fields
	stopped bool
	uploads map[*upload]struct{}
	ofKey   map[string]int
	ofAddr  map[string]int
}

// upload is one body on its way.
type upload struct {
	key, addr string
	waiting   time.Time // for the client's bytes, since then; zero: it is not
	ended     bool      // it has no place any more
	displaced bool      // by another
	deadline  func(time.Time) error
}

func newPlaces(c Config) *places {
	return &places{
		all: c.Uploads, each: c.KeyPushes, address: c.AddressUploads, stalled: time.Second, work: make(chan struct{}, c.Pushes),
		uploads: map[*upload]struct{}{}, ofKey: map[string]int{}, ofAddr: map[string]int{},
	}
}

// begin finds a place; nil and why where there is none. deadline sets that of
// the body's connection.
func (p *places) begin(key, addr string, deadline func(time.Time) error) (u *upload, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil, errStopped.Error()
	}
	if p.ofKey[key] >= p.each {
		return nil, "this key has as many pushes under way as one key may have; try again when one has ended"
	}
	if p.ofAddr[addr] >= p.address && !p.makeRoom(key, addr) {
		return nil, "this address has as many pushes under way as one address may have; try again"
	}
	if len(p.uploads) >= p.all && !p.makeRoom(key, "") {
		return nil, "too many pushes are under way; try again"
	}
	u = &upload{key: key, addr: addr, deadline: deadline}
	p.uploads[u] = struct{}{}
	p.ofKey[key]++
	p.ofAddr[addr]++
	return u, ""
}

// makeRoom displaces one upload for one more of the key; of the address alone,
// where it is given.
func (p *places) makeRoom(key, addr string) bool {
	var victim *upload
	now, mine := time.Now(), p.ofKey[key]
	for u := range p.uploads {
		if addr != "" && u.addr != addr || u.waiting.IsZero() || now.Sub(u.waiting) < p.stalled ||
			mine > 0 && p.ofKey[u.key] < mine+2 || u.key == key {
			continue
		}
		if victim == nil || p.ofKey[u.key] > p.ofKey[victim.key] ||
			p.ofKey[u.key] == p.ofKey[victim.key] && u.waiting.Before(victim.waiting) {
			victim = u
		}
	}
	if victim == nil {
		return false
	}
	victim.displaced = true
	p.remove(victim)
	_ = victim.deadline(now) // its reading ends
	return true
}

// stop ends every body at its next read, so that its client is told what was
// taken of it while there is somebody to tell it.
func (p *places) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	for u := range p.uploads {
		if !u.waiting.IsZero() {
			_ = u.deadline(time.Now())
		}
	}
}

func (p *places) end(u *upload) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(u)
}

func (p *places) remove(u *upload) {
	if u.ended {
		return
	}
	u.ended = true
	delete(p.uploads, u)
	less(p.ofKey, u.key)
	less(p.ofAddr, u.addr)
}

func less(counts map[string]int, of string) {
	if counts[of]--; counts[of] == 0 {
		delete(counts, of)
	}
}

// wait: the upload waits for bytes, at most until then.
func (p *places) wait(u *upload, until time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.ended(u); err != nil {
		return err
	}
	u.waiting = time.Now()
	_ = u.deadline(until) // an error means that the writer is no connection
	return nil
}

// got: it waits no more. The error says that it is not to be read on.
func (p *places) got(u *upload) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	u.waiting = time.Time{}
	return p.ended(u)
}

func (p *places) ended(u *upload) error {
	switch {
	case p.stopped:
		return errStopped
	case u.displaced:
		return errDisplaced
	}
	return nil
}

// ours are the ends of a body that are none of its client's making.
var ours = []error{errStopped, errDisplaced, errNoWork}

var (
	errStopped   = errors.New("the server stops")
	errDisplaced = errors.New("nothing came while others waited for its place")
	errSlow      = errors.New("it came too slowly")
	errNoWork    = errors.New("the server has no room to read it")
)

// paced is a body as its connection brings it. It gives the work back while it
// waits for bytes, and ends a client that is slower than the least rate: each
// byte buys the time in which the next has to come, up to idle. Time in which
// the server does not read is not the client's.
type paced struct {
	body   io.Reader
	ctx    context.Context
	places *places
	upload *upload
	idle   time.Duration
	rate   int // bytes a second
	left   time.Duration
	works  bool
}

func (s *Server) pace(w http.ResponseWriter, r *http.Request, u *upload) *paced {
	return &paced{
		body: r.Body, ctx: r.Context(), places: s.places, upload: u,
		idle: s.cfg.PushIdle, rate: s.cfg.PushRate, left: s.cfg.PushIdle,
	}
}

func (p *paced) Read(b []byte) (int, error) {
	p.rest()
	began := time.Now()
	if err := p.places.wait(p.upload, began.Add(p.left)); err != nil {
		return 0, err
	}
	n, err := p.body.Read(b)
	took := time.Since(began)
	p.left = min(p.idle, p.left-took+time.Duration(n)*time.Second/time.Duration(p.rate))
	ended := p.places.got(p.upload)
	switch {
	case err != nil && err != io.EOF && ended != nil:
		return n, ended
	case err != nil && timedOut(err):
		return n, errSlow
	case err != nil && n == 0:
		return n, err
	}
	if !p.works && !p.begin() {
		return 0, errNoWork
	}
	return n, err
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// begin waits for its turn to work. Others end in the meantime: each is read to
// its end, or waits for bytes without working.
func (p *paced) begin() bool {
	select {
	case p.places.work <- struct{}{}:
		p.works = true
		return true
	default:
	}
	late := time.NewTimer(workWait)
	defer late.Stop()
	select {
	case p.places.work <- struct{}{}:
		p.works = true
	case <-late.C:
	case <-p.ctx.Done():
	}
	return p.works
}

const workWait = 10 * time.Second

func (p *paced) rest() {
	if p.works {
		p.works = false
		<-p.places.work
	}
}

// Close gives everything back.
func (p *paced) Close() error {
	p.rest()
	p.places.end(p.upload)
	return nil
}
