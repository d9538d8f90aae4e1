package text

import (
	"math/rand/v2"
	"strings"
	"testing"
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
