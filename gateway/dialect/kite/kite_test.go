package kite_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/gateway/dialect/kite"
	"github.com/birdwire/birdwire/messages"
)

// golden is a sample of the published document, compacted.
func golden(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(b), "\n")
}

func decode(t *testing.T, text string) proto.Message {
	t.Helper()
	m, err := kite.Codec{}.Decode([]byte(text), false)
	if err != nil {
		t.Fatalf("Decode(%s): %v", text, err)
	}
	return m
}

func sample() *messages.Article {
	created := time.Date(2025, 5, 1, 14, 5, 0, 0, time.UTC).UnixMilli()
	return &messages.Article{
		Id: "abc123xyz", Title: "Fed Announces Rate Decision", Url: "https://example.com/article", Description: "The Federal Reserve...",
		PublishedMs: created - 300_000, SourceName: "Bloomberg Markets", SourceId: "bloomberg", Category: "central_banks", Author: "Jane Smith",
		Tags: []string{"federal reserve", "rates"}, Tickers: []string{"SPY"}, ArticleType: "news", ImageUrl: "https://example.com/image.jpg",
		DiscoveredMs: created, UpdatedMs: created,
	}
}

func news(action messages.ArticleAction, a *messages.Article) *messages.Delivery {
	return &messages.Delivery{Event: &messages.Event{Body: &messages.Event_Article{
		Article: &messages.ArticleChange{Action: action, Article: a},
	}}}
}

func TestFramesAreTheDocumentsOwn(t *testing.T) {
	var c kite.Codec
	echoed := decode(t, `{"type":"subscribe","filters":{"categories":["financial_news"],"sources":["BBC News"]}}`)
	invalid := decode(t, `{"type":`)
	for name, got := range map[string][]byte{
		"connected":  c.Connected(nil, "abc", "key"),
		"subscribed": c.Subscribed(nil, echoed.(*messages.ClientSubscribed)),
		"news":       c.Event(nil, news(messages.ArticleAction_ARTICLE_CREATED, sample()), dialect.Form{}),
		"pong":       c.Pong(nil),
		"error":      c.Error(nil, invalid.(*messages.ClientInvalid).GetError()),
	} {
		if want := golden(t, name); string(got) != want {
			t.Errorf("%s\n got %s\nwant %s", name, got, want)
		}
	}
	got := string(c.Event(nil, news(messages.ArticleAction_ARTICLE_CREATED, sample()), dialect.Form{Cursor: "abcdefgh-1.0"}))
	if want := strings.TrimSuffix(golden(t, "news"), "}") + `,"cursor":"abcdefgh-1.0"}`; got != want {
		t.Errorf("with cursor\n got %s\nwant %s", got, want)
	}
	if got, want := string(c.Subscribed(nil, nil)), `{"type":"subscribed","filters":{}}`; got != want {
		t.Errorf("after unsubscribe %s, want %s", got, want)
	}
}

func TestDocumentedMessagesDecode(t *testing.T) {
	if m, ok := decode(t, golden(t, "unsubscribe")).(*messages.ClientUnsubscribed); !ok {
		t.Errorf("unsubscribe is %T", m)
	}
	if m, ok := decode(t, golden(t, "ping")+"\n").(*messages.ClientPinged); !ok {
		t.Errorf("ping is %T", m)
	}
	got := decode(t, golden(t, "subscribe")).(*messages.ClientSubscribed).GetKite()
	want := &messages.KiteFilters{
		Sources: []string{"BBC News", "CNBC"}, Categories: []string{"financial_news"}, Keywords: []string{"Bitcoin", "Gold"},
		Tickers: []string{"AAPL"}, Companies: []string{"Apple", "Tesla"},
		Supplied: []string{"sources", "categories", "keywords", "tickers", "companies"},
	}
	if !proto.Equal(got, want) {
		t.Errorf("subscribe is %v, want %v", got, want)
	}
}

