package grpc_test

import (
	"runtime"
	"strconv"
	"testing"

	"github.com/birdwire/birdwire/cluster/link"
)

// A peer whose TCP takes nothing any more costs the queue and what is under way,
// however much is sent to it; and it is down within seconds.
func TestAPeerThatHasStopped(t *testing.T) {
	w := &world{t: t, nodes: map[string]*real{}, cables: map[[2]string]*cable{}}
	t.Cleanup(w.end)
	a, b := w.Start("a", 1), w.Start("b", 1)
	hears := &told{}
	a.Handle(hears)
	b.Handle(&told{})
	w.Until("they have a session", func() bool { return hears.count(link.Up) == 1 })
	before := heap()
	w.Cut("a", "b", true)
	queued, refused, most := 0, 0, uint64(0)
	for i := 0; hears.count(link.Down) == 0; i++ {
		switch a.Send(b.Self(), link.Envelope{Kind: "k", Target: strconv.Itoa(i), Bytes: make([]byte, 2000)}) {
		case link.Queued:
			queued++
		case link.NoCredit:
			refused++
		}
		if i%100_000 == 0 {
			most = max(most, heap())
		}
	}
	// The queue (1 MiB here), the stream's window, gRPC's own buffers at both ends,
	// what the cable has read, and what kernels hold is not ours.
	if grown := int64(most) - int64(before); grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if queued*2000 > 16<<20 || refused == 0 || hears.count(link.CreditLow) == 0 {
		t.Errorf("%d were taken and %d were not, told so %d times", queued, refused, hears.count(link.CreditLow))
	}
	if n := hears.count(link.Ended); n > 0 {
		t.Error("it is taken for ended")
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
