package ranking

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const epoch = int64(1_772_323_200_000) // 2026-03-01

// Scenarios are files of articles by the hour, and of the changes of priority
// that follow ("=> 08:16 normal -> developing"). A story is checked each
// minute until a day after the last article.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			articles, want := scenario(t, name)
			got := play(articles)
			if len(got) == 0 {
				got = []string{"(none)"}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("changes:\n=> %s\nwant:\n=> %s", strings.Join(got, "\n=> "), strings.Join(want, "\n=> "))
			}
		})
	}
}

func play(articles []Article) (changes []string) {
	var s Story
	next, end := 0, articles[len(articles)-1].Discovered+day
	for now := articles[0].Discovered; now <= end; now += minute {
		for ; next < len(articles) && articles[next].Discovered <= now; next++ {
			s.Add(articles[next])
		}
		if c, ok := s.Check(now); ok {
			m := (c.At - epoch) / minute
			changes = append(changes, fmt.Sprintf("%02d:%02d %v -> %v", m/60, m%60, c.From, c.To))
		}
	}
	return changes
}

var step = regexp.MustCompile(`^(\d\d:\d\d)(?: to (\d\d:\d\d) every (\d+)m)? article (\S+) ([0-9.]+)( copy)?(?: dated (1970|2090))?$`)

func scenario(t *testing.T, name string) (articles []Article, want []string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if expect, ok := strings.CutPrefix(line, "=> "); ok {
			want = append(want, expect)
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		m := step.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%s: %q", name, line)
		}
		from, to, every := clock(m[1]), clock(m[1]), minute
		if m[2] != "" {
			n, _ := strconv.Atoi(m[3])
			to, every = clock(m[2]), int64(n)*minute
		}
		quality, err := strconv.ParseFloat(m[5], 64)
		if err != nil {
			t.Fatal(err)
		}
		publisher, of, several := strings.Cut(m[4], "%")
		for i, at := 0, from; at <= to; i, at = i+1, at+every {
			a := Article{Published: at, Discovered: at, Publisher: publisher, Quality: quality, Copy: m[6] != ""}
			if several {
				k := i
				if n, err := strconv.Atoi(of); err == nil {
					k %= n
				}
				a.Publisher += strconv.Itoa(k)
			}
			switch m[7] {
			case "1970":
				a.Published = 1000
			case "2090":
				a.Published = 3_786_912_000_000
			}
			articles = append(articles, a)
		}
	}
	return articles, want
}

func clock(s string) int64 {
	h, _ := strconv.Atoi(s[:2])
	m, _ := strconv.Atoi(s[3:])
	return epoch + int64(h)*hour + int64(m)*minute
}

// The decayed sums are the sums of the design, taken over all articles.
func TestSumsAgreeWithTheFormula(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s Story
	var all []Article
	now := epoch
	for range 300 {
		now += int64(r.IntN(int(20 * minute)))
		a := Article{Published: now - int64(r.IntN(int(3*hour))), Discovered: now, Publisher: strconv.Itoa(r.IntN(40)), Quality: 0.3 + 0.7*r.Float64(), Copy: r.IntN(4) == 0}
		all = append(all, a)
		s.Add(a)
	}
	mass, fast, slow, seen := 0.0, 0.0, 0.0, map[string]bool{}
	for i, a := range all {
		w, dt := a.Quality, hours(now-a.Published)
		if a.Copy {
			w *= 0.2
			if slices.ContainsFunc(all[:i], func(b Article) bool { return b.Publisher == a.Publisher && a.Discovered-b.Published < day }) {
				w = 0 // its publisher counts already
			}
		}
		mass += w * math.Pow(2, -dt/12)
		fast += w * math.Exp(-dt/1) / 1
		slow += w * math.Exp(-dt/6) / 6
		if dt < 24 && !a.Copy {
			seen[a.Publisher] = true
		}
	}
	f := s.Scores()
	if math.Abs(s.Mass-mass) > 1e-9 || math.Abs(s.Fast-fast) > 1e-9 || math.Abs(s.Slow-slow) > 1e-9 || f.Publishers != len(seen) {
		t.Errorf("mass %v %v, fast %v %v, slow %v %v, publishers %d %d", s.Mass, mass, s.Fast, fast, s.Slow, slow, f.Publishers, len(seen))
	}
}

// One outlet alone reaches neither developing nor breaking, however much it
// posts, however it dates it, and whatever it is worth.
func TestOneOutletNeverBreaks(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		var s Story
		now := epoch
		for range 300 {
			now += int64(r.IntN(int(2 * minute)))
			s.Add(Article{Published: r.Int64N(4 * epoch), Discovered: now, Publisher: "herald", Quality: r.Float64() * 100, Copy: r.IntN(2) == 0})
			if c, ok := s.Check(now); ok {
				t.Fatalf("seed %d: %+v", seed, c)
			}
		}
	}
}

