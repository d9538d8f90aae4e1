package hashvector

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/birdwire/birdwire/actors/engine/text"
)

func cosine(a, b []float32) float64 {
	dot := 0.0
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
	}
	return dot
}

var fed = Article{
	Title:    "Fed Signals Rate Cut in March Meeting Minutes",
	Body:     "Federal Reserve officials signalled that a cut of interest rates is likely, minutes of the March meeting show.",
	Entities: []string{"Federal Reserve"},
}

// Clients keep vectors as filters: the bits of a model never change.
func TestTheModelIsWhatItsNamePromises(t *testing.T) {
	golden := map[string]string{"fed": "99603305e1482960", "han": "4037fcebfbc886d0"}
	for name, a := range map[string]Article{
		"fed": fed,
		"han": {Title: "日本銀行が金利を引き上げ", Body: "日銀は政策金利を引き上げた。"},
	} {
		h := sha256.New()
		for _, x := range Of(a) {
			h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(x)))
		}
		if got := hex.EncodeToString(h.Sum(nil)[:8]); got != golden[name] {
			t.Errorf("%s: %s, want %s: a model that changes needs another name", name, got, golden[name])
		}
	}
}

func TestAlikeIsNear(t *testing.T) {
	v := Of(fed)
	told := Of(Article{Title: "Federal Reserve minutes signal rate cut", Body: "Officials of the Federal Reserve see a rate cut as likely, the minutes of their March meeting show."})
	other := Of(Article{Title: "Storm hits coast", Body: "Thousands were told to leave their homes as the storm came nearer."})
	if near, far := cosine(v, told), cosine(v, other); near < 0.4 || far > 0.15 {
		t.Errorf("the same story has a cosine of %.3f, another one %.3f", near, far)
	}
	if c := cosine(v, v); math.Abs(c-1) > 1e-5 {
		t.Errorf("its length is %v", c)
	}
}

// The plain way to the same numbers: a dense sum a feature, with no sorting.
func TestOracle(t *testing.T) {
	m := maker{times: map[uint64]*feature{}}
	m.read(fed.Title, titleTimes)
	m.read(fed.Body, 1)
	var sums [Size]float64
	for h, f := range m.times {
		sign := 1.0
		if h >= 1<<63 {
			sign = -1
		}
		sums[h%Size] += sign * (1 + math.Log(float64(f.times))) * f.weight
	}
	length := 0.0
	for _, x := range sums {
		length += x * x
	}
	a := fed
	a.Entities = nil
	for i, x := range Of(a) {
		if want := sums[i] / math.Sqrt(length); math.Abs(float64(x)-want) > 1e-3 {
			t.Fatalf("number %d is %v, want %v", i, x, want)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add("Fed signals", "a cut", "Federal Reserve")
	f.Add("", "\xff\xfe", "")
	f.Add("…", "", "…")
	f.Fuzz(func(t *testing.T, title, body, name string) {
		a := Article{Title: title, Body: body}
		if name != "" {
			a.Entities = []string{name}
		}
		v := Of(a)
		if v == nil {
			return
		}
		if len(v) != Size || slices.ContainsFunc(v, func(x float32) bool { return x != x || math.IsInf(float64(x), 0) }) {
			t.Fatalf("%d numbers: %v", len(v), v)
		}
		if c := cosine(v, v); math.Abs(c-1) > 1e-4 {
			t.Errorf("its length is %v", c)
		}
		if !slices.Equal(v, Of(a)) {
			t.Error("twice is not the same")
		}
	})
}

// A title of a million characters costs what a long one costs.
func TestHugeTextsAreReadInPart(t *testing.T) {
	long := strings.Repeat("größe ", 200_000)
	a := Of(Article{Title: long, Body: long})
	b := Of(Article{Title: text.Clip(long, titleBytes), Body: text.Clip(long, bodyBytes)})
	if !slices.Equal(a, b) || !utf8.ValidString(text.Clip(long, titleBytes)) {
		t.Error("more was read than is said")
	}
}
