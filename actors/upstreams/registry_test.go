package upstreams

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
)

// call is what one turn is for: one record, or all whose names begin so.
type call struct {
	key   string
	write bool
}

// apart: the order of the two makes no difference.
func (c call) apart(other call) bool {
	if !c.write && !other.write {
		return true
	}
	return !strings.HasPrefix(c.key, other.key) && !strings.HasPrefix(other.key, c.key)
}

func callOf(c memory.Call) call {
	return call{c.Key, c.Op != memory.ControlGet && c.Op != memory.ControlList}
}

// on is the registry of a process that shares the disk with nobody.
func on(disk *memory.Disk) registry { return registry{disk.Open(nil).Control()} }

// change is one operation of one process.
type change struct {
	name string
	do   func(r registry) error
}

func creates(id, url string) change {
	return change{"create " + id + " " + url, func(r registry) error {
		_, err := r.create(context.Background(), &messages.Feed{Id: id, Url: url})
		return err
	}}
}

func updates(id, url string) change {
	return change{"update " + id + " " + url, func(r registry) error {
		s, err := r.get(context.Background(), id)
		if err != nil {
			return err
		}
		feed := proto.CloneOf(s.feed)
		feed.Url = url
		_, err = r.update(context.Background(), feed, s.revision)
		return err
	}}
}

func removes(id string) change {
	return change{"remove " + id, func(r registry) error { _, err := r.remove(context.Background(), id); return err }}
}

// sweeps is a start of another node, which deletes what is left over.
func sweeps() change {
	return change{"sweep", func(r registry) error {
		_, err := r.sweep(context.Background(), func(string) bool { return false })
		return err
	}}
}

var errDied = errors.New("the process died")

// played is how one order of the calls went.
type played struct {
	end     *memory.Disk
	errs    []error // what became of each change
	choices [][]int // who could have been chosen at each step
	calls   []call  // what was done at each step
}

// run runs the changes on a clone of the disk, each a process of its own.
// order says whose call is next; past its end the first that has not ended
// goes on. A process dies before its dies[i]-th call; 0: it does not.
func run(begin *memory.Disk, order []int, dies []int, changes []change) (p played) {
	p.end, p.errs = begin.CloneRecords(), make([]error, len(changes))
	wants, goes, done := make([]chan call, len(changes)), make([]chan error, len(changes)), make([]bool, len(changes))
	next := make([]call, len(changes))
	for i, c := range changes {
		wants[i], goes[i] = make(chan call), make(chan error)
		records := p.end.Open(func(c memory.Call) memory.Fault {
			wants[i] <- callOf(c)
			return memory.Fault{Err: <-goes[i]}
		}).Control()
		go func() { // ends with the change, which takes a bounded number of turns
			defer close(wants[i])
			p.errs[i] = c.do(registry{records})
		}()
	}
	waiting := func() (list []int) {
		for i := range changes {
			if !done[i] {
				list = append(list, i)
			}
		}
		return list
	}
	wait := func(i int) {
		c, more := <-wants[i]
		next[i], done[i] = c, !more
	}
	for i := range changes {
		wait(i)
	}
	made := make([]int, len(changes))
	for step := 0; ; step++ {
		list := waiting()
		if len(list) == 0 {
			return p
		}
		p.choices = append(p.choices, list)
		who := list[0]
		if step < len(order) {
			who = order[step]
		}
		p.calls = append(p.calls, next[who])
		if made[who]++; dies[who] != 0 && made[who] >= dies[who] {
			goes[who] <- errDied
		} else {
			goes[who] <- nil
		}
		wait(who)
	}
}

// everyOrder calls see with the outcome of every order of the calls, except for
// those that differ in calls whose order makes no difference.
func everyOrder(begin *memory.Disk, dies []int, changes []change, see func(order []int, end *memory.Disk, errs []error)) {
	var try func(order []int)
	try = func(order []int) {
		p := run(begin, order, dies, changes)
		n := len(order)
		if n > 1 && order[n-1] < order[n-2] && p.calls[n-1].apart(p.calls[n-2]) {
			return
		}
		if n >= len(p.choices) {
			see(order, p.end, p.errs)
			return
		}
		for _, who := range p.choices[n] {
			try(append(slices.Clone(order), who))
		}
	}
	try(nil)
}

