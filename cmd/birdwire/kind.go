package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is a type of setting: how what a user wrote becomes a value. parse's
// error says what is wanted; who calls it says where it was written.
type kind struct {
	name    string   // in help: "duration"
	numbers bool     // the file may hold a bare number
	list    bool     // the file may hold a list; flags and environment hold commas
	choices []string // all there are, for shells to offer; nil: any number of them
	bare    string   // what the flag means without a value; "": it needs one
	parse   func(text string) (any, error)
}

var boolKind = kind{name: "bool", bare: "true", parse: func(s string) (any, error) {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return nil, fmt.Errorf("want true or false")
	}
	return v, nil
}}

var nodeName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}$`)

// nodeKind is a node's name, which is a part of the store's keys.
var nodeKind = kind{name: "string", parse: func(s string) (any, error) {
	if !nodeName.MatchString(s) {
		return nil, fmt.Errorf("want a name of letters, digits, '_' and '-', with dots between them, such as node-1.example")
	}
	return s, nil
}}

var stringKind = kind{name: "string", parse: func(s string) (any, error) { return s, nil }}

// wholeKind is a whole number from low to high, both included.
func wholeKind(low, high int64) kind {
	return kind{name: "number", numbers: true, parse: func(s string) (any, error) {
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil || v < low || v > high {
			return nil, fmt.Errorf("want a whole number from %d to %d", low, high)
		}
		return v, nil
	}}
}

// durationKind is a time of at least low and at most high.
func durationKind(low, high time.Duration) kind {
	return kind{name: "duration", parse: func(s string) (any, error) {
		v, err := parseDuration(s)
		if err != nil {
			return nil, err
		}
		if v < low || v > high {
			return nil, fmt.Errorf("want from %s to %s", showDuration(low), showDuration(high))
		}
		return v, nil
	}}
}

const day = 24 * time.Hour

// parseDuration knows days, and what time.ParseDuration knows.
func parseDuration(s string) (time.Duration, error) {
	var d time.Duration
	var err error
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * day
	} else {
		d, err = time.ParseDuration(s)
	}
	if err != nil {
		return 0, errors.New("want a duration such as 90s, 24h or 30d")
	}
	return d, nil
}

// showDuration writes d as a person would: 24h and not 24h0m0s.
func showDuration(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// units of sizes, largest first; a bare number is bytes.
var units = []struct {
	suffix string
	bytes  int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

// sizeKind is a number of bytes of at least low.
func sizeKind(low int64) kind {
	return kind{name: "size", numbers: true, parse: func(s string) (any, error) {
		v, err := parseSize(s)
		if err != nil {
			return nil, fmt.Errorf("want a size such as 512MiB or 10GiB")
		}
		if v < low {
			return nil, fmt.Errorf("want at least %s", showSize(low))
		}
		return v, nil
	}}
}

func parseSize(s string) (int64, error) {
	for _, u := range units {
		if number, ok := strings.CutSuffix(s, u.suffix); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
			if err == nil && (n < 0 || n > math.MaxInt64/u.bytes) {
				err = strconv.ErrRange
			}
			return n * u.bytes, err
		}
	}
	return 0, strconv.ErrSyntax
}

func showSize(n int64) string {
	for _, u := range units {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}

// addressKind is where to listen: host:port, port 0 picks one.
var addressKind = kind{name: "address", parse: func(s string) (any, error) {
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return nil, fmt.Errorf("want an address such as :8000 or 127.0.0.1:8001")
	}
	return s, nil
}}

// seedsKind is a list of addresses that are connected to.
var seedsKind = kind{name: "addresses", list: true, parse: func(s string) (any, error) {
	seeds := splitList(s)
	for _, seed := range seeds {
		host, port, err := net.SplitHostPort(seed)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
			return nil, errors.New("want addresses such as 10.0.0.1:7946,node-2.example:7946")
		}
	}
	return seeds, nil
}}

// urlsKind is a list of URLs of servers.
func urlsKind(example string, schemes ...string) kind {
	return kind{name: "urls", list: true, parse: func(s string) (any, error) {
		urls := splitList(s)
		for _, text := range urls {
			u, err := url.Parse(text)
			if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
				return nil, fmt.Errorf("want URLs such as %s", example) // which may hold a password: it is not repeated
			}
		}
		return urls, nil
	}}
}

// insecureKind is whether, and where, nodes talk without certificates.
var insecureKind = kind{name: "no|loopback|network", choices: []string{"no", "loopback", "network"}, bare: "loopback", parse: oneOf("no", "loopback", "network").parse}

// sourcesKind is a list of ids of sources.
var sourcesKind = kind{name: "sources", list: true, parse: func(s string) (any, error) { return splitList(s), nil }}

// qualitiesKind says how good sources are.
var qualitiesKind = kind{name: "qualities", list: true, parse: func(s string) (any, error) {
	qualities := map[string]float64{}
	for _, word := range splitList(s) {
		at := strings.LastIndexByte(word, '=')
		if at < 1 {
			return nil, errors.New("want ids of sources with 0.3 to 1 each, such as reuters=1,gossip=0.4")
		}
		q, err := strconv.ParseFloat(word[at+1:], 64)
		if err != nil || !(q >= 0.3 && q <= 1) {
			return nil, fmt.Errorf("%s: want 0.3 to 1", word)
		}
		qualities[word[:at]] = q
	}
	return qualities, nil
}}

// networksKind is a list of networks; a single address is one of its own.
var networksKind = kind{name: "networks", list: true, parse: func(s string) (any, error) {
	var networks []netip.Prefix
	for _, word := range splitList(s) {
		p, err := netip.ParsePrefix(word)
		if err != nil {
			a, err := netip.ParseAddr(word)
			if err != nil {
				return nil, fmt.Errorf("want networks such as 10.0.0.0/8 or addresses")
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		networks = append(networks, p.Masked())
	}
	return networks, nil
}}

// levelKind is a level of the log.
var levelKind = kind{name: "level", choices: levelNames, parse: func(s string) (any, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(s)); err != nil {
		return nil, fmt.Errorf("want debug, info, warn or error")
	}
	return l, nil
}}

// oneOf is a word of few.
func oneOf(choices ...string) kind {
	return kind{name: strings.Join(choices, "|"), choices: choices, parse: func(s string) (any, error) {
		for _, c := range choices {
			if s == c {
				return s, nil
			}
		}
		return nil, fmt.Errorf("want one of: %s", strings.Join(choices, ", "))
	}}
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// roughSize is a number of bytes to read at a glance.
func roughSize(n int64) string {
	for _, u := range units {
		if u.bytes > 1 && n >= u.bytes {
			return strconv.FormatFloat(float64(n)/float64(u.bytes), 'f', 1, 64) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
