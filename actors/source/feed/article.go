package feed

import (
	"encoding/hex"
	"slices"
	"strings"

	"golang.org/x/text/language"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/messages"
)

// maxNames of an item's authors are shown.
const maxNames = 20

// Bounds of what is taken from one document, the newest first; who lists more
// keeps an archive. Drafts wait in memory until the log has them.
const (
	maxItems  = 5000
	maxDrafts = 8 << 20 // bytes
)

// drafts are what a document says, oldest first: withdrawals ahead of what is
// listed. It counts what it cannot use in doc.
func (f *Feed) drafts(doc *document, base *weburl.URL, ids *identities) []*messages.Event {
	base = pageBase(doc, base)
	sights, fact, rekeyed := ids.look(either(f.cfg.Identity, byAuto), doc.entries)
	doc.rekeyed = rekeyed
	seen := make(map[*entry]sight, len(sights))
	for i, e := range doc.entries {
		seen[e] = sights[i]
	}
	var gone, listed []*messages.Event
	buried := make([]bool, len(doc.gone))
	size := 0
	for n, e := range newestFirst(doc.entries) {
		if slices.ContainsFunc(doc.gone, func(t tombstone) bool { return t.buries(e) }) {
			continue
		}
		for i, t := range doc.gone {
			buried[i] = buried[i] || t.id == e.id // listed, and younger than its tombstone
		}
		a := f.article(doc, e, base, func(title string) string { return ids.identity(e, seen[e], title, rekeyed) })
		if a == nil {
			doc.unreadable++
			if !e.says {
				doc.blank++
			}
			continue
		}
		if a.GetUrl() == "" && len(strings.TrimSpace(e.link.value.text)) > maxURL {
			doc.long++
		}
		if size += proto.Size(a); n == maxItems || size > maxDrafts {
			doc.more = true
			break
		}
		if e.retracted {
			gone = append(gone, f.withdrawal(a.GetIdentity(), a.GetUrl()))
			continue
		}
		listed = append(listed, draft(messages.ArticleAction_ARTICLE_ACTION_UNSPECIFIED, a))
	}
	slices.Reverse(gone)
	slices.Reverse(listed)
	for i, t := range doc.gone {
		if !buried[i] {
			for _, identity := range ids.withdrawn(t.id) {
				gone = append(gone, f.withdrawal(identity, ""))
			}
		}
	}
	ids.remember()
	if fact != nil && f.cfg.ID != "" { // a trial decides nothing
		gone = slices.Insert(gone, 0, f.identityFact(fact, ids.Decided))
	}
	return append(gone, listed...)
}

func draft(action messages.ArticleAction, a *messages.Article) *messages.Event {
	return &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Action: action, Article: a}}}
}

func (f *Feed) withdrawal(identity, link string) *messages.Event {
	return draft(messages.ArticleAction_ARTICLE_DELETED, &messages.Article{
		SourceId: f.cfg.SourceID, Identity: strings.Clone(identity), Url: link,
	})
}

// newestFirst orders by date where every item has one, and else takes the
// document's order: feeds list the newest first.
func newestFirst(entries []*entry) []*entry {
	ordered := slices.Clone(entries)
	if !slices.ContainsFunc(ordered, func(e *entry) bool { return e.at().IsZero() }) {
		slices.SortStableFunc(ordered, func(a, b *entry) int { return b.at().Compare(a.at()) })
	}
	return ordered
}

// key is an id as a part of an identity: one that is a text of its own counts
// by its hash.
func key(id string) string {
	const most = 1024
	if len(id) <= most {
		return id
	}
	return "sha256:" + hex.EncodeToString(sumOf(id))
}

