package text

import (
	"strings"
	"testing"
)

var signs = map[EntityKind]string{Hashtag: "#", Mention: "@", Cashtag: "$", URL: ""}

// entities is what is found in s, as it is written there.
func entities(s string) string {
	var b Buffer
	Tokenize(s, &b)
	var got []string
	for _, e := range b.Entities {
		got = append(got, signs[e.Kind]+e.Value(s))
	}
	return strings.Join(got, " ")
}

// TestEntities: cases of our own in the categories of twitter-text's
// conformance suite.
func TestEntities(t *testing.T) {
	for category, cases := range map[string][][2]string{
		"hashtags": {
			{"#Go is #1 and #C2PA", "#Go #C2PA"},
			{"a#b &#c #d_e 9#f _#g", "#d_e"},
			{"##x (#y) \"#z\" .#w,#v;#u", "#x #y #z #w #v #u"},
			{"#one/#two #three/four", "#one #two #three"},
			{"#a#b #c##d #e＃f", "#d"},
			{"#100 #_ #_1 #·1 #٣٤ #〃", ""},
			{"#1a #a1 #_a #a_ #2026年", "#1a #a1 #_a #a_ #2026年"},
			{"#日本 #がんばれ、日本 ＃タグ", "#日本 #がんばれ #タグ"},
			{"漢字#漢字 漢字。#漢字 漢字！＃漢字 「#漢字」", "#漢字 #漢字 #漢字"},
			{"#✌ ✌#peace ✌️#peace 👍🏽#thumb 👨‍👩‍👧#family", "#peace #peace #thumb #family"},
			{"#love❤️ #go!", "#love #go"},
			{"#️⃣tag #⃣tag", ""},
			{"#http://example.com #https://example.com", ""},
			{"https://example.com/#top https://example.com/a#b", "https://example.com/#top https://example.com/a#b"},
			{"#²x #Ⅷ #x² #½", "#x"},
			{"#straße #ÇA #ñu #Ľudia #ʻokina", "#straße #ÇA #ñu #Ľudia #ʻokina"},
			{"#CAFE\u0301 #x\u0331y", "#CAFE\u0301 #x\u0331y"},
		},
		"hashtags, joiners and marks": {
			{"#col·legi, #paral·lel.", "#col·legi #paral·lel"},
			{"#کتاب\u200cخانه است", "#کتاب\u200cخانه"},
			{"#ශ්\u200dරී ලංකා", "#ශ්\u200dරී"},
			{"#ジョン・スミス #ゼロ゠サム", "#ジョン・スミス #ゼロ゠サム"},
			{"#ら〜めん #ら～めん #か゛ #は゜", "#ら〜めん #ら～めん #か゛ #は゜"},
			{"#ארה״ב #ג׳ירף #בית־ספר", "#ארה״ב #ג׳ירף #בית־ספר"},
			{"#བཀྲ་ཤིས #བདེ༌ལེགས", "#བཀྲ་ཤིས #བདེ༌ལེགས"},
			{"#Ꙋ꙾а", "#Ꙋ꙾а"},
			{"#क्षेत्र #สวัสดี #ခင်ဗျား #𖼄𖽑 #𠀡", "#क्षेत्र #สวัสดี #ခင်ဗျား #𖼄𖽑 #𠀡"},
			{"#۱۲هفته #هفته۱۲ #۱۲", "#۱۲هفته #هفته۱۲"},
			{"#مرحبا\u200f #שלום\u200e! #so\u00adft", "#مرحبا #שלום #so"}, // marks of direction and soft hyphens end it
			{"#a-b #c'd #e.f #g+h #i〰j #k–l", "#a #c #e #g #i #k"},
			{"#a\u200d#b #c\u200c", "#c\u200c"},
		},
		"mentions": {
			{"@ada hi", "@ada"},
			{"hi @ada", "@ada"},
			{"RT @NASA: hi .@bob (@a_b) @12345", "@NASA @bob @a_b @12345"},
			{"日本の@nasaに聞く 한국@korea", "@nasa @korea"},
			{"great.@bob -@bob /@bob +@bob :@bob ~@bob", "@bob @bob @bob @bob @bob @bob"},
			{"RT@ada rt@bob Rt:@cy rT:@di x RT@ed", "@ada @bob @cy @di @ed"},
			{"START@ada aRT@ada _RT@ada .RT@ada -rt@ada +RT@ada !RT@ok (RT@ok", "@ok @ok"},
			{"wtf!@user a#@user a$@user a%@user a&@user a*@user x@user 1@user __@user", ""},
			{"x@@user @@user @user@ @_@ @a@b @nasa@mastodon.social foo@bar.com", ""},
			{"@userèche @josé @naïve @user\u0301 @useŕ @ﬁ", ""},
			{"@userç @user, @user's @userの @user。 @userя @user-x", "@user @user @user @user @user @user"},
			{"@http:// @https://x @user://", ""},
			{"@http:/ @user:/ @user: //", "@http @user @user"},
			{"＠wide x＠no @＠no @no＠", "@wide"},
			{"@" + strings.Repeat("a", 20) + " @" + strings.Repeat("b", 21), "@" + strings.Repeat("a", 20) + " @" + strings.Repeat("b", 20)},
			{"@ @! @- @é", ""},
			{"@one@two @three,@four @five\n@six", "@three @four @five @six"},
		},
		"mentions, lists and replies": {
			{"@ada/friends are here", ""},
			{"@ada/7friends @ada/ friends @ada/_x @ada//x", "@ada @ada @ada @ada"},
			{"see @ada/list_name-01! and @bob", "@bob"},
			{"の@ada/listに", ""},
			{"@ada/list@bob @ada/list-@bob", ""},
			{" \u3000@ada replied", "@ada"},
			{"\u200f@ada replied", "@ada"},
		},
		"cashtags": {
			{"$AAPL $brk.b $BTC_X $Six_ab", "$AAPL $brk.b $BTC_X $Six_ab"},
			{"$AAPL. $AAPL, $AAPL.The $AAPL_ $AAPL's $AAPL-x $AAPL/$TSLA", "$AAPL $AAPL $AAPL $AAPL $AAPL $AAPL $AAPL"},
			{"$A.B.C $A.BCD $ABCDEF $ABCDEFG", "$A.B $A $ABCDEF"},
			{"$100 US$AAPL $$AAPL .$AAPL ($AAPL) a$B $A1 $1A $", ""},
			{"$ストック $AAPLは $AAPL。 $é $Aé", ""},
			{"\u3000$AAPL\u3000$TSLA\u00a0$IBM \u200f$GE\n$F", "$AAPL $TSLA $IBM $GE $F"},
			{"$OK$NO$NO $http://example.com", "$OK $http"},
		},
		"urls with a scheme": {
			{"see https://t.co/AbC.", "https://t.co/AbC"},
			{"HTTPS://Example.ORG/X Http://example.com", "HTTPS://Example.ORG/X Http://example.com"},
			{"(http://example.com/a_(b)) [https://example.com/x] <https://example.com/y>", "http://example.com/a_(b) https://example.com/x https://example.com/y"},
			{"(https://example.com/a_(b_(c))d) https://example.com/(((x", "https://example.com/a_(b_(c))d https://example.com/"},
			{"https://example.com/a_(b https://example.com/c) https://example.com/()", "https://example.com/a_ https://example.com/c https://example.com/"},
			{"https://example.com. https://example.com! https://example.com/?! https://example.com/a,b;", "https://example.com https://example.com https://example.com/ https://example.com/a,b"},
			{"https://example.com/x.....................", "https://example.com/x"},
			{"https://example.com:8080/a?b=c&d=e#f https://example.com: https://example.com:x", "https://example.com:8080/a?b=c&d=e#f https://example.com https://example.com"},
			{"https://example.com?q=(a) https://example.com/?q=a. https://example.com?", "https://example.com?q=(a https://example.com/?q=a https://example.com"},
			{"https://example.com/@user/#tag?$A #real", "https://example.com/@user/#tag?$A #real"},
			{"https://example.com/a|b https://example.com/a%zz https://example.com/a\"b https://example.com/a\\b", "https://example.com/a|b https://example.com/a%zz https://example.com/a https://example.com/a"},
			{"https://example.com/Война_и_мир https://example.com/café https://example.com/a–b https://example.com/a–", "https://example.com/Война_и_мир https://example.com/café https://example.com/a–b https://example.com/a"},
			{"https://sub_domain-x.example.com https://a.b.cd https://✪df.ws/x", "https://sub_domain-x.example.com https://a.b.cd https://✪df.ws/x"},
			{"https://no-tld https://example.notatld https://ex_ample.com https://-example.com https://example-.com https://.com https://", ""},
			{"https:// example.com/path http:/example.net", "example.com/path"},
			{"xhttps://a.example.com 1http://example.com @http://example.com #http://example.com", ""},
			{"/https://example.com =https://example.com \"https://example.com\" :https://example.com", "https://example.com https://example.com https://example.com https://example.com"},
			{"https://" + strings.Repeat("a", 64) + ".com https://" + strings.Repeat("a", 63) + ".com", "https://" + strings.Repeat("a", 63) + ".com"},
		},
		"urls of names kept for tests": {
			{"https://a.example/x http://www.test. HTTPS://A.EXAMPLE https://a.examples https://example", "https://a.example/x http://www.test HTTPS://A.EXAMPLE"},
			{"a.example main.test https://a.invalid", ""},
		},
		"urls of X's shortener": {
			{"https://t.co/abc's http://t.co/abc; http://t.co/abc-d http://t.co/abc/d", "https://t.co/abc http://t.co/abc http://t.co/abc http://t.co/abc"},
			{"https://t.co/abc?amp=1 https://t.co/abc?a=b#c. https://t.co/abc.?a", "https://t.co/abc?amp=1 https://t.co/abc?a=b#c https://t.co/abc"},
			{"https://t.co/" + strings.Repeat("a", 40) + " https://t.co/" + strings.Repeat("a", 41), "https://t.co/" + strings.Repeat("a", 40)},
			{"https://www.example.com?from=https://t.co/abc", "https://www.example.com?from=https://t.co/abc"},
		},
		"urls without a scheme": {
			{"example.com example.org, example.net. (example.co.jp) MLB.tv", "example.com example.org example.net example.co.jp MLB.tv"},
			{"www.example.com/#top, ok www.example.notatld www...foo", "www.example.com/#top"},
			{"example.com/a/b?c=d example.com?c=d example.com:80", "example.com/a/b?c=d example.com example.com"},
			{"ada@example.com name.al+x@foo.com john.doe.jp@mail.com @example.com #example.com $example.com", "@example #example"},
			{"-example.com _example.com .example.com /example.com", ""},
			{"file.tar.gz v1.2.3 3.14 e.g. i.e. U.S. a.b done.Nextly ok...then 10.0.0.1", ""},
			{"name.al-last.com sub_x.example.com exam_ple.com", "name.al-last.com sub_x.example.com"},
			{"ESPAÑA.com é.example.com", "ESPAÑA.com é.example.com"},
		},
		"urls of other scripts": {
			{"https://пример.рф/путь https://例え.みんな/ http://مثال.إختبار https://bücher.example.com", "https://пример.рф/путь https://例え.みんな/ https://bücher.example.com"},
			{"https://xn--e1afmkfd.xn--p1ai/x https://xn--пример.com", "https://xn--e1afmkfd.xn--p1ai/x"},
			{"https://пример.РФ https://example.中国 https://example.한국입니다", "https://пример.РФ https://example.中国 https://example.한국"},
			{"пример.рф example.みんなです", "example.みんな"}, // without a scheme only labels in Latin letters
		},
		"urls among scripts without spaces": {
			{"見てhttps://t.co/abcです", "https://t.co/abc"},
			{"詳細はhttps://example.com/a/bを参照https://example.com。", "https://example.com/a/b https://example.com"},
			{"「https://example.com/a」、『https://example.com/b』！", "https://example.com/a https://example.com/b"},
			{"これはexample.comと例.example.co.jp/pathです。t.co/abc한국", "example.com example.co.jp/path t.co/abc"},
			{"링크:https://example.com/x입니다 ссылкаhttps://example.com/xи", "https://example.com/x https://example.com/xи"},
			{"https://example.comだよね.comx/y", "https://example.com"},
			{"“https://example.com/x” ‘https://example.com/y’ …https://example.com/z…", "https://example.com/x https://example.com/y https://example.com/z"},
			{"ภาษาไทยhttps://example.com/xภาษา लिंकhttps://example.com/xहै", "https://example.com/x https://example.com/x"},
			{"\u2066https://example.com/x\u2069 \u200fexample.com\u200e", "https://example.com/x example.com"},
			{"https://example.com/x\u00a0y https://example.com/x\u3000y", "https://example.com/x https://example.com/x"},
		},
		"overlaps": {
			{"#日本example.com/@user 日本", "#日本example @user"},
			{"＠example.com ＃example.com", "@example #example"},
			{"https://example.com/$AAPL https://example.com/ $AAPL", "https://example.com/$AAPL https://example.com/ $AAPL"},
			{"https://t.co/abc/#tag https://t.co/abc/@user", "https://t.co/abc #tag https://t.co/abc @user"},
			{"#a@b @c#d", "#a @c"},
		},
	} {
		var b Buffer
		for _, c := range cases {
			if got := entities(c[0]); got != c[1] {
				t.Errorf("%s: %q: got %q, want %q", category, c[0], got, c[1])
			}
			if d := disagreement(&b, c[0]); d != "" {
				t.Errorf("%s: %s", category, d)
			}
		}
	}
}

