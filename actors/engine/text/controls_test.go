package text_test

import (
	"testing"

	"golang.org/x/text/encoding/charmap"

	"github.com/birdwire/birdwire/actors/engine/text"
)

func TestWindows1252(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "",
		"it\u0092s \u0093a\u0094":          "it’s “a”",
		"wait\u0085":                       "wait…",
		"\u00805":                          "€5",
		"a\u0081\u008d\u008f\u0090\u009db": "ab",
		"\u00a0©é\u00c2 日本 🚀":              "\u00a0©é\u00c2 日本 🚀",
		"é\u0099":                          "é™",
		"cut \xc2":                         "cut \xc2",
	} {
		if got := text.Windows1252(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	// Every one of them, against the encoding as the library has it.
	for b := 0x80; b <= 0x9f; b++ {
		want := string(charmap.Windows1252.DecodeByte(byte(b)))
		if want == "\ufffd" {
			want = ""
		}
		if got := text.Windows1252(string(rune(b))); got != want {
			t.Errorf("%#x: %q, want %q", b, got, want)
		}
	}
}
