package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func tokens(s string) []string {
	var b Buffer
	Tokenize(s, &b)
	out := []string{}
	for _, t := range b.Tokens {
		out = append(out, b.Text(t))
	}
	return out
}

func TestTokenize(t *testing.T) {
	for _, c := range []struct{ in, want, why string }{
		{"", "", "nothing"},
		{"  \t\n ", "", "spaces alone"},
		{"Hello, World!", "hello world", "punctuation parts, case goes"},
		{"I like coca-cola", "i like coca cola", "the language's own example"},
		{"don't", "don t", "an apostrophe is punctuation"},
		{"don’t", "don t", "and so is a typographic one"},
		{"snake_case", "snake case", "an underscore is punctuation"},
		{"3.5% of 1,000", "3 5 of 1 000", "numbers part at punctuation too"},
		{"covid19", "covid19", "letters and digits hold together"},
		{"café", "café", "diacritics stay"},
		{"cafe\u0301", "café", "and are composed"},
		{"CAFÉ", "café", "and lose their case"},
		{"CAFE\u0301", "café", "in whatever order"},
		{"J\u030c \u01f0", "ǰ ǰ", "a capital that has no composed form"},
		{"ẞ ß SS", "ß ß ss", "simple folding never makes two letters of one"},
		{"İstanbul istanbul ISTANBUL ıstanbul", "İstanbul istanbul istanbul ıstanbul", "dotted and dotless are letters of their own"},
		{"I\u0307stanbul", "İstanbul", "composed from I and a dot"},
		{"ΣΊΣΥΦΟΣ σίσυφος", "σίσυφοσ σίσυφοσ", "final sigma is a sigma"},
		{"K\u212a", "kk", "the Kelvin sign is a K"},
		{"Å \u212b", "å å", "the Ångström sign is an Å"},
		{"МОСКВА", "москва", "Cyrillic"},
		{"ﬁne", "ﬁne", "compatibility forms are not undone"},
		{"東京タワー", "東 京 タ ワ ー", "Han and kana one by one"},
		{"が か\u3099", "が が", "voiced kana are composed"},
		{"サッカーW杯2026", "サ ッ カ ー w 杯 2026", "scripts part each other"},
		{"안녕하세요 세계", "안녕하세요 세계", "Hangul words stay whole"},
		{"\u1112\u1161\u11ab", "한", "jamo are composed"},
		{"नमस्ते दुनिया", "नमस्ते दुनिया", "vowel signs and virama belong to their word"},
		{"می\u200cخواهم", "میخواهم", "a joiner inside a word is dropped"},
		{"co\u00adoperate", "cooperate", "so is a soft hyphen"},
		{"a\u200bb", "a b", "a zero-width space parts"},
		{"a\u00a0b\u3000c", "a b c", "so do other spaces"},
		{"\ufeffbom", "bom", "a byte order mark is nothing"},
		{"e\u200d\u0301", "é", "what is dropped does not keep marks apart"},
		{"x\u034f\u0301y", "x́y", "nor does the grapheme joiner"},
		{"😀", "😀", "an emoji"},
		{"I❤️NY ❤ ♥︎", "i ❤ ny ❤ ♥", "with and without variant selectors"},
		{"😀😀", "😀 😀", "emoji part each other"},
		{"👍🏽 👍", "👍🏽 👍", "skin tones count"},
		{"👩‍🚀 👨‍👩‍👧‍👦", "👩‍🚀 👨‍👩‍👧‍👦", "joined emoji are one"},
		{"🏳️‍🌈 🏳‍🌈", "🏳‍🌈 🏳‍🌈", "inside a sequence too selectors go"},
		{"👁️‍🗨️", "👁‍🗨", "wherever they are"},
		{"🇩🇪🇫🇷", "🇩🇪 🇫🇷", "flags in pairs"},
		{"🇩", "🇩", "half a flag"},
		{"🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "flags of regions"},
		{"1️⃣ #️⃣ *⃣", "1⃣ #⃣ *⃣", "keycaps"},
		{"No1️⃣st 21️⃣", "no 1⃣ st 2 1⃣", "keycaps leave words"},
		{"😀\u200dx", "😀 x", "a joiner with nothing to join"},
		{"iPhone™ 15® ©2026", "iphone 15 2026", "trade signs part"},
		{"★ → ✓", "", "symbols are not emoji"},
		{"≠ =\u0338", "", "a composed symbol is still a symbol"},
		{"a\xffb \xc3(", "a b", "broken UTF-8 parts"},
		{"https://t.co/AbC?x=1", "https t co abc x 1", "addresses are text like any other"},
		{"＃タグ", "タ グ", "a wide sign is a sign"},
		{"ａｂｃ ＡＢＣ", "ａｂｃ ａｂｃ", "wide letters have case, and are not ASCII"},
		{"🅰️b", "🅰 b", "enclosed letters are emoji"},
		{"葛󠄀城", "葛 城", "ideographic variants are compared without their selector"},
	} {
		if got := strings.Join(tokens(c.in), " "); got != c.want {
			t.Errorf("%q: got %q, want %q: %s", c.in, got, c.want, c.why)
		}
	}
}

func TestSpans(t *testing.T) {
	in := "Hi @Bob, naïve #Tag!"
	var b Buffer
	Tokenize(in, &b)
	var got []string
	for _, k := range b.Tokens {
		got = append(got, in[k.Start:k.End])
	}
	for _, e := range b.Entities {
		got = append(got, in[e.Start:e.End])
	}
	if s := strings.Join(got, "|"); s != "Hi|Bob|naïve|Tag|@Bob|#Tag" {
		t.Error(s)
	}
}

// Every rune: folding is idempotent, one for all that differ in case alone,
// and one of them.
// A tag that begins with a mark leaves the tag before it as it is.
func TestWhatIsFoldedDoesNotJoinWhatIsBefore(t *testing.T) {
	if got := string(AppendFold([]byte("#A"), "\u0301b")); got != "#A\u0301b" {
		t.Errorf("it is %q", got)
	}
	var b Buffer
	Tokenize("#A #\u0301b", &b)
	var tags []string
	for _, e := range b.Entities {
		tags = append(tags, b.EntityText(e))
	}
	if len(tags) == 0 || tags[0] != "a" {
		t.Errorf("the tags are %q", tags)
	}
}

func TestFoldRune(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		f := foldRune(r)
		if foldRune(f) != f {
			t.Errorf("%U folds to %U, which folds on to %U", r, f, foldRune(f))
		}
		member := f == r
		for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
			member = member || o == f
			if foldRune(o) != f {
				t.Errorf("%U and %U differ in case alone and fold apart", r, o)
			}
		}
		if !member {
			t.Errorf("%U folds to %U, which is no form of it", r, f)
		}
		if s := string(r); (r < 0x30000 || r >= 0xe0000 && r < 0xe1000) && utf8.ValidRune(r) && Fold(Fold(s)) != Fold(s) {
			t.Errorf("%U: Fold is not idempotent", r)
		}
	}
}

