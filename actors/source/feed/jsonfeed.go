package feed

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-faster/jx"
)

// jsonReader reads JSON Feed 1.0 and 1.1. A field of another type than the
// format's is passed over, and the rest of its item is read: publishers write
// these documents by hand, and no two agree on an author.
type jsonReader struct {
	d       *jx.Decoder
	doc     *document
	version string
	listed  bool // there is a list of items
}

// readJSON reads a document. What is whole is read, where the rest is broken or
// missing.
func readJSON(s string) (*document, error) {
	if n := strings.Count(s, "{"); n > maxElements {
		return nil, fmt.Errorf("%w: more than %d", errElements, maxElements)
	}
	// Between values a control character is a space; in a string JSON has none.
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
	r := &jsonReader{d: jx.DecodeStr(s), doc: &document{}}
	err := r.d.ObjBytes(func(_ *jx.Decoder, key []byte) error { return r.field(strings.ToLower(string(key))) })
	switch {
	case err != nil && len(r.doc.entries) > 0:
		r.doc.cut = true
	case err != nil:
		return nil, fmt.Errorf("parse JSON Feed: %w", plainError(err))
	case !r.listed && strings.Contains(r.version, "jsonfeed.org"):
		return nil, fmt.Errorf("parse JSON Feed: %w", errNoItems)
	case !r.listed:
		return nil, fmt.Errorf("%w: a JSON document without a list of items", errFormat)
	}
	r.doc.known = true
	r.doc.format = "JSON Feed"
	if at := strings.LastIndexByte(r.version, '/'); at >= 0 {
		r.doc.format = line("JSON Feed "+r.version[at+1:], 20)
	}
	return r.doc, nil
}

var errNoItems = errors.New("it has no list of items")

// plainError is what a reader of a feed can do something with: jx's own text
// quotes the document.
func plainError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the document ends before its first item does")
	}
	return errors.New("the document is not JSON, from its first items on")
}

func (r *jsonReader) field(key string) (err error) {
	d := r.doc
	switch key {
	case "version":
		r.version, err = r.scalar()
	case "title":
		d.title.s, err = r.string()
	case "home_page_url":
		d.link.text, err = r.string()
	case "language":
		d.language, err = r.string()
	case "author", "authors":
		e := &entry{people: ranked[[]string]{value: d.people}}
		err = r.people(e, 1)
		d.people = e.people.value
	case "items":
		err = r.items()
	default:
		err = r.d.Skip()
	}
	return err
}

// items are a list; some servers write one with numbers for names.
func (r *jsonReader) items() error {
	each := func(d *jx.Decoder) error {
		if d.Next() != jx.Object {
			r.doc.unreadable++
			return d.Skip()
		}
		e := &entry{}
		if err := d.ObjBytes(func(_ *jx.Decoder, key []byte) error { return r.itemField(e, strings.ToLower(string(key))) }); err != nil {
			return err
		}
		if len(r.doc.entries) == maxRead {
			r.doc.more = true
			return nil
		}
		r.doc.entries = append(r.doc.entries, e)
		return nil
	}
	switch r.d.Next() {
	case jx.Array:
		r.listed = true
		return r.d.Arr(func(d *jx.Decoder) error {
			if d.Next() == jx.Null {
				return d.Null()
			}
			return each(d)
		})
	case jx.Object:
		r.listed = true
		return r.d.ObjBytes(func(d *jx.Decoder, _ []byte) error { return each(d) })
	}
	return r.d.Skip()
}

