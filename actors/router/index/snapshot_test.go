package index

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/rule"
)

// version is a snapshot and the queries that it is of.
type version struct {
	s       *Snapshot
	queries map[ID]*rule.Compiled
}

// follow matches documents with whatever version is current until done is
// closed, and reports an answer that is not its version's.
func follow(t *testing.T, current *atomic.Pointer[version], docs []*rule.Doc, done <-chan struct{}) {
	var scratch Scratch
	var hits []Hit
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		v, d := current.Load(), docs[i%len(docs)]
		hits = v.s.Match(d, &scratch, hits[:0])
		if want := wanted(v.queries, d); !slices.Equal(hits, want) {
			t.Errorf("answer %v, its snapshot wants %v", hits, want)
			return
		}
	}
}

// Matching goes on while queries come, change and go and while merges run:
// every answer is that of the snapshot that was current when it was asked. It goes
// on until three merges were installed under way.
func TestAnswersAreThoseOfASnapshot(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	x := New(Config{BatchMost: 64, InlineMost: 300})
	queries := map[ID]*rule.Compiled{}
	var current atomic.Pointer[version]
	publish := func() { current.Store(&version{s: x.Snapshot(), queries: maps.Clone(queries)}) }
	publish()

	var running sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		docs := somePosts(r, 25)
		running.Go(func() { follow(t, &current, docs, done) })
	}

	merged := make(chan *Merge, 1)
	merging, installed := false, 0
	for step := 0; step < 1500 || installed < 3 && !t.Failed(); step++ {
		id := ID(r.IntN(300))
		if r.IntN(3) == 0 {
			x.Remove(id)
			delete(queries, id)
		} else {
			q := ofPosts(random(r, 2, func() *rule.Expr { return atomOfPosts(r) }))
			must(t, x.Put(id, q))
			queries[id] = q
		}
		if r.IntN(4) == 0 {
			publish()
		}
		if m := x.Merge(); m != nil && !merging {
			merging = true
			running.Go(func() { m.Run(); merged <- m })
		}
		select {
		case m := <-merged:
			merging = false
			if !x.Install(m) {
				t.Error("the only merge was void")
			}
			installed++
		default:
		}
	}
	close(done)
	running.Wait()
}

// A merge anchors queries again by what has been common since.
func TestMergeLearnsWhatIsCommon(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	x := New(Config{InlineMost: 200})
	const n = frequenciesFrom + 500
	for i := range ID(n) {
		// Nobody can tell beforehand which of the two is common.
		must(t, x.Put(i, ofPosts(&rule.Expr{Op: rule.OpAnd, Args: []*rule.Expr{letter(int(i) + 100), letter(1)}})))
	}
	s := x.Snapshot()
	anchored := func() int {
		count := 0
		for i := range x.views {
			_, n := x.views[i].lookup(1)
			count += int(n)
		}
		return count
	}
	before := anchored()
	if before < n/4 {
		t.Fatalf("only %d of %d queries are under the common key at first", before, n)
	}
	var scratch Scratch
	d := &rule.Doc{Classes: rule.ClassPost}
	for range relearnFrom*observeEach + 1000 {
		s.match(d, []uint64{1, uint64(100 + r.IntN(1e6))}, &scratch, nil, nil)
	}
	for m := x.Merge(); m != nil; m = x.Merge() {
		m.Run()
		x.Install(m)
	}
	if after := anchored(); after > n/100 {
		t.Errorf("%d of %d queries are still under a key that every document has; %d did before", after, n, before)
	}
}

func TestUnknownIDsChangeNothing(t *testing.T) {
	x := New(Config{})
	x.Remove(9)
	s := x.Snapshot()
	x.Remove(9)
	if x.Snapshot() != s || x.Len() != 0 {
		t.Error("removing what is not there made a new snapshot")
	}
}