// feedsOf are the addresses of the feeds that are made, after the next start.
func feedsOf(t *testing.T, end *memory.Disk) map[string]string {
	t.Helper()
	made, twice, err := on(end).settle(context.Background())
	if err != nil || len(twice) > 0 {
		t.Fatalf("settle: %v, twice %v", err, twice)
	}
	feeds := map[string]string{}
	for _, s := range made {
		feeds[s.feed.GetId()] = s.feed.GetUrl()
		if s.feed.GetClaiming() != "" {
			t.Fatalf("%v is still claiming", s.feed)
		}
	}
	return feeds
}

func holding(t *testing.T, feeds ...string) *memory.Disk {
	t.Helper()
	end := memory.NewDisk(memory.Config{})
	for i := 0; i < len(feeds); i += 2 {
		if err := creates(feeds[i], feeds[i+1]).do(on(end)); err != nil {
			t.Fatal(err)
		}
		if _, err := on(end).records.CAS(context.Background(), actors.MarkRecord(feeds[i]), []byte("7"), 0); err != nil {
			t.Fatal(err)
		}
	}
	return end
}

const u, v, w = "https://u.example/", "https://v.example/", "https://w.example/"

// Two processes change feeds at the same time, in every order of their calls,
// and one of them dies at any point: no address is ever two feeds'; what was
// answered with success holds; nothing that died keeps an address from others.
func TestNoAddressIsTwoFeeds(t *testing.T) {
	for _, c := range []struct {
		begin    *memory.Disk
		changes  []change
		exactly1 bool // of them succeeds, where nobody dies
	}{
		{memory.NewDisk(memory.Config{}), []change{creates("a", u), creates("b", u)}, true},
		{memory.NewDisk(memory.Config{}), []change{creates("a", u), creates("a", v)}, true},
		{holding(t, "a", v), []change{updates("a", u), creates("b", "HTTPS://U.example:443/#top")}, true},
		{holding(t, "a", v, "b", w), []change{updates("a", u), updates("b", u)}, true},
		{holding(t, "a", u), []change{updates("a", v), creates("b", u)}, false},
		{holding(t, "a", u, "b", v), []change{updates("a", w), updates("b", u)}, false},
		{holding(t, "a", u), []change{removes("a"), creates("b", u)}, false},
		{holding(t, "a", u), []change{removes("a"), updates("a", v)}, false},
		{holding(t, "a", u), []change{updates("a", v), updates("a", w)}, false},
		{memory.NewDisk(memory.Config{}), []change{creates("a", u), sweeps()}, false},
		{holding(t, "a", u), []change{updates("a", v), sweeps()}, false},
		{holding(t, "a", u), []change{removes("a"), sweeps()}, false},
	} {
		steps := len(run(c.begin, nil, []int{0, 0}, c.changes).choices)
		for dies := range steps + 1 {
			orders := 0
			everyOrder(c.begin, []int{dies, 0}, c.changes, func(order []int, end *memory.Disk, errs []error) {
				orders++
				how := fmt.Sprintf("%s | %s, order %v, the first dies at %d: %v", c.changes[0].name, c.changes[1].name, order, dies, errs)
				feeds := feedsOf(t, end)
				seen := map[string]string{}
				for id, url := range feeds {
					if other := seen[address(url)]; other != "" {
						t.Fatalf("%s: %s and %s have one address", how, id, other)
					}
					seen[address(url)] = id
				}
				succeeded := 0
				for i, err := range errs {
					if err == nil && c.changes[i].name != "sweep" {
						succeeded++
						holds(t, how, c.changes, i, errs, dies > 0, feeds)
					}
				}
				if c.exactly1 && dies == 0 && succeeded != 1 {
					t.Fatalf("%s: %d succeeded", how, succeeded)
				}
				onlyFeeds(t, how, end)
				// Whatever was left: an address that nobody has can be had.
				for _, url := range []string{u, v, w} {
					err := creates("z"+url[8:9], url).do(on(end))
					if taken := seen[url] != ""; taken != (err != nil) {
						t.Fatalf("%s: then create with %s: %v; feeds %v", how, url, err, feeds)
					}
				}
			})
			if orders < 2 && dies == 0 {
				t.Fatalf("%d orders of %s were tried", orders, c.changes[0].name)
			}
		}
	}
}

