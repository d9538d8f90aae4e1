package push_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/messages"
)

// postWith is a post with fields of its own; those given twice count as they
// were given last.
func postWith(t *testing.T, fields string) *messages.Post {
	t.Helper()
	plain := postJSON("1")
	p, err := push.ParsePost([]byte(plain[:len(plain)-1] + "," + fields + "}"))
	if err != nil {
		t.Fatalf("%s: %v", fields, err)
	}
	return p
}

func refusal(fields string) string {
	plain := postJSON("1")
	if _, err := push.ParsePost([]byte(plain[:len(plain)-1] + "," + fields + "}")); err != nil {
		return err.Error()
	}
	return ""
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestTimes(t *testing.T) {
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	for in, want := range map[string]int64{
		`"2026-03-04t12:00:00z"`:              at("2026-03-04T12:00:00Z"),
		`"2026-03-04T12:00:00z"`:              at("2026-03-04T12:00:00Z"),
		`"2026-03-04t12:00:00.5+01:00"`:       at("2026-03-04T11:00:00.5Z"),
		`"2026-03-04T12:00:00+23:59"`:         at("2026-03-03T12:01:00Z"),
		`"2026-03-04 12:00:00Z"`:              at("2026-03-04T12:00:00Z"),
		`"2026-03-04T12:00:00-00:00"`:         at("2026-03-04T12:00:00Z"),
		`"2026-03-04T12:00:00.123456789012Z"`: at("2026-03-04T12:00:00.123Z"),
		`"2016-12-31T23:59:60Z"`:              at("2017-01-01T00:00:00Z"),
		`"2016-12-31t23:59:60.25z"`:           at("2017-01-01T00:00:00.25Z"),
		`"1990-12-31T15:59:60-08:00"`:         at("1991-01-01T00:00:00Z"),
		`"2015-07-01T08:59:60+09:00"`:         at("2015-07-01T00:00:00Z"),
		`1772625600123.0`:                     1772625600123,
		`1.772625600123e12`:                   1772625600123,
		`1772625600123000e-3`:                 1772625600123,
		`"1772625600123"`:                     1772625600123,
	} {
		if got := postWith(t, `"created_at":`+in).GetCreatedMs(); got != want {
			t.Errorf("%s: %d, want %d", in, got, want)
		}
	}
	for _, in := range []string{
		`"2026-03-04T12:00:60Z"`, `"2016-12-31T23:58:60Z"`, `"2016-12-30T23:59:60Z"`, `"2016-12-31T23:59:60+01:00"`, `"2016-12-31T23:59:61Z"`,
		`"2026-02-30T12:00:00Z"`, `"2026-03-04T12:00:00+24:00"`, `"2026-03-04T12:00:00-99:00"`, `"2026-03-04t12:00:00.5+24:00"`, `"2026-03-04x12:00:00Z"`, `"2026-03-04T12:00:00"`, `"2026-03-04"`, `"t"`, `"60"`, `1772625600123.5`, `1e400`, `"1e3"`,
	} {
		if got := refusal(`"created_at":` + in); !strings.HasPrefix(got, "created_at: ") {
			t.Errorf("%s: %q", in, got)
		}
	}
}

func TestWholeNumbers(t *testing.T) {
	author := func(n string) string {
		return `"author":{"id":"1","username":"a","followers_count":` + n + `}`
	}
	for in, want := range map[string]int64{
		"1200.0": 1200, "1200": 1200, "1.2e3": 1200, "1.2E+3": 1200, "12e2": 1200, "120000e-2": 1200, "1200.000": 1200,
		"0.0": 0, "-0": 0, "-0.0": 0, "0e5": 0, "0.000e300": 0, "1e0": 1, "9007199254740993.0": 9007199254740993,
		"9.223372036854775807e18": 9223372036854775807,
	} {
		if got := postWith(t, author(in)).GetAuthor().GetFollowersCount(); got != want {
			t.Errorf("%s: %d, want %d", in, got, want)
		}
	}
	for _, in := range []string{"1.5", "1e-1", "-1", "-1.0", "1e19", "9223372036854775808", "1e1000000000000", "1e-1000000000000", "0.1e0", "12e-2"} {
		if got := refusal(author(in)); !strings.HasPrefix(got, "author.followers_count: want a whole number from 0, got "+in) {
			t.Errorf("%s: %q", in, got)
		}
	}
	for in, want := range map[string]string{"12.0": "12", "1e3": "1000", "2029172645376065536.0": "2029172645376065536", `"12.0"`: "12.0"} {
		if got := postWith(t, `"in_reply_to_id":`+in).GetInReplyToId(); got != want {
			t.Errorf("id %s: %q, want %q", in, got, want)
		}
	}
	a, err := push.ParseArticle([]byte(articleJSON(`,"entities":[42.0,1e3],"exchange_rate":1.50`)))
	if err != nil || !slices.Equal(a.GetEntityIds(), []int64{42, 1000}) || a.GetExchangeRate() != "1.50" {
		t.Errorf("%v, %v", a, err)
	}
}

func TestLabelsAreOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"Cocoa\tBeach, FL":      "Cocoa Beach, FL",
		"\tBerlin\n":            "Berlin",
		"Berlin\r\nMitte":       "Berlin  Mitte",
		"A\vB\u2028C\vD\f":      "A B C D",
		"A\u0000B\u0081C\u007f": "ABC",
		"Zoë 🚀\u200d":           "Zoë 🚀\u200d",
	} {
		p := postWith(t, fmt.Sprintf(`"author":{"id":"1","username":"a","location":%s,"name":%s},"source":%s,"place":{"id":"1","name":%s}`,
			quoted(in), quoted(in), quoted(in), quoted(in)))
		for _, got := range []string{p.GetAuthor().GetLocation(), p.GetAuthor().GetName(), p.GetSource(), p.GetPlace().GetName()} {
			if got != want {
				t.Errorf("%q: %q, want %q", in, got, want)
			}
		}
	}
}

