package push_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/messages"
)

const fullPost = `{
 "id": "2029172645376065536", "text": "Rates #ECB @ada $EURUSD https://ecb.example/x?y=1.", "created_at": "2026-03-04T12:00:00Z",
 "lang": "en", "author": {"id": 12, "username": "@Ada", "name": "Ada L", "verified": true, "followers_count": 3,
  "following_count": 4, "tweet_count": 5, "listed_count": 6, "description": "maths\nand engines", "location": "London"},
 "conversation_id": "1", "in_reply_to_id": 2, "in_reply_to_username": "bob",
 "retweet_of": {"id": "3", "username": "cy", "text": "t", "author_id": "33"}, "quote_of": {"id": "4", "username": "di"},
 "urls": [{"url": "https://t.co/1", "expanded_url": "https://a.example/", "title": "T", "description": "D"}],
 "hashtags": ["#a", "b"], "mentions": ["@c"], "cashtags": ["$D"], "media": [{"type": "photo"}, {"type": "video", "x": 1}],
 "place": {"id": "p", "name": "Rome", "country_code": "it", "bbox": [12.2, 41.6, 12.9, 42.1]},
 "geo": {"lon": 12.5, "lat": 41.9}, "source": "Web App", "unknown": {"deep": [1, 2, {"x": null}]}
}`

func TestPostFields(t *testing.T) {
	p, err := push.ParsePost([]byte(fullPost))
	if err != nil {
		t.Fatal(err)
	}
	want := &messages.Post{}
	if err := protojson.Unmarshal([]byte(`{
 "id": "2029172645376065536", "text": "Rates #ECB @ada $EURUSD https://ecb.example/x?y=1.",
 "lang": "en", "author": {"id": "12", "username": "Ada", "name": "Ada L", "verified": true, "followersCount": 3,
  "followingCount": 4, "tweetCount": 5, "listedCount": 6, "description": "maths\nand engines", "location": "London"},
 "conversationId": "1", "inReplyToId": "2", "inReplyToUsername": "bob",
 "retweetOf": {"id": "3", "username": "cy", "text": "t", "authorId": "33"}, "quoteOf": {"id": "4", "username": "di"},
 "urls": [{"url": "https://t.co/1", "expandedUrl": "https://a.example/", "title": "T", "description": "D"}],
 "hashtags": ["a", "b"], "mentions": ["c"], "cashtags": ["D"], "media": [{"type": "photo"}, {"type": "video"}],
 "place": {"id": "p", "name": "Rome", "countryCode": "IT", "bbox": [12.2, 41.6, 12.9, 42.1]},
 "geo": {"lon": 12.5, "lat": 41.9}, "source": "Web App"}`), want); err != nil {
		t.Fatal(err)
	}
	want.CreatedMs = 2029172645376065536>>22 + 1288834974657 // the snowflake's, as it is the same day
	if !proto.Equal(p, want) {
		t.Errorf("got\n%v\nwant\n%v", p, want)
	}
}

func TestCreatedAt(t *testing.T) {
	const second = int64(1772625600000) // 2026-03-04T12:00:00Z
	for _, c := range []struct {
		id, created string
		want        int64
	}{
		{"1", `"2026-03-04T12:00:00Z"`, second},
		{"1", `"2026-03-04T13:00:00.25+01:00"`, second + 250},
		{"1", `1772625600123`, second + 123},
		{"1", `"1772625600123"`, second + 123},
		{"1234567890123456789", `1772625600123`, second + 123}, // a number from 2020: no X id of this post
	} {
		body := strings.NewReplacer(`"hello"`, `"hello"`, `"2026-03-04T11:59:59Z"`, c.created).Replace(postJSON(c.id))
		p, err := push.ParsePost([]byte(body))
		if err != nil || p.GetCreatedMs() != c.want {
			t.Errorf("%s of %s: %d, %v; want %d", c.created, c.id, p.GetCreatedMs(), err, c.want)
		}
	}
}