func TestHashIsOfTheFoldedWord(t *testing.T) {
	long := strings.Repeat("aB3", 40)
	for n := 1; n < len(long); n++ {
		if hash(long[:n], lower) != Hash(strings.ToLower(long[:n])) {
			t.Fatalf("%d bytes: the quick hash differs", n)
		}
	}
	seen := map[uint64]string{}
	for a := 'a'; a <= 'z'; a++ {
		for b := '0'; b <= 'z'; b++ {
			for c := '0'; c <= 'z'; c++ {
				for _, s := range []string{string(a), string([]rune{a, b}), string([]rune{a, b, c}), "prefix" + string([]rune{a, b, c})} {
					h := Hash(s)
					if was, ok := seen[h]; ok && was != s {
						t.Fatalf("%q and %q collide", was, s)
					}
					seen[h] = s
				}
			}
		}
	}
}

func FuzzTokenize(f *testing.F) {
	for _, s := range []string{
		"Hello https://t.co/x #tag @user $AAPL", "cafe\u0301 İ ß", "👩‍🚀🇩🇪1️⃣", "東京タワー", "\xff\xc3", "e\u200d\u0301",
		"#\u0301", "http://)http://)", "a\u0338=\u0338", "\u1100\u1161\u11a8", "J\u030c", "\U000e0062🏴\U000e0067\U000e007f",
		"#A #\u0301",
	} {
		f.Add(s)
	}
	var b, again Buffer
	f.Fuzz(func(t *testing.T, s string) {
		Tokenize(s, &b)
		last := int32(0)
		for _, k := range b.Tokens {
			if k.Start < last || k.End <= k.Start || int(k.End) > len(s) {
				t.Fatalf("token %d..%d out of order or outside %q", k.Start, k.End, s)
			}
			last = k.Start
			word := b.Text(k)
			if k.Hash != Hash(word) || k.Hash == 0 {
				t.Fatalf("%q is not hashed as it is folded", word)
			}
			Tokenize(word, &again)
			if len(again.Tokens) != 1 || again.Text(again.Tokens[0]) != word {
				t.Fatalf("token %q of %q is not a token by itself: %q", word, s, tokens(word))
			}
		}
		for _, e := range b.Entities {
			if e.Start < 0 || e.End <= e.Start || int(e.End) > len(s) {
				t.Fatalf("entity %d..%d outside %q", e.Start, e.End, s)
			}
			if e.Kind != URL {
				if v := b.EntityText(e); Fold(v) != v {
					t.Fatalf("entity %q folds on to %q", v, Fold(v))
				}
			}
		}
		if x := Fold(s); Fold(x) != x {
			t.Fatalf("Fold(%q) = %q, which folds on to %q", s, x, Fold(x))
		}
		// Joining two texts with a space is tokenising each.
		n := len(b.Tokens)
		Tokenize(s+" "+s, &again)
		if len(again.Tokens) != 2*n {
			t.Fatalf("%q: %d tokens, twice the text has %d", s, n, len(again.Tokens))
		}
	})
}

const tweet = "RT @SpaceNews: Falcon 9 lifts off from Cape Canaveral carrying 23 Starlink satellites, the 45th launch of 2026 https://t.co/a1B2c3D4e5 #SpaceX"

func BenchmarkTokenize(b *testing.B) {
	for _, c := range []struct{ name, in string }{
		{"ascii", tweet},
		{"emoji", tweet[:100] + " 🚀🔥 wow"},
		{"accents", "Le président a annoncé une réunion à l’Élysée mercredi après-midi à propos de la réforme des retraites déjà très contestée"},
		{"japanese", "東京タワーの近くで新しいレストランがオープンしました。とても美味しいのでぜひ行ってみてください！"},
		{"cyrillic", "Президент России подписал указ о назначении нового министра экономического развития в понедельник"},
		{"hindi", "प्रधानमंत्री ने कहा कि सरकार किसानों की समस्याओं का समाधान करने के लिए प्रतिबद्ध है"},
		{"decomposed", "cafe\u0301 re\u0301sume\u0301 nai\u0308ve"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var buf Buffer
			b.ReportAllocs()
			b.SetBytes(int64(len(c.in)))
			for b.Loop() {
				Tokenize(c.in, &buf)
			}
			b.ReportMetric(float64(len(buf.Tokens)), "tokens")
		})
	}
}

func BenchmarkClasses(b *testing.B) {
	for b.Loop() {
		makeClasses()
	}
}
