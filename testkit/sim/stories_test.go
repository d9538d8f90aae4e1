package sim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// Whatever happens to the node that has the newsdesk, it goes on at another, and
// no event about a story is missing, comes twice, or differs from what one that
// never failed would have said.
func TestStoriesGoOnElsewhere(t *testing.T) {
	for what, kinds := range map[string][]sim.Fault{
		"in peace": nil, "crash": {sim.Crash}, "freeze": {sim.Freeze}, "store down": {sim.StoreDown}, "slow store": {sim.SlowStore}, "lost leader": {sim.LostLeader}, "cut": {sim.Cut}, "drain": {sim.Drain},
	} {
		t.Run(what, func(t *testing.T) {
			testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
				s := sim.NewScene(k, 3, 1, "moon")
				swarm := s.Swarm(kinds...)
				for i := range 28 {
					swarm.Step()
					s.Report(fmt.Sprint("n", 1+i%3), report(i))
					s.Advance(10 * time.Second)
					s.Report(fmt.Sprint("n", 1+i%3), turn(i))
					s.Advance(10 * time.Second)
				}
				swarm.Heal()
				s.Until(60*time.Second, "all articles are in the log", s.Reported)
				s.Advance(3 * time.Minute)
				told := s.CheckStories()
				if told["cluster_change"] < 2 || told["story_priority"] == 0 || kinds == nil && (told["story_verdict"] < 2 || told["story_development"] == 0) {
					t.Errorf("told %v: the test does not look where it should", told)
				}
				t.Logf("%v\n%v", swarm, told)
			})
		})
	}
}

// A newsdesk that hangs is given up by its node, which serves its clients on, and goes on
// at another: nothing of what it says is missing, or comes twice.
func TestANewsdeskThatHangs(t *testing.T) {
	for what, at := range map[string]func(any) bool{
		"no turns":    func(any) bool { return true },
		"no progress": func(m any) bool { _, asked := m.(*actor.MessageEnvelope); return !asked },
	} {
		t.Run(what, func(t *testing.T) {
			testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
				s := sim.NewScene(k, 3, 3, "moon")
				s.Post("n1", 20)
				before := s.Nodes()[0].Desk()
				for i := range 3 { // in peace nobody gives it up, however little comes
					s.Report("n1", report(i))
					s.Advance(time.Minute)
				}
				var had *sim.Node
				for _, n := range s.Nodes() {
					if n.Desk() == n.Name {
						had = n
					}
				}
				if had == nil || had.Name != before {
					t.Fatalf("in peace it has left %s", before)
				}
				had.Hang("newsdesk", at)
				for i := range 12 {
					s.Report("n1", report(3+i))
					s.Advance(5 * time.Second)
				}
				for _, n := range s.Nodes() {
					if at := n.Desk(); at == had.Name || n.Actors.Serving() != nil {
						t.Errorf("%s has the newsdesk on %s, and serves: %v", n.Name, at, n.Actors.Serving())
					}
				}
				for _, client := range s.Clients() {
					if len(client.Ends) > 0 {
						t.Errorf("client %s was ended: %v", client.Name, client.Ends)
					}
				}
				had.Hang("newsdesk", nil)
				s.Advance(6 * time.Minute)
				if at := s.Nodes()[0].Desk(); at != had.Name {
					t.Errorf("after some minutes it is on %s, want %s again", at, had.Name)
				}
				s.Report("n1", report(20))
				s.Advance(time.Minute)
				s.CheckStories()
				s.Check(time.Second)
			})
		})
	}
}

// report is an article of one of four events, in words of its own.
func report(i int) *messages.Article {
	words := strings.Fields("fire furnaces workers output control smoke shift steel plant insurers trade prices")
	w := func(n int) string { return words[(i*n+n)%len(words)] }
	of := []string{"Harbor Brenford", "Quartz Tolmar", "Vellum Kestrel", "Orvin Marlow"}[i%4]
	return &messages.Article{
		Id: fmt.Sprint("a", i), Url: fmt.Sprintf("https://s%d.example/%d", i%7, i), SourceId: fmt.Sprint("s", i%7), SourceName: fmt.Sprint("S", i%7),
		Category: "business", Title: fmt.Sprintf("%s: %s and %s", of, w(1), w(5)), Description: fmt.Sprintf("What the %s of %s says about %s and %s", w(2), of, w(3), w(7)),
	}
}

// turn is an article of an event that two outlets report, and of which a third one
// tells what may be new, with more and more in common with what was told: of some
// of them nobody can tell.
func turn(i int) *messages.Article {
	known := strings.Fields("Brenford furnaces halted Harbor Steel fire control room Monday workers evacuated smoke")
	fresh := strings.Fields("insurers Vellum Kestrel refuse payment claims lawyers Tolmar court hearing lawsuit damages Quartz settlement")
	a := [][2]string{
		{"Harbor Steel halts Brenford furnaces after fire", "The plant at Brenford stopped all furnaces on Monday after a fire in the control room, workers were evacuated"},
		{"Fire at Brenford: Harbor Steel halts furnaces", "Harbor Steel evacuated workers and stopped furnaces at Brenford on Monday because smoke filled the control room"},
		{"insurers Vellum Kestrel refuse payment claims", strings.Join(slices.Concat(known[:3+i/3], fresh), " ")},
	}[i%3]
	own := func(text string) string { // in words that no other event has
		words := strings.Fields(text)
		for n, w := range words {
			if len(w) > 3 && !slices.Contains([]string{"after", "were", "because", "stopped"}, w) {
				words[n] = w + string(rune('a'+i/3)) + "x"
			}
		}
		return strings.Join(words, " ")
	}
	return &messages.Article{
		Id: fmt.Sprint("t", i), Url: fmt.Sprintf("https://t%d.example/%d", i%3, i), SourceId: fmt.Sprint("t", i%3), SourceName: fmt.Sprint("T", i%3),
		Category: "business", Title: own(a[0]), Description: own(a[1]),
	}
}
