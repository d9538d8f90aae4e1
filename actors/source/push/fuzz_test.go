package push_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/messages"
)

// agree checks a value that was taken against encoding/json: valid there, and
// with the same string in each of the fields.
func agree(t *testing.T, data []byte, fields map[string]string, as func(string) string) {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatalf("taken, though encoding/json says %v: %q", err, data)
	}
	for name, got := range fields {
		var want any
		if raw, ok := all[name]; ok {
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
		}
		if s, ok := want.(string); ok && as(s) != got {
			t.Errorf("%s is %q, want %q", name, got, as(s))
		}
	}
}

// unescapedOnce takes the three escapes of X's API one by one, left to right.
func unescapedOnce(s string) string {
	var out strings.Builder
	for s != "" {
		n := 1
		for escape, c := range map[string]string{"&amp;": "&", "&lt;": "<", "&gt;": ">"} {
			if strings.HasPrefix(s, escape) {
				out.WriteString(c)
				n = -len(escape)
			}
		}
		if n > 0 {
			out.WriteByte(s[0])
		}
		s = s[max(n, -n):]
	}
	return out.String()
}

// FuzzWhole: a number is whole and has these digits, or it is neither for
// math/big.
func FuzzWhole(f *testing.F) {
	for _, s := range []string{"1200.0", "1.2e3", "-0.0", "12e-2", "120e-1", "0e9", "1e40", "007", "1.", "9223372036854775807"} {
		f.Add(s)
	}
	number := regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`)
	f.Fuzz(func(t *testing.T, s string) {
		if !number.MatchString(s) || len(s) > 60 {
			return
		}
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%s: math/big does not read it", s)
		}
		want := ""
		if n := r.Num().String(); r.IsInt() && len(strings.TrimPrefix(n, "-")) <= 40 {
			want = n
		}
		got, _ := push.Whole(s)
		if got != want {
			t.Fatalf("%s: %q, want %q", s, got, want)
		}
	})
}

func FuzzParsePost(f *testing.F) {
	f.Add([]byte(fullPost))
	f.Add([]byte(postJSON("1")))
	f.Add([]byte(strings.Replace(postJSON("1"), "hello", `\ud83d\ude00 \ud800 #\u0061 $AB https://x.y/`, 1)))
	f.Add([]byte(strings.Repeat(`{"a":[`, 20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := push.ParsePost(data)
		if err != nil {
			if s := err.Error(); !utf8.ValidString(s) || len(s) > 1000 {
				t.Errorf("error of %d bytes: %q", len(s), s)
			}
			return
		}
		agree(t, data, map[string]string{"text": p.GetText()}, unescapedOnce)
		mustMarshal(t, p)
	})
}

func FuzzParseArticle(f *testing.F) {
	f.Add([]byte(articleJSON("")))
	f.Add([]byte(articleJSON(`,"embedding":` + numbers(1536, "-0.25") + `,"exchange_rate":1.10,"published_at":"2026-03-04T12:00:00Z"`)))
	f.Add([]byte(articleJSON(`,"entities":[1,2],"tags":["a\u00e9"],"content":"x\ny"`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := push.ParseArticle(data)
		if err != nil {
			return
		}
		agree(t, data, map[string]string{"description": a.GetDescription(), "content": a.GetContent()}, func(s string) string { return s })
		mustMarshal(t, a)
	})
}

func mustMarshal(t *testing.T, m proto.Message) {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 256<<10 {
		t.Errorf("%d bytes do not fit into a frame", len(b))
	}
}

// A body means the same however it arrives.
func FuzzBody(f *testing.F) {
	a, b := postJSON("a"), postJSON("b")
	f.Add(a + "\n" + b)
	f.Add("[" + a + ", " + b + "]")
	f.Add("{\n" + a[1:] + "\n{\n" + b[1:])
	f.Add("[" + a + "," + `{"x":"\"]"}` + "," + b)
	f.Add("\xef\xbb\xbf{\"id\": \"x\n" + b)
	f.Add("{\n\"\"{\"\"}}{\"\"}{\"\"}}")
	f.Fuzz(func(t *testing.T, body string) {
		whole, parts := &intake{}, &intake{}
		one, err := newIngest(whole).Posts(t.Context(), strings.NewReader(body))
		two, err2 := newIngest(parts).Posts(t.Context(), iotest.OneByteReader(strings.NewReader(body)))
		if fmt.Sprint(err) != fmt.Sprint(err2) || !reflect.DeepEqual(one, two) || ids(whole.events()) != ids(parts.events()) {
			t.Errorf("at once: %+v, %v; in bytes: %+v, %v", one, err, two, err2)
		}
		// Objects may follow each other without anything between them.
		if most := strings.Count(body, "\n") + strings.Count(body, ",") + strings.Count(body, "{") + 2; len(one.Rejected) > most {
			t.Errorf("%d rejections in %d lines, elements and objects", len(one.Rejected), most)
		}
	})
}

// post700 is a post of 700 bytes, as the figures of ingest are told for.
func post700(n int) string {
	body := fmt.Sprintf(`{"id":"%d","text":"The future is electric, and this post is long enough to look like a real one: it has #hashtags, @mentions and https://example.com/links to make it about two hundred and forty characters long, more or less.","created_at":"2026-03-04T12:00:00.123Z","lang":"en","author":{"id":"44196397","username":"adalovelace","name":"Ada Lovelace","verified":true,"followers_count":190000000,"following_count":500,"tweet_count":40000,"listed_count":150000,"description":"Notes on engines, analytical and other, and on","location":"London"},"conversation_id":"1234567890123456789","urls":[{"url":"https://example.com/links"}],"source":"Web App"}`, 9_000_000_000+n)
	return body + strings.Repeat(" ", max(0, 699-len(body))) + "\n"
}

func BenchmarkPosts(b *testing.B) {
	const posts = 1000
	var body strings.Builder
	for n := range posts {
		body.WriteString(post700(n))
	}
	ndjson := body.String()
	array := "[" + strings.ReplaceAll(strings.TrimSpace(ndjson), "\n", ",\n") + "]"
	for name, body := range map[string]string{"ndjson": ndjson, "array": array} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			ingest := push.New(push.Config{Intake: discard{}, Now: time.Now})
			for b.Loop() {
				result, err := ingest.Posts(b.Context(), strings.NewReader(body))
				if err != nil || result.Accepted != posts {
					b.Fatalf("%+v, %v", result, err)
				}
			}
			b.ReportMetric(float64(b.N)*posts/b.Elapsed().Seconds(), "posts/s")
		})
	}
}

// discard takes everything.
type discard struct{}

func (discard) Offer(_ context.Context, o *messages.Offer) func() (proto.Message, error) {
	return func() (proto.Message, error) { return &messages.Appended{Id: o.GetId()}, nil }
}
