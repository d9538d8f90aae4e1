package main_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// feedServer is a server that may read feeds on this machine, with the two
// news clients that see what comes of them.
type feedServer struct {
	*server
	t       *testing.T
	kite    *socket
	news    *socket
	waiting map[string][]client.NewsItem // what came for others, by feed and action
}

func startForFeeds(t *testing.T) *feedServer {
	t.Helper()
	s := start(t, "", "--allow-private-feeds")
	k := s.key(t, "pro").Key
	f := &feedServer{s, t, s.dial(t, kitePath+k), s.dial(t, newsrankPath+k), map[string][]client.NewsItem{}}
	f.kite.expect(kiteConnected)
	f.news.send(newsrankSubscribe(`{"topics":["articles"]}`))
	f.news.expect(newsrankSubscribed)
	return f
}

// create adds a feed with the command line, whether it can be read or not.
func (f *feedServer) create(name, url string) (id string) {
	f.t.Helper()
	return f.made("--url", url, "--name", name, "--category", strings.ToLower(name), "--force").ID
}

// made is what feeds create made.
func (f *feedServer) made(flags ...string) client.Feed {
	f.t.Helper()
	out := command(f.t, "", append([]string{"feeds", "create", "--data", f.dir, "--admin", f.admin, "--interval", "1s", "--json"}, flags...)...)
	var made client.Feed
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.ID == "" {
		f.t.Fatalf("feeds create printed %s: %v", out, err)
	}
	return made
}

// item is the next item of the feed with this action; those of other feeds,
// which come in between, wait for their turn.
func (f *feedServer) item(feed, action string) client.NewsItem {
	f.t.Helper()
	key := feed + " " + action
	for len(f.waiting[key]) == 0 {
		e := f.kite.event()
		of := e.Item.Source + " " + e.Action
		f.waiting[of] = append(f.waiting[of], e.Item)
	}
	first := f.waiting[key][0]
	f.waiting[key] = f.waiting[key][1:]
	return first
}

// TestFeeds: feeds of every format come to the clients of both news APIs as
// they are made, changed and withdrawn at their sources.
func TestFeeds(t *testing.T) {
	t.Parallel()
	f := startForFeeds(t)
	rssFeed := publish(t, rss(rssItem("1", "RSS one", "<description>&lt;b&gt;Bold&lt;/b&gt; text</description>"), rssItem("2", "RSS two", "")))
	atomFeed := publish(t, atom(atomEntry("urn:1", "Atom one", "2026-03-04T12:00:00Z")))
	jsonSite := publish(t, fmt.Sprintf(jsonFeed, "JSON one"))
	bank := publish(t, centralBank)
	// One that does not work is no matter to the others.
	broken := publish(t, "<html>this is no feed</html>")

	brokenID := f.create("Broken", broken.URL)
	f.create("RSS", rssFeed.URL)
	f.create("Atom", atomFeed.URL)
	f.create("JSON", jsonSite.URL)
	f.create("Bank", bank.URL)

	titles := []string{f.item("RSS", "create").Title, f.item("RSS", "create").Title}
	if slices.Sort(titles); !slices.Equal(titles, []string{"RSS one", "RSS two"}) {
		t.Fatalf("RSS: %v", titles)
	}
	if i := f.item("Atom", "create"); i.Title != "Atom one" || i.Published != "2026-03-04T12:00:00.000Z" || i.Category != "atom" {
		t.Fatalf("Atom: %+v", i)
	}
	if i := f.item("JSON", "create"); i.Title != "JSON one" || i.URL != "https://json.example/1" {
		t.Fatalf("JSON Feed: %+v", i)
	}
	checkBank(t, f.item("Bank", "create"), f.item("Bank", "create"))
	checkItemsNew(t, f.news, []string{"1 EUR = 1.0850 USD", "Atom one", "JSON one", "On inflation", "RSS one", "RSS two"})

	f.failing(brokenID)
	broken.edit(rss(rssItem("b", "Mended", "")), 0)

	// Edited at the source, then withdrawn there.
	rssFeed.edit(rss(rssItem("1", "RSS one, edited", ""), rssItem("2", "RSS two", "")), 0)
	atomFeed.edit(atom(atomEntry("urn:1", "Atom one, edited", "2026-03-04T13:00:00Z")), 0)
	jsonSite.edit(fmt.Sprintf(jsonFeed, "JSON one, edited"), 0)
	for _, feed := range []string{"RSS", "Atom", "JSON"} {
		if i := f.item(feed, "update"); i.Title != feed+" one, edited" {
			t.Fatalf("%s, edited: %+v", feed, i)
		}
	}
	rssFeed.edit(rss(rssItem("1", "RSS one, edited", `<media:status state="deleted" reason="gone"/>`), rssItem("2", "RSS two", "")), 0)
	atomFeed.edit(atom(`<at:deleted-entry ref="urn:1" when="2026-03-04T14:00:00Z"/>`), 0)
	for _, feed := range []string{"RSS", "Atom"} {
		if i := f.item(feed, "delete"); i.Title != feed+" one, edited" || i.URL == "" {
			t.Fatalf("%s, withdrawn: %+v; want the last known item, whole", feed, i)
		}
	}
	if i := f.item("Broken", "create"); i.Title != "Mended" {
		t.Fatalf("the broken feed: %+v", i)
	}
	f.listed(brokenID, "Broken", "it works again", func(r *client.Feed) bool {
		return r.Status == "ok" && r.Failures == 0 && r.LastSuccessAt != nil && r.Events == 1
	})
	eventually(t, func() string {
		if jsonSite.spared() == 0 {
			return "no reader has asked for the feed by its ETag"
		}
		return ""
	})
	checkNothingElse(t, f)
}