// TestControlsAreCharacters: what is pushed was often read from a page by a
// program that took bytes of windows-1252 for characters. Rules on words find
// it, as they do what comes from feeds.
func TestControlsAreCharacters(t *testing.T) {
	const in, want = "it\u0092s \u0093up\u0094 \u00805\u0085", "it’s “up” €5…"
	p := postWith(t, fmt.Sprintf(`"text":%[1]s,"author":{"id":"1","username":"a","name":%[1]s,"description":%[1]s,"location":%[1]s},
		"retweet_of":{"id":"2","username":"b","text":%[1]s},"urls":[{"url":"https://t.co/1","title":%[1]s}],"hashtags":["caf\u0083"]`, quoted(in)))
	a, err := push.ParseArticle([]byte(articleJSON(fmt.Sprintf(`,"title":%[1]s,"description":%[1]s,"content":%[1]s,"author":%[1]s,"tags":[%[1]s]`, quoted(in)))))
	if err != nil {
		t.Fatal(err)
	}
	for n, got := range []string{
		p.GetText(), p.GetAuthor().GetName(), p.GetAuthor().GetDescription(), p.GetAuthor().GetLocation(), p.GetRetweetOf().GetText(),
		p.GetUrls()[0].GetTitle(), a.GetTitle(), a.GetDescription(), a.GetContent(), a.GetAuthor(), a.GetTags()[0],
	} {
		if got != want {
			t.Errorf("text %d: %q, want %q", n, got, want)
		}
	}
	if !slices.Equal(p.GetHashtags(), []string{"cafƒ"}) {
		t.Errorf("tags %q", p.GetHashtags())
	}
}

