package feed

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"regexp"
	"strings"

	"github.com/mmcdole/gofeed"
	"github.com/mmcdole/gofeed/atom"
	ext "github.com/mmcdole/gofeed/extensions"
	"github.com/mmcdole/gofeed/json"
	"github.com/mmcdole/gofeed/rss"
)

// document is a parsed feed: gofeed's common form, and what that leaves out.
type document struct {
	feed     *gofeed.Feed
	schedule schedule
	bank     string // prefix of the RSS-CB vocabulary, "" where there is none
	entries  []entry
	gone     []tombstone
}

// entry is an item with what its own format says beside the common form.
type entry struct {
	item     *gofeed.Item
	author   string // as written, where the common form could not take it apart
	language string
	external string // a link blog's subject
}

var (
	errFormat = errors.New("not a feed: want RSS, Atom or JSON Feed")
	errPanic  = errors.New("the parser panicked")
)

// parse reads a document. A panic in the libraries is an error of this
// document: nothing of it is kept, and they have no state.
func parse(body []byte, contentType string) (doc *document, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	text := toUTF8(body, contentType)
	if first := bytes.TrimLeft(text, " \t\r\n\uFEFF"); len(first) > 0 && first[0] == '{' {
		return parseJSON(first)
	}
	text, err = cleanXML(text)
	if err != nil {
		return nil, err
	}
	text = skipProlog(text)
	switch gofeed.DetectFeedType(bytes.NewReader(text[:min(len(text), 8192)])) {
	case gofeed.FeedTypeRSS:
		return parseRSS(text)
	case gofeed.FeedTypeAtom:
		return parseAtom(text)
	}
	return nil, fmt.Errorf("%w: begins with %.60q", errFormat, text)
}

// skipProlog drops what stands before the root: comments, stylesheets, a
// doctype, and the blank lines or warnings of a careless server.
func skipProlog(text []byte) []byte {
	if at := root.FindIndex(text); at != nil {
		return text[at[0]:]
	}
	return bytes.TrimSpace(text)
}

var root = regexp.MustCompile(`(?i)<(?:[a-z0-9_]+:)?(?:rss|rdf|feed)[\s>]`)

// bankNamespace is that of RSS-CB 1.0 to 1.2, with or without its slash.
var bankNamespace = regexp.MustCompile(`xmlns:([A-Za-z0-9_]+)\s*=\s*["']https?://(?:www\.)?(?:cbwiki\.net/wiki/index\.php/Specification_1\.|bis\.org/rss-cb/)`)

func bankPrefix(text []byte) string {
	if m := bankNamespace.FindSubmatch(text[:min(len(text), 8192)]); m != nil {
		return string(m[1])
	}
	return "cb"
}

func parseRSS(text []byte) (*document, error) {
	parsed, err := (&rss.Parser{}).Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse RSS: %w", err)
	}
	about(text, parsed)
	feed, err := (&gofeed.DefaultRSSTranslator{DisableContentImageScan: true}).Translate(parsed)
	if err != nil {
		return nil, fmt.Errorf("parse RSS: %w", err)
	}
	doc := &document{
		feed: feed, bank: bankPrefix(text), gone: tombstones(feed.Extensions),
		schedule: newSchedule(parsed.TTL, parsed.SkipHours, parsed.SkipDays),
	}
	for i, item := range feed.Items {
		e := entry{item: item, author: parsed.Items[i].Author}
		if dc := item.DublinCoreExt; dc != nil {
			e.language = first(dc.Language)
			if e.author == "" {
				e.author = first(dc.Creator)
			}
		}
		doc.entries = append(doc.entries, e)
	}
	return doc, nil
}

var (
	isRDF    = regexp.MustCompile(`(?i)^<(?:[a-z0-9_]+:)?rdf[\s>]`)
	itemTag  = regexp.MustCompile(`<(?:[A-Za-z0-9_]+:)?item[\s>][^>]*>?`)
	aboutRef = regexp.MustCompile(`\s(?:[A-Za-z0-9_]+:)?about\s*=\s*(?:"([^"]*)"|'([^']*)')`)
)

