package nats

import (
	"math"
	"testing"
	"time"
)

var start = time.Unix(1_772_625_600, 0)

// logOf is a log of a thousand frames a day for some days, of a megabyte each.
func logOf(t *testing.T, dir string, r retention, days int) *past {
	t.Helper()
	m, err := openMarks(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPast(dir, r, m)
	if err != nil {
		t.Fatal(err)
	}
	p.begin(0, start, true)
	for i := range days * 1000 {
		p.grew(uint64(i+1), 1<<20, start.Add(time.Duration(i)*24*time.Hour/1000))
	}
	return p
}

func reopenPast(t *testing.T, dir string, r retention) *past {
	t.Helper()
	m, err := openMarks(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPast(dir, r, m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatRetentionCannotHaveTaken(t *testing.T) {
	const gib = 1 << 30
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		r        retention
		after    time.Duration // since the last frame, of five days
		from, to uint64        // what it says lies there
	}{
		"for ever":                    {retention{}, 0, 1, 1},
		"by age":                      {retention{age: day}, 0, 4000, 4130},
		"by age, a while later":       {retention{age: day}, 12 * time.Hour, 4500, 4630},
		"by age, long after":          {retention{age: day}, 2 * day, math.MaxUint64, math.MaxUint64},
		"by bytes":                    {retention{bytes: gib}, 100 * day, 3976, 4110},
		"by both, the age is shorter": {retention{age: day, bytes: 100 * gib}, 0, 4000, 4130},
		"by both, the bytes are":      {retention{age: 100 * day, bytes: gib}, 0, 3976, 4110},
	} {
		dir := t.TempDir()
		p := logOf(t, dir, c.r, 5)
		now := start.Add(5*day + c.after)
		for _, what := range []string{"while it runs", "after it was opened again"} {
			if got := p.holds(now); got < c.from || got > c.to {
				t.Errorf("%s, %s: it must hold all from %d on, want %d to %d", name, what, got, c.from, c.to)
			}
			p = reopenPast(t, dir, c.r)
		}
	}
}

func TestRetentionThatWasChanged(t *testing.T) {
	day := 24 * time.Hour
	dir := t.TempDir()
	logOf(t, dir, retention{age: day}, 5)
	now := start.Add(5 * day)
	// What the shorter one has taken is no loss under the longer one.
	p := reopenPast(t, dir, retention{age: 10 * day})
	if got := p.holds(now); got < 4000 {
		t.Errorf("longer: from %d on", got)
	}
	p.sawFirst(4001)
	if got := reopenPast(t, dir, retention{age: 10 * day}).holds(now); got != 4001 {
		t.Errorf("the next start: from %d on, want from where the log was seen to begin", got)
	}
	// And the shorter one may take more.
	if got := reopenPast(t, dir, retention{age: time.Hour}).holds(now); got < 4900 {
		t.Errorf("shorter: from %d on", got)
	}
}

func TestPastThatIsDamagedAccusesNobody(t *testing.T) {
	day := 24 * time.Hour
	for name, change := range map[string]func([]byte) []byte{
		"cut":     func(b []byte) []byte { return b[:len(b)/2] },
		"emptied": func([]byte) []byte { return nil },
		"flipped": func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"cut where an entry ends": func(b []byte) []byte {
			_, size := entryAt(b)
			return b[:size]
		},
	} {
		dir := t.TempDir()
		logOf(t, dir, retention{bytes: 1 << 30}, 5)
		edit(t, dir+"/"+pastFile, change)
		p := reopenPast(t, dir, retention{bytes: 1 << 30})
		if got := p.holds(start.Add(5 * day)); !p.damaged || got != 0 {
			t.Errorf("%s: damaged %v, from %d on; want that it knows nothing", name, p.damaged, got)
		}
	}
}
