package nats

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func testList(t *testing.T, dir string) (*marks, *list) {
	t.Helper()
	m, err := openMarks(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := openList(dir, "some", m, markItemsList)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
		if err := m.close(); err != nil {
			t.Error(err)
		}
	})
	return m, l
}

// A list says of every record the last word, whatever the order it was noted
// in, and however often it was written again and opened again.
func TestListHasTheLastWord(t *testing.T) {
	dir := memoryDir(t)
	m, l := testList(t, dir)
	r := rand.New(rand.NewPCG(21, 22))
	want := map[string]listed{}
	sequence := uint64(0)
	for range 60 {
		var batch []noted
		for range r.IntN(20) {
			sequence++
			batch = append(batch, noted{fmt.Sprint("r", r.IntN(50)), sequence, r.IntN(4) == 0})
		}
		for _, n := range batch {
			want[n.name] = listed{n.sequence, 1000, n.deleted}
		}
		r.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		l.note(1000, batch...)
		switch r.IntN(6) {
		case 0:
			if err := l.shrink(time.Unix(1000, 0)); err != nil {
				t.Fatal(err)
			}
			maps.DeleteFunc(want, func(_ string, is listed) bool { return is.deleted })
		case 1:
			if err := l.close(); err != nil {
				t.Fatal(err)
			}
			var err error
			if l, err = openList(dir, "some", m, markItemsList); err != nil || l.short != "" {
				t.Fatal(l.short, err)
			}
		}
		got, err := l.read(math.MaxInt)
		if err != nil || got.damaged != "" || !maps.Equal(got.records, want) {
			t.Fatalf("read %v, damaged %q, %v; want %v", got.records, got.damaged, err, want)
		}
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
}

// Wherever a list is damaged, that is said, and no entry is other than it was.
func TestListSaysItIsDamaged(t *testing.T) {
	from := memoryDir(t)
	marks, l := testList(t, from)
	want := map[string]listed{}
	for i := range uint64(40) {
		name := fmt.Sprint("record", i)
		l.note(int64(i), noted{name, i + 1, i%5 == 4})
		want[name] = listed{i + 1, int64(i), i%5 == 4}
		if i == 20 {
			if err := l.shrink(time.Unix(0, 0)); err != nil {
				t.Fatal(err)
			}
			maps.DeleteFunc(want, func(_ string, is listed) bool { return is.deleted })
		}
	}
	if err := marks.sync(); err != nil { // how long it is
		t.Fatal(err)
	}
	numbers, err := listFiles(from, "some")
	if err != nil || len(numbers) != 2 {
		t.Fatalf("files %v, %v; want a base and what came since", numbers, err)
	}
	r := rand.New(rand.NewPCG(23, 24))
	for i := range 600 {
		dir := memoryDir(t)
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, listName("some", numbers[i%2]))
		what := ""
		edit(t, path, func(b []byte) []byte {
			switch at := r.IntN(len(b)); r.IntN(3) {
			case 0:
				what = fmt.Sprint("cut at ", at)
				return b[:at]
			default:
				// The last entry of all may be half written: a machine stopped.
				at %= len(b) - entryHead - len("record39")
				b[at] ^= 1 << r.IntN(8)
				what = fmt.Sprint("flipped at ", at)
				return b
			}
		})
		if i%40 == 39 {
			what = "deleted"
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		m, err := openMarks(dir)
		if err != nil {
			t.Fatal(err)
		}
		l, err := openList(dir, "some", m, markItemsList)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.read(math.MaxInt)
		if err != nil {
			t.Fatal(err)
		}
		if got.damaged == "" && !(what == "deleted" && i%2 == 0) {
			t.Fatalf("%s of file %d: it says nothing", what, numbers[i%2])
		}
		for name, is := range got.records {
			if want[name] != is && !(want[name].sequence == 0 && is.sequence <= 21) {
				t.Fatalf("%s: %s is %v, was %v", what, name, is, want[name])
			}
		}
		if err := l.close(); err != nil {
			t.Fatal(err)
		}
		if err := m.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestListExpires(t *testing.T) {
	l := &listing{age: 1000}
	now := time.Unix(10_000, 0)
	for second, want := range map[int64]bool{8_900: true, 9_100: true, 9_130: false, 10_000: false} {
		if got := l.expired(listed{second: second}, now); got != want {
			t.Errorf("written at %d, kept for 1,000 s, at 10,000: may be gone %v, want %v", second, got, want)
		}
	}
	if l.age = 0; l.expired(listed{}, now) {
		t.Error("kept for ever, and may be gone")
	}
	dir := memoryDir(t)
	_, list := testList(t, dir)
	for _, age := range []int64{500, 100, 0, 900} {
		list.keeps(age)
	}
	got, err := list.read(math.MaxInt)
	if err != nil || got.age != 100 {
		t.Errorf("the least that was configured: %d, %v; want 100", got.age, err)
	}
}

func FuzzList(f *testing.F) {
	b := appendEntry(nil, 'A', 5, 60, "")
	b = appendEntry(b, 'P', 3, 1000, "name")
	f.Add(appendEntry(b, 'E', 1, 0, ""), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, b []byte, newest bool) {
		l := &listing{records: map[string]listed{}}
		l.read(b, "x", newest)
		for name := range l.records {
			if len(name) > nameMost {
				t.Fatalf("a name of %d bytes", len(name))
			}
		}
	})
}

func TestMarksSayTheyAreDamaged(t *testing.T) {
	from := memoryDir(t)
	m, err := openMarks(from)
	if err != nil || !m.absent || m.damaged != "" {
		t.Fatalf("new: %+v, %v", m, err)
	}
	m.advance(markJournal, 1_000_000)
	m.advance(markJournal, 7)
	m.advance(markControl, 44)
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(from, marksFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(whole) {
		dir := memoryDir(t)
		b := append([]byte(nil), whole...)
		b[i/8] ^= 1 << (i % 8)
		if err := os.WriteFile(filepath.Join(dir, marksFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := openMarks(dir)
		if err != nil {
			t.Fatal(err)
		}
		wrong := m.get(markJournal) != 1_000_000 || m.get(markControl) != 44
		if wrong && m.damaged == "" || m.get(markJournal) != 1_000_000 && m.get(markJournal) != 0 {
			t.Errorf("bit %d: marks %v, damaged %q", i, m.last, m.damaged)
		}
		if err := m.close(); err != nil {
			t.Fatal(err)
		}
		if m, err = openMarks(dir); err != nil || m.damaged != "" {
			t.Errorf("bit %d: the next time %q, %v", i, m.damaged, err)
		}
		_ = m.close()
	}
}

func TestOneSubjectCoversPrefixes(t *testing.T) {
	for want, prefixes := range map[string][]string{
		"":         {""},
		"keys.":    {"keys."},
		"*.12.k1.": {"monitors.12.k1.", "rules.12.k1.", "past.12.k1."},
		"*.12.":    {"keys.12.", "monitors.12."},
		"*.":       {"keys.", "rules.12."},
		"a.*.":     {"a.b.", "a.c.d."},
	} {
		if got := covering(prefixes); got != want {
			t.Errorf("%q are covered by %q, want %q", prefixes, got, want)
		}
	}
}
