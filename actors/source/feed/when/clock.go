package when

import (
	"regexp"
	"strings"
)

// clock is a time of the day.
type clock struct {
	hour, minute, second int
	nanos                int64
	twelve               bool // was told with am or pm
}

// exists takes 24:00 for the end of the day, and 60 for a leap second.
func (c clock) exists() bool {
	if c.hour == 24 {
		return c.minute == 0 && c.second == 0 && c.nanos == 0
	}
	return c.hour < 24 && c.minute < 60 && c.second <= 60
}

// A time has a colon, or the signs of a language: 14h05, 14時05分, 14시 5분.
var (
	timeForm = regexp.MustCompile(`(\d{1,2})(?: ?[h時时] ?| ?시 ?|:)(\d{1,2})(?:(?: ?[分분] ?|m ?|:)(\d{1,2})(?:[.,](\d{1,12}))?(?: ?[秒초]|s\b)?)?(?: ?[分분])?`)
	half     = regexp.MustCompile(`^[ ,]*(a|p)(?:\.? ?m\b\.?)`)
)

// timeOfDay cuts s at its time. c is nil where there is none; ok is false where
// there is one that no clock shows.
func timeOfDay(s string) (before string, c *clock, after string, ok bool) {
	m := timeForm.FindStringSubmatchIndex(s)
	if m == nil {
		return s, nil, "", true
	}
	group := func(i int) string {
		if m[2*i] < 0 {
			return ""
		}
		return s[m[2*i]:m[2*i+1]]
	}
	c = &clock{hour: number(group(1)), minute: number(group(2)), second: number(group(3)), nanos: nanos(group(4))}
	before, after = s[:m[0]], s[m[1]:]
	if strings.HasSuffix(before, ":") || strings.HasPrefix(after, ":") && len(after) > 1 && after[1] >= '0' && after[1] <= '9' {
		return "", nil, "", false // more colons than a time has
	}
	before = strings.TrimSuffix(before, "t") // ISO 8601
	half, before, after := halfOfDay(before, after)
	c.twelve = half != ""
	switch {
	case half == "":
	case half == "a" && c.hour > 12, c.hour > 23:
		return "", nil, "", false
	case half == "a" && c.hour == 12:
		c.hour = 0
	case half == "p" && c.hour < 12:
		c.hour += 12
	}
	return before, c, after, c.exists()
}

var halves = []struct{ word, half string }{
	{"午前", "a"}, {"午後", "p"}, {"上午", "a"}, {"下午", "p"}, {"오전", "a"}, {"오후", "p"}, {"凌晨", "a"}, {"晚上", "p"},
}

// halfOfDay finds am or pm after the time, or its word before it.
func halfOfDay(before, after string) (which, restBefore, restAfter string) {
	if m := half.FindStringSubmatch(after); m != nil {
		return m[1], before, after[len(m[0]):]
	}
	trimmed := strings.TrimSpace(before)
	for _, h := range halves {
		if rest, ok := strings.CutSuffix(trimmed, h.word); ok {
			return h.half, rest, after
		}
	}
	return "", before, after
}
