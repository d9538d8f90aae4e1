package feed

import "github.com/birdwire/birdwire/actors/source/feed/markup"

// subtree reads an element to its end; whole is false where the document ends
// first. An element that is never closed ends with the one around it, and an
// item also where the next one begins.
func (r *xmlReader) subtree(t markup.Token) (e *element, whole bool, err error) {
	if e, err = r.enter(t); err != nil {
		return nil, false, err
	}
	if t.Kind == markup.EmptyTag {
		r.leave(1)
		return e, true, nil
	}
	b := branch{r: r, parts: []part{{e, t.Stop}}}
	for {
		t := r.next()
		switch t.Kind {
		case markup.End:
			b.end(len(b.parts), t.Start)
			return e, false, nil
		case markup.OpenTag, markup.EmptyTag:
			n := b.endedBy(t)
			b.end(n, t.Start)
			if len(b.parts) == 0 {
				r.again = &t
				return e, true, nil
			}
			if err := b.add(t); err != nil {
				return nil, false, err
			}
		case markup.CloseTag:
			n := r.closes(t)
			if n > len(b.parts) { // the end of something around it
				r.again = &t
				n = len(b.parts)
			}
			b.end(n, t.Start)
			if len(b.parts) == 0 {
				return e, true, nil
			}
		}
	}
}

// branch is the way from an element to where its reader is.
type branch struct {
	r     *xmlReader
	parts []part
	kept  int
}

// part is an open element; nil inside a text and past the bound of what is kept.
type part struct {
	e     *element
	begin int // where its inside begins
}

// add opens an element in the innermost one.
func (b *branch) add(t markup.Token) error {
	e, err := b.r.enter(t)
	if err != nil {
		return err
	}
	parent := b.parts[len(b.parts)-1].e
	switch {
	case parent == nil:
		e = nil
	case parent.opaque:
		parent.marked = true
		e = nil
	case b.kept == maxParts:
		e = nil
	default:
		parent.marked = true
		parent.children = append(parent.children, e)
		b.kept++
	}
	if t.Kind == markup.EmptyTag || e == nil && isVoid[t.Name] {
		b.r.leave(1)
		return nil
	}
	b.parts = append(b.parts, part{e, t.Stop})
	return nil
}

// end closes the innermost n elements at this place.
func (b *branch) end(n, at int) {
	for range n {
		last := b.parts[len(b.parts)-1]
		b.parts = b.parts[:len(b.parts)-1]
		if last.e != nil {
			last.e.inner = b.r.text[last.begin:at]
		}
	}
	b.r.leave(n)
}

// endedBy is how many of the open elements a start tag ends: all of them where
// it begins the next item, as an item never holds another one; a title whose
// end is missing where it begins something that no title has.
func (b *branch) endedBy(t markup.Token) int {
	prefix, name, _ := splitName(t.Name)
	if name == "item" || name == "entry" {
		if f := b.r.family(prefix, name); f == familyCore || f == familyAtom || prefix == "" {
			return len(b.parts)
		}
	}
	innermost := b.parts[len(b.parts)-1].e
	if innermost != nil && innermost.name == "title" && prefix == "" && notInTitle[name] {
		return 1
	}
	return 0
}

var notInTitle = map[string]bool{
	"link": true, "description": true, "guid": true, "pubdate": true, "id": true, "updated": true, "published": true,
	"summary": true, "content": true, "author": true, "category": true, "enclosure": true, "language": true,
}

// isVoid are HTML's elements that have no end tag.
var isVoid = map[string]bool{"br": true, "hr": true, "img": true, "wbr": true, "input": true, "BR": true, "HR": true, "IMG": true}
