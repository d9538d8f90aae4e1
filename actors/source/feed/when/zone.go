package when

import (
	"regexp"
	"strings"
)

// zones are names of one meaning, and those that RFC 822 decides (EST to PDT
// are American). In hours and quarters of an hour.
//
// IST is India's: of the three countries that use it, only its publishers write
// it into feeds in numbers. What has several meanings and no such majority, or
// changes with the season under one name (ET, PT), is not here, and its dates
// are unknown.
var zones = func() map[string]int {
	all := map[string]int{}
	for offset, names := range map[string]string{
		"0": "z utc ut gmt wet", "1": "cet met mez wat bst west", "2": "cest mest mesz eet cat sast",
		"3": "msk eest eat trt", "4": "msd samt gst", "5": "pkt yekt uzt tjt mvt", "6": "omst novt", "7": "krat wib ict",
		"8": "hkt sgt awst irkt pht myt wita", "9": "jst kst wit yakt", "10": "aest vlat", "11": "aedt magt sakt",
		"12": "nzst pett fjt", "13": "nzdt", "5.5": "ist slst", "5.75": "npt", "6.5": "mmt", "4.5": "aft", "3.5": "irst", "9.5": "acst", "10.5": "acdt",
		"-1": "azot cvt", "-2": "brst", "-3": "brt art uyt clst adt gft", "-4": "edt ast clt bot vet gyt", "-5": "est cdt cot pet",
		"-6": "cst mdt", "-7": "mst pdt", "-8": "pst akdt", "-9": "akst hdt", "-10": "hst", "-3.5": "nst", "-2.5": "ndt",
	} {
		for name := range strings.FieldsSeq(names) {
			all[name] = hours(offset)
		}
	}
	return all
}()

// phrases are zones in words, as JavaScript and some servers write them.
var phrases = func() map[string]int {
	all := map[string]int{}
	for name, offset := range map[string]string{
		"coordinated universal time": "0", "universal time": "0", "greenwich mean time": "0", "western european time": "0", "western european standard time": "0",
		"central european time": "1", "central european standard time": "1", "british summer time": "1", "irish standard time": "1", "western european summer time": "1",
		"central european summer time": "2", "eastern european time": "2", "eastern european standard time": "2", "south africa standard time": "2", "israel standard time": "2",
		"eastern european summer time": "3", "moscow standard time": "3", "moscow time": "3", "israel daylight time": "3", "arabian standard time": "3", "arabia standard time": "3",
		"gulf standard time": "4", "pakistan standard time": "5", "india standard time": "5.5", "indian standard time": "5.5", "bangladesh standard time": "6", "indochina time": "7",
		"china standard time": "8", "hong kong standard time": "8", "singapore standard time": "8", "australian western standard time": "8",
		"japan standard time": "9", "korean standard time": "9", "korea standard time": "9",
		"australian central standard time": "9.5", "australian central daylight time": "10.5", "australian eastern standard time": "10", "australian eastern daylight time": "11",
		"new zealand standard time": "12", "new zealand daylight time": "13",
		"eastern standard time": "-5", "eastern daylight time": "-4", "central standard time": "-6", "central daylight time": "-5",
		"mountain standard time": "-7", "mountain daylight time": "-6", "pacific standard time": "-8", "pacific daylight time": "-7",
		"brasilia standard time": "-3", "argentina standard time": "-3",
	} {
		all[name] = hours(offset)
	}
	return all
}()

// hours is an offset in seconds from hours with a fraction.
func hours(s string) int {
	sign := 1
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		sign, s = -1, rest
	}
	whole, fraction, _ := strings.Cut(s, ".")
	return sign * (number(whole)*3600 + map[string]int{"": 0, "5": 1800, "75": 2700}[fraction])
}

