//go:build unix

package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/newsdesk"
	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
	"github.com/birdwire/birdwire/actors/storycluster"
	"github.com/birdwire/birdwire/cluster/runtime"
	"github.com/birdwire/birdwire/messages"
)

// wireLog is a log of made-up articles, and the router and the journal of one
// reader: through end they are made when they are read, after it they are kept.
type wireLog struct {
	at  int64 // of the first article, Unix ms
	end uint64

	mu   sync.Mutex // protects kept
	kept []*messages.Event

	last   uint64 // sequence
	number uint64
	join   uint64
	reader *actor.PID
}

// article is one of events of four articles or so, a quarter of whose words all
// events share, as in desk's benchmark.
func (l *wireLog) article(n uint64) *messages.Event {
	r := rand.New(rand.NewPCG(7, n))
	event, at := n/4+r.Uint64N(400), l.at+int64(n)*5
	own := rand.New(rand.NewPCG(1, event+2))
	var vocabulary [10]int
	for w := range vocabulary {
		vocabulary[w] = own.IntN(1_000_000)
	}
	words := func(n int) string {
		var b strings.Builder
		for range n {
			if r.IntN(4) > 0 {
				fmt.Fprintf(&b, "Orvin%d ", vocabulary[r.IntN(len(vocabulary))])
			} else {
				fmt.Fprintf(&b, "word%d ", r.IntN(200))
			}
		}
		return b.String()
	}
	return &messages.Event{Id: fmt.Sprint("feed:", n), Source: "feed", DetectedMs: at, Body: &messages.Event_Article{Article: &messages.ArticleChange{
		Action: messages.ArticleAction_ARTICLE_CREATED, Revision: 1, Article: &messages.Article{
			Number: n, Title: words(8), Description: words(40), SourceId: fmt.Sprint("s", r.IntN(200)), PublishedMs: at, DiscoveredMs: at,
		},
	}}}
}

func (l *wireLog) Replay(_ context.Context, r follow.Request) (follow.Result, error) {
	from := r.After.Position.Sequence() + 1
	to := min(r.Through.Sequence(), from+uint64(r.Frames)-1)
	var result follow.Result
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := from; n <= to; n++ {
		d := &messages.Delivery{Position: uint64(messages.At(n, 0))}
		if n <= l.end {
			d.Event = l.article(n)
		} else {
			d.Event = l.kept[n-l.end-1]
		}
		result.Deliveries = append(result.Deliveries, d)
	}
	result.Through = messages.EndOf(to)
	return result, nil
}

func (l *wireLog) Put(context.Context, string, messages.Position, io.Reader) error { return nil }

func (l *wireLog) Latest(context.Context, string) (messages.Position, io.ReadCloser, error) {
	return 0, nil, messages.ErrNotFound
}

func (l *wireLog) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.AskVoids:
		ctx.Respond(&messages.VoidsKnown{From: m.GetFrom(), Through: uint64(messages.EndOf(l.last)), Ask: m.GetAsk()})
	case *messages.Join:
		l.join, l.reader, l.number = m.GetJoin(), ctx.Sender(), uint64(messages.EndOf(l.last))
		ctx.Respond(&messages.Joined{Position: l.number, Number: l.number, Join: l.join})
	case *messages.AskThrough:
		ctx.Respond(&messages.Through{ConnectionId: m.GetConnectionId(), Position: uint64(messages.EndOf(l.last)), Number: l.number, Join: m.GetJoin()})
	case *messages.Offer:
		if ctx.Sender() != nil {
			ctx.Respond(&messages.Appended{Id: m.GetId()})
		}
		for _, e := range m.GetEvents() {
			l.mu.Lock()
			l.kept = append(l.kept, e)
			l.mu.Unlock()
			l.last++
			d := &messages.Deliveries{
				Number: uint64(messages.EndOf(l.last)), Previous: l.number, Join: l.join,
				Deliveries: []*messages.Delivery{{Position: uint64(messages.At(l.last, 0)), Event: e}},
			}
			l.number = d.GetNumber()
			if l.reader != nil {
				ctx.Request(l.reader, d)
			}
		}
	}
}

type uncounted struct{}

func (uncounted) Inc() {}

// BenchmarkNewsdesk is the newsdesk and its stories as actors, with so many live
// stories, at 200 articles a second for a minute: what it costs, and how far it
// falls behind.
func BenchmarkNewsdesk(b *testing.B) {
	for _, live := range []int{1_000, 20_000} {
		b.Run(fmt.Sprint(live), func(b *testing.B) {
			quiet := slog.New(slog.DiscardHandler)
			system := runtime.New(runtime.Config{
				Name: "bench", Logger: quiet, WorkPanicked: func() { b.Error("work panicked") },
				Failed:     func(_, id string, _ actor.Directive, reason any) { b.Errorf("%s failed: %v", id, reason) },
				DeadLetter: func(*actor.PID, any) {}, Dropped: func(string) interface{ Inc() } { return uncounted{} },
			})
			defer system.Shutdown()
			pool := system.NewPool("work", 2, 64)
			defer pool.Close()
			filled := uint64(live) * 4
			l := &wireLog{at: time.Now().UnixMilli() - int64(filled)*5, end: filled, last: filled}
			guard := actor.WithGuardian(actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective }))
			log := system.Root.Spawn(system.Props("journal", func() actor.Actor { return l }, nil).Configure(guard))
			told := make(chan newsdesk.Observation, 64) // several a minute
			system.Root.Spawn(newsdesk.Props(newsdesk.Config{
				Desk:  newsdesk.Settings{Similarity: similarity.Config{Live: live}},
				Lease: actors.AlwaysLive{}, Router: log, Journal: log, Clock: system.Clock(), Worker: pool, Props: system.Props,
				Story: storycluster.Props(system.Props), Replays: l, Snapshots: l, Logger: quiet, SnapshotEvery: 1 << 30,
				Observe: func(o newsdesk.Observation) { told <- o },
			}).Configure(guard))
			how := <-told
			for !how.Live || how.Unsaid > 0 {
				how = <-told
			}
			used, began := cpuUsed(b), time.Now()
			n := 0
			for b.Loop() {
				for minute := time.NewTicker(50 * time.Millisecond); n < 12_000; n += 10 {
					<-minute.C
					offer := &messages.Offer{}
					for i := range 10 {
						offer.Events = append(offer.Events, l.article(filled+uint64(n+i)+1))
					}
					system.Root.Send(log, offer)
				}
			}
			sent := time.Since(began)
			most := time.Duration(0)
			for how.Position < uint64(messages.At(filled+12_000, 0)) || !how.Live {
				how = <-told
				most = max(most, how.Behind)
			}
			b.ReportMetric(float64((cpuUsed(b)-used).Microseconds())/float64(n), "cpu-µs/article")
			b.ReportMetric(float64(n)/sent.Seconds(), "articles/s")
			b.ReportMetric(most.Seconds(), "behind-s")
			b.ReportMetric(float64(how.Awake), "awake")
			b.ReportMetric(float64(how.Stories), "stories")
		})
	}
}

// cpuUsed is what the process has used: other processes share the machine.
func cpuUsed(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