func TestSubscribedEchoesWhatWasSupplied(t *testing.T) {
	for text, want := range map[string]string{
		`{"type":"subscribe"}`:                                                 `{}`,
		`{"type":"subscribe","filters":null}`:                                  `{}`,
		`{"type":"subscribe","filters":{"unknown":null},"ref":"a"}`:            `{}`,
		`{"type":"subscribe","filters":{"tickers":[" $aapl","AAPL","btc"]}}`:   `{"tickers":["AAPL","BTC"]}`,
		`{"type":"subscribe","filters":{"keywords":[],"sources":null}}`:        `{"keywords":[]}`,
		`{"type":"subscribe","filters":{"companies":["<A&B>"],"sources":[]}}`:  `{"sources":[],"companies":["<A&B>"]}`,
		`{"filters":{"sources":["a"]},"type":"subscribe","id":7}`:              `{"sources":["a"]}`,
		`{"type":"x","type":"subscribe","filters":{"sources":["a"," a","b"]}}`: `{"sources":["a","b"]}`,
	} {
		s, ok := decode(t, text).(*messages.ClientSubscribed)
		if !ok {
			t.Errorf("%s is %v", text, decode(t, text))
			continue
		}
		if got := string(kite.Codec{}.Subscribed(nil, s)); got != `{"type":"subscribed","filters":`+want+`}` {
			t.Errorf("%s is answered %s, want filters %s", text, got, want)
		}
	}
}

func TestInvalidMessages(t *testing.T) {
	for text, want := range map[string]string{
		``:                                  "Invalid JSON",
		`nope`:                              "Invalid JSON",
		`{"type":"subscribe"`:               "Invalid JSON",
		`[]`:                                "expected a JSON object",
		`{}`:                                "unknown message type",
		`{"TYPE":"ping"}`:                   "unknown message type",
		`{"type":"shout"}`:                  `"shout"`,
		`{"type":7}`:                        "type: expected a string",
		`{"type":"subscribe","filters":[]}`: "filters: expected an object",
		`{"type":"subscribe","filters":{"sources":"BBC"}}`:    "filters.sources: expected an array",
		`{"type":"subscribe","filters":{"tickers":[{}]}}`:     "filters.tickers: expected an array",
		`{"type":"subscribe","filters":{"keywords":[1,"a"]}}`: "filters.keywords: expected an array",

		// What would widen the subscription without a word.
		`{"type":"subscribe","filters":{"unknown":[1]}}`:                    "filters.unknown: unknown, expected sources, categories, keywords, tickers or companies",
		`{"type":"subscribe","filters":{"Sources":["a"]}}`:                  "filters.Sources: unknown",
		`{"type":"subscribe","filters":{"sources":["a"],"source":"b"}}`:     "filters.source: unknown",
		`{"type":"subscribe","filters":{"keywords":[" ",""]}}`:              "filters.keywords: holds only empty values",
		`{"type":"subscribe","filters":{"tickers":["$"]}}`:                  "filters.tickers: holds only empty values",
		`{"type":"subscribe","sources":["a"]}`:                              `sources: not a field of this message, expected inside "filters"`,
		`{"type":"subscribe","category":"financial_news"}`:                  "category: not a field of this message",
		`{"type":"subscribe","Filters":{"sources":["a"]}}`:                  "Filters: not a field of this message",
		`{"type":"subscribe","filter":{"sources":["a"]}}`:                   "filter: not a field of this message",
		`{"type":"subscribe","data":{"sources":["a"]}}`:                     "data: not a field of this message",
		`{"type":"subscribe","filters":{"sources":["a"]},"keywords":["b"]}`: "keywords: not a field of this message",
		`{"type":"unsubscribe","filters":{"sources":["a"]}}`:                "filters: not a field of unsubscribe",
		`{"type":"unsubscribe","sources":["a"]}`:                            "sources: not a field of this message",
	} {
		m, ok := decode(t, text).(*messages.ClientInvalid)
		if !ok || !strings.Contains(m.GetError(), want) {
			t.Errorf("%s is %v, want an error with %q", text, m, want)
		}
	}
	if _, ok := decode(t, `{"type":"ping","sources":["a"],"at":7}`).(*messages.ClientPinged); !ok {
		t.Error("a ping that carries more is no ping")
	}
	deep := `{"type":"ping","x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`
	if _, err := (kite.Codec{}).Decode([]byte(deep), false); !errors.Is(err, dialect.ErrTooDeep) {
		t.Errorf("41 levels: %v", err)
	}
}

