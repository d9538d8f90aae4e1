// Package fanout measures how a server hands events to many subscribers: a
// server in a process of its own, subscribers and publisher in this one, and,
// in the same run, the limit it is held against, a process that does nothing
// but write(2) a ready frame to every socket.
//
// Absolute figures are this machine's and this minute's. The ratio is what may
// be quoted.
package fanout

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Load is what both servers are put under.
type Load struct {
	Subscribers int
	Rate        float64       // bursts a second; 0: the next as soon as the one before the last is with all
	Burst       int           // events a burst
	Duration    time.Duration // of publishing
	Size        int           // bytes of an event's frame, about
	Idle        func()        // called when all are connected, before publishing begins; may be nil
	Done        func()        // called when all that comes has come, before the connections are closed; may be nil
	Loading     func()        // called as publishing begins, in a goroutine of its own; may be nil
}

// Figures are what one server showed under the load.
type Figures struct {
	Name       string        `json:"name"`
	Published  int           `json:"published"`
	Delivered  int64         `json:"delivered"`
	Missing    int64         `json:"missing"`
	Took       time.Duration `json:"took_ns"`
	CPU        time.Duration `json:"cpu_ns"`      // of the server's process while the load ran
	UserCPU    time.Duration `json:"user_cpu_ns"` // the part of it that is not the kernel's
	Latencies  Latencies     `json:"latencies"`
	BytesEach  int64         `json:"resident_bytes_per_idle_connection"` // 0 where it is not measured
	LiveEach   int64         `json:"live_bytes_per_idle_connection"`     // heap and stacks after a collection; 0 where there is no such thing
	StackEach  int64         `json:"stack_bytes_per_idle_connection"`    // the part of LiveEach that is stacks
	CPUUnknown bool          `json:"cpu_unknown,omitempty"`              // this system does not tell
}

// Latencies are from before the publishing call to a subscriber's read, in
// nanoseconds.
type Latencies struct {
	P50, P90, P95, P99, P999, Max time.Duration
}

// PerDelivery is the server's CPU time of one delivery.
func (f Figures) PerDelivery() time.Duration { return per(f.CPU, f.Delivered) }

// UserPerDelivery is the part of it that is not the kernel's.
func (f Figures) UserPerDelivery() time.Duration { return per(f.UserCPU, f.Delivered) }

func per(d time.Duration, n int64) time.Duration {
	if n == 0 {
		return 0
	}
	return d / time.Duration(n)
}

// Target is a server under test.
type Target interface {
	Name() string
	PIDs() []int // of its processes, whose time is measured
	// Connect opens one subscriber's connection, up to where frames come.
	Connect(ctx context.Context) (Stream, error)
	// Publish makes events reach every subscriber; each carries Stamp(now) in
	// its text. It returns once they are accepted.
	Publish(ctx context.Context, events int) error
	// Live collects garbage and says how many bytes of heap and of stacks are in
	// use then; 0 where the server has neither.
	Live(ctx context.Context) (heap, stacks int64, err error)
}

// Run puts one server under the load.
func Run(ctx context.Context, t Target, l Load) (Figures, error) {
	heap, stacks, err := t.Live(ctx)
	if err != nil {
		return Figures{}, err
	}
	before := resident(t)
	subs, err := subscribe(ctx, t, l.Subscribers)
	if err != nil {
		return Figures{}, err
	}
	defer subs.close()
	f := Figures{Name: t.Name()}
	heapAfter, stacksAfter, err := t.Live(ctx)
	if err != nil {
		return Figures{}, err
	}
	f.StackEach = (stacksAfter - stacks) / int64(l.Subscribers)
	f.LiveEach = (heapAfter-heap)/int64(l.Subscribers) + f.StackEach
	f.BytesEach = max(0, (resident(t)-before)/int64(l.Subscribers))
	if l.Idle != nil {
		l.Idle()
	}
	user, system, known := used(t)
	began := time.Now()
	if l.Loading != nil {
		var loading sync.WaitGroup
		loading.Go(l.Loading)
		defer loading.Wait()
	}
	if l.Rate == 0 {
		f.Published, err = publishAsTaken(ctx, t, l, subs)
	} else {
		f.Published, err = publish(ctx, t, l)
	}
	if err != nil {
		return Figures{}, err
	}
	want := int64(f.Published) * int64(l.Subscribers)
	subs.await(ctx, want, 10*time.Second)
	f.Took = time.Since(began)
	userAfter, systemAfter, _ := used(t)
	f.UserCPU, f.CPUUnknown = userAfter-user, !known
	f.CPU = f.UserCPU + systemAfter - system
	if l.Done != nil {
		l.Done()
	}
	f.Delivered = subs.delivered.Load()
	f.Missing = want - f.Delivered
	f.Latencies = percentiles(subs.samples())
	return f, nil
}

// publish keeps the rate by the clock, so that a slow answer does not thin the
// load out.
func publish(ctx context.Context, t Target, l Load) (published int, err error) {
	every := time.Duration(float64(time.Second) / l.Rate)
	began := time.Now()
	for i := 0; ; i++ {
		due := began.Add(time.Duration(i) * every)
		if due.Sub(began) >= l.Duration {
			return published, nil
		}
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return published, ctx.Err()
		}
		if err := t.Publish(ctx, l.Burst); err != nil {
			return published, fmt.Errorf("publish burst %d: %w", i, err)
		}
		published += l.Burst
	}
}

// publishAsTaken keeps two bursts under way.
func publishAsTaken(ctx context.Context, t Target, l Load, subs *subscribers) (published int, err error) {
	for began := time.Now(); time.Since(began) < l.Duration; {
		if err := t.Publish(ctx, l.Burst); err != nil {
			return published, fmt.Errorf("publish event %d: %w", published, err)
		}
		subs.await(ctx, int64(published)*int64(l.Subscribers), 10*time.Second)
		published += l.Burst
	}
	return published, nil
}

// used is what the target's processes have used since they began.
func used(t Target) (user, system time.Duration, known bool) {
	for _, pid := range t.PIDs() {
		u, s, k := cpu(pid)
		user, system, known = user+u, system+s, k
	}
	return user, system, known
}

func resident(t Target) (bytes int64) {
	for _, pid := range t.PIDs() {
		bytes += rss(pid)
	}
	return bytes
}

func percentiles(all []time.Duration) Latencies {
	if len(all) == 0 {
		return Latencies{}
	}
	slices.Sort(all)
	at := func(p float64) time.Duration { return all[min(len(all)-1, int(p*float64(len(all))))] }
	return Latencies{P50: at(.5), P90: at(.9), P95: at(.95), P99: at(.99), P999: at(.999), Max: all[len(all)-1]}
}