// checkNothingElse: newsrank has seen what is new and no more, and kite nothing
// twice.
func checkNothingElse(t *testing.T, f *feedServer) {
	t.Helper()
	f.push(t, client.Articles, f.pusher(t), article("the end", "x"))
	if e := f.news.event(); e.Data.Title != "Mended" {
		t.Fatalf("newsrank: %s; want what is new, and no update", e.what())
	}
	if e := f.news.event(); e.Data.Title != "the end" {
		t.Fatalf("newsrank: %s", e.what())
	}
	f.item("Example News", "create")
	for of, left := range f.waiting {
		if len(left) > 0 {
			t.Errorf("%s: %+v was not expected", of, left)
		}
	}
}

func checkItemsNew(t *testing.T, c *socket, want []string) {
	t.Helper()
	var got []string
	for range want {
		e := c.event()
		if e.Type != "item.new" {
			t.Fatalf("newsrank: %s", e.what())
		}
		got = append(got, e.Data.Title)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Fatalf("newsrank: %v, want %v", got, want)
	}
}

func checkBank(t *testing.T, speech, rate client.NewsItem) {
	t.Helper()
	if speech.ArticleType == "exchange_rate" {
		speech, rate = rate, speech
	}
	if speech.ArticleType != "speech" || speech.Speaker != "Ada Bell" || speech.SpeakerTitle != "Governor" ||
		speech.Institution != "ECB" || speech.EventLocation != "Frankfurt" {
		t.Errorf("a speech: %+v", speech)
	}
	if rate.ArticleType != "exchange_rate" || rate.BaseCurrency != "EUR" || rate.TargetCurrency != "USD" || rate.ExchangeRate != "1.0850" || rate.Institution != "ECB" {
		t.Errorf("an exchange rate: %+v", rate)
	}
}