// article is nil for what has nothing to show: no words, no link, no file.
func (f *Feed) article(doc *document, e *entry, base *weburl.URL, identity func(title string) string) *messages.Article {
	description, content := e.description.value.page(), e.content.value.page()
	bank := bankElements(e.bank)
	a := &messages.Article{
		SourceId: f.cfg.SourceID, SourceName: f.cfg.Name, Category: f.cfg.Category,
		Title:       either(e.title.value.line(maxTitle), line(simpleTitle(bank), maxTitle)),
		Description: line(description.text, maxDescription),
		Content:     lines(content.text, maxContent),
		Author:      author(doc, e),
		Tags:        tags(e.tags),
		Language:    languageOf(e.language, f.cfg.Language, doc.language),
		PublishedMs: published(e),
	}
	a.ImageUrl, a.VideoUrl = pictures(e, base, content.image, description.image)
	a.Url = link(e, base, a, content.file, description.file)
	if a.Title == "" { // microblogs have none, and pictures
		a.Title = cut(either(a.Description, line(content.text, maxDescription), line(either(content.alt, description.alt), maxTitle), a.Url), 120)
	}
	if a.Title == "" {
		return nil
	}
	if a.Description == "" {
		a.Description = line(content.text, maxDescription)
	}
	a.Identity = strings.Clone(identity(a.Title))
	if a.Identity == "" && a.Url == "" {
		a.Identity = "title|" + a.Title
	}
	centralBank(a, bank)
	return a
}

// pageBase is what relative links mean: the site that the feed is of, else the
// document itself.
func pageBase(doc *document, document *weburl.URL) *weburl.URL {
	if doc.atDocument {
		return document
	}
	from := document
	if doc.link.base != nil {
		from = doc.link.base
	}
	if doc.link.text == "" {
		return document
	}
	if u, err := from.Resolve(doc.link.text); err == nil && u.IsWeb() {
		return u
	}
	return document
}

// absolute is the http or https URL that r means, or "".
func absolute(base *weburl.URL, r ref) string {
	if len(r.text) > 4*maxURL {
		return ""
	}
	s := addressIn(r.text)
	if s == "" || len(s) > 2*maxURL {
		return ""
	}
	if r.base != nil {
		base = r.base
	}
	u, err := base.ResolveLink(s)
	if err != nil || len(u) > maxURL {
		return ""
	}
	return strings.Clone(u) // not a part of the document, which would stay in memory with it
}

// link is the page, or the file that an item without words is.
func link(e *entry, base *weburl.URL, a *messages.Article, inText ...ref) string {
	page := e.link
	if page.rank <= rankForm {
		if u := absolute(base, page.value); u != "" {
			return u
		}
	}
	if u := absolute(base, e.permalink); u != "" {
		return u
	}
	if u := absolute(base, page.value); u != "" {
		return u
	}
	if a.GetTitle() != "" || a.GetDescription() != "" || a.GetContent() != "" {
		return "" // it is complete without
	}
	return either(firstURL(base, e.files), a.GetVideoUrl(), a.GetImageUrl(), firstURL(base, inText))
}

func author(doc *document, e *entry) string {
	people := e.people.value
	if len(people) == 0 {
		people = doc.people
	}
	return line(strings.Join(people, ", "), maxLabel)
}

func tags(words []text) []string {
	var all []string
	for _, w := range words {
		tag := w.line(128)
		if tag != "" && len(all) < 64 && !slices.Contains(all, tag) {
			all = append(all, tag)
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

func published(e *entry) int64 {
	at := e.at()
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

// pictures are the item's image and video: what it declares, from the most
// meant to the least, then what its text shows.
func pictures(e *entry, base *weburl.URL, inText ...ref) (image, video string) {
	return firstURL(base, append(best(e.images), inText...)), firstURL(base, best(e.videos))
}

func firstURL(base *weburl.URL, all []ref) string {
	for _, r := range all {
		if strings.HasPrefix(r.text, "data:") {
			continue
		}
		if u := absolute(base, r); u != "" {
			return u
		}
	}
	return ""
}

func either(options ...string) string {
	for _, s := range options {
		if s != "" {
			return s
		}
	}
	return ""
}
