package readable

import (
	"errors"
	"strings"
	"testing"
)

// What a page, or the host that sends it, says about its use is kept to.
func TestWhatAPageSaysAboutItsUse(t *testing.T) {
	for _, c := range []struct {
		meta, header string // of the page; X-Robots-Tag
		text, image  bool   // may be used
	}{
		{"", "", true, true},
		{`<meta name="robots" content="index, follow, max-snippet:-1, max-image-preview:large">`, "", true, true},
		{`<meta name="robots" content="nofollow, notranslate">`, "all", true, true},
		{`<meta name="googlebot" content="noindex">`, "googlebot: noindex, noarchive", true, true},
		{"", "unavailable_after: 25 Jun 2040 15:00:00 PST", true, true},
		{`<META NAME="Robots" CONTENT="NOINDEX">`, "", false, true},
		{`<meta name="robots" content="follow,noarchive">`, "", false, true},
		{`<meta name="birdwire" content="nosnippet">`, "", false, true},
		{`<meta name="robots" content="max-snippet:0">`, "", false, true},
		{`<meta name="robots" content="max-snippet: 50">`, "", false, true},
		{`<meta name="tdm-reservation" content="1">`, "", false, true},
		{`<meta name="tdm-reservation" content="0">`, "", true, true},
		{"", "noai, noimageai", false, false},
		{"", "none", false, true},
		{"", "Birdwire: noindex", false, true},
		{"", "*: noai", false, true},
		{"", "tdm-reservation", false, true},
		{`<meta name="robots" content="noimageindex">`, "", true, false},
		{"", "max-image-preview:none", true, false},
	} {
		body := strings.Replace(string(outlet(t)), "<head>", "<head>"+c.meta, 1)
		p, err := Read([]byte(body), "text/html; charset=utf-8", address, []string{c.header})
		if errors.Is(err, ErrReserved) == c.text || c.text && err != nil || c.text && (p.Image != "") != c.image {
			t.Errorf("%s %q: image %q, %v", c.meta, c.header, p.Image, err)
		}
	}
}
