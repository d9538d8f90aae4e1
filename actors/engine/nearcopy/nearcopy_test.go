package nearcopy

import (
	"strings"
	"testing"
)

const wire = "Federal Reserve officials agreed that interest rates are likely to be cut in March, minutes of their meeting show. " +
	"Markets rose after the report, and the dollar fell against the yen in late trading in New York. Analysts had expected no " +
	"word on the matter before the summer. The chair of the bank will speak to lawmakers next week about the outlook for prices."

func TestCopies(t *testing.T) {
	told := "Minutes of the last meeting show that the Fed's officials see a cut of interest rates in March as likely. Shares rose on the " +
		"news while the dollar lost ground to the yen. Most economists did not expect such a signal before the summer months."
	h := Hash("Fed signals cut", wire)
	for name, c := range map[string]struct {
		title, body string
		want        bool
	}{
		"the same":            {"Fed signals cut", wire, true},
		"another headline":    {"Fed hints at March rate cut", wire, true},
		"in capitals":         {"FED SIGNALS CUT", strings.ToUpper(wire), true},
		"a sentence more":     {"Fed signals cut", wire + " Reporting by our correspondents.", true},
		"told in other words": {"Fed signals cut", told, false},
		"another matter":      {"Storm hits coast", "Thousands of people were told to leave their homes as the storm came nearer to the coast on Monday.", false},
		"too short":           {"Fed signals cut", "", false},
	} {
		if got := Copies(h, Hash(c.title, c.body)); got != c.want {
			t.Errorf("%s: %v, %d bits apart", name, got, apart(h, Hash(c.title, c.body)))
		}
	}
	if Copies(0, 0) {
		t.Error("two texts that say too little are no copies")
	}
}

func FuzzHash(f *testing.F) {
	f.Add("a", "b c d e f g")
	f.Fuzz(func(t *testing.T, title, body string) {
		h := Hash(title, body)
		if h != Hash(title, body) || h != 0 && !Copies(h, h) {
			t.Error("twice is not the same")
		}
	})
}
