package feed

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/actors/source/feed/markup"
)

// A document of 15 MiB can ask for gigabytes: millions of empty elements, or
// names for namespaces that are looked for again with every one of them. What a
// document may cost is bounded here, far above what feeds need. Elements that
// are opened and never closed, as in raw HTML, count as nested.
const (
	maxDepth    = 10_000
	maxElements = 200_000
	maxBindings = 256   // names for namespaces that are bound at a time
	maxAttrs    = 64    // of one element are kept
	maxParts    = 2_000 // elements of one item are kept
)

var (
	errDepth    = errors.New("elements nest too deep")
	errElements = errors.New("too many elements")
	errBindings = errors.New("too many namespaces")
)

// scope is where in a document its reader is: the elements that are open, and
// what they say of namespaces and addresses.
//
// Invariant: count has exactly the names in open.
type scope struct {
	open     []opened
	count    map[string]int
	bindings []binding
	root     string   // the namespace of the root
	own      []string // namespaces in which there are items and the like without a prefix
	elements int
	document *weburl.URL
}

type opened struct {
	name     string // as written, in small letters
	bindings int    // bound before it
	base     *weburl.URL
}

type binding struct{ prefix, space string }

// enter opens an element.
func (s *scope) enter(t markup.Token) (*element, error) {
	prefix, name, qualified := splitName(t.Name)
	e := &element{name: name, base: s.base()}
	before := len(s.bindings)
	t.Attributes(func(name, value string) bool {
		s.attribute(e, name, value)
		return len(s.bindings) <= maxBindings
	})
	s.elements++
	switch {
	case len(s.bindings) > maxBindings:
		return nil, fmt.Errorf("%w: more than %d", errBindings, maxBindings)
	case s.elements > maxElements:
		return nil, fmt.Errorf("%w: more than %d", errElements, maxElements)
	case len(s.open) >= maxDepth:
		return nil, fmt.Errorf("%w: more than %d", errDepth, maxDepth)
	}
	if prefix == "" && isFrame[name] {
		s.owns()
	}
	e.family = s.family(prefix, name)
	e.opaque = isText(e)
	s.open = append(s.open, opened{name: qualified, bindings: before, base: e.base})
	s.count[qualified]++
	return e, nil
}

// attribute keeps it, and takes from it what holds for what is inside.
func (s *scope) attribute(e *element, name, value string) {
	prefix, local, qualified := splitName(name)
	switch {
	case qualified == "xmlns":
		s.bindings = append(s.bindings, binding{"", value})
	case prefix == "xmlns":
		s.bindings = append(s.bindings, binding{local, value})
	case qualified == "xml:base":
		e.base = s.resolve(e.base, value)
	case len(e.attrs) < maxAttrs:
		e.attrs = append(e.attrs, attribute{local, value})
	}
}

// resolve is the base that value sets, itself relative to the one around it.
func (s *scope) resolve(around *weburl.URL, value string) *weburl.URL {
	from := around
	if from == nil {
		from = s.document
	}
	if u, err := from.Resolve(value); err == nil && u.IsWeb() {
		return u
	}
	return around
}

func (s *scope) base() *weburl.URL {
	if len(s.open) == 0 {
		return nil
	}
	return s.open[len(s.open)-1].base
}

// leave closes the innermost n elements.
func (s *scope) leave(n int) {
	for range n {
		last := s.open[len(s.open)-1]
		s.open = s.open[:len(s.open)-1]
		s.bindings = s.bindings[:last.bindings]
		if s.count[last.name]--; s.count[last.name] == 0 {
			delete(s.count, last.name)
		}
	}
}

// closes is how many elements an end tag closes: those whose own end tags are
// missing are closed with the one around them. 0: there is nothing open for it.
func (s *scope) closes(t markup.Token) int {
	_, _, name := splitName(t.Name)
	if s.count[name] == 0 {
		return 0
	}
	for i := len(s.open) - 1; i >= 0; i-- {
		if s.open[i].name == name {
			return len(s.open) - i
		}
	}
	return 0
}

// isFrame are the elements that make a feed one.
var isFrame = map[string]bool{"rss": true, "feed": true, "channel": true, "item": true, "entry": true}

// maxOwn namespaces are taken for the feed's own.
const maxOwn = 8

// owns takes the namespace of what has no prefix for the feed's own.
func (s *scope) owns() {
	space, _ := s.space("")
	if len(s.own) < maxOwn && !slices.Contains(s.own, space) {
		s.own = append(s.own, space)
	}
}

// family is what an element of this prefix and name belongs to. Without a
// prefix it is of the feed's own vocabulary, whatever namespace that claims to
// be, unless it clearly is another's. A prefix that everybody uses for one
// vocabulary means that, where it has the element: prefixes are typed by hand,
// and namespaces are pasted.
func (s *scope) family(prefix, name string) family {
	space, bound := s.space(prefix)
	if len(s.open) == 0 {
		s.root = space
		return familyCore
	}
	if usual := familyOfPrefix[prefix]; vocabulary[usual][name] {
		return usual
	}
	if space == s.root && (bound || prefix == "") || prefix == "" && slices.Contains(s.own, space) {
		return familyCore
	}
	known := familyOf(space)
	switch {
	case known != familyOther:
		return known
	case prefix == "":
		return familyCore
	}
	return familyOfPrefix[prefix]
}

func (s *scope) space(prefix string) (space string, bound bool) {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if s.bindings[i].prefix == prefix {
			return s.bindings[i].space, true
		}
	}
	return "", false
}

// splitName takes a name apart, in small letters.
func splitName(name string) (prefix, local, qualified string) {
	qualified = strings.ToLower(name)
	prefix, local, ok := strings.Cut(qualified, ":")
	if !ok {
		return "", qualified, qualified
	}
	return prefix, local, qualified
}

// isText says whether an element's inside is a text, with or without markup.
func isText(e *element) bool {
	switch e.name {
	case "title", "description", "summary", "subtitle", "tagline", "encoded", "rights", "copyright":
		return true
	case "content":
		return e.family != familyMedia
	case "body", "div":
		return e.family == familyXHTML
	}
	return false
}
