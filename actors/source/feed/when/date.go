package when

import (
	"regexp"
	"strings"
)

type day struct{ year, month, day int }

const (
	word    = `([\pL\pM]{2,})`
	ordinal = `(?:st|nd|rd|th|er|e|o|a|°)?`
	between = `(?:[ .,/-]|\bde\b|\bof\b|\bdel\b|\bd')*`
)

// The patterns, likelier first. Each has a year, a month and a day somewhere;
// months in words are looked up, so that a match need not be a date.
var patterns = []struct {
	form             *regexp.Regexp
	year, month, day int  // the groups
	worded           bool // month is a word
	order            bool // day and month could be the other way round
}{
	{form: regexp.MustCompile(`\b(\d{4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2})(?: ?[日일])?`), year: 1, month: 2, day: 3},
	{form: regexp.MustCompile(`\b(\d{4})-(\d{1,2})-(\d{1,2})(?:\b|t)`), year: 1, month: 2, day: 3},
	{form: regexp.MustCompile(`\b(\d{4})(?:/(\d{1,2})/|\. ?(\d{1,2})\. ?)(\d{1,2})\b\.?`), year: 1, month: 2, day: 4},
	{form: regexp.MustCompile(`\b(\d{1,2}) (?:tháng|thang|thg) (\d{1,2}),?(?: năm| nam)? (\d{4})\b`), day: 1, month: 2, year: 3},
	{form: regexp.MustCompile(`\b(\d{1,2})` + ordinal + between + word + between + `(\d{4}|\d{2})\b`), day: 1, month: 2, year: 3, worded: true},
	{form: regexp.MustCompile(word + `\.?[ -]+(\d{1,2})` + ordinal + `(?:[ ,-]+|$)(\d{4})\b`), month: 1, day: 2, year: 3, worded: true},
	{form: regexp.MustCompile(`\b(\d{4})[ .,-]+` + word + `[ .,-]+(\d{1,2})\b`), year: 1, month: 2, day: 3, worded: true},
	{form: regexp.MustCompile(`\b(\d{1,2})\. ?(\d{1,2})\. ?(\d{4}|\d{2})\b`), day: 1, month: 2, year: 3},
	{form: regexp.MustCompile(`\b(\d{1,2})([/-])(\d{1,2})[/-](\d{4})\b`), day: 1, month: 3, year: 4, order: true},
}

// date finds one in s, and returns what is left on both sides of it.
// american says that its clock has twelve hours.
func date(s string, american bool) (d day, before, after string, ok bool) {
	for _, p := range patterns {
		for _, m := range p.form.FindAllStringSubmatchIndex(s, 4) {
			group := func(i int) string {
				if m[2*i] < 0 {
					return ""
				}
				return s[m[2*i]:m[2*i+1]]
			}
			d = day{year: year(group(p.year)), day: number(group(p.day))}
			if p.worded {
				d.month = monthOf(group(p.month))
			} else {
				d.month = number(group(p.month))
				if d.month == 0 && group(p.month) == "" {
					d.month = number(group(p.month + 1)) // the dotted form of the third pattern
				}
			}
			if p.worded && d.month == 0 {
				continue
			}
			if p.order {
				if d.month, d.day, ok = dayFirst(d.month, d.day, american); !ok {
					return day{}, "", "", false
				}
			}
			return d, s[:m[0]], s[m[1]:], true
		}
	}
	return day{}, "", "", false
}

// dayFirst tells the day from the month in 3/8/2026: by what cannot be a month,
// or by a clock of twelve hours, which is American. Else it is not known.
func dayFirst(month, day int, american bool) (int, int, bool) {
	switch {
	case month == day, month <= 12 && day > 12:
		return month, day, true
	case month > 12 && day <= 12, american:
		return day, month, true
	}
	return 0, 0, false
}

// year reads two digits as RFC 2822 does, except for the turn of the century.
func year(s string) int {
	n := number(s)
	switch {
	case len(s) != 2:
		return n
	case n < 70:
		return 2000 + n
	}
	return 1900 + n
}

// fillers may follow a time and mean nothing.
var fillers = map[string]bool{
	"uhr": true, "at": true, "um": true, "kl": true, "hrs": true, "h": true, "hs": true, "г": true, "года": true, "р": true,
	"on": true, "o'clock": true, "часов": true, "uur": true, "tid": true,
}

// filler says whether nothing but fillers and weekdays is left.
func filler(s string) bool {
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,.()|/-;", r) }) {
		if !fillers[w] && !weekdays[w] {
			return false
		}
	}
	return true
}

var weekdays = func() map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.Fields("sunday monday tuesday wednesday thursday friday saturday tues weds thur thurs") {
		all[w] = true
		all[w[:3]] = true
	}
	return all
}()
