package feed

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// parseDate reads what gofeed's own long list does not: it is asked first for
// items, and this only for what it gave up on, and for the dates of
// vocabularies that it leaves as text. Without a zone it is UTC.
func parseDate(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		switch {
		case n >= 100_000_000_000:
			return time.UnixMilli(n), nil
		case n >= 100_000_000: // below, a year or a number of its own
			return time.Unix(n, 0), nil
		}
	}
	if t, ok := wordyDate(s); ok {
		return t, nil
	}
	return time.Time{}, errDate
}

var errDate = errors.New("not a date")

var layouts = []string{
	time.RFC3339Nano, "2006-01-02", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05",
	"2006-01-02T15:04:05.999Z0700", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05Z07:00", "20060102T150405Z",
	"20060102150405", "20060102", time.RFC1123Z, "Mon, 02 Jan 2006", "2 Jan 2006", "02.01.2006 15:04", "02.01.2006",
}

// months by their first letters, in the languages whose feeds are known to
// write them out. Longer beginnings come first where shorter ones clash.
var months = []struct {
	month time.Month
	words []string
}{
	{time.January, []string{"jan", "jän", "ene", "gen", "янв", "sty", "oca"}},
	{time.February, []string{"feb", "fév", "fev", "фев", "lut", "şub"}},
	{time.March, []string{"mar", "mär", "maa", "mrt", "мар"}},
	{time.April, []string{"apr", "avr", "abr", "апр", "kwi", "nis"}},
	{time.May, []string{"may", "mai", "mei", "mag", "мая", "май", "maj"}},
	{time.June, []string{"jun", "juin", "giu", "июн", "cze", "haz"}},
	{time.July, []string{"jul", "juil", "lug", "июл", "lip", "tem"}},
	{time.August, []string{"aug", "aoû", "aou", "ago", "авг", "sie", "ağu"}},
	{time.September, []string{"sep", "set", "сен", "wrz", "eyl"}},
	{time.October, []string{"oct", "okt", "out", "ott", "окт", "paź", "eki"}},
	{time.November, []string{"nov", "ноя", "lis", "kas"}},
	{time.December, []string{"dec", "dez", "déc", "dic", "дек", "gru", "ara"}},
}

var wordy = regexp.MustCompile(`(\d{1,2})\.?\s+(?:de\s+)?(\pL{3,})\.?,?\s+(?:de\s+)?(\d{4})(?:\D+(\d{1,2}):(\d{2})(?::(\d{2}))?)?\s*([+-]\d{4})?`)

// wordyDate reads "lun., 3 août 2026 14:05:00 +0200" in a dozen languages.
func wordyDate(s string) (time.Time, bool) {
	m := wordy.FindStringSubmatch(strings.ToLower(s))
	if m == nil {
		return time.Time{}, false
	}
	var month time.Month
	for _, candidate := range months {
		for _, word := range candidate.words {
			if strings.HasPrefix(m[2], word) {
				month = candidate.month
			}
		}
	}
	number := func(i int) int {
		n, _ := strconv.Atoi(m[i]) // digits, or empty: 0
		return n
	}
	day, hour, minute := number(1), number(4), number(5)
	if month == 0 || day < 1 || day > 31 || hour > 23 || minute > 59 || number(6) > 60 {
		return time.Time{}, false
	}
	zone := time.UTC
	if m[7] != "" {
		n, _ := strconv.Atoi(m[7])
		zone = time.FixedZone("", (n/100*60+n%100)*60)
	}
	return time.Date(number(3), month, day, hour, minute, number(6), 0, zone), true
}

// sane drops dates that no feed means: before the web, or from a broken clock.
func sane(ms int64) int64 {
	const earliest, latest = 631_152_000_000, 4_102_444_800_000 // 1990, 2100
	if ms < earliest || ms > latest {
		return 0
	}
	return ms
}
