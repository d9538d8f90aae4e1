package item

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/messages"
)

// AliasOf is the table's identity of a pushed id without its source, by which
// a DELETE that names no source finds the article. No source id starts with '@'.
func AliasOf(id string) string { return "@pushed|" + id }

// Identity is what makes two drafts the same article: the source it belongs
// to, and within it the pushed id, else what the adapter found to identify it
// (a GUID), else the canonical URL. The kinds are kept apart: a GUID that
// looks like somebody's pushed id is not that article.
func Identity(a *messages.Article) string {
	within := a.GetIdentity()
	switch {
	case a.GetId() != "":
		within = "id|" + a.GetId()
	case within == "":
		within = "url|" + CanonicalURL(a.GetUrl())
	}
	return a.GetSourceId() + "|" + within
}

// Number is the first 52 bits of the identity's SHA-256: below 2^53, so that
// it survives a client that reads numbers as doubles.
func Number(identity string) uint64 {
	sum := sha256.Sum256([]byte(identity))
	return binary.BigEndian.Uint64(sum[:8]) >> 12
}

// URLHash is the SHA-256 of a URL as shown, hex; "" for none.
func URLHash(u string) string {
	if u == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(u))
	return hex.EncodeToString(sum[:])
}

// PostEventID is the id of a post's one event.
func PostEventID(source, id string) string { return source + ":post:" + id + ":1" }

// kinds are the words of event ids. They are in the log: never change one.
var kinds = map[messages.ArticleAction]string{
	messages.ArticleAction_ARTICLE_CREATED: "created",
	messages.ArticleAction_ARTICLE_UPDATED: "updated",
	messages.ArticleAction_ARTICLE_DELETED: "deleted",
}

// eventID is source + item + kind + revision. The source is the one that the
// identity carries and not the actor's: two actors that read the same article
// must come to the same id. 128 bits of the identity's hash name it, as
// it may be a URL of any length.
func eventID(a *messages.Article, action messages.ArticleAction, revision uint32) string {
	sum := sha256.Sum256([]byte(a.GetIdentity()))
	return a.GetSourceId() + ":" + hex.EncodeToString(sum[:16]) + ":" + kinds[action] + ":" +
		strconv.FormatUint(uint64(revision), 10)
}

// tracking are query parameters that say how a reader came to a page and not
// which page it is.
var tracking = map[string]bool{
	"fbclid": true, "gclid": true, "gclsrc": true, "dclid": true, "gbraid": true, "wbraid": true,
	"msclkid": true, "yclid": true, "twclid": true, "ttclid": true, "igshid": true, "igsh": true,
	"mc_cid": true, "mc_eid": true, "mkt_tok": true, "_hsenc": true, "_hsmi": true, "vero_id": true,
	"oly_anon_id": true, "oly_enc_id": true, "wickedid": true, "s_cid": true, "ncid": true,
	"cmpid": true, "cmp": true, "xtor": true, "ref_src": true, "at_medium": true, "at_campaign": true,
	"ftag": true, "guccounter": true, "soc_src": true, "soc_trk": true,
}

func isTracking(name string) bool {
	name = strings.ToLower(name)
	return tracking[name] || strings.HasPrefix(name, "utm_") || strings.HasPrefix(name, "pk_") ||
		strings.HasPrefix(name, "mtm_") || strings.HasPrefix(name, "at_custom")
}

// CanonicalURL is the URL without what does not tell pages apart: the letter
// case of the host, http against https, default ports, tracking parameters.
// The order of parameters and the fragment stay: change logs give each entry an
// anchor on one page. What no browser would open is returned trimmed.
//
// What net/url reads is written by net/url: identities are in the log and in
// the item table, so they stay as they were first made.
func CanonicalURL(raw string) string {
	raw = strings.TrimSpace(raw)
	u, err := url.Parse(raw)
	if err != nil {
		browser, err := weburl.Parse(raw)
		if err != nil || !browser.IsWeb() {
			return raw
		}
		if u, err = url.Parse(browser.String()); err != nil {
			return canonicalBrowserURL(browser)
		}
	}
	if u.Hostname() == "" {
		return raw
	}
	if u.Scheme != "http" && u.Scheme != "https" { // Parse has lowered it
		return raw
	}
	u.Host = strings.ToLower(u.Host)
	if port := u.Port(); u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	if u.Scheme == "http" && u.Port() == "" {
		u.Scheme = "https"
	}
	if u.Path == "" {
		u.Path = "/"
	}
	if u.RawQuery != "" {
		u.RawQuery = dropTracking(u.RawQuery)
		u.ForceQuery = false
	}
	if name, _, _ := strings.Cut(u.Fragment, "="); isTracking(name) {
		u.Fragment, u.RawFragment = "", ""
	}
	return strings.TrimSpace(u.String())
}

// canonicalBrowserURL is CanonicalURL of an address that net/url cannot read in
// any way of writing it, such as one with a bare '%'.
func canonicalBrowserURL(u *weburl.URL) string {
	s := u.String() // host in lower case, without the scheme's own port
	if rest, ok := strings.CutPrefix(s, "http://"); ok && u.Port() == "" {
		s = "https://" + rest
	}
	s, fragment, _ := strings.Cut(s, "#")
	s, query, _ := strings.Cut(s, "?")
	if query = dropTracking(query); query != "" {
		s += "?" + query
	}
	if name, _, _ := strings.Cut(fragment, "="); fragment != "" && !isTracking(name) {
		s += "#" + fragment
	}
	return s
}

func dropTracking(query string) string {
	kept := make([]string, 0, 8)
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if pair != "" && !isTracking(name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}
