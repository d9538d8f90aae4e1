package feed

import "strings"

// Ranks of what an item may say in several places, the best first.
const (
	rankOwn   = 1 + iota // the format's own element
	rankAtom             // Atom's, in RSS
	rankDC               // Dublin Core's
	rankMedia            // Media RSS's
	rankLast             // iTunes', and what else there is
)

// Ranks of links and of files.
const (
	rankPlain   = 1 + iota // RSS's link
	rankPage               // the page, in HTML
	rankForm               // the page in another form
	rankRelated            // something else that can be shown
	rankNone               // not for readers
)

// entry reads an item or entry.
func (r *xmlReader) entry(e *element) *entry {
	to := &entry{language: e.attr("lang")}
	for _, c := range e.children {
		to.says = to.says || !isBookkeeping[c.name]
		switch c.family {
		case familyCore, familyAtom:
			r.coreElement(to, c)
		case familyDC:
			r.dublinCore(to, c)
		case familyContent:
			if c.name == "encoded" {
				to.offerText(&to.content, rankOwn, r.construct(c))
			}
		case familyMedia:
			r.media(to, c)
		case familyITunes:
			r.iTunes(to, c)
		case familyXHTML:
			to.offerText(&to.content, rankAtom, text{c.html(true), asHTML, c.base})
		case familyBank:
			to.bank = e
		case familyOther, familyRDF:
		}
	}
	if to.id == "" && r.rdf {
		// An exchange rate feed has one page for all its currencies, and tells
		// them apart by nothing else.
		to.id = e.attr("about")
	}
	return to
}

// isBookkeeping are elements that tell readers nothing.
var isBookkeeping = map[string]bool{
	"guid": true, "id": true, "pubdate": true, "published": true, "updated": true, "date": true, "category": true,
}

// coreElement reads one of RSS or Atom.
func (r *xmlReader) coreElement(to *entry, e *element) {
	rank := rankOwn
	if e.family == familyAtom {
		rank = rankAtom
	}
	switch e.name {
	case "title", "headline":
		to.offerText(&to.title, rank, r.construct(e))
	case "description", "summary":
		to.offerText(&to.description, rank, r.construct(e))
	case "encoded", "fulltext":
		to.offerText(&to.content, rank, r.construct(e))
	case "content":
		r.content(to, e)
	case "link":
		r.link(to, e)
	case "guid", "id":
		r.id(to, e)
	case "pubdate", "published", "issued":
		to.offerDate(&to.published, rank, e.text())
	case "created", "date":
		to.offerDate(&to.published, rankLast, e.text())
	case "updated", "modified":
		to.offerDate(&to.updated, rank, e.text())
	case "author":
		r.author(to, rank, e)
	case "creator":
		r.author(to, rankDC, e)
	case "category":
		r.category(to, e)
	case "language":
		to.language = either(to.language, e.text())
	case "enclosure":
		to.offerFile(rankEnclosure, ref{either(e.attr("url"), e.attr("href"), e.text()), e.base}, e.attr("type"))
	case "image", "thumbnail", "img", "cover":
		to.offerImage(rankDeclared, ref{either(e.attr("url"), e.attr("href"), e.attr("src"), e.childText("url"), e.ownText()), e.base})
	case "source":
		for _, c := range e.children {
			if c.name == "author" {
				r.author(to, rankLast+1, c) // an entry that was taken over from another feed
			}
		}
	}
}

// Ranks of images and videos: what is declared for the item, what is its
// content, what is enclosed, and small forms of those.
const (
	rankDeclared = 1 + iota
	rankContent
	rankEnclosure
	rankThumbnail
)

func (r *xmlReader) content(to *entry, e *element) {
	if src := e.attr("src"); src != "" { // Atom's content that is somewhere else
		to.offerFile(rankContent, ref{src, e.base}, e.attr("type"))
		if kind := e.attr("type"); kind == "" || strings.Contains(kind, "html") {
			to.offerLink(rankRelated, ref{src, e.base})
		}
	}
	rank := rankOwn
	if !r.isAtom(e) {
		rank = rankAtom // RSS has content:encoded for it
	}
	to.offerText(&to.content, rank, r.construct(e))
}

// linkOf is where an element links to, and how good an answer that is. An
// address may be the element's text in Atom, and an attribute in RSS.
func linkOf(e *element) (ref, int) {
	href, inside := e.attr("href"), e.text()
	relation := strings.ToLower(e.attr("rel"))
	relation = strings.TrimPrefix(normalSpace(relation), "iana.org/assignments/relation/")
	to := ref{either(href, inside, e.attr("url"), e.attr("resource"), e.attr("src")), e.base}
	kind := strings.ToLower(e.attr("type"))
	switch relation {
	case "", "alternate", "canonical":
		if kind != "" && !strings.Contains(kind, "html") && !strings.Contains(kind, "text/plain") {
			return to, rankForm
		}
		return to, rankPage
	case "self", "edit", "edit-media", "replies", "hub", "next", "prev", "previous", "first", "last", "license", "payment", "service", "search", "icon", "stylesheet", "enclosure":
		return to, rankNone
	}
	return to, rankRelated
}