func TestItem(t *testing.T) {
	a := &messages.Article{Number: 1<<52 - 1, DiscoveredMs: 1}
	got := string(kite.Codec{}.Event(nil, news(messages.ArticleAction_ARTICLE_DELETED, a), dialect.Form{}))
	want := `{"type":"news","action":"delete","item":{"id":"18ce53un18f","title":"","url":"","description":"","published":"",` +
		`"source":"","category":"","author":"","tags":[],"tickers":[],"article_type":"","image_url":"","speaker":"","speaker_title":"",` +
		`"institution":"","event_location":"","base_currency":"","target_currency":"","exchange_rate":"",` +
		`"created":"1970-01-01T00:00:00.001Z","updated":"1970-01-01T00:00:00.001Z"}}`
	if got != want {
		t.Errorf("bare item\n got %s\nwant %s", got, want)
	}
	for action, want := range map[messages.ArticleAction]string{
		messages.ArticleAction_ARTICLE_UPDATED: `"action":"update"`, messages.ArticleAction_ARTICLE_ENRICHED: `"action":"update"`,
	} {
		if got := string(kite.Codec{}.Event(nil, news(action, a), dialect.Form{})); !strings.Contains(got, want) {
			t.Errorf("%v: %s", action, got)
		}
	}
	post := &messages.Delivery{Event: &messages.Event{Body: &messages.Event_Post{Post: &messages.Post{}}}}
	if got := (kite.Codec{}).Event(nil, post, dialect.Form{}); len(got) != 0 {
		t.Errorf("a post made %s", got)
	}
}

func TestDenyAndEnd(t *testing.T) {
	var c kite.Codec
	for refusal, status := range map[messages.Refusal]int{
		messages.Refusal_REFUSAL_UNSPECIFIED: 401, messages.Refusal_REFUSAL_UNKNOWN_KEY: 401, messages.Refusal_REFUSAL_REVOKED: 401,
		messages.Refusal_REFUSAL_SCOPE: 403, messages.Refusal_REFUSAL_PLAN: 403, messages.Refusal_REFUSAL_CONNECTIONS: 429,
		messages.Refusal_REFUSAL_CREDITS: 403, messages.Refusal_REFUSAL_OVERLOAD: 503,
	} {
		if d := c.Deny(refusal, ""); d.Ending != nil || d.Status != status || d.Error == "" || d.Detail == "" {
			t.Errorf("%v: %+v, want %d", refusal, d, status)
		}
	}
	for reason, code := range map[messages.EndReason]uint16{
		messages.EndReason_END_REVOKED: 4403, messages.EndReason_END_SLOW: 1013, messages.EndReason_END_DRAIN: 1012,
		messages.EndReason_END_CREDITS: 4402, messages.EndReason_END_ABUSE: 1008, messages.EndReason_END_INTERNAL: 1011,
	} {
		if e := c.End(reason, ""); e.Code != code || e.Reason == "" {
			t.Errorf("%v: %+v, want close %d", reason, e, code)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"subscribe", "unsubscribe", "ping", "news"} {
		f.Add([]byte(golden(f, name)))
	}
	f.Add([]byte(`{"type":"subscribe","filters":{"tickers":["$a","A"," "],"keywords":["\ud800"]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := kite.Codec{}.Decode(text, false)
		if err != nil {
			if !errors.Is(err, dialect.ErrTooDeep) || m != nil {
				t.Fatalf("%v, %v", m, err)
			}
			return
		}
		if m == nil {
			t.Fatal("nothing came of it")
		}
		if _, err := proto.Marshal(m); err != nil {
			t.Fatalf("%v cannot be sent: %v", m, err)
		}
		s, ok := m.(*messages.ClientSubscribed)
		if !ok {
			return
		}
		for _, ticker := range s.GetKite().GetTickers() {
			if ticker == "" || strings.HasPrefix(ticker, "$") || ticker != strings.ToUpper(ticker) {
				t.Fatalf("ticker %q is not normalised", ticker)
			}
		}
		// What is echoed, sent again, means and echoes the same.
		echo := kite.Codec{}.Subscribed(nil, s)
		var answer struct{ Filters json.RawMessage }
		if err := json.Unmarshal(echo, &answer); err != nil {
			t.Fatalf("echo %s: %v", echo, err)
		}
		again, err := kite.Codec{}.Filters(answer.Filters, false)
		if err != nil {
			t.Fatalf("echo %s: %v", echo, err)
		}
		if !bytes.Equal(kite.Codec{}.Subscribed(nil, again), echo) || !slices.Equal(again.GetKite().GetSupplied(), s.GetKite().GetSupplied()) {
			t.Fatalf("echo of %s is %s", echo, kite.Codec{}.Subscribed(nil, again))
		}
	})
}
