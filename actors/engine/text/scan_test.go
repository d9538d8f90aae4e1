package text

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// pieces is what texts are made of whose entities are hard to tell.
var pieces = strings.Split("#|@|$|.|:|/|//|://|http://|https://|HTTP://|www.|t.co|t.co/|com|co|jp|co.jp|example|example.com|"+
	"みんな|рф|中国|xn--p1ai|日|本|test|.example|です|。|、|「|」|한|국|é|e\u0301|ñ|İ|ß|я|ш|_|-|–|·|・|〜|゛|\u05f4|་|\u200c|\u200d|\ufe0f|\ufe0e|\u20e3|"+
	"\u200f|\u2066|\u2069|\u00a0|\u3000| |\n|\t|＃|＠|＄|a|b|Z|1|9|23|٣|(|)|((|))|[|]|{|}|'|\"|“|”|…|!|?|?a=b|&|&amp;|%|*|+|,|;|=|~|<|>|\\|^|`|"+
	"rt|RT|RT:|user|name_1|list-name|/list|AAPL|BRK.B|TSLA|ABCDEFG|😀|✌️|👨‍👩‍👧|🇩🇪|〃|々|ー|\ufeff|\ufffd|²|Ⅷ|\U00020021|\U00016f04|verm\u00f6gensberatung|"+
	"aaaaaaaaaaaaaaaaaaaa|"+strings.Repeat("x", 64), "|")

// TestScanIsTheOracle: random texts of hard pieces.
func TestScanIsTheOracle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var b Buffer
	for range 5_000 {
		var s strings.Builder
		for range 1 + rnd.IntN(9) {
			s.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		if d := disagreement(&b, s.String()); d != "" {
			t.Fatal(d)
		}
	}
}

// FuzzScan holds the scanner against the oracle.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		"RT@a: #b·c http://t.co/x?y (https://example.com/a_(b)) 日本example.co.jp/z $A.B", "＠co.jp ＃x foo_日本.com/http://x.co",
		"@a/b-@c #a\ufe0f#b \u2066example.com\u2069", "ñco.jpñ https://xn--p1ai.xn--p1ai/–)",
	} {
		f.Add(s)
	}
	var b Buffer
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 300 { // the oracle tries everything
			return
		}
		if d := disagreement(&b, s); d != "" {
			t.Fatal(d)
		}
	})
}

// BenchmarkScan is what push pays for a text whose entities it derives.
func BenchmarkScan(b *testing.B) {
	var buf Buffer
	b.ReportAllocs()
	for b.Loop() {
		Scan(tweet, &buf)
	}
}

// TestScanIsLinear: texts made to be looked at again and again. A scanner that
// goes back over them takes minutes for what takes milliseconds.
func TestScanIsLinear(t *testing.T) {
	const size = 256 << 10
	var b Buffer
	for _, piece := range []string{
		"a_b.com.", "a.b_", "日_本.com.", "a.", "_.", "-.", "日.", "日本語", "x.com/(", "x.com/((a)", "http://a.", "http://", "http://a_b.com.",
		"#1", "#", "#a#", "＃", "@a/", "@", "＠a.", "RT@", "$A.", "$", "e\u0301", "a\u200d", "x.com日本_", "é.", "https://t.co/", "?a", "x.com?a.",
	} {
		began := time.Now()
		for _, s := range []string{strings.Repeat(piece, size/len(piece)), "x." + strings.Repeat(piece, size/len(piece)) + ".com"} {
			Tokenize(s, &b)
			Scan(s, &b)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%q again and again: %v", piece, took)
		}
	}
}
