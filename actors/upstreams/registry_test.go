package upstreams

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// table is an actors.Records that asks, before every call, whose turn it is.
type table struct {
	records  map[string]messages.KeptRecord
	revision uint64
}

func newTable() *table { return &table{records: map[string]messages.KeptRecord{}} }

// clone is a table to try another order on.
func (t *table) clone() *table { return &table{maps.Clone(t.records), t.revision} }

// calls is one process's way to the table.
type calls struct {
	table *table
	turn  func(call) error // nil: at once
}

// call is what one turn is for.
type call struct {
	key   string
	write bool
}

// apart: the order of the two makes no difference.
func (c call) apart(other call) bool {
	one := strings.HasPrefix(c.key, other.key) || strings.HasPrefix(other.key, c.key) // a list is of all under it
	return !one || !c.write && !other.write
}

func (c calls) wait(key string, write bool) error {
	if c.turn == nil {
		return nil
	}
	return c.turn(call{key, write})
}

func (c calls) Get(_ context.Context, key string) (messages.KeptRecord, error) {
	if err := c.wait(key, false); err != nil {
		return messages.KeptRecord{}, err
	}
	r, ok := c.table.records[key]
	if !ok {
		return messages.KeptRecord{}, messages.ErrNotFound
	}
	return r, nil
}

func (c calls) CAS(_ context.Context, key string, data []byte, revision uint64) (uint64, error) {
	if err := c.wait(key, true); err != nil {
		return 0, err
	}
	if c.table.records[key].Revision != revision {
		return 0, messages.ErrConflict
	}
	c.table.revision++
	c.table.records[key] = messages.KeptRecord{Key: key, Data: data, Revision: c.table.revision}
	return c.table.revision, nil
}

func (c calls) Delete(_ context.Context, key string, revision uint64) error {
	if err := c.wait(key, true); err != nil {
		return err
	}
	switch r, ok := c.table.records[key]; {
	case !ok:
		return messages.ErrNotFound
	case r.Revision != revision:
		return messages.ErrConflict
	}
	delete(c.table.records, key)
	return nil
}

func (c calls) Mend(context.Context, string, []byte) (uint64, error) {
	return 0, messages.ErrConflict // nothing here is damaged
}

func (c calls) List(_ context.Context, prefix string) ([]messages.KeptRecord, error) {
	if err := c.wait(prefix, true); err != nil {
		return nil, err
	}
	var list []messages.KeptRecord
	for key, r := range c.table.records {
		if strings.HasPrefix(key, prefix) {
			list = append(list, r)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Key < list[j].Key })
	return list, nil
}

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
	end     *table
	errs    []error // what became of each change
	choices [][]int // who could have been chosen at each step
	calls   []call  // what was done at each step
}

