package main_test

import (
	"fmt"
	"testing"
)

// TestCreditsAfterPowerCutsUnderLoad: whatever number of power cuts under load,
// a key is charged what its connections were handed, and at each cut at most what
// was on its way to them: never less, and never what it had lent to them.
func TestCreditsAfterPowerCutsUnderLoad(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	k := s.key(t, "business")
	makeRule(t, s.owner(t, k), "numbers", "number")
	c := crashesOfPosts(t, s)

	dial := func(key, cursor string) *socket {
		socket := c.dial(t, twitterPath+key+"&resume="+cursor)
		socket.read("connected", nil)
		return socket
	}
	other := s.key(t, "business") // knows the order of all posts
	makeRule(t, s.owner(t, other), "numbers", "number")
	first := dial(other.Key, "new")
	begin := first.begins()
	_ = first.conn.CloseNow()

	const connections, rounds = 2, 4
	var delivered int64
	var last [rounds][connections]string // post that each connection was handed
	var pushed [rounds]int
	cursors := make([]string, connections)
	for round := range rounds {
		var all []*listener
		for _, cursor := range cursors {
			if round%2 == 0 { // every other time they resume
				cursor = "new"
			}
			all = append(all, listen(t, dial(k.Key, cursor)))
		}
		c.endWhile(400, kill, all...)
		pushed[round] = len(c.pushed(postIDs))
		for i, l := range all {
			e := l.events[len(l.events)-1]
			delivered += int64(len(l.events))
			last[round][i], cursors[i] = e.TweetID, e.Cursor
		}
	}

	order := map[string]int{}
	for reader, n := dial(other.Key, begin), 1; n <= pushed[rounds-1]; n++ {
		order[reader.event().TweetID] = n
	}
	// At the cuts. Of the event that a connection was at there may have been more.
	onTheWay := int64(connections * rounds)
	for round, connections := range last {
		for _, id := range connections {
			onTheWay += int64(pushed[round] - order[id])
		}
	}
	eventually(t, func() string { // the last one's is settled while the key is in use
		used, err := c.owner(t, k).Billing(within(t))
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("%d charged for %d deliveries, and %d were on their way at the cuts", used.CreditsUsed, delivered, onTheWay)
		if over := used.CreditsUsed - delivered; over < 0 || over > onTheWay {
			return text
		}
		t.Log(text)
		return ""
	})
}