// Near-copies of one outlet, however many, are worth no more than its first article,
// whether that was its own or another's.
func TestCopiesOfOneOutletAddNothing(t *testing.T) {
	for _, first := range []bool{false, true} {
		var one, many Story
		a := Article{Published: epoch, Discovered: epoch, Publisher: "herald", Quality: 0.6, Copy: first}
		one.Add(a)
		many.Add(a)
		for i := range 100 {
			at := epoch + int64(i)*minute
			many.Add(Article{Published: at, Discovered: at, Publisher: "herald", Quality: 0.6, Copy: true})
		}
		one.Advance(many.Now)
		if got, want := many.Scores(), one.Scores(); got.Overall != want.Overall || got.Acceleration != want.Acceleration || got.Publishers != want.Publishers {
			t.Errorf("a hundred copies: %+v, want %+v", got, want)
		}
	}
}

// Whatever comes: figures stay within their range, no priority is left before
// its time, and breaking has five publishers.
func TestProperties(t *testing.T) {
	changed := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9))
		var s Story
		now, last := epoch, int64(0)
		for range 400 {
			now += int64(r.ExpFloat64() * float64([]int64{minute, 5 * minute, hour}[r.IntN(3)]))
			if r.IntN(3) > 0 {
				s.Add(Article{Published: []int64{0, -1, 1, now, 3_786_912_000_000, now - hour}[r.IntN(6)], Discovered: now, Publisher: strconv.Itoa(r.IntN(1 + int(seed)*5)), Quality: []float64{0.5, math.NaN(), math.Inf(1), -1}[r.IntN(4)]})
			}
			c, ok := s.Check(now)
			f := s.Scores()
			for _, x := range []float64{f.Overall, f.Acceleration} {
				if !(x >= 0 && x <= 100) {
					t.Fatalf("seed %d: %+v", seed, f)
				}
			}
			if f.Publishers < 3 && f.Acceleration > 60 {
				t.Fatalf("seed %d: %+v", seed, f)
			}
			if !ok {
				continue
			}
			changed++
			if last != 0 && c.At-last < 15*minute || c.From == c.To || c.To == Breaking && (c.Scores.Publishers < 5 || c.Scores.Overall < 75) {
				t.Fatalf("seed %d: %+v after %d min", seed, c, (c.At-last)/minute)
			}
			last = c.At
		}
	}
	if changed < 50 {
		t.Errorf("only %d changes were tried", changed)
	}
}

// A story goes on alike from its fields as JSON, and merging is as if all
// articles had been one story's.
func TestSnapshotAndAbsorb(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var whole, a, b, c Story
	now := epoch
	for i := range 200 {
		now += int64(r.IntN(int(10 * minute)))
		x := Article{Discovered: now, Published: now, Publisher: strconv.Itoa(r.IntN(30)), Quality: 0.8}
		whole.Add(x)
		[]*Story{&a, &b}[i%2].Add(x)
	}
	data, err := json.Marshal(&whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &c); err != nil || !reflect.DeepEqual(whole, c) {
		t.Errorf("%v: %+v, want %+v", err, c, whole)
	}
	before := slices.Clone(b.Seen)
	a.Absorb(&b)
	if got, want := a.Scores(), whole.Scores(); math.Abs(got.Overall-want.Overall) > 0.011 || got.Publishers != want.Publishers || math.Abs(got.Mass-want.Mass) > 1e-9 {
		t.Errorf("%+v, want %+v", got, want)
	}
	if !reflect.DeepEqual(before, b.Seen) {
		t.Error("the story that merged was changed")
	}
	var empty Story
	a.Absorb(&empty)
	if empty.Absorb(&a); empty.Scores() != a.Scores() {
		t.Errorf("%+v, want %+v", empty.Scores(), a.Scores())
	}
}

func TestPublishersAreBounded(t *testing.T) {
	var s Story
	for i := range 5000 {
		s.Add(Article{Discovered: epoch + int64(i), Publisher: strconv.Itoa(i), Quality: 1})
	}
	if len(s.Seen) != publishers || !slices.IsSortedFunc(s.Seen, func(a, b Publisher) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("%d publishers", len(s.Seen))
	}
	s.Advance(epoch + 2*day)
	if len(s.Seen) != 0 {
		t.Errorf("%d publishers after two days", len(s.Seen))
	}
}