// run runs the changes on a clone of the table, each a process of its own.
// order says whose call is next; past its end the first that has not ended
// goes on. A process dies before its dies[i]-th call; 0: it does not.
func run(begin *table, order []int, dies []int, changes []change) (p played) {
	p.end, p.errs = begin.clone(), make([]error, len(changes))
	wants, goes, done := make([]chan call, len(changes)), make([]chan error, len(changes)), make([]bool, len(changes))
	next := make([]call, len(changes))
	for i, c := range changes {
		wants[i], goes[i] = make(chan call), make(chan error)
		calls := calls{p.end, func(c call) error { wants[i] <- c; return <-goes[i] }}
		go func() { // ends with the change, which takes a bounded number of turns
			defer close(wants[i])
			p.errs[i] = c.do(registry{calls})
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
func everyOrder(begin *table, dies []int, changes []change, see func(order []int, end *table, errs []error)) {
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
func feedsOf(t *testing.T, end *table) map[string]string {
	t.Helper()
	made, twice, err := registry{calls{end, nil}}.settle(context.Background())
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

func holding(t *testing.T, feeds ...string) *table {
	t.Helper()
	end := newTable()
	for i := 0; i < len(feeds); i += 2 {
		if err := creates(feeds[i], feeds[i+1]).do(registry{calls{end, nil}}); err != nil {
			t.Fatal(err)
		}
		if _, err := (calls{end, nil}).CAS(context.Background(), actors.MarkRecord(feeds[i]), []byte("7"), 0); err != nil {
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
		begin    *table
		changes  []change
		exactly1 bool // of them succeeds, where nobody dies
	}{
		{newTable(), []change{creates("a", u), creates("b", u)}, true},
		{newTable(), []change{creates("a", u), creates("a", v)}, true},
		{holding(t, "a", v), []change{updates("a", u), creates("b", "HTTPS://U.example:443/#top")}, true},
		{holding(t, "a", v, "b", w), []change{updates("a", u), updates("b", u)}, true},
		{holding(t, "a", u), []change{updates("a", v), creates("b", u)}, false},
		{holding(t, "a", u, "b", v), []change{updates("a", w), updates("b", u)}, false},
		{holding(t, "a", u), []change{removes("a"), creates("b", u)}, false},
		{holding(t, "a", u), []change{removes("a"), updates("a", v)}, false},
		{holding(t, "a", u), []change{updates("a", v), updates("a", w)}, false},
		{newTable(), []change{creates("a", u), sweeps()}, false},
		{holding(t, "a", u), []change{updates("a", v), sweeps()}, false},
		{holding(t, "a", u), []change{removes("a"), sweeps()}, false},
	} {
		steps := len(run(c.begin, nil, []int{0, 0}, c.changes).choices)
		for dies := range steps + 1 {
			orders := 0
			everyOrder(c.begin, []int{dies, 0}, c.changes, func(order []int, end *table, errs []error) {
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
					err := creates("z"+url[8:9], url).do(registry{calls{end, nil}})
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
func onlyFeeds(t *testing.T, how string, end *table) {
	t.Helper()
	r := registry{calls{end, nil}}
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
	for key := range end.records {
		id, mark := strings.CutPrefix(key, actors.MarksPrefix)
		if mark && end.records[actors.FeedRecord(id)].Key == "" {
			t.Fatalf("%s: %s is left", how, key)
		}
		if strings.HasPrefix(key, actors.ClaimsPrefix) {
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
	end := newTable()
	for n := range 3 {
		r := registry{&uncertain{calls: calls{end, nil}, at: n + 1}}
		id := fmt.Sprint("f", n)
		if _, err := r.create(context.Background(), &messages.Feed{Id: id, Url: "https://example.com/" + id}); err != nil {
			t.Errorf("write %d of a creation is uncertain: %v", n+1, err)
		}
	}
	if feeds := feedsOf(t, end); len(feeds) != 3 {
		t.Errorf("feeds %v", feeds)
	}
}

// uncertain does the at-th write and says that it does not know.
type uncertain struct {
	calls
	at, n int
}

func (c *uncertain) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	written, err := c.calls.CAS(ctx, key, data, revision)
	if c.n++; c.n == c.at && err == nil {
		return 0, messages.ErrAmbiguous
	}
	return written, err
}

func TestADamagedFeedCostsNobodyElse(t *testing.T) {
	end := holding(t, "a", u, "b", v)
	r := registry{calls{end, nil}}
	broken := end.records["feeds.b"]
	broken.Data = []byte{0xff, 0xff}
	end.records["feeds.b"] = broken
	end.records["marks.b"] = messages.KeptRecord{Key: "marks.b", Data: []byte("7"), Revision: 99}
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
		if _, ok := end.records[gone]; ok {
			t.Errorf("%s is left", gone)
		}
	}
}

// Feeds of versions that made no claims get theirs at the start; of two with
// one address both stay, since both were made.
func TestFeedsWithoutClaims(t *testing.T) {
	end := newTable()
	r := registry{calls{end, nil}}
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