func TestTextsAreUnescapedOnce(t *testing.T) {
	for in, want := range map[string]string{
		"R&amp;D &lt;3 &gt; 2":           "R&D <3 > 2",
		"&amp;lt; &amp;amp;":             "&lt; &amp;",
		"&amp;amp;lt;":                   "&amp;lt;",
		"&#39; &quot; &nbsp; &AMP; &amp": "&#39; &quot; &nbsp; &AMP; &amp",
		"a & b":                          "a & b",
		"AT&amp;T #R&amp;D":              "AT&T #R&D",
	} {
		p := postWith(t, fmt.Sprintf(`"text":%[1]s,"author":{"id":"1","username":"a","name":%[1]s,"description":%[1]s,"location":%[1]s},
			"retweet_of":{"id":"2","username":"b","text":%[1]s},"quote_of":{"id":"3","username":"c","text":%[1]s},
			"urls":[{"url":"https://t.co/1","title":%[1]s,"description":%[1]s}]`, quoted(in)))
		a := p.GetAuthor()
		for _, got := range []string{
			p.GetText(), a.GetName(), a.GetDescription(), a.GetLocation(), p.GetRetweetOf().GetText(), p.GetQuoteOf().GetText(),
			p.GetUrls()[0].GetTitle(), p.GetUrls()[0].GetDescription(),
		} {
			if got != want {
				t.Errorf("%q: %q, want %q", in, got, want)
			}
		}
	}
	// What is derived is of the text as it reads, and what is given stays.
	p := postWith(t, `"text":"&lt;#tag&gt; https://example.com/?a=1&amp;b=2 R&amp;#D","mentions":["a&amp;b"]`)
	if !slices.Equal(p.GetHashtags(), []string{"tag"}) || p.GetUrls()[0].GetUrl() != "https://example.com/?a=1&b=2" || p.GetMentions()[0] != "a&amp;b" {
		t.Errorf("%v", p)
	}
	// A text is as long as it reads.
	if got := postWith(t, `"text":"`+strings.Repeat("&amp;", 25_000)+`"`).GetText(); got != strings.Repeat("&", 25_000) {
		t.Errorf("%d characters", len(got))
	}
	// An article is no text of X's.
	a, err := push.ParseArticle([]byte(articleJSON(`,"title":"R&amp;D","description":"&lt;b&gt;"`)))
	if err != nil || a.GetTitle() != "R&amp;D" || a.GetDescription() != "&lt;b&gt;" {
		t.Errorf("%v, %v", a, err)
	}
}

// TestAddresses: what browsers take is taken.
func TestAddresses(t *testing.T) {
	for in, want := range map[string]struct{ post, article string }{
		"https://example.com/a":            {"https://example.com/a", "https://example.com/a"},
		"https://example.com/100%":         {"https://example.com/100%", "https://example.com/100%"},
		"https://example.com/%zz?%#%":      {"https://example.com/%zz?%#%", "https://example.com/%zz?%#%"},
		"https://exam\tple.com/a\nb\r":     {"https://example.com/ab", "https://example.com/ab"},
		" https://example.com/a \n":        {"https://example.com/a", "https://example.com/a"},
		"https://example.com/a b":          {"https://example.com/a%20b", "https://example.com/a%20b"},
		`https:\\example.com\a`:            {"https://example.com/a", "https://example.com/a"},
		"https:example.com":                {"https://example.com/", "https://example.com/"},
		"HTTPS://Example.com":              {"HTTPS://Example.com", "https://example.com/"},
		"https://пример.рф/путь":           {"https://пример.рф/путь", "https://xn--e1afmkfd.xn--p1ai/%D0%BF%D1%83%D1%82%D1%8C"},
		"https://example.com/#a#b c":       {"https://example.com/#a#b%20c", "https://example.com/#a#b%20c"},
		"https://example.com/#[x]|^`{}":    {"https://example.com/#[x]|^`{}", "https://example.com/#[x]|^%60{}"},
		"https://user:pw@example.com:8443": {"https://user:pw@example.com:8443", "https://user:pw@example.com:8443/"},
		"http://[::1]/x":                   {"http://[::1]/x", "http://[::1]/x"},
		"http://0x7f.1/":                   {"http://0x7f.1/", "http://127.0.0.1/"},
	} {
		p := postWith(t, fmt.Sprintf(`"urls":[{"url":%[1]s,"expanded_url":%[1]s}]`, quoted(in)))
		if u := p.GetUrls()[0]; u.GetUrl() != want.post || u.GetExpandedUrl() != want.post {
			t.Errorf("%q in a post: %q, want %q", in, u.GetUrl(), want.post)
		}
		a, err := push.ParseArticle([]byte(articleJSON(fmt.Sprintf(`,"url":%[1]s,"image_url":%[1]s,"video_url":%[1]s`, quoted(in)))))
		if err != nil || a.GetUrl() != want.article || a.GetImageUrl() != want.article || a.GetVideoUrl() != want.article {
			t.Errorf("%q in an article: %q (%v), want %q", in, a.GetUrl(), err, want.article)
		}
	}
	for _, in := range []string{"ftp://example.com/", "javascript:alert(1)", "//example.com", "example.com", "https://", "https://a b/", "https://example.com:99999/", "http://1.2.3.256/", "data:,x", "/x"} {
		if got := refusal(fmt.Sprintf(`"urls":[{"url":%s}]`, quoted(in))); !strings.HasPrefix(got, "urls[0].url: want an http or https URL, got ") {
			t.Errorf("%q: %q", in, got)
		}
		if _, err := push.ParseArticle([]byte(articleJSON(`,"image_url":` + quoted(in)))); err == nil {
			t.Errorf("%q: taken", in)
		}
	}
}

