package readable

import (
	"errors"
	"strings"

	"golang.org/x/net/html"
)

// ErrReserved: the page says that its text is not to be used as it is here: kept,
// shown in part, told in one line, made vectors of.
var ErrReserved = errors.New("the page reserves its text")

// Agent is the name by which pages may speak of this reader alone.
const Agent = "birdwire"

// What binds whoever reads a page for others. That a page is not to be listed or
// kept, or that no part of its text is to be shown, binds because all of that is
// done here; that it is not for artificial intelligence, or reserved from the
// mining of texts (TDMRep), because models are asked about it where they are
// configured. nofollow and notranslate say nothing about the text.
var reserving = map[string]bool{
	"none": true, "noindex": true, "noarchive": true, "nocache": true, "nosnippet": true, "noai": true, "noml": true, tdmReservation: true,
}

const tdmReservation = "tdm-reservation"

// directives is what a page says about its use.
type directives struct{ text, image bool } // reserved

// header takes the value of an X-Robots-Tag, which may be for one reader alone.
func (d *directives) header(value string) {
	if agent, rest, ok := strings.Cut(value, ":"); ok && !strings.ContainsAny(agent, ", ") && !takesValue(agent) {
		if agent = strings.TrimSpace(agent); agent != "*" && !strings.EqualFold(agent, Agent) {
			return
		}
		value = rest
	}
	d.content(value)
}

// content takes a list of directives.
func (d *directives) content(list string) {
	for word := range strings.SplitSeq(list, ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(word)), ":")
		switch name = strings.TrimSpace(name); {
		case reserving[name]:
			d.text = true
		case name == "max-snippet" && strings.TrimSpace(value) != "-1": // what is taken is longer than any
			d.text = true
		case name == "noimageindex" || name == "noimageai" || name == "max-image-preview" && strings.TrimSpace(value) == "none":
			d.image = true
		}
	}
}

func takesValue(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	return name == "unavailable_after" || strings.HasPrefix(name, "max-")
}

// meta takes a <meta> element.
func (d *directives) meta(n *html.Node) {
	switch strings.ToLower(attribute(n, "name")) {
	case "robots", Agent:
		d.content(attribute(n, "content"))
	case tdmReservation:
		d.text = d.text || attribute(n, "content") == "1"
	}
}