func (r *jsonReader) itemField(e *entry, key string) (err error) {
	var s string
	e.says = e.says || key != "id"
	switch key {
	case "id":
		e.id, err = r.scalar()
		if isAddress(e.id) {
			e.permalink.text = e.id
		}
	case "url":
		s, err = r.string()
		e.offerLink(rankPlain, ref{text: s})
	case "external_url":
		s, err = r.string()
		e.offerLink(rankRelated, ref{text: s})
	case "title":
		s, err = r.string()
		e.offerText(&e.title, rankOwn, text{s: s})
	case "summary":
		s, err = r.string()
		e.offerText(&e.description, rankOwn, text{s: s})
	case "content_html":
		s, err = r.string()
		e.offerText(&e.content, rankOwn, text{s: s, as: asHTML})
	case "content_text":
		s, err = r.string()
		e.offerText(&e.content, rankAtom, text{s: s})
	case "image":
		s, err = r.address()
		e.offerImage(rankDeclared, ref{text: s})
	case "banner_image":
		s, err = r.address()
		e.offerImage(rankContent, ref{text: s})
	case "date_published":
		s, err = r.scalar()
		e.offerDate(&e.published, rankOwn, s)
	case "date_modified":
		s, err = r.scalar()
		e.offerDate(&e.updated, rankOwn, s)
	case "authors":
		err = r.people(e, rankOwn)
	case "author":
		err = r.people(e, rankAtom)
	case "tags":
		err = r.tags(e)
	case "language":
		e.language, err = r.string()
	case "attachments":
		err = r.list(func() error { return r.attachment(e) })
	default:
		err = r.d.Skip()
	}
	return err
}

// string is "" for what is none.
func (r *jsonReader) string() (string, error) {
	if r.d.Next() != jx.String {
		return "", r.d.Skip()
	}
	return r.d.Str()
}

// scalar takes numbers and truth values too, as they are written: ids have to
// be taken that way (JSON Feed 1.1, "Items").
func (r *jsonReader) scalar() (string, error) {
	switch r.d.Next() {
	case jx.Number, jx.Bool:
		raw, err := r.d.Raw()
		return string(raw), err
	}
	s, err := r.string()
	return strings.TrimSpace(s), err
}

// address is a string, or an object with a url.
func (r *jsonReader) address() (s string, err error) {
	if r.d.Next() != jx.Object {
		return r.string()
	}
	err = r.d.ObjBytes(func(d *jx.Decoder, key []byte) (err error) {
		if string(key) == "url" {
			s, err = r.string()
			return err
		}
		return d.Skip()
	})
	return s, err
}

// list reads each of a list, or the one that is there instead.
func (r *jsonReader) list(each func() error) error {
	if r.d.Next() != jx.Array {
		return each()
	}
	return r.d.Arr(func(*jx.Decoder) error { return each() })
}

// people are objects with a name; some write the names alone.
func (r *jsonReader) people(e *entry, rank int) error {
	return r.list(func() error {
		if r.d.Next() != jx.Object {
			s, err := r.string()
			e.offerPerson(rank, personOf(s))
			return err
		}
		return r.d.ObjBytes(func(d *jx.Decoder, key []byte) error {
			if string(key) != "name" {
				return d.Skip()
			}
			s, err := r.string()
			e.offerPerson(rank, personOf(s))
			return err
		})
	})
}

// tags are strings; some write one with commas.
func (r *jsonReader) tags(e *entry) error {
	if r.d.Next() == jx.String {
		s, err := r.d.Str()
		for tag := range strings.SplitSeq(s, ",") {
			e.tag(text{s: strings.TrimSpace(tag)})
		}
		return err
	}
	return r.list(func() error {
		s, err := r.string()
		e.tag(text{s: s})
		return err
	})
}

func (r *jsonReader) attachment(e *entry) error {
	if r.d.Next() != jx.Object {
		s, err := r.string()
		e.offerFile(rankEnclosure, ref{text: s}, "")
		return err
	}
	var to, kind string
	err := r.d.ObjBytes(func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "url":
			to, err = r.string()
		case "mime_type":
			kind, err = r.string()
		default:
			err = d.Skip()
		}
		return err
	})
	e.offerFile(rankEnclosure, ref{text: to}, kind)
	return err
}
