package desk

import (
	"fmt"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
)

// Config is part of the state machine, like the code: newsdesks of different
// Configs tell different stories. Zero values are defaults.
type Config struct {
	Similarity similarity.Config
	// Quality of sources by id, 0.3 to 1, where an operator has said it; others
	// have 0.6.
	Quality map[string]float64
	// Preferred are ids of sources whose article heads a story, and whose word
	// alone makes a development.
	Preferred map[string]bool
	Ranked    int // stories in clusters.ranked, default 50
}

const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
	// rankEvery is the debounce of clusters.ranked.
	rankEvery = 5_000
	// stepMost is how many stories are told at once: the answers to one step
	// wait in a mailbox.
	stepMost = 256
	// articlesMost of one story are found by their number.
	articlesMost = 512
	// leapMost is how far DeskTime moves the time: a newsdesk whose clock is
	// years ahead must not age every story at once.
	leapMost = 10 * minute
	// restAfter without an article a story of several is at rest, aloneAfter
	// one of a single article.
	restAfter  = day
	aloneAfter = 10 * minute
	// lateMost is how old an event may be when a newsdesk begins that has never
	// offered any: what happened before is no news.
	lateMost = 10 * minute

	usualQuality = 0.6
)

func (c Config) withDefaults() Config {
	if c.Ranked == 0 {
		c.Ranked = 50
	}
	return c
}

func (c Config) validate() error {
	if c.Ranked < 1 || c.Ranked > 200 {
		return fmt.Errorf("desk: config: %d stories in clusters.ranked, want 1 to 200", c.Ranked)
	}
	for source, q := range c.Quality {
		if !(q >= 0.3 && q <= 1) {
			return fmt.Errorf("desk: config: quality of source %q is %v, want 0.3 to 1", source, q)
		}
	}
	return nil
}
