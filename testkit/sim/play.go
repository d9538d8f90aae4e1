package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/testkit"
)

// Plan and Log are the kit's: a run to be played, and what one has decided.
type (
	Plan    = testkit.Plan
	Outcome = testkit.Outcome
	Log     = testkit.Log
	Drawn   = testkit.Drawn
	Page    = testkit.Page
	Shrunk  = testkit.Shrunk
	Stream  = testkit.Stream
)

// The streams of a log's choices.
const (
	OfSchedule = testkit.Schedule
	OfNetwork  = testkit.Network
	OfFaults   = testkit.Faults
	OfWorkload = testkit.Workload
)

// Sometimes are the places of the product that a sweep should reach.
var Sometimes = slices.Concat(actors.Places, follow.Places)

// Scope and Explored are the kit's: what is tried in every order, and what came of it.
type (
	Scope    = testkit.Scope
	Explored = testkit.Explored
)

// Explore tries all that a small scenario may decide: see testkit.Explore.
func Explore(s Scope) (*Explored, error) {
	i := slices.IndexFunc(Small, func(o Scenario) bool { return o.Name == s.Scenario })
	if i < 0 {
		return nil, fmt.Errorf("there is no small scenario %q, want one of %s", s.Scenario, listed(Small))
	}
	e := testkit.Explore(s, Small[i].Run)
	if e.Refused != "" {
		return nil, fmt.Errorf("scenario %s: option %s", s.Scenario, e.Refused)
	}
	return e, nil
}

func listed(all []Scenario) string {
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// Of is the scenario of that name. Of several, by comma, or of "", which is all, it
// is the one that the seed is of.
func Of(names string, seed uint64) (Scenario, error) {
	if names == "" {
		return Scenarios[seed%uint64(len(Scenarios))], nil
	}
	all := strings.Split(names, ",")
	for _, name := range all {
		if _, ok := scenarioOf(name); !ok {
			return Scenario{}, fmt.Errorf("there is no scenario %q, want one of %s, %s", name, listed(Scenarios), listed(Small))
		}
	}
	s, _ := scenarioOf(all[seed%uint64(len(all))])
	return s, nil
}

func scenarioOf(name string) (Scenario, bool) {
	all := slices.Concat(Scenarios, Small)
	i := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, false
	}
	return all[i], true
}

// CheckStrategy refuses what is none.
func CheckStrategy(name string) error {
	if name != "" && !slices.Contains(testkit.Strategies, name) {
		return fmt.Errorf("there is no strategy %q, want one of %s", name, strings.Join(testkit.Strategies, ", "))
	}
	return nil
}

// Play plays a run of the plan's scenario, or of its log's, in this process, which
// must have no other actor system.
func Play(p Plan) (*Outcome, error) {
	name, seed := p.Scenario, p.Seed
	if p.Follow != nil {
		name, seed = p.Follow.Scenario, p.Follow.Seed
	}
	s, err := Of(name, seed)
	if err != nil {
		return nil, err
	}
	if err := CheckStrategy(p.Strategy); err != nil {
		return nil, err
	}
	p.Scenario = s.Name
	o := testkit.Play(p, s.Run)
	if o.Refused != "" {
		return nil, fmt.Errorf("scenario %s: option %s", s.Name, o.Refused)
	}
	return o, nil
}

// ShrinkTo makes a failure smaller, as testkit.Shrink does, and ends as soon as what is
// left is small enough.
func ShrinkTo(enough func(o *Outcome) bool, l *Log, within time.Duration) (*Shrunk, error) {
	s, err := Of(l.Scenario, l.Seed)
	if err != nil {
		return nil, err
	}
	return testkit.ShrinkTo(enough, l, within, s.Run)
}

// LoadLog reads a log's file.
func LoadLog(name string) (*Log, error) { return testkit.LoadLog(name) }
