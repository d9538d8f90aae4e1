package text

import "testing"

func TestCut(t *testing.T) {
	const full = "The rocket launches… at noon from #Kourou, says @esa https://t.co/abc"
	for _, c := range []struct {
		own           string
		before, after string
		cut           bool
	}{
		{"RT @nasa: The rocket launches… at noon from #Kou…", "RT @nasa: ", "", true},
		{"RT @nasa: The rocket launches… at noon from…", "RT @nasa: ", "", true},
		{"RT @nasa: The rocket launches… at noon from …", "RT @nasa: ", "", true},
		{"RT @nasa: The rocket laun...", "RT @nasa: ", "", true},
		{"rt @nasa: The rocket laun…", "rt @nasa: ", "", true},
		{"RT @a.b@c.example: The rocket laun…", "RT @a.b@c.example: ", "", true},
		{"RT @nasa: The rocket laun… https://t.co/xyz", "RT @nasa: ", " https://t.co/xyz", true},
		{"The rocket laun…", "", "", true},
		{"RT @nasa: …", "RT @nasa: ", "", true},
		{"RT @nasa: " + full, "", "", false},
		{"RT @nasa: The rocket launches…", "", "", false}, // as the text has it
		{"RT @nasa: Another text…", "", "", false},
		{"RT @nasa: " + full + "…", "", "", false},
		{"RT @nasa The rocket laun…", "", "", false},
		{"…", "", "", false},
		{"", "", "", false},
	} {
		before, after, cut := Cut(c.own, full)
		if before != c.before || after != c.after || cut != c.cut {
			t.Errorf("%q: %q, %q, %v", c.own, before, after, cut)
		}
	}
}