// TestEntitiesAreFolded: what is written differently and is the same is the
// same tag, and is hashed as it is folded.
func TestEntitiesAreFolded(t *testing.T) {
	for _, same := range [][]string{
		{"#CAFE\u0301", "#café", "＃Café"},
		{"#کتاب\u200cخانه", "#کتابخانه"},
		{"#Straße", "#STRAẞE"},
		{"#\u212aelvin", "#kelvin"},
		{"@NASA", "@nasa", "＠Nasa"},
		{"$AAPL", "$aapl"},
	} {
		var want uint64
		for _, s := range same {
			var b Buffer
			Tokenize(s, &b)
			if len(b.Entities) != 1 {
				t.Fatalf("%q: %d entities", s, len(b.Entities))
			}
			e := b.Entities[0]
			if e.Hash != Hash(Fold(e.Value(s))) || b.EntityText(e) != Fold(e.Value(s)) {
				t.Errorf("%q is not hashed as it is folded", s)
			}
			if want == 0 {
				want = e.Hash
			}
			if e.Hash != want {
				t.Errorf("%q is not %q", s, same[0])
			}
		}
	}
	for _, s := range []string{"@\u212aelvin", "@İx", "@ſx", "$\u212a"} { // no name and no ticker has such letters
		if got := entities(s); got != "" {
			t.Errorf("%q: %q", s, got)
		}
	}
}
