package main

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  time.Duration
		shown string
	}{
		{"90s", 90 * time.Second, "1m30s"},
		{"1m", time.Minute, "1m"},
		{"24h", 24 * time.Hour, "24h"},
		{"2d", 48 * time.Hour, "2d"},
		{"36h", 36 * time.Hour, "36h"},
		{"1h30m", 90 * time.Minute, "1h30m"},
		{"0s", 0, "0s"},
		{"250ms", 250 * time.Millisecond, "250ms"},
	} {
		got, err := parseDuration(c.text)
		if err != nil || got != c.want {
			t.Errorf("%s is %v, %v; want %v", c.text, got, err, c.want)
		}
		if shown := showDuration(c.want); shown != c.shown {
			t.Errorf("%v is shown as %s, want %s", c.want, shown, c.shown)
		}
		if again, err := parseDuration(c.shown); err != nil || again != c.want {
			t.Errorf("%s does not read back: %v, %v", c.shown, again, err)
		}
	}
	for _, bad := range []string{"", "d", "-1d", "1.5d", "70000d", "1 h", "soon"} {
		if got, err := parseDuration(bad); err == nil {
			t.Errorf("%q is taken as %v", bad, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "17": 17, "17B": 17, "64KiB": 64 << 10, "512MiB": 512 << 20, "10GiB": 10 << 30, "2 TiB": 2 << 40,
	} {
		got, err := parseSize(text)
		if err != nil || got != want {
			t.Errorf("%s is %d, %v; want %d", text, got, err, want)
		}
		if again, err := parseSize(showSize(want)); err != nil || again != want {
			t.Errorf("%s does not read back: %d, %v", showSize(want), again, err)
		}
	}
	for _, bad := range []string{"", "GiB", "-1", "1.5GiB", "10GB", "9999999TiB", "10G"} {
		if got, err := parseSize(bad); err == nil {
			t.Errorf("%q is taken as %d", bad, got)
		}
	}
}

// TestSettings: every setting has one key, one flag and one variable, and a
// default that it would take from a user.
func TestSettings(t *testing.T) {
	seen := map[string]string{}
	for _, s := range allSettings() {
		for _, name := range []string{s.key, "--" + s.flag(), s.env()} {
			if other, ok := seen[name]; ok {
				t.Errorf("%s is %s's and %s's", name, other, s.key)
			}
			seen[name] = s.key
		}
		if s.def != "" {
			if _, err := s.kind.parse(s.def); err != nil {
				t.Errorf("%s: the default %q is refused: %v", s.key, s.def, err)
			}
		}
		if s.usage == "" {
			t.Errorf("%s has no help", s.key)
		}
	}
}
