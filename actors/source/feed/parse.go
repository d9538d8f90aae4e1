package feed

import (
	"errors"
	"fmt"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/weburl"
)

var errPanic = errors.New("the parser panicked")

// parse reads a document whose own address is base. A panic is an error of this
// document: nothing of it is kept, and the parsers have no state.
func parse(body, contentType string, base *weburl.URL) (doc *document, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	decoded, err := toUTF8(body, contentType)
	if err != nil {
		return nil, err
	}
	s := strings.TrimLeft(decoded, " \t\r\n\uFEFF\x00")
	if strings.HasPrefix(s, "{") {
		return readJSON(s)
	}
	return readXML(s, base)
}

// fault is why a document without anything to tell cannot be called read: a
// feed may be empty, but it has to be one. read is how many drafts it made.
func (d *document) fault(read int) error {
	switch {
	case read > 0 || len(d.entries) > d.unreadable:
		return nil
	case d.cut:
		return fmt.Errorf("parse %s: the document ends before its first item does", d.format)
	case d.unreadable > 0:
		return fmt.Errorf("parse %s: none of its %s has a title, a text, a link or a picture", d.format, items(d.unreadable))
	case d.listed > 0:
		return fmt.Errorf("parse %s: it names %s and has none of them", d.format, items(d.listed))
	case d.foreign != "":
		return fmt.Errorf("parse %s: it has no items, but %q, which neither RSS nor Atom has", d.format, line(d.foreign, 40))
	case !d.known:
		return fmt.Errorf("parse %s: it says nothing of itself and has no items", d.format)
	}
	return nil
}

// warning is what an operator has to know of a document that was read, "" where
// there is nothing.
func (d *document) warning() string {
	var all []string
	if d.cut {
		all = append(all, fmt.Sprintf("the document is cut off or broken at its end; what is whole of it was read (%s)", items(len(d.entries))))
	}
	if d.more {
		all = append(all, "the document is so large that only its newest items were read")
	}
	if n := d.unreadable - d.blank; n > 0 {
		all = append(all, fmt.Sprintf("of its items %d show nothing (no title, text, link or picture) and were left out", n))
	}
	if d.long > 0 {
		all = append(all, fmt.Sprintf("of its items %d have an address of more than %d bytes, and are shown without", d.long, maxURL))
	}
	if d.rekeyed {
		all = append(all, "most of its items have come back under new ids; they are taken for the same articles")
	}
	return strings.Join(all, "; ")
}

// warning is the document's and what is to be said of how it came.
func (r *response) warning(ofDocument string) string {
	if r.cut == nil {
		return ofDocument
	}
	came := fmt.Sprintf("its transfer broke off (%v); what came whole was read", r.cut)
	if ofDocument == "" {
		return came
	}
	return came + "; " + ofDocument
}

func items(n int) string {
	if n == 1 {
		return "1 item"
	}
	return fmt.Sprintf("%d items", n)
}
