package dialect_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

func TestCursor(t *testing.T) {
	for _, c := range []messages.Cursor{
		{Epoch: "a1B2c3D4", Position: 0, K: 0},
		{Epoch: "0123456789abcdef", Position: messages.At(7, 3), K: 12},
		{Epoch: "abcdefgh", Position: math.MaxUint64, K: math.MaxUint32},
	} {
		got, err := dialect.ParseCursor(string(dialect.AppendCursor(nil, c)))
		if err != nil || got != c {
			t.Errorf("the text of %v is read as %v, %v", c, got, err)
		}
	}
	for _, bad := range []string{
		"", "new", "-", "-1.0", "abcdefgh", "abcdefgh-", "abcdefgh-1", "abcdefgh-1.", "abcdefgh-.0",
		"abcdefgh-01.0", "abcdefgh-1.00", "abcdefgh-+1.0", "abcdefgh-1.+0", "abcdefgh--1.0", "abc defg-1.0",
		"äbcdefgh-1.0", "abcdefgh-18446744073709551616.0", "abcdefgh-1.4294967296", "abcdefgh-1.0 ", "abcdefgh-1.0.0",
		strings.Repeat("a", 33) + "-1.0", "abcdefgh-0x1.0", "abcdefgh-1_0.0",
	} {
		if got, err := dialect.ParseCursor(bad); !errors.Is(err, dialect.ErrCursor) {
			t.Errorf("ParseCursor(%q) = %v, %v; want ErrCursor", bad, got, err)
		}
	}
}

func TestACursorAfterAnEventIsPastEveryRuleOfIt(t *testing.T) {
	if got := dialect.After("abcdefgh", messages.EndOf(9)); got.K != 0 {
		t.Errorf("after the end of a frame: k = %d, want 0", got.K)
	}
	if got := dialect.After("abcdefgh", messages.At(9, 2)); got.K != math.MaxUint32 {
		t.Errorf("after an event: k = %d, want the largest", got.K)
	}
	want := `{"type":"cursor","cursor":"abcdefgh-40959.0"}`
	if got := string(dialect.AppendCursorFrame(nil, dialect.After("abcdefgh", messages.EndOf(9)))); got != want {
		t.Errorf("cursor frame %s, want %s", got, want)
	}
}

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                        `""`,
		"a<b>&c's":                `"a<b>&c's"`,
		"\"\\\n\r\t\b\f\x00\x1f/": `"\"\\\n\r\t\b\f\u0000\u001f/"`,
		"Zürich 日本 🚀\u2028":       "\"Zürich 日本 🚀\u2028\"",
		"a\xffb\xe2\x82":          "\"a\ufffdb\ufffd\ufffd\"",
	} {
		if got := string(dialect.AppendString(nil, in)); got != want {
			t.Errorf("AppendString(%q) = %s, want %s", in, got, want)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("\"\\\n\x00\xff\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		b := dialect.AppendString(nil, s)
		var back string
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%q is not JSON: %v", b, err)
		}
		if !utf8.Valid(b) {
			t.Fatalf("%q is not UTF-8", b)
		}
		if want := string([]rune(s)); back != want {
			t.Fatalf("%q came back as %q", want, back)
		}
	})
}

func TestAppendFloat(t *testing.T) {
	for want, f := range map[string]float64{
		"87.5": 87.5, "80": 80, "0": math.NaN(), "-0.25": -0.25, "1e+21": 1e21, "1e-07": 1e-7, "0.000001": 1e-6,
	} {
		if got := string(dialect.AppendFloat(nil, f)); got != want {
			t.Errorf("AppendFloat(%v) = %s, want %s", f, got, want)
		}
	}
	if got := string(dialect.AppendFloat(nil, math.Inf(-1))); got != "0" {
		t.Errorf("infinity is %s, want 0", got)
	}
	if got := string(dialect.AppendVector(nil, []float32{0.1, -2, 1.5e-8})); got != "[0.1,-2,1.5e-08]" {
		t.Errorf("vector %s", got)
	}
}

func TestObjectLimits(t *testing.T) {
	nest := func(n int) []byte {
		return []byte(`{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	if _, err := dialect.Object(nest(dialect.MaxDepth - 1)); err != nil {
		t.Errorf("%d levels: %v", dialect.MaxDepth, err)
	}
	if _, err := dialect.Object(nest(dialect.MaxDepth)); !errors.Is(err, dialect.ErrTooDeep) {
		t.Errorf("%d levels: %v, want ErrTooDeep", dialect.MaxDepth+1, err)
	}
	inString := []byte(`{"a":"` + strings.Repeat("[", 100) + `\"` + strings.Repeat("{", 100) + `"}`)
	if _, err := dialect.Object(inString); err != nil {
		t.Errorf("brackets in a string: %v", err)
	}
	for text, want := range map[string]error{
		"": dialect.ErrNotJSON, "{": dialect.ErrNotJSON, "nope": dialect.ErrNotJSON, `{"a":1}x`: dialect.ErrNotJSON,
		"null": dialect.ErrNotObject, "[]": dialect.ErrNotObject, "7": dialect.ErrNotObject, `"x"`: dialect.ErrNotObject,
	} {
		if _, err := dialect.Object([]byte(text)); !errors.Is(err, want) {
			t.Errorf("Object(%q): %v, want %v", text, err, want)
		}
	}
}

func TestValues(t *testing.T) {
	got, err := dialect.Values([]byte(`[" a ","","b","a","A"]`), "f")
	if err != nil || strings.Join(got, "|") != "a|b|A" {
		t.Errorf("Values = %q, %v", got, err)
	}
	got, err = dialect.Tickers([]byte(`["$aapl","AAPL","$"," btc "]`), "f")
	if err != nil || strings.Join(got, "|") != "AAPL|BTC" {
		t.Errorf("Tickers = %q, %v", got, err)
	}
	long, _ := json.Marshal([]string{strings.Repeat("ü", dialect.MaxValueLength+1)})
	many, _ := json.Marshal(make([]string, dialect.MaxValues+1))
	for _, bad := range []string{`"a"`, `[1]`, `{}`, `[["a"]]`, string(long), string(many)} {
		if _, err := dialect.Values([]byte(bad), "f"); err == nil || !strings.HasPrefix(err.Error(), "f: ") {
			t.Errorf("Values(%.40s): %v, want an error that names the field", bad, err)
		}
	}
}
