package similarity

import "fmt"

// Config bounds an Engine. All of it is part of the state machine: two engines
// with different Configs give different stories.
type Config struct {
	// Window is how long, in milliseconds of event time, a story lives after
	// its last article. Default 10 days.
	Window int64
	// Live is how many stories live at most; the one that is idle longest is
	// retired first. Default 100,000.
	Live int
	// Terms is how many distinct terms of an article count, the first ones: a
	// news text says what it is about before it explains. Default 256.
	Terms int
	// Dictionary is how many distinct terms are counted. Past it all counts are
	// halved, and those that no live story uses and that reach 0 go. Default
	// 1,000,000.
	Dictionary int
	// Members is how many of a story's articles, the latest, are kept with
	// their vectors, for splitting and for time distance. Default 48.
	Members int
	// Checks is how many changed stories are looked at for a merge and a split
	// after each article. Default 2.
	Checks int

	join, merge *Weights // the bundled ones; others in training
}

// With is c with other weights than the bundled ones, for learning them.
func (c Config) With(join, merge Weights) Config {
	c.join, c.merge = &join, &merge
	return c
}

func (c Config) withDefaults() Config {
	set := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	if c.Window == 0 {
		c.Window = 10 * day
	}
	set(&c.Live, 100_000)
	set(&c.Terms, 256)
	set(&c.Dictionary, 1_000_000)
	set(&c.Members, 48)
	set(&c.Checks, 2)
	if c.join == nil {
		c.join = &joinWeights
	}
	if c.merge == nil {
		c.merge = &mergeWeights
	}
	return c
}

func (c Config) validate() error {
	if c.Window < hour || c.Live < 2 || c.Terms < 8 || c.Dictionary < 1000 || c.Members < 4 || c.Checks < 1 {
		return fmt.Errorf("similarity: config %+v: want a window of an hour, 2 live stories, 8 terms, a dictionary of 1000, 4 members and 1 check, or more", c)
	}
	return nil
}

// Units of event time, in milliseconds.
const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)
