package main

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/birdwire/birdwire/cluster/node"
)

// Plans are set in the file only: plans.NAME.FIELD. A plan of the file that has
// a default's name changes that one; others are added.

const plansTable = "plans."

// planFields are what a plan says; def is of a plan that the file adds.
var planFields = []struct {
	name  string
	kind  kind
	def   string // "" must be said
	usage string
	of    func(p node.Plan) string
}{
	{"credits", wholeKind(0, math.MaxInt64), "", "credits a month; 0: unlimited", func(p node.Plan) string { return strconv.FormatInt(p.Credits, 10) }},
	{"pro", boolKind, "false", "may use tickers and embeddings", func(p node.Plan) string { return strconv.FormatBool(p.Pro) }},
	{"twitter_connections", wholeKind(0, 1_000_000), "5", "connections at once", func(p node.Plan) string { return connectionsOf(p, "twitter") }},
	{"newsrank_connections", wholeKind(0, 1_000_000), "0", "connections at once", func(p node.Plan) string { return connectionsOf(p, "newsrank") }},
}

func connectionsOf(p node.Plan, api string) string {
	for a, n := range p.Connections {
		if apiName(a) == api {
			return strconv.Itoa(n)
		}
	}
	return "0"
}

// apiName is "twitter" for the API that the messages call API_TWITTER.
func apiName(api fmt.Stringer) string {
	return strings.ToLower(strings.TrimPrefix(api.String(), "API_"))
}

var planName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

// planOf is the plan that a key of the file is about.
func planOf(key string) (name, field string, ok bool) {
	rest, ok := strings.CutPrefix(key, plansTable)
	if !ok {
		return "", "", false
	}
	name, field, ok = strings.Cut(rest, ".")
	return name, field, ok && planName.MatchString(name)
}

// planSettings are the settings of every plan there is by default or in the
// file.
func planSettings(raw map[string]any) []setting {
	plans := node.DefaultPlans()
	for key := range raw {
		if name, _, ok := planOf(key); ok {
			if _, found := plans[name]; !found {
				plans[name] = node.Plan{}
			}
		}
	}
	defaults := node.DefaultPlans()
	var all []setting
	for _, name := range sortedKeys(plans) {
		p, isDefault := defaults[name]
		for _, f := range planFields {
			s := setting{key: plansTable + name + "." + f.name, kind: f.kind, def: f.def, usage: f.usage, noFlag: true}
			if isDefault {
				s.def = f.of(p)
			}
			all = append(all, s)
		}
	}
	return all
}

// plans are the default ones and those of the file.
func (c *config) plans() (map[string]node.Plan, error) {
	plans := node.DefaultPlans()
	some := plans["business"] // whose APIs every plan has
	for _, s := range c.settings {
		name, _, ok := planOf(s.key)
		if !ok {
			continue
		}
		at := plansTable + name + "."
		if c.values[at+"credits"].parsed == nil {
			return nil, fmt.Errorf("%s: %scredits is missing: a new plan must say it (0: unlimited)", c.file, at)
		}
		p := plans[name]
		p.Credits, p.Pro = orZero[int64](c, at+"credits"), c.flag(at+"pro")
		p.Connections = maps.Clone(some.Connections)
		for api := range p.Connections {
			if key := at + apiName(api) + "_connections"; c.values[key].parsed != nil {
				p.Connections[api] = c.whole(key)
			}
		}
		plans[name] = p
	}
	return plans, nil
}
