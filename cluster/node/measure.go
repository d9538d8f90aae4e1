package node

import (
	"time"

	"github.com/birdwire/birdwire/actors/router/index/load"
)

// MatchFigures are one measurement of the index of standing queries.
type MatchFigures = load.Result

// VectorFigures are one measurement of semantic filters.
type VectorFigures = load.VectorResult

// MatchLoad says what to measure of the index.
type MatchLoad struct {
	Rules     int
	Selective bool // rules name none of the 3,000 commonest words, else none of the 150 commonest
	Posts     int  // default 10,000
	Updates   int  // rules added while matching goes on; default 500
	Seed      uint64
}

// MeasureMatch makes an index of generated rules and measures it, with
// merges running. A million rules take 2 GB and a minute.
func MeasureMatch(l MatchLoad) (MatchFigures, error) {
	skip := load.Broad
	if l.Selective {
		skip = load.Selective
	}
	return load.Measure(load.Options{
		Config: load.Config{Seed: l.Seed, Skip: skip}, Rules: l.Rules, Posts: l.Posts, Updates: l.Updates, Now: time.Now,
		Go: func(work func()) { go work() }, // it ends with its work, for which Measure waits
	})
}

// MeasureVectors makes so many semantic filters (0: 10,000), each of 8 KB, and
// compares them with plain reading of as much memory.
func MeasureVectors(filters int, seed uint64) (VectorFigures, error) {
	return load.MeasureVectors(load.VectorOptions{Seed: seed, Filters: filters, Now: time.Now})
}

// Times are of many events.
type Times = load.Times