func TestRetweetsSayTheWhole(t *testing.T) {
	p := postWith(t, `"text":"RT @nasa: look at #Arte…","retweet_of":{"id":"2","username":"nasa","text":"look at #Artemis with @esa $BA https://example.com/x"}`)
	if !slices.Equal(p.GetHashtags(), []string{"Artemis"}) || !slices.Equal(p.GetMentions(), []string{"nasa", "esa"}) ||
		!slices.Equal(p.GetCashtags(), []string{"BA"}) || p.GetUrls()[0].GetUrl() != "https://example.com/x" {
		t.Errorf("%v", p)
	}
	if p.GetText() != "RT @nasa: look at #Arte…" {
		t.Errorf("the text was changed: %q", p.GetText())
	}
	p = postWith(t, `"text":"see #this","retweet_of":{"id":"2","username":"nasa","text":"look at #Artemis"}`)
	if !slices.Equal(p.GetHashtags(), []string{"this"}) {
		t.Errorf("%v", p)
	}
}

func TestAddressWithoutAScheme(t *testing.T) {
	p := postWith(t, `"text":"read example.com/a and https://example.org"`)
	if u := p.GetUrls(); len(u) != 2 || u[0].GetUrl() != "example.com/a" || u[0].GetExpandedUrl() != "https://example.com/a" || u[1].GetExpandedUrl() != "" {
		t.Errorf("%v", p.GetUrls())
	}
}

// TestNotJSON: what is no JSON is told as what it is.
func TestNotJSON(t *testing.T) {
	for in, want := range map[string]string{
		`nope`:                   `not JSON: "nope" at character 1`,
		`None`:                   `not JSON: "None" at character 1`,
		`undefined`:              `not JSON: "undefined" at character 1`,
		`NaN`:                    `not JSON: "NaN" at character 1`,
		`nulL`:                   `not JSON: "nulL" at character 1`,
		`héllo`:                  `not JSON: "héllo" at character 1`,
		`<html>`:                 `not JSON: "<" at character 1`,
		`'x'`:                    `not JSON: "'" at character 1: strings are in double quotation marks`,
		`{'id':1}`:               `not JSON: "'" at character 2: strings are in double quotation marks`,
		`{"id": oops}`:           `not JSON: "oops" at character 8`,
		`{"text":"é","id":oops}`: `not JSON: "oops" at character 18`,
		`{id:1}`:                 `not JSON: "id" at character 2`,
		`{"a":1,}`:               `not JSON: "}" at character 8`,
		`{"a" 1}`:                `not JSON: "1" at character 6`,
		`{"a":tru}`:              `not JSON: "tru" at character 6`,
		`{"a":01}`:               `not JSON: "01" at character 6`,
		`{"a":.5}`:               `not JSON: ".5" at character 6`,
		`{"a":"\x"}`:             `not JSON: "x" at character 8`,
		"{\"a\":\"x\ty\"}":       `not JSON: the control character U+0009 at character 8 is inside a string, where it is written \u0009`,
		`{"a":1`:                 `not JSON: ends inside a value`,
		`{"a":"x`:                `not JSON: ends inside a value`,
		`{"a":1}}`:               `not JSON: "}" at character 8, after the end of the value: one line holds one`,
		`{"a":1} // x`:           `not JSON: "/" at character 9, after the end of the value: one line holds one`,
		`{"hashtags":[1,]}`:      `hashtags[0]: want a string, got a number`,
		`"hello"`:                `want an object, got the string "hello"`,
		`42`:                     `want an object, got the number 42`,
		`-1.5`:                   `want an object, got the number -1.5`,
		`null`:                   `want an object, got null`,
		`true`:                   `want an object, got true`,
		`[1]`:                    `want an object, got an array`,
		`[1`:                     `not JSON: ends inside a value`,
		"\x1f\x8b\x08":           `not valid UTF-8`,
		strings.Repeat("x", 50):  `not JSON: "` + strings.Repeat("x", 40) + `…" at character 1`,
	} {
		if _, err := push.ParsePost([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
}
