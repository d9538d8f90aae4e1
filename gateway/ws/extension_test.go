package ws

import (
	"strings"
	"testing"
)

func TestAgree(t *testing.T) {
	const bare = deflateAnswer
	const wide = deflateAnswer + "; server_max_window_bits=15"
	for offer, want := range map[string]string{
		"permessage-deflate":                                                         bare,
		"permessage-deflate; client_max_window_bits":                                 bare,
		"permessage-deflate;client_max_window_bits=8":                                bare,
		"permessage-deflate ; client_max_window_bits = \"12\"":                       bare,
		`permessage-deflate; client_max_window_bits="1\5"`:                           bare,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover": bare,
		"permessage-deflate; server_max_window_bits=15":                              wide,
		`permessage-deflate; server_max_window_bits="15"; client_max_window_bits`:    wide,
		"\t permessage-deflate\t;\tclient_max_window_bits\t":                         bare,
		",, permessage-deflate,":                                                     bare,

		// Other extensions, and names that only look like this one.
		"":                              "",
		" , ,":                          "",
		"permessage-deflate2":           "",
		"x-permessage-deflate":          "",
		"permessage-deflatee":           "",
		"permessage_deflate":            "",
		"Permessage-Deflate":            "",
		"x-webkit-deflate-frame":        "",
		"foo; permessage-deflate":       "",
		"foo; bar=permessage-deflate":   "",
		`foo; bar="permessage-deflate"`: "",

		// Parameters that RFC 7692 has a server decline.
		"permessage-deflate; unknown":                                                "",
		"permessage-deflate; unknown=1":                                              "",
		"permessage-deflate; client_max_window_bits; foo":                            "",
		"permessage-deflate; server_max_window_bits":                                 "",
		"permessage-deflate; server_max_window_bits=16":                              "",
		"permessage-deflate; server_max_window_bits=7":                               "",
		"permessage-deflate; server_max_window_bits=0":                               "",
		"permessage-deflate; server_max_window_bits=015":                             "",
		"permessage-deflate; server_max_window_bits=15.0":                            "",
		"permessage-deflate; server_max_window_bits=+15":                             "",
		"permessage-deflate; server_max_window_bits=10":                              "", // we compress with 15
		"permessage-deflate; client_max_window_bits=7":                               "",
		"permessage-deflate; client_max_window_bits=16":                              "",
		"permessage-deflate; client_max_window_bits=08":                              "",
		"permessage-deflate; client_max_window_bits=abc":                             "",
		"permessage-deflate; client_max_window_bits=-8":                              "",
		"permessage-deflate; server_no_context_takeover=true":                        "",
		"permessage-deflate; client_no_context_takeover=15":                          "",
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover": "",
		"permessage-deflate; client_max_window_bits; client_max_window_bits=15":      "",
		"permessage-deflate; server_max_window_bits=15; server_max_window_bits=15":   "",
		"permessage-deflate; CLIENT_MAX_WINDOW_BITS":                                 "",

		// Several offers: the first that can be kept to.
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":                            bare,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate; server_max_window_bits=15": wide,
		"permessage-deflate2, foo; bar=1, permessage-deflate; client_max_window_bits":                  bare,
		"permessage-deflate, permessage-deflate; server_max_window_bits=15":                            bare,
		`foo; bar="a", permessage-deflate`:                                                             bare,

		// What is not well formed offers nothing.
		"permessage-deflate;":                              "",
		"permessage-deflate; =15":                          "",
		"permessage-deflate; client_max_window_bits=":      "",
		`permessage-deflate; client_max_window_bits="15`:   "",
		`permessage-deflate; client_max_window_bits=""`:    "",
		`permessage-deflate; client_max_window_bits="1,5"`: "",
		"permessage-deflate client_max_window_bits":        "",
		"permessage-deflate; a=b=c":                        "",
		"permessage-deflate, ;":                            "",
		"permessage-deflate\x00":                           "",
		"permessage-deflate; ünknown":                      "",
		"(permessage-deflate)":                             "",
	} {
		if got := agree([]string{offer}); got != want {
			t.Errorf("%q is answered %q, want %q", offer, got, want)
		}
	}
	if got := agree([]string{"permessage-deflate; server_max_window_bits=9", "permessage-deflate"}); got != bare {
		t.Errorf("two lines are answered %q", got)
	}
	if got := agree(nil); got != "" {
		t.Errorf("no header is answered %q", got)
	}
}

// What is agreed to is one of the two answers, and never without the name as a
// word of its own.
func FuzzAgree(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits")
	f.Add(`a; b="\c", permessage-deflate; server_max_window_bits=15`)
	f.Fuzz(func(t *testing.T, offer string) {
		got := agree([]string{offer})
		if got != "" && !strings.HasPrefix(got, deflateAnswer) {
			t.Fatalf("%q is answered %q", offer, got)
		}
		list, ok := parseExtensions(offer)
		if got != "" && !ok {
			t.Fatalf("%q is not well formed and is answered %q", offer, got)
		}
		var again strings.Builder // what was understood, written plainly, is understood alike
		for _, e := range list {
			again.WriteString(e.name)
			for _, p := range e.params {
				again.WriteString("; " + p.name)
				if p.valued {
					again.WriteString("=" + p.value)
				}
			}
			again.WriteString(", ")
		}
		if second := agree([]string{again.String()}); ok && second != got {
			t.Fatalf("%q is answered %q, and as %q it is answered %q", offer, got, again.String(), second)
		}
	})
}