// onlyFeeds: after a sweep there is a claim and a mark of each feed, and of
// nobody else.
func onlyFeeds(t *testing.T, how string, end *memory.Disk) {
	t.Helper()
	r := on(end)
	if err := sweeps().do(r); err != nil {
		t.Fatalf("%s: sweep: %v", how, err)
	}
	feeds, err := r.list(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range feeds {
		if holder, _, err := r.holder(context.Background(), claimRecord(s.feed.GetUrl())); err != nil || holder != s.feed.GetId() {
			t.Fatalf("%s: after a sweep the address of %v is claimed by %q, %v", how, s.feed, holder, err)
		}
	}
	claims := 0
	all, err := r.records.List(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range all {
		id, mark := strings.CutPrefix(kept.Key, actors.MarksPrefix)
		if mark && !slices.ContainsFunc(all, func(other messages.KeptRecord) bool { return other.Key == actors.FeedRecord(id) }) {
			t.Fatalf("%s: %s is left", how, kept.Key)
		}
		if strings.HasPrefix(kept.Key, actors.ClaimsPrefix) {
			claims++
		}
	}
	if claims != len(feeds) {
		t.Fatalf("%s: %d claims of %d feeds", how, claims, len(feeds))
	}
}

// holds: what was answered with success is there, unless the other change,
// which may have come later, took it back.
func holds(t *testing.T, how string, changes []change, i int, errs []error, died bool, feeds map[string]string) {
	t.Helper()
	verb, rest, _ := strings.Cut(changes[i].name, " ")
	id, url, _ := strings.Cut(rest, " ")
	if other := changes[1-i].name; strings.Contains(other, " "+id) && (errs[1-i] == nil || died) {
		return
	}
	if got, ok := feeds[id]; verb == "remove" && ok || verb != "remove" && got != url {
		t.Fatalf("%s: %s was answered with success, and there is %q", how, changes[i].name, got)
	}
}

func TestAnUncertainWriteIsReadBack(t *testing.T) {
	end := memory.NewDisk(memory.Config{})
	for n := range 3 {
		disk := end.Open(nil)
		disk.Inject(memory.ControlCAS, append(make([]memory.Fault, n), memory.Fault{Ambiguous: true})...)
		id := fmt.Sprint("f", n)
		if _, err := (registry{disk.Control()}).create(context.Background(), &messages.Feed{Id: id, Url: "https://example.com/" + id}); err != nil {
			t.Errorf("write %d of a creation is uncertain: %v", n+1, err)
		}
	}
	if feeds := feedsOf(t, end); len(feeds) != 3 {
		t.Errorf("feeds %v", feeds)
	}
}

func TestADamagedFeedCostsNobodyElse(t *testing.T) {
	end := holding(t, "a", u, "b", v)
	r := on(end)
	before, err := r.get(context.Background(), "b")
	if err == nil {
		_, err = r.records.CAS(context.Background(), "feeds.b", []byte{0xff, 0xff}, before.revision)
	}
	if err != nil {
		t.Fatal(err)
	}
	made, _, err := r.settle(context.Background())
	if err != nil || len(made) != 2 || made[0].damaged != nil || made[0].feed.GetUrl() != u || made[1].damaged == nil || made[1].feed.GetId() != "b" {
		t.Fatalf("%+v, %v", made, err)
	}
	if err := updates("b", w).do(r); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("update: %v", err)
	}
	if err := creates("c", v).do(r); err != nil {
		t.Errorf("its address is not to be had: %v", err)
	}
	if err := removes("b").do(r); err != nil {
		t.Errorf("remove: %v", err)
	}
	for _, gone := range []string{"feeds.b", "marks.b"} {
		if _, err := r.records.Get(context.Background(), gone); !errors.Is(err, messages.ErrNotFound) {
			t.Errorf("%s is left: %v", gone, err)
		}
	}
}

// Feeds of versions that made no claims get theirs at the start; of two with
// one address both stay, since both were made.
func TestFeedsWithoutClaims(t *testing.T) {
	end := memory.NewDisk(memory.Config{})
	r := on(end)
	for i, url := range []string{u, v, u} {
		if _, err := r.write(context.Background(), &messages.Feed{Id: fmt.Sprint("f", i), Url: url, CreatedMs: int64(i)}, 0); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		made, twice, err := r.settle(context.Background())
		if err != nil || len(made) != 3 || !slices.Equal(twice, []string{"f2"}) {
			t.Fatalf("%v, twice %v, %v", made, twice, err)
		}
	}
	var taken *takenError
	if err := creates("g", v).do(r); !errors.As(err, &taken) || taken.by != "f1" {
		t.Errorf("%v", err)
	}
}
