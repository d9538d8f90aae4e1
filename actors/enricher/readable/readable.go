// Package readable takes the article out of a page: its text without menus,
// adverts and comments, and what the page says about it. The work is
// go-readability's, a port of what Firefox's reader view uses; here are its
// bounds. It fetches nothing and never trusts a page.
package readable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"strings"

	"codeberg.org/readeck/go-readability/v2"
	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/language"
)

const (
	// BytesMost is how long a page may be.
	BytesMost = 3 << 20

	elementsMost = 30_000 // of a page
	depthMost    = 400    // of elements inside each other: what reads them recurses
	charsLeast   = 200    // of a text: with fewer it is a menu or a wall
	excerptMost  = 300    // characters
	bylineMost   = 200    // bytes
	addressMost  = 2 << 10
)

// ErrPage: there is no article in it that can be read.
var ErrPage = errors.New("no readable article")

// Page is an article as its page has it.
type Page struct {
	URL       string // as it was given
	Canonical string // the address that the page calls the original's; "" none
	Text      string // plain, one paragraph a line
	Excerpt   string
	Byline    string
	Image     string
	Language  string // BCP 47, "" unknown
}

// Read takes the article out of a page of that address. robots are the values of
// the X-Robots-Tag that came with it.
func Read(body []byte, contentType, address string, robots []string) (page Page, err error) {
	defer func() {
		if r := recover(); r != nil { // a page must not be able to end more than itself
			page, err = Page{}, fmt.Errorf("%w: %v", ErrPage, r)
		}
	}()
	if err := check(body, contentType); err != nil {
		return Page{}, err
	}
	at, err := url.Parse(address)
	if err != nil {
		return Page{}, fmt.Errorf("%w: its address is none", ErrPage)
	}
	decoded, err := charset.NewReader(bytes.NewReader(body), contentType)
	if err != nil {
		return Page{}, fmt.Errorf("%w: %w", ErrPage, err)
	}
	doc, err := html.Parse(io.LimitReader(decoded, 2*BytesMost))
	if err != nil {
		return Page{}, fmt.Errorf("%w: %w", ErrPage, err)
	}
	head := headOf(doc)
	for _, value := range robots {
		head.says.header(value)
	}
	if head.says.text {
		return Page{}, ErrReserved
	}
	if head.elements > elementsMost || head.depth > depthMost {
		return Page{}, fmt.Errorf("%w: %d elements, %d inside each other", ErrPage, head.elements, head.depth)
	}
	p := readability.NewParser()
	p.MaxElemsToParse, p.CharThresholds = elementsMost, charsLeast
	article, err := p.ParseDocument(doc, at)
	if err != nil {
		return Page{}, fmt.Errorf("%w: %w", ErrPage, err)
	}
	if article.Node == nil {
		return Page{}, ErrPage
	}
	var text strings.Builder
	if err := article.RenderText(&text); err != nil {
		return Page{}, fmt.Errorf("%w: %w", ErrPage, err)
	}
	page = Page{
		URL: address, Canonical: web(at, head.canonical), Text: tidy(text.String()), Excerpt: cut(article.Excerpt(), excerptMost),
		Byline: clipped(article.Byline()), Image: web(at, article.ImageURL()), Language: tag(either(article.Language(), head.language)),
	}
	if head.says.image {
		page.Image = ""
	}
	if len([]rune(page.Text)) < charsLeast {
		return Page{}, fmt.Errorf("%w: the text has less than %d characters", ErrPage, charsLeast)
	}
	return page, nil
}

func check(body []byte, contentType string) error {
	if len(body) > BytesMost {
		return fmt.Errorf("%w: more than %d bytes", ErrPage, BytesMost)
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err == nil && kind != "text/html" && kind != "application/xhtml+xml" {
		return fmt.Errorf("%w: it is %s", ErrPage, kind)
	}
	return nil
}

// head is what a page says of itself outside its article.
type head struct {
	canonical, language string
	elements, depth     int
	says                directives
}

// headOf walks the whole page without recursion.
func headOf(doc *html.Node) (h head) {
	depth := 0
	for n := doc; n != nil; {
		if n.Type == html.ElementNode {
			h.elements++
			h.take(n)
		}
		if n.FirstChild != nil {
			n = n.FirstChild
			depth++
			h.depth = max(h.depth, depth)
			continue
		}
		for n != nil && n.NextSibling == nil {
			n = n.Parent
			depth--
		}
		if n != nil {
			n = n.NextSibling
		}
	}
	return h
}

func (h *head) take(n *html.Node) {
	switch n.Data {
	case "html":
		h.language = attribute(n, "lang")
	case "meta":
		h.says.meta(n)
	case "link":
		if h.canonical == "" && strings.EqualFold(attribute(n, "rel"), "canonical") {
			h.canonical = attribute(n, "href")
		}
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}

// tidy leaves one line a paragraph.
func tidy(s string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.ToValidUTF8(s, "")) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(line)
		}
	}
	return b.String()
}

// web is the http or https URL that ref means, or "".
func web(base *url.URL, ref string) string {
	if ref == "" || len(ref) > addressMost {
		return ""
	}
	u, err := base.Parse(ref)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(u.String()) > addressMost {
		return ""
	}
	return u.String()
}

func tag(s string) string {
	if s == "" || len(s) > 35 {
		return ""
	}
	t, err := language.Parse(strings.ReplaceAll(s, "_", "-"))
	if err != nil || t == language.Und {
		return ""
	}
	return t.String()
}

func clipped(byline string) string {
	byline = strings.Join(strings.Fields(strings.ToValidUTF8(byline, "")), " ")
	if len(byline) > bylineMost { // no name is so long
		return ""
	}
	return byline
}

func cut(s string, most int) string {
	runes := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " "))
	if len(runes) <= most {
		return string(runes)
	}
	return strings.TrimSpace(string(runes[:most-1])) + "…"
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
