package feed

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxHold       = 6 * time.Hour  // of Cache-Control and ttl: some say a year, and publish daily
	maxRetryAfter = 24 * time.Hour // of Retry-After
)

// retryAfter reads the header: seconds, or a date. 0 where there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		if n > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return max(0, time.Duration(n)*time.Second)
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(0, t.Sub(now)), maxRetryAfter)
	}
	return 0
}

// maxAge is for how long the response says it stays fresh, less the age it
// already has in a cache on the way.
func maxAge(h http.Header) time.Duration {
	var age int64 = -1
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-cache", "no-store":
			return 0
		case "max-age":
			if n, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 64); err == nil {
				age = n
			}
		}
	}
	if age <= 0 {
		return 0
	}
	if in, err := strconv.ParseInt(h.Get("Age"), 10, 64); err == nil && in > 0 {
		age -= in
	}
	return min(time.Duration(min(max(age, 0), int64(maxHold/time.Second)))*time.Second, maxHold)
}

// schedule is what an RSS document says of when to ask again.
type schedule struct {
	TTL   int            `json:"ttl,omitempty"`        // minutes
	Hours []int          `json:"skip_hours,omitempty"` // of the day, GMT, in which nothing is new
	Days  []time.Weekday `json:"skip_days,omitempty"`
}

func (s *schedule) setTTL(minutes string) {
	if n, err := strconv.Atoi(strings.TrimSpace(minutes)); err == nil && n > 0 {
		s.TTL = min(n, int(maxHold/time.Minute))
	}
}

func (s *schedule) skipHour(hour string) {
	n, err := strconv.Atoi(strings.TrimSpace(hour))
	if err == nil && n >= 0 && n <= 24 && !slices.Contains(s.Hours, n%24) {
		s.Hours = append(s.Hours, n%24) // RSS 0.91 calls midnight 24
	}
}

func (s *schedule) skipDay(name string) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if strings.EqualFold(strings.TrimSpace(name), day.String()) && !slices.Contains(s.Days, day) {
			s.Days = append(s.Days, day)
		}
	}
}

// wait is how long to leave the feed alone from now: the ttl, and from there
// the hours and days in which it asks not to be read. A feed that excludes
// every hour of the week means something else.
func (s schedule) wait(now time.Time) time.Duration {
	ttl := time.Duration(s.TTL) * time.Minute
	at := now.Add(ttl).UTC()
	for range 24 * 7 {
		if !slices.Contains(s.Hours, at.Hour()) && !slices.Contains(s.Days, at.Weekday()) {
			return at.Sub(now)
		}
		at = at.Truncate(time.Hour).Add(time.Hour)
	}
	return ttl
}
