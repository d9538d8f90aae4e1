package nats

import (
	"slices"
	"strconv"
	"sync"

	"github.com/birdwire/birdwire/cluster/store"
)

// reportsMost bounds what is remembered of damage; past it, only its count.
const reportsMost = 1000

// reports is what is known to be damaged. Each thing is said once in the log,
// however often it is met, and stays in Damage until the store is opened after
// its loss was accepted.
type reports struct {
	mu   sync.Mutex // protects all
	all  []store.Damage
	more int
}

func (r *reports) add(d store.Damage) (isNew bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.all, d) {
		return false
	}
	if len(r.all) == reportsMost {
		r.more++
		return true
	}
	r.all = append(r.all, d)
	return true
}

func (r *reports) drop(is func(store.Damage) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = slices.DeleteFunc(r.all, is)
}

func (r *reports) list() []store.Damage {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.all)
	if r.more > 0 {
		all = append(all, store.Damage{Stream: "store", Lost: "more than is listed here", Advice: "the log names all of it"})
	}
	return all
}

// report says once what is damaged.
func (s *Store) report(d store.Damage) {
	if !s.reports.add(d) {
		return
	}
	log := s.cfg.Logger.Error
	if d.Lost == "" {
		log = s.cfg.Logger.Warn
	}
	log("damage in the store", "stream", d.Stream, "file", d.File, "lost", d.Lost, "advice", d.Advice)
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// Damage is what is known to be damaged.
func (s *Store) Damage() []store.Damage { return s.reports.list() }