func TestPostRefusals(t *testing.T) {
	plain := postJSON("1")
	with := func(field string) string { return plain[:len(plain)-1] + "," + field + "}" }
	for _, c := range []struct{ body, want string }{
		{strings.Replace(plain, `"id":"1",`, "", 1), "id: missing"},
		{strings.Replace(plain, `"text":"hello",`, "", 1), "text: missing"},
		{strings.Replace(plain, `"created_at":"2026-03-04T11:59:59Z",`, "", 1), "created_at: missing"},
		{strings.Replace(plain, `,"author":{"id":"1","username":"ada"}`, "", 1), "author: missing"},
		{with(`"author":{"id":"1"}`), "author.username: missing"},
		{with(`"author":{"username":"x"}`), "author.id: missing"},
		{with(`"author":null`), "author: missing"},
		{with(`"author":"ada"`), "author: want an object, got a string"},
		{with(`"id":"a b"`), "id: space or control character at 1"},
		{with(`"id":1.5`), "id: want a string or a whole number, got 1.5"},
		{with(`"id":"` + strings.Repeat("9", 200) + `"`), "id: 200 bytes, at most 128"},
		{with(`"text":7`), "text: want a string, got a number"},
		{with(`"text":"` + strings.Repeat("é", 25_001) + `"`), "text: 25001 characters, at most 25000"},
		{with(`"created_at":"yesterday"`), `created_at: want RFC 3339 (2026-03-04T12:00:00Z) or Unix milliseconds, got "yesterday"`},
		{with(`"created_at":1772625600`), "created_at: 1772625600 is in 1970 as Unix milliseconds: send milliseconds, not seconds"},
		{with(`"created_at":-5`), "created_at: -5 is out of range"},
		{with(`"created_at":true`), "created_at: want a string, got true or false"},
		{with(`"author":{"id":"1","username":"a","followers_count":-1}`), "author.followers_count: want a whole number from 0, got -1"},
		{with(`"author":{"id":"1","username":"a","followers_count":"9"}`), "author.followers_count: want a number, got a string"},
		{with(`"author":{"id":"1","username":"a","verified":1}`), "author.verified: want true or false, got a number"},
		{with(`"retweet_of":{"username":"x"}`), "retweet_of.id: missing"},
		{with(`"urls":[{"url":"ftp://x"}]`), `urls[0].url: want an http or https URL, got "ftp://x"`},
		{with(`"urls":[{}]`), "urls[0].url: missing"},
		{with(`"media":[{"type":"gif"}]`), `media[0].type: want photo, video or animated_gif, got "gif"`},
		{with(`"place":{"country_code":"i1"}`), `place.country_code: want two letters of ISO 3166-1, got "I1"`},
		{with(`"place":{"bbox":[1,2,3]}`), "place.bbox: want west, south, east and north, got 3 numbers"},
		{with(`"place":{"bbox":[1,2,3,1]}`), "place.bbox: south 2 is north of north 1"},
		{with(`"geo":{"lat":1}`), "geo: want lon and lat"},
		{with(`"geo":{"lat":91,"lon":1}`), "geo.lat: want a number from -90 to 90, got 91"},
		{with(`"hashtags":"a"`), "hashtags: want an array, got a string"},
		{with(`"hashtags":[` + strings.Repeat(`"a",`, 100) + `"a"]`), "hashtags: more than 100 elements"},
	} {
		if _, err := push.ParsePost([]byte(c.body)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, err := push.ParsePost([]byte(with(`"text":null,"retweet_of":{"id":"1","username":"x"}`))); err != nil {
		t.Errorf("a bare retweet: %v", err)
	}
}

func TestDerivedEntities(t *testing.T) {
	for _, c := range []struct{ text, tags, names, cash, urls string }{
		{"plain words", "", "", "", ""},
		{"#one and #two_3, #four.", "one two_3 four", "", "", ""},
		{"a#no &#39; #123 #1st #日本語 ＃全角 #é", "1st 日本語 全角 é", "", "", ""},
		{"@ada: (@bob) mail@x.org @a@b.social", "", "ada bob", "", ""},
		{"$AAPL $brk.a $5 US$10 $TOOLONGX $BTC! $$CASH", "", "", "AAPL brk.a BTC", ""},
		{"see https://a.example/x?y=1#frag. (http://b.example/) HTTP://C.example", "", "", "", "https://a.example/x?y=1#frag http://b.example/ HTTP://C.example"},
		{"https://en.example/wiki/A_(b) https:// xhttp://no.example \"https://q.example\"", "", "", "", "https://en.example/wiki/A_(b) https://q.example"},
		{"RT @nasa: lift-off! #Artemis https://t.co/abc", "Artemis", "nasa", "", "https://t.co/abc"},
	} {
		body := strings.Replace(postJSON("1"), `"hello"`, fmt.Sprintf("%q", c.text), 1)
		p, err := push.ParsePost([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		var urls []string
		for _, u := range p.GetUrls() {
			urls = append(urls, u.GetUrl())
		}
		got := []string{
			strings.Join(p.GetHashtags(), " "), strings.Join(p.GetMentions(), " "),
			strings.Join(p.GetCashtags(), " "), strings.Join(urls, " "),
		}
		if want := []string{c.tags, c.names, c.cash, c.urls}; !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", c.text, got, want)
		}
	}
	p, err := push.ParsePost([]byte(strings.Replace(postJSON("1"), `"hello"`, `"#a @b","hashtags":[],"mentions":["z"]`, 1)))
	if err != nil || len(p.GetHashtags()) != 0 || len(p.GetMentions()) != 1 || p.GetMentions()[0] != "z" {
		t.Errorf("given lists were replaced: %v, %v", p, err)
	}
	if p.GetConversationId() != "1" {
		t.Errorf("conversation %q", p.GetConversationId())
	}
}

func articleJSON(more string) string {
	return `{"url":"https://a.example/1","title":"T","source":{"id":"bbc","name":"BBC"}` + more + `}`
}

func numbers(n int, v string) string { return "[" + strings.Repeat(v+",", n-1) + v + "]" }

func TestArticleFields(t *testing.T) {
	a, err := push.ParseArticle([]byte(articleJSON(`,"id":7,"title":" Two\n words ","description":"d","content":"c","published_at":"2026-03-04T12:00:00Z",
 "category":"business","language":"en","author":"Jane","tags":["x",""],"tickers":["$aapl","MSFT"],"entities":[42,108],
 "image_url":"https://i.example/1","article_type":"exchange_rate","speaker":"S","speaker_title":"ST","institution":"I",
 "event_location":"L","base_currency":"EUR","target_currency":"USD","exchange_rate":1.0800,"embedding":` + numbers(1536, "0.5") + `,"embedding_model":"m"`)))
	if err != nil {
		t.Fatal(err)
	}
	embedding := a.GetEmbedding()
	a.Embedding = nil
	want := &messages.Article{
		Id: "7", Url: "https://a.example/1", Title: "Two words", Description: "d", Content: "c", PublishedMs: 1772625600000,
		SourceId: "bbc", SourceName: "BBC", Category: "business", Language: "en", Author: "Jane", Tags: []string{"x"},
		Tickers: []string{"AAPL", "MSFT"}, EntityIds: []int64{42, 108}, ImageUrl: "https://i.example/1",
		ArticleType: "exchange_rate", Speaker: "S", SpeakerTitle: "ST", Institution: "I", EventLocation: "L",
		BaseCurrency: "EUR", TargetCurrency: "USD", ExchangeRate: "1.0800", EmbeddingModel: "m",
	}
	if !proto.Equal(a, want) || len(embedding) != 1536 || embedding[1535] != 0.5 {
		t.Errorf("got\n%v (%d)\nwant\n%v", a, len(embedding), want)
	}
}

func TestArticleRefusals(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{}`, "url: missing"},
		{`{"url":"https://a.example/"}`, "title: missing"},
		{`{"url":"https://a.example/","title":"T"}`, "source.id: missing"},
		{articleJSON(`,"source":{"id":"@x"}`), `source.id: want letters`},
		{articleJSON(`,"source":{"id":"a|b"}`), `source.id: want letters`},
		{articleJSON(`,"url":"javascript:alert(1)"`), "url: want an http or https URL"},
		{articleJSON(`,"image_url":"/relative"`), "image_url: want an http or https URL"},
		{articleJSON(`,"embedding":` + numbers(1535, "1")), "embedding: 1535 numbers, want exactly 1536"},
		{articleJSON(`,"embedding":` + numbers(1537, "1")), "embedding: more than 1536 elements"},
		{articleJSON(`,"embedding":` + numbers(1536, "0")), "embedding: all numbers are zero"},
		{articleJSON(`,"embedding":` + numbers(1536, "1e39")), "embedding[0]: is not finite"},
		{articleJSON(`,"embedding":` + numbers(1536, "1e999")), "embedding[0]: is not finite"},
		{articleJSON(`,"embedding":` + numbers(1536, "-Infinity")), "embedding[0]: is no number"},
		{articleJSON(`,"embedding":` + numbers(1536, "01")), "embedding[0]: is no number"},
		{articleJSON(`,"embedding":` + numbers(1536, "1.")), "embedding[0]: is no number"},
		{articleJSON(`,"embedding":` + numbers(1536, `"1"`)), "embedding[0]: want a number, got a string"},
		{articleJSON(`,"embedding":[NaN]`), "embedding[0]: want a number, got"},
		{articleJSON(`,"entities":[1.5]`), "entities[0]: want a whole number from 0, got 1.5"},
		{articleJSON(`,"entities":[9007199254740992]`), "entities[0]: 9007199254740992 is not below 2^53"},
		{articleJSON(`,"content":"` + strings.Repeat("字", 90_000) + `"`), "content: the article has 270"},
		{articleJSON(`,"title":"` + strings.Repeat("x", 1001) + `"`), "title: 1001 characters, at most 1000"},
	} {
		if _, err := push.ParseArticle([]byte(c.body)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestABadEntryIsNamed: in every list, by its number, with those before it whole.
func TestABadEntryIsNamed(t *testing.T) {
	plain := postJSON("1")
	with := func(field string) string { return plain[:len(plain)-1] + "," + field + "}" }
	for entries, want := range map[string]string{
		`"urls":[{"url":"https://a.example"},{"url":"https://b.example","expanded_url":"b"}]`: "urls[1].expanded_url: want an http or https URL",
		`"urls":[null,{"url":"https://a.example","title":7}]`:                                 "urls[1].title: want a string",
		`"urls":["https://a.example"]`:                                                        "urls[0]: want an object, got a string",
		`"hashtags":["a","b",{}]`:                                                             "hashtags[2]: want a string, got an object",
		`"mentions":["` + strings.Repeat("a", 65) + `"]`:                                      "mentions[0]: 65 characters, at most 64",
		`"cashtags":["A",["B"]]`:                                                              "cashtags[1]: want a string, got an array",
		`"media":[{"type":"photo"},{"type":"gif"}]`:                                           "media[1].type: want photo",
		`"place":{"bbox":[1,2,181,3]}`:                                                        "place.bbox[2]: want a number from -180 to 180",
	} {
		if _, err := push.ParsePost([]byte(with(entries))); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %q", entries, err, want)
		}
	}
	for entries, want := range map[string]string{
		`"tags":["a",1]`:              "tags[1]: want a string, got a number",
		`"tickers":["A","B",false]`:   "tickers[2]: want a string, got true or false",
		`"entities":[1,"2"]`:          "entities[1]: want a whole number, got a string",
		`"embedding":[0.5,0.5,"0.5"]`: "embedding[2]: want a number, got a string",
	} {
		body := `{"url":"https://a.example","title":"T",` + entries + `}`
		if _, err := push.ParseArticle([]byte(body)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", entries, err, want)
		}
	}
}