// about gives the items of RSS 1.0 their identifier, which the parser leaves
// out: an exchange rate feed has one page for all its currencies, and tells
// them apart by nothing else. Where the tags in the text do not pair with the
// items, for an "<item" in some description, it does nothing.
func about(text []byte, parsed *rss.Feed) {
	if !isRDF.Match(text[:min(len(text), 256)]) {
		return
	}
	tags := itemTag.FindAll(text, len(parsed.Items)+1)
	if len(tags) != len(parsed.Items) {
		return
	}
	for i, item := range parsed.Items {
		m := aboutRef.FindSubmatch(tags[i])
		if m == nil || item.GUID != nil {
			continue
		}
		if id := strings.TrimSpace(html.UnescapeString(string(m[1]) + string(m[2]))); id != "" {
			item.GUID = &rss.GUID{Value: id}
		}
	}
}

func parseAtom(text []byte) (*document, error) {
	parsed, err := (&atom.Parser{}).Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse Atom: %w", err)
	}
	feed, err := (&gofeed.DefaultAtomTranslator{}).Translate(parsed)
	if err != nil {
		return nil, fmt.Errorf("parse Atom: %w", err)
	}
	doc := &document{feed: feed, bank: bankPrefix(text), gone: tombstones(feed.Extensions)}
	for i, item := range feed.Items {
		if item.Link == "" { // no alternate: the first that has no other meaning
			for _, l := range parsed.Entries[i].Links {
				if l.Rel != "self" && l.Rel != "enclosure" && l.Rel != "edit" && l.Rel != "replies" && l.Href != "" {
					item.Link = l.Href
					break
				}
			}
		}
		if len(item.Authors) == 0 {
			item.Authors = feed.Authors // RFC 4287: the feed's hold for entries without their own
		}
		doc.entries = append(doc.entries, entry{item: item})
	}
	return doc, nil
}

func parseJSON(text []byte) (*document, error) {
	if n := bytes.Count(text, []byte("{")); n > maxElements {
		return nil, fmt.Errorf("%w: more than %d", errElements, maxElements)
	}
	parsed, err := (&json.Parser{}).Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse JSON Feed: %w", err)
	}
	if !strings.Contains(parsed.Version, "jsonfeed.org") && parsed.Items == nil {
		return nil, fmt.Errorf("%w: a JSON document without version and items", errFormat)
	}
	dropNulls(parsed)
	feed, err := (&gofeed.DefaultJSONTranslator{}).Translate(parsed)
	if err != nil {
		return nil, fmt.Errorf("parse JSON Feed: %w", err)
	}
	doc := &document{feed: feed}
	for i, item := range feed.Items {
		from := parsed.Items[i]
		e := entry{item: item, language: from.Language, external: from.ExternalURL}
		// All but content_html is plain: a '<' in it is one.
		item.Title, item.Description = html.EscapeString(from.Title), html.EscapeString(from.Summary)
		if from.ContentHTML == "" {
			item.Content = html.EscapeString(from.ContentText)
		}
		if from.Author != nil {
			e.author = from.Author.Name
		}
		if len(item.Authors) == 0 {
			item.Authors = feed.Authors
		}
		doc.entries = append(doc.entries, e)
	}
	return doc, nil
}

// dropNulls removes what the translator would trip over.
func dropNulls(f *json.Feed) {
	f.Items = withoutNil(f.Items)
	f.Authors = withoutNil(f.Authors)
	for _, item := range f.Items {
		item.Authors = withoutNil(item.Authors)
	}
}

func withoutNil[T any](list []*T) []*T {
	kept := list[:0]
	for _, x := range list {
		if x != nil {
			kept = append(kept, x)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// child is the text of the first element of the name.
func child(children map[string][]ext.Extension, name string) string {
	if all := children[name]; len(all) > 0 {
		return strings.TrimSpace(all[0].Value)
	}
	return ""
}
