//go:build unix

package runtime

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// One actor tells a thousand others the same, over and over: what a delivery
// costs before anybody does anything with it. CPU is this process's own, since
// the clock of a shared machine says little.
func BenchmarkFanout(b *testing.B) {
	const others = 1000
	s := testSystem()
	defer s.Shutdown()
	var told atomic.Int64
	done := make(chan struct{})
	props := s.Props("connection", func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*messages.Deliveries); ok {
				if told.Add(1)%others == 0 {
					done <- struct{}{}
				}
			}
		})
	}, nil)
	props.Configure(actor.WithGuardian(stopOnFailure))
	var all []*actor.PID
	for i := range others {
		pid, err := s.Root.SpawnNamed(props, fmt.Sprint("connection/", i))
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, pid)
	}
	funnel, err := s.spawn("funnel", s.Props("apikey", func() actor.Actor {
		return actor.ReceiveFunc(func(ctx actor.Context) {
			if m, ok := ctx.Message().(*messages.Deliveries); ok {
				for _, pid := range all {
					ctx.Send(pid, m)
				}
			}
		})
	}, nil), stopOnFailure)
	if err != nil {
		b.Fatal(err)
	}
	m := &messages.Deliveries{Bytes: 700}
	b.ReportAllocs()
	before := userTime(b)
	for b.Loop() {
		s.Root.Send(funnel, m)
		<-done
	}
	b.ReportMetric(float64(userTime(b)-before)/float64(b.N*others), "user-ns/delivery")
}

func userTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano())
}
