package nats

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/birdwire/birdwire/cluster/store"
)

// A member's server takes away what it has of a stream that the cluster does not know
// any more, and where it learns that from a snapshot of the leader's it says nothing.
// Then the other copies are in the same danger. So a member looks for its copies by
// itself. One that is made again, as a copy that is older than all that the log keeps,
// is away for a moment only; a restore, which replaces all of them, says so before.

// goneLooks is after how many looks in a row without it a copy counts as taken away.
const goneLooks = 3

// ownCopies are those of this member.
type ownCopies struct {
	had  map[string]bool // streams of which there is or was one
	gone map[string]int  // in how many looks in a row there was none
}

// look is called before the server is started, and again and again after it.
func (c *ownCopies) look(dir string) (taken []string) {
	if c.had == nil {
		c.had, c.gone = map[string]bool{}, map[string]int{}
	}
	for _, stream := range allStreams {
		_, err := os.Stat(streamDir(dir, stream))
		switch {
		case err == nil:
			c.had[stream], c.gone[stream] = true, 0
		case errors.Is(err, fs.ErrNotExist) && c.had[stream]:
			if c.gone[stream]++; c.gone[stream] >= goneLooks {
				taken = append(taken, stream)
			}
		}
	}
	return taken
}

// watchCopies reports copies that were taken away.
func (s *Store) watchCopies() {
	taken := s.copies.look(s.cfg.Dir)
	if s.replaced.Load() {
		return // by a restore
	}
	for _, stream := range taken {
		s.orphaned(fmt.Sprintf("its copy of %s is not there any more", shown(stream)))
	}
}

// orphaned: the server has taken a copy away.
func (s *Store) orphaned(text string) {
	s.report(store.Damage{
		Stream: "store", Lost: "this node's copy of a stream that the cluster does not know (" + text + ")",
		Advice: "touch no other node's folder and restart none: what they hold may be the last copy. Take a `birdwire cluster backup` now, then run `birdwire cluster audit`",
	})
}