// failing waits until feeds list shows the feed's error, as operators see it.
func (f *feedServer) failing(id string) {
	f.t.Helper()
	f.listed(id, "Broken", "its last error", func(r *client.Feed) bool {
		return r.Status == "failing" && r.LastError != "" && r.LastErrorAt != nil && r.Failures > 0
	})
	table := command(f.t, "", "feeds", "list", "--data", f.dir, "--admin", f.admin)
	for line := range strings.Lines(table) {
		if strings.Contains(line, id) && strings.Contains(line, "failing") && strings.Contains(line, "Broken") {
			return
		}
	}
	f.t.Fatalf("feeds list does not show the failing feed:\n%s", table)
}

func (f *feedServer) listed(id, name, what string, fits func(*client.Feed) bool) {
	f.t.Helper()
	eventually(f.t, func() string {
		feeds, err := f.operator.Feeds(within(f.t))
		if err != nil {
			return err.Error()
		}
		at := slices.IndexFunc(feeds, func(r client.Feed) bool { return r.ID == id && r.Name == name })
		if at < 0 || !fits(&feeds[at]) {
			return fmt.Sprintf("the list of feeds does not show of %s %s: %+v", name, what, feeds)
		}
		return ""
	})
}

// TestFeedsSurviveARestart: what was read is not news again.
func TestFeedsSurviveARestart(t *testing.T) {
	t.Parallel()
	f := startForFeeds(t)
	site := publish(t, rss(rssItem("1", "one", "")))
	id := f.create("RSS", site.URL)
	k := f.key(t, "pro").Key
	c := f.dial(t, kitePath+k+"&resume=new")
	c.expect(kiteConnected)
	c.begins()
	if i := f.item("RSS", "create"); i.Title != "one" {
		t.Fatalf("%+v", i)
	}
	f.push(t, client.Articles, f.pusher(t), article("now", "a"))
	seen := c.until("now")
	f.kill()

	site.edit(rss(rssItem("1", "one", ""), rssItem("2", "two", "")), 0)
	s := start(t, f.dir, "--allow-private-feeds")
	c = s.dial(t, kitePath+k+"&resume="+seen[len(seen)-1].Cursor)
	c.expect(kiteConnected)
	if e := c.event(); e.what() != "create two" {
		t.Fatalf("after the restart: %s; want what is new in the feed", e.what())
	}
	command(t, "", "feeds", "delete", id, "--data", s.dir, "--admin", s.admin)
	if feeds, err := s.operator.Feeds(within(t)); err != nil || len(feeds) != 0 {
		t.Fatalf("feeds after the delete: %+v, %v", feeds, err)
	}
}

