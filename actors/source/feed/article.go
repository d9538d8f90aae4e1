package feed

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mmcdole/gofeed"
	ext "github.com/mmcdole/gofeed/extensions"
	"golang.org/x/text/language"

	"github.com/birdwire/birdwire/messages"
)

// maxNames of an item's authors are shown.
const maxNames = 20

// maxItems of one document are read, the newest; who lists more keeps an archive.
const maxItems = 5000

// drafts are what a document says, oldest first: withdrawals ahead of what
// stands.
func (f *Feed) drafts(doc *document, base *url.URL) []*messages.Event {
	base = pageBase(doc.feed, base)
	shared := sharedKeys(doc.entries)
	var gone, stand []*messages.Event
	buried := make([]bool, len(doc.gone))
	for _, e := range newestLast(doc.entries) {
		if slices.ContainsFunc(doc.gone, func(t tombstone) bool { return t.buries(e.item) }) {
			continue
		}
		for i, t := range doc.gone {
			buried[i] = buried[i] || t.id == e.item.GUID // listed, and younger than its tombstone
		}
		a := f.article(doc, e, base, shared)
		if a == nil {
			continue
		}
		if retracted(e.item) {
			gone = append(gone, f.withdrawal(a.GetIdentity(), a.GetUrl()))
			continue
		}
		stand = append(stand, draft(messages.ArticleAction_ARTICLE_ACTION_UNSPECIFIED, a))
	}
	for i, t := range doc.gone {
		if !buried[i] {
			gone = append(gone, f.withdrawal("guid|"+t.id, ""))
		}
	}
	return append(gone, stand...)
}

func draft(action messages.ArticleAction, a *messages.Article) *messages.Event {
	return &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Action: action, Article: a}}}
}

func (f *Feed) withdrawal(identity, link string) *messages.Event {
	return draft(messages.ArticleAction_ARTICLE_DELETED, &messages.Article{
		SourceId: f.cfg.SourceID, Identity: identity, Url: link,
	})
}

// newestLast orders by date where every item has one, and else turns the
// document around: feeds list the newest first.
func newestLast(entries []entry) []entry {
	ordered := slices.Clone(entries)
	slices.Reverse(ordered)
	if !slices.ContainsFunc(ordered, func(e entry) bool { return e.item.PublishedParsed == nil }) {
		slices.SortStableFunc(ordered, func(a, b entry) int {
			return a.item.PublishedParsed.Compare(*b.item.PublishedParsed)
		})
	}
	return ordered[max(0, len(ordered)-maxItems):]
}

// sharedKeys are GUIDs and links that several items of the document carry, and
// that therefore identify none of them.
func sharedKeys(entries []entry) map[string]bool {
	seen, shared := make(map[string]bool), make(map[string]bool)
	for _, e := range entries {
		keys := []string{"guid|" + e.item.GUID}
		if e.item.Link != e.item.GUID {
			keys = append(keys, "link|"+e.item.Link)
		}
		for _, key := range keys {
			if seen[key] {
				shared[key] = true
			}
			seen[key] = true
		}
	}
	return shared
}

// identity is left to the URL ("") where nothing better is known.
func identity(item *gofeed.Item, title string, shared map[string]bool) string {
	switch {
	case item.GUID != "" && !shared["guid|"+item.GUID]:
		return "guid|" + item.GUID
	case item.Link == "" || shared["link|"+item.Link]:
		return "title|" + item.Link + "|" + title
	}
	return ""
}

// article is nil for what has nothing to show.
func (f *Feed) article(doc *document, e entry, base *url.URL, shared map[string]bool) *messages.Article {
	item := e.item
	description, content := readHTML(item.Description), readHTML(item.Content)
	a := &messages.Article{
		SourceId: f.cfg.SourceID, SourceName: f.cfg.Name, Category: f.cfg.Category,
		Title:       line(readHTML(either(item.Title, simpleTitle(item.Extensions[doc.bank]))).text, maxTitle),
		Description: line(description.text, maxDescription),
		Content:     lines(content.text, maxContent),
		Url:         link(item, e.external, base),
		Author:      author(item, e.author),
		Tags:        tags(item.Categories),
		Language:    languageOf(e.language, f.cfg.Language, doc.feed.Language),
		PublishedMs: published(item),
	}
	if a.Title == "" { // microblogs have none
		a.Title = cut(either(a.Description, line(content.text, maxDescription)), 120)
	}
	if a.Title == "" {
		return nil
	}
	if a.Description == "" {
		a.Description = line(content.text, maxDescription)
	}
	a.ImageUrl, a.VideoUrl = pictures(item, base, content.image, description.image)
	a.Identity = identity(item, a.Title, shared)
	if a.Identity == "" && a.Url == "" {
		a.Identity = "title|" + a.Title
	}
	centralBank(a, item.Extensions[doc.bank])
	return a
}