var (
	numeric   = regexp.MustCompile(`^:?([+-])-? ?(\d{1,2})(?::(\d{2}))?(?::(\d{2}))?(?:\b|$)`)
	fourDigit = regexp.MustCompile(`^:?([+-])-? ?(\d{3,4})(?:\b|$)`)
	zoneName  = regexp.MustCompile(`^([a-z]{1,5})\b`)
	bracketed = regexp.MustCompile(`^\(([^()]*)\)`)
	noOffset  = regexp.MustCompile(`^(?:0000|00:00|00)(?:\b|$)`)
	spoken    = regexp.MustCompile(`^[a-z]+(?: [a-z]+)* time\b`)
)

// zone reads the zone that s begins with: an offset in seconds, and what is
// left. No zone is 0. ok is false for one that is not known.
func zone(s string) (offset int, rest string, ok bool) {
	s = strings.TrimLeft(s, " ,.")
	if s == "" {
		return 0, "", true
	}
	if offset, rest, ok := signed(s); ok {
		return offset, comment(rest), true
	} else if s[0] == '+' || s[0] == '-' {
		return 0, "", false
	}
	if m := noOffset.FindString(s); m != "" {
		return 0, comment(s[len(m):]), true
	}
	if m := bracketed.FindStringSubmatch(s); m != nil {
		offset, left, ok := zone(m[1])
		return offset, s[len(m[0]):], ok && left == ""
	}
	if m := spoken.FindString(s); m != "" {
		offset, known := phrases[m]
		return offset, comment(s[len(m):]), known
	}
	m := zoneName.FindString(s)
	if m == "" {
		return 0, s, true
	}
	return named(m, s[len(m):])
}

// named is a zone's name, alone or with its offset after it.
func named(name, after string) (offset int, rest string, ok bool) {
	known, isZone := zones[name]
	offset, left, ok := signed(strings.TrimLeft(after, " "))
	switch {
	case ok && (name == "gmt" || name == "utc" || name == "ut" || name == "z"):
		return offset, comment(left), true
	case ok && name == "msk" && len(after)-len(left) == 2: // Russia's other zones: MSK+2 is two hours before Moscow's
		return known + offset, comment(left), true
	case ok && isZone: // POSIX would turn the sign around
		return offset, comment(left), offset == known
	case ok:
		return offset, comment(left), len(name) > 1
	case isZone:
		return known, comment(after), strings.TrimSpace(after) == "" || !strings.ContainsAny(after[:1], "/+-_")
	case fillers[name] || weekdays[name] || monthOf(name) != 0:
		rest := strings.TrimLeft(after, " .,")
		if fillers[name] {
			return zone(rest)
		}
		return 0, name + after, true
	}
	return 0, "", false
}

// signed is an offset in digits.
func signed(s string) (offset int, rest string, ok bool) {
	sign, h, m, sec := "", 0, 0, 0
	if g := fourDigit.FindStringSubmatch(s); g != nil {
		n := number(g[2])
		sign, h, m, rest = g[1], n/100, n%100, s[len(g[0]):]
	} else if g := numeric.FindStringSubmatch(s); g != nil {
		sign, h, m, sec, rest = g[1], number(g[2]), number(g[3]), number(g[4]), s[len(g[0]):]
	} else {
		return 0, s, false
	}
	if h > 14 || m > 59 || sec > 59 || h == 14 && m > 0 {
		return 0, s, false
	}
	offset = h*3600 + m*60 + sec
	if sign == "-" {
		offset = -offset
	}
	return offset, rest, true
}

// comment drops what only repeats an offset in words: a name, or brackets.
func comment(s string) string {
	s = strings.TrimLeft(s, " ,")
	if m := bracketed.FindString(s); m != "" {
		return strings.TrimSpace(s[len(m):])
	}
	if m := zoneName.FindString(s); m != "" {
		if _, ok := zones[m]; ok && !strings.HasPrefix(s[len(m):], "/") {
			return strings.TrimSpace(s[len(m):])
		}
	}
	return strings.TrimSpace(s)
}

// onlyZone is a zone with nothing after it that means anything.
func onlyZone(s string) (offset int, ok bool) {
	offset, rest, ok := zone(s)
	return offset, ok && filler(rest)
}