func (r *xmlReader) link(to *entry, e *element) {
	target, rank := linkOf(e)
	switch {
	case strings.EqualFold(e.attr("rel"), "enclosure"):
		to.offerFile(rankEnclosure, target, e.attr("type"))
	case rank == rankPage && e.family == familyCore && !r.atom && e.attr("href") == "":
		to.offerLink(rankPlain, target)
	case rank != rankNone:
		to.offerLink(rank, target)
	}
}

// id keeps an item's own identifier, and the address that it may be.
func (r *xmlReader) id(to *entry, e *element) {
	id := e.text()
	if id == "" || to.id != "" && !(e.name == "guid" && e.family == familyCore) {
		return
	}
	to.id = id
	permalink := strings.ToLower(e.attr("ispermalink"))
	switch {
	case isAddress(id), permalink == "true" && !strings.ContainsAny(id, " \t\n"), strings.HasPrefix(id, "/") && permalink != "false" && e.name == "guid":
		to.permalink = ref{id, e.base}
	}
}

// isAddress says whether s begins as an address of the web.
func isAddress(s string) bool {
	s = strings.ToLower(s[:min(len(s), 8)])
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

func (r *xmlReader) author(to *entry, rank int, e *element) {
	if name := either(e.childText("name"), e.childText("email")); name != "" {
		to.offerPerson(rank, name)
		return
	}
	to.offerPerson(rank, personOf(loose(e.ownText())))
}

// category: Atom has its words in attributes, RSS as text.
func (r *xmlReader) category(to *entry, e *element) {
	if word := either(e.attr("label"), e.attr("term")); word != "" {
		to.tag(text{s: word})
		return
	}
	to.tag(text{s: e.text(), as: asLoose})
}

// maxTags of an item are looked at.
const maxTags = 256

func (e *entry) tag(t text) {
	if len(e.tags) < maxTags && t.s != "" {
		e.tags = append(e.tags, t)
	}
}

func (e *entry) keywords(list string) {
	for word := range strings.SplitSeq(list, ",") {
		e.tag(text{s: strings.TrimSpace(word), as: asLoose})
	}
}

func (r *xmlReader) dublinCore(to *entry, e *element) {
	switch e.name {
	case "title":
		to.offerText(&to.title, rankDC, r.construct(e))
	case "description", "abstract":
		to.offerText(&to.description, rankDC, r.construct(e))
	case "date", "issued", "created", "available":
		to.offerDate(&to.published, rankDC, e.text())
		if e.name == "date" {
			to.offerDate(&to.updated, rankDC, e.text())
		}
	case "modified":
		to.offerDate(&to.updated, rankDC, e.text())
	case "creator", "author":
		r.author(to, rankDC, e)
	case "subject":
		to.tag(text{s: e.text(), as: asLoose})
	case "language":
		to.language = either(e.text(), to.language)
	}
}

func (r *xmlReader) iTunes(to *entry, e *element) {
	switch e.name {
	case "title":
		to.offerText(&to.title, rankLast, r.construct(e))
	case "summary":
		to.offerText(&to.description, rankLast, r.construct(e))
	case "subtitle":
		to.offerText(&to.description, rankLast+1, r.construct(e))
	case "author":
		r.author(to, rankLast, e)
	case "image":
		to.offerImage(rankDeclared, ref{either(e.attr("href"), e.attr("url"), e.text()), e.base})
	case "keywords":
		to.keywords(e.text())
	}
}

// media reads Media RSS, in groups and in contents too. What is in a video's
// content describes the video, and is the item's where that has nothing better.
func (r *xmlReader) media(to *entry, e *element) {
	switch e.name {
	case "title":
		to.offerText(&to.title, rankMedia, r.construct(e))
	case "description":
		to.offerText(&to.description, rankMedia, r.construct(e))
	case "thumbnail":
		to.offerImage(rankThumbnail, ref{either(e.attr("url"), e.attr("href"), e.text()), e.base})
	case "keywords":
		to.keywords(e.text())
	case "credit":
		if role := strings.ToLower(e.attr("role")); role == "author" || role == "writer" || role == "reporter" {
			r.author(to, rankMedia, e)
		}
	case "player":
		to.offerLink(rankRelated, ref{either(e.attr("url"), e.attr("href")), e.base})
	case "status":
		to.retracted = to.retracted || strings.EqualFold(e.attr("state"), "deleted")
	case "content":
		to.offerFile(rankContent, ref{either(e.attr("url"), e.attr("href")), e.base}, e.attr("medium")+" "+e.attr("type"))
		r.mediaParts(to, e)
	case "group":
		r.mediaParts(to, e)
	}
}

func (r *xmlReader) mediaParts(to *entry, e *element) {
	for _, c := range e.children {
		if c.name == "status" { // of this file, and not of the item
			continue
		}
		if c.family == familyMedia || c.family == familyCore && c.name != "link" {
			r.media(to, c)
		}
	}
}