// pageBase is what relative links mean: the site that the feed is of, else the
// document itself.
func pageBase(feed *gofeed.Feed, document *url.URL) *url.URL {
	if feed.FeedType == "atom" { // its links are relative to the document, unless xml:base resolved them
		return document
	}
	if u, err := document.Parse(strings.TrimSpace(feed.Link)); err == nil && u.Host != "" {
		return u
	}
	return document
}

// absolute is the http or https URL that ref means, or "".
func absolute(base *url.URL, ref string) string {
	ref = strings.TrimSpace(ref)
	if ref == "" {
		return ""
	}
	u, err := base.Parse(ref)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return ""
	}
	if s := u.String(); len(s) <= maxURL {
		return s
	}
	return ""
}

func link(item *gofeed.Item, external string, base *url.URL) string {
	if u := absolute(base, item.Link); u != "" {
		return u
	}
	if strings.HasPrefix(item.GUID, "http://") || strings.HasPrefix(item.GUID, "https://") {
		if u := absolute(base, item.GUID); u != "" {
			return u
		}
	}
	return absolute(base, external)
}

func author(item *gofeed.Item, asWritten string) string {
	var names []string
	for _, p := range item.Authors {
		if p != nil && p.Name != "" && len(names) < maxNames && !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		names = append(names, asWritten)
	}
	return line(readHTML(strings.Join(names, ", ")).text, maxLabel)
}

func tags(categories []string) []string {
	var all []string
	for _, c := range categories {
		c = line(readHTML(c).text, 128)
		if c != "" && len(all) < 64 && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// languageOf takes the item's own word, then the operator's, then the feed's.
func languageOf(candidates ...string) string {
	for _, c := range candidates {
		if c = strings.TrimSpace(c); c == "" || len(c) > 35 {
			continue
		}
		if tag, err := language.Parse(strings.ReplaceAll(c, "_", "-")); err == nil && tag != language.Und {
			return tag.String()
		}
	}
	return ""
}

func published(item *gofeed.Item) int64 {
	at := item.PublishedParsed
	for _, s := range []string{item.Published, item.Updated} {
		if at != nil {
			break
		}
		if t, err := parseDate(s); err == nil {
			at = &t
		}
	}
	if at == nil {
		at = item.UpdatedParsed
	}
	if at == nil {
		return 0
	}
	return sane(at.Round(time.Millisecond).UnixMilli())
}

// pictures are the item's image and video: what it declares, from the most
// meant to the least, then what its text shows.
func pictures(item *gofeed.Item, base *url.URL, inText ...string) (image, video string) {
	var images, videos []string
	if item.Image != nil {
		images = append(images, item.Image.URL)
	}
	media := item.Extensions["media"]
	groups := []map[string][]ext.Extension{media}
	for _, g := range media["group"] {
		groups = append(groups, g.Children)
	}
	for _, g := range groups {
		for _, c := range g["content"] {
			kind := c.Attrs["medium"] + " " + c.Attrs["type"]
			switch {
			case strings.Contains(kind, "video"):
				videos = append(videos, c.Attrs["url"])
				groups = append(groups, c.Children)
			case strings.Contains(kind, "image"):
				images = append(images, c.Attrs["url"])
			}
			for _, t := range c.Children["thumbnail"] {
				images = append(images, t.Attrs["url"])
			}
		}
		for _, t := range g["thumbnail"] {
			images = append(images, t.Attrs["url"])
		}
	}
	for _, e := range item.Enclosures {
		switch {
		case strings.HasPrefix(e.Type, "image/"):
			images = append(images, e.URL)
		case strings.HasPrefix(e.Type, "video/"):
			videos = append(videos, e.URL)
		}
	}
	return firstURL(base, append(images, inText...)), firstURL(base, videos)
}

func firstURL(base *url.URL, all []string) string {
	for _, ref := range all {
		if u := absolute(base, ref); u != "" {
			return u
		}
	}
	return ""
}
