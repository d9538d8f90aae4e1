package rule

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/birdwire/birdwire/messages"
)

// What parses prints, what is printed parses to the same expression, and what
// does not parse is refused with a place in the rule.
func FuzzParse(f *testing.F) {
	for _, file := range []string{"testdata/errors.txt", "testdata/warnings.txt"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, line := range strings.Split(string(data), "\n") {
			if line != "" && line[0] != ' ' {
				f.Add(line)
			}
		}
	}
	for _, s := range []string{
		`a b OR c -(d OR "e f"~2) sample:10`, "1\u20e3 #\u20e3", "\u0301a -\u0301", "J\u030c ẞ İ", "\"a\\\"b\"", "url:\"\\\\\"",
		"entity:\"\\\"\" a", "place:\u0301", "source:\u00a0x a", "#\u200c", "url_contains:\"\u2003x\" a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s, Limits{})
		if err != nil {
			var syntax *messages.SyntaxError
			if !errors.As(err, &syntax) || syntax.Found == "" || syntax.Expected == "" || syntax.Position < 0 ||
				utf8.ValidString(s) && syntax.Position > utf8.RuneCountInString(s) {
				t.Fatalf("%q: not a proper error: %#v", s, err)
			}
			return
		}
		printed := r.String()
		if utf8.RuneCountInString(printed) > maxCharacters {
			return // spelled out it is longer than a rule may be
		}
		again, err := Parse(printed, Limits{MaxCharacters: maxCharacters})
		if err != nil {
			t.Fatalf("%q prints as %q, which is refused: %v", s, printed, err)
		}
		if !reflect.DeepEqual(r.Expr, again.Expr) || r.Sample != again.Sample {
			t.Fatalf("%q prints as %q, which is read as %q", s, printed, again)
		}
		if again.String() != printed {
			t.Fatalf("%q prints as %q, and that as %q", s, printed, again)
		}
		var d Doc
		d.resetPost(noPost)
		Eval(r.Expr, &d)
		_ = Draw(r.Explain(&d))
	})
}
