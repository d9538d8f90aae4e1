package feed

import (
	"errors"
	"fmt"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/actors/source/feed/markup"
	"github.com/birdwire/birdwire/actors/source/feed/when"
)

var (
	errFormat = errors.New("not a feed: want RSS, Atom or JSON Feed")
	errPage   = fmt.Errorf("%w, and this is an HTML page", errFormat)
)

// maxRead items of a document are read, in its order; maxItems of them, the
// newest, are used.
const maxRead = 20_000

// xmlReader reads RSS and Atom. Items of both, and the elements of both in
// them, are read in every document: what a feed calls itself and what it has do
// not always agree. Only what a text is follows the document's own kind.
//
// It keeps one item at a time; what of a document is whole when it ends too
// early is read like any other.
type xmlReader struct {
	scope
	scan   *markup.Scanner
	text   string
	again  *markup.Token // to be read once more
	doc    *document
	rdf    bool
	atom   bool
	root   bool // was found
	closed bool // and has ended
}

// readXML reads a document whose own address is base.
func readXML(text string, base *weburl.URL) (*document, error) {
	r := &xmlReader{
		scope: scope{count: map[string]int{}, document: base},
		scan:  markup.Scan(text), text: text, doc: &document{},
	}
	for !r.closed {
		t := r.next()
		if t.Kind == markup.End {
			break
		}
		if err := r.token(t); err != nil {
			return nil, err
		}
	}
	if !r.root {
		return nil, fmt.Errorf("%w: begins with %.60q", errFormat, strings.TrimSpace(text[:min(len(text), 300)]))
	}
	r.doc.cut = !r.closed
	return r.doc, nil
}

func (r *xmlReader) next() markup.Token {
	if r.again != nil {
		t := *r.again
		r.again = nil
		return t
	}
	return r.scan.Next()
}

func (r *xmlReader) token(t markup.Token) error {
	switch t.Kind {
	case markup.OpenTag, markup.EmptyTag:
		if !r.root {
			return r.begin(t)
		}
		return r.under(t)
	case markup.CloseTag:
		if n := r.closes(t); n > 0 {
			r.leave(n)
			r.closed = len(r.open) == 0
		}
	}
	return nil
}

// begin looks for the root. What comes before it is a careless server's.
func (r *xmlReader) begin(t markup.Token) error {
	_, name, _ := splitName(t.Name)
	switch name {
	case "html":
		return errPage
	case "rss", "rdf", "feed", "channel":
	default:
		return nil
	}
	e, err := r.enter(t)
	if err != nil {
		return err
	}
	r.root, r.rdf, r.atom = true, name == "rdf", name == "feed"
	r.doc.atDocument = r.atom
	r.doc.format = formatName(e, r.scope.root)
	r.doc.language = e.attr("lang")
	if t.Kind == markup.EmptyTag {
		r.leave(1)
		r.closed = true
	}
	return nil
}

func formatName(root *element, space string) string {
	version := strings.TrimSpace(root.attr("version"))
	switch root.name {
	case "feed":
		if version == "" && strings.Contains(strings.ToLower(space), "purl.org/atom") {
			version = "0.3"
		}
		return strings.TrimSpace("Atom " + either(version, "1.0"))
	case "rdf":
		if strings.Contains(space, "netscape") {
			return "RSS 0.90"
		}
		return "RSS 1.0"
	}
	return strings.TrimSpace("RSS " + line(version, 10))
}

// under reads an element below the root that is not in an item.
func (r *xmlReader) under(t markup.Token) error {
	prefix, name, _ := splitName(t.Name)
	f := r.family(prefix, name)
	own := f == familyCore || f == familyAtom || prefix == "" && isFrame[name]
	switch {
	case own && (name == "item" || name == "entry"):
		return r.item(t)
	case name == "deleted-entry":
		return r.part(t, r.tombstone)
	case own && (name == "channel" || name == "items"), name == "seq":
	case name == "li" && r.rdf:
		r.doc.listed++
	case f == familyOther && (name == "item" || name == "entry"):
		r.doc.foreign = name
	case r.ofFeed() && (!own || ofFeed[name]):
		return r.part(t, r.feed)
	case ofFeed[name] || name == "headline" || name == "url":
		// What is about something, in what is unknown: that may be an item.
		_, r.doc.foreign, _ = splitName(r.open[len(r.open)-1].name)
	}
	if _, err := r.enter(t); err != nil {
		return err
	}
	if t.Kind == markup.EmptyTag {
		r.leave(1)
	}
	return nil
}

// ofFeed says whether the innermost element is the feed itself.
func (r *xmlReader) ofFeed() bool {
	switch len(r.open) {
	case 1:
		return true
	case 2:
		_, name, _ := splitName(r.open[1].name)
		return name == "channel"
	}
	return false
}

// ofFeed are the elements of a feed that are about itself.
var ofFeed = func() map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(`title link description subtitle tagline language copyright rights managingeditor webmaster
		author contributor category generator docs cloud ttl image logo icon rating textinput skiphours skipdays id
		updated modified pubdate lastbuilddate date info`) {
		all[name] = true
	}
	return all
}()

// part reads an element whole and hands it on. What is cut off says nothing.
func (r *xmlReader) part(t markup.Token, use func(*element)) error {
	e, whole, err := r.subtree(t)
	if err == nil && whole {
		use(e)
	}
	return err
}

func (r *xmlReader) item(t markup.Token) error {
	return r.part(t, func(e *element) {
		if len(r.doc.entries) == maxRead {
			r.doc.more = true
			return
		}
		r.doc.entries = append(r.doc.entries, r.entry(e))
	})
}

func (r *xmlReader) tombstone(e *element) {
	if id := e.attr("ref"); id != "" && len(r.doc.gone) < maxTombstones {
		t := tombstone{id: id}
		if at, ok := when.Parse(e.attr("when")); ok {
			t.when = at
		}
		r.doc.gone = append(r.doc.gone, t)
	}
}

// feed reads what a feed says of itself.
func (r *xmlReader) feed(e *element) {
	d := r.doc
	d.known = true
	switch {
	case e.family == familyDC && e.name == "language":
		d.language = either(d.language, e.text())
	case e.family == familyDC && e.name == "title":
		if d.title.s == "" {
			d.title = r.construct(e)
		}
	case e.family != familyCore && e.family != familyAtom:
	case e.name == "title":
		if t := r.construct(e); d.title.s == "" || e.family == familyCore {
			d.title = t
		}
	case e.name == "link":
		r.feedLink(e)
	case e.name == "language":
		d.language = either(e.text(), d.language)
	case e.name == "author" && r.atom:
		if name := either(e.childText("name"), e.childText("email"), e.ownText()); name != "" && len(d.people) < maxNames {
			d.people = append(d.people, name)
		}
	case e.name == "ttl":
		d.schedule.setTTL(e.text())
	case e.name == "skiphours":
		for _, h := range e.children {
			d.schedule.skipHour(h.text())
		}
	case e.name == "skipdays":
		for _, day := range e.children {
			d.schedule.skipDay(day.text())
		}
	}
}

// feedLink is the site's address: text in RSS, a relation in Atom.
func (r *xmlReader) feedLink(e *element) {
	to, rank := linkOf(e)
	if rank == rankPage && to.text != "" && (r.doc.link.text == "" || e.family == familyCore && e.attr("href") == "") {
		r.doc.link = to
	}
}
