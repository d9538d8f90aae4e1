// Package robots reads robots.txt as RFC 9309 has it: what a host asks of those
// that fetch its pages by themselves. It reads what people write: a line that
// says nothing is passed over, and the rest holds.
//
// A library was tried and not kept: one wrong line had it refuse a whole file.
package robots

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	// BytesMost is how much of a file counts; the RFC asks for as much at least.
	BytesMost = 512 << 10

	rulesMost   = 4096 // that concern one agent
	patternMost = 2048 // bytes
	delayMost   = time.Minute
)

// Rules are what one agent may fetch of one host. The zero value allows all.
type Rules struct {
	rules []rule
	none  bool
	// Delay is what the host asks for between two requests, 0 where it does not
	// say. It is no part of the RFC, and many hosts have it.
	Delay time.Duration
}

// Nothing allows nothing: of a host whose server fails.
var Nothing = Rules{none: true}

type rule struct {
	pattern string // a path with '*', and '$' at its end
	allow   bool
}

// Parse returns the rules for the agent, which is its name alone, as "birdwire":
// of the group that names it, or else of those for everybody.
func Parse(file, agent string) Rules {
	file = strings.TrimPrefix(file[:min(len(file), BytesMost)], "\ufeff")
	var own, all Rules
	named, everybody, agents, found := false, false, false, false
	for line := range strings.FieldsFuncSeq(file, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line, _, _ = strings.Cut(line, "#")
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "user-agent":
			if !agents {
				named, everybody = false, false
			}
			agents = true
			named = named || strings.EqualFold(agentOf(value), agent)
			everybody = everybody || value == "*"
			found = found || named
		case "allow", "disallow":
			agents = false
			r := rule{pattern: value, allow: strings.EqualFold(strings.TrimSpace(key), "allow")}
			if named {
				own.add(r)
			}
			if everybody {
				all.add(r)
			}
		case "crawl-delay":
			agents = false
			if named {
				own.delay(value)
			}
			if everybody {
				all.delay(value)
			}
		}
	}
	if found {
		return own
	}
	return all
}

// agentOf is the name alone: "Birdwire/1.0" is meant for Birdwire.
func agentOf(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
	})
	if end >= 0 {
		s = s[:end]
	}
	return s
}

func (r *Rules) add(one rule) {
	if one.pattern == "" || len(one.pattern) > patternMost || len(r.rules) == rulesMost {
		return // "Disallow:" disallows nothing
	}
	r.rules = append(r.rules, one)
}

func (r *Rules) delay(s string) {
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || !(seconds > 0) || math.IsInf(seconds, 0) {
		return
	}
	r.Delay = time.Duration(min(seconds, delayMost.Seconds()) * float64(time.Second))
}

// Allowed says whether the path, with its query, may be fetched: the longest
// rule that fits decides, and of two as long the one that allows.
func (r Rules) Allowed(path string) bool {
	if r.none {
		return false
	}
	if path == "" {
		path = "/"
	}
	longest, allow := -1, true
	for _, one := range r.rules {
		if n := len(one.pattern); n >= longest && fits(one.pattern, path) {
			allow = one.allow || n == longest && allow
			longest = n
		}
	}
	return allow
}

// fits says whether the path begins as the pattern says. It never goes back
// further than to the last '*', so that no pattern takes long.
func fits(pattern, path string) bool {
	pattern, end := strings.CutSuffix(pattern, "$")
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(path, parts[0])
	if !ok {
		return false
	}
	for i, part := range parts[1:] {
		if end && i == len(parts)-2 {
			return strings.HasSuffix(rest, part)
		}
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return !end || rest == ""
}