// TestFeedsAreTriedFirst: an address is read before a feed is made of it. Its
// title is the name where none is given, a page leads to the feed that it
// names, and what cannot be read is told before anything is made.
func TestFeedsAreTriedFirst(t *testing.T) {
	t.Parallel()
	f := startForFeeds(t)
	site := publish(t, rss(rssItem("1", "one", "")))
	page := publish(t, `<!doctype html><html><head><title>A site</title>
		<link rel="alternate" type="application/rss+xml" title="Comments" href="/comments">
		<link rel="alternate" type="application/rss+xml" href="`+site.URL+`/rss?a=100%">
		<link rel="stylesheet" href="/x.css"></head><body>Hello</body></html>`)
	bare := publish(t, `<!doctype html><html><head><title>A site</title></head><body>Hello</body></html>`)
	gone := publish(t, rss())
	gone.edit("", 404)

	made := f.made("--url", page.URL, "--category", "news")
	if made.Name != "RSS" || made.SourceID != "rss" || made.URL != site.URL+"/rss?a=100%" || made.Tried == nil ||
		made.Tried.Page != page.URL || made.Tried.Items != 1 || made.Tried.Format != "RSS 2.0" {
		t.Errorf("made of a page: %+v, %+v", made, made.Tried)
	}
	if i := f.item("RSS", "create"); i.Title != "one" || i.Category != "news" {
		t.Errorf("its item: %+v", i)
	}
	for url, why := range map[string]string{
		bare.URL: "HTML page, and it names no feed", gone.URL: "404 Not Found", "http://127.0.0.1:1/": "connection refused",
		publish(t, "{}").URL: "not a feed", publish(t, rss(`<item><title>on`)[:120]).URL: "ends before its first item",
	} {
		p := run(t, "", "feeds", "create", "--data", f.dir, "--admin", f.admin, "--url", url, "--name", "x", "--category", "news")
		if code := p.exit(); code != 1 || !strings.Contains(p.notes.String(), why) || !strings.Contains(p.notes.String(), "force") || p.out.String() != "" {
			t.Errorf("%s: exit code %d, %s%s; want that it says %q", url, code, p.out.String(), p.notes.String(), why)
		}
	}
	if feeds, err := f.operator.Feeds(within(t)); err != nil || len(feeds) != 1 {
		t.Fatalf("feeds: %+v, %v; want the one that could be read", feeds, err)
	}
	forced := f.made("--url", gone.URL, "--name", "Gone", "--category", "news", "--force")
	if forced.Tried == nil || !strings.Contains(forced.Tried.Error, "404 Not Found") {
		t.Errorf("by force: %+v, %+v", forced, forced.Tried)
	}
	out := command(t, "", "feeds", "create", "--data", f.dir, "--admin", f.admin, "--url", publish(t, rss(rssItem("2", "two", ""))).URL, "--name", "Two", "--category", "news")
	if !strings.Contains(out, "RSS 2.0, 1 item") || strings.Contains(out, "warning") {
		t.Errorf("feeds create says\n%s", out)
	}
	cut := publish(t, strings.TrimSuffix(rss(rssItem("3", "three", ""), rssItem("4", "four", "")), "</item></channel></rss>"))
	out = command(t, "", "feeds", "create", "--data", f.dir, "--admin", f.admin, "--url", cut.URL, "--name", "Three", "--category", "news")
	if !strings.Contains(out, "RSS 2.0, 1 item; warning: the document is cut off") {
		t.Errorf("feeds create says of a document that is cut\n%s", out)
	}
}

// TestCutFeed: a document that is cut at its end is read as far as it is whole,
// and feeds list says so.
func TestCutFeed(t *testing.T) {
	t.Parallel()
	f := startForFeeds(t)
	whole := rss(rssItem("1", "one", ""), rssItem("2", "two", ""))
	site := publish(t, strings.TrimSuffix(whole, "</item></channel></rss>"))
	id := f.create("Cut", site.URL)
	if i := f.item("Cut", "create"); i.Title != "one" {
		t.Errorf("%+v", i)
	}
	f.listed(id, "Cut", "the warning", func(r *client.Feed) bool {
		return r.Status == "ok" && strings.Contains(r.Warning, "cut off") && r.LastError == "" && r.Events == 1
	})
	if table := command(t, "", "feeds", "list", "--data", f.dir, "--admin", f.admin); !strings.Contains(table, "warning: the document is cut off") {
		t.Errorf("feeds list:\n%s", table)
	}
	site.edit(whole, 0)
	if i := f.item("Cut", "create"); i.Title != "two" {
		t.Errorf("%+v", i)
	}
	f.listed(id, "Cut", "no warning any more", func(r *client.Feed) bool { return r.Warning == "" && r.Events == 2 })
}

// TestPrivateFeedsAreRefused where the operator has not allowed them.
func TestPrivateFeedsAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	site := publish(t, rss(rssItem("1", "one", "")))
	f := &feedServer{server: s, t: t}
	p := run(t, "", "feeds", "create", "--data", s.dir, "--admin", s.admin, "--url", site.URL, "--category", "news")
	if code := p.exit(); code != 1 || !strings.Contains(p.notes.String(), "--allow-private-feeds") {
		t.Errorf("exit code %d, %s", code, p.notes.String())
	}
	id := f.create("RSS", site.URL)
	f.listed(id, "RSS", "that private networks are refused", func(r *client.Feed) bool {
		return strings.Contains(r.LastError, "private") && r.Events == 0
	})
}
