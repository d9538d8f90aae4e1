package feed

import "strings"

// family is the vocabulary that an element belongs to. Namespaces are compared
// by what their writers meant: with http or https, with or without www, a slash
// or '#' at the end, in any case, of any version.
type family uint8

const (
	familyOther   family = iota
	familyCore           // RSS of any version, or Atom in an Atom document
	familyAtom           // Atom, in other documents
	familyDC             // Dublin Core
	familyContent        // content:encoded
	familyMedia          // Media RSS
	familyITunes
	familyBank // RSS-CB, of central banks
	familyRDF
	familyXHTML
)

// namespaces are beginnings of normal forms. A longer one comes before what it
// begins with.
var namespaces = []struct {
	begins string
	family family
}{
	{"w3.org/2005/atom", familyAtom},
	{"w3.org/1999/xhtml", familyXHTML},
	{"w3.org/1999/02/22-rdf-syntax-ns", familyRDF},
	{"purl.org/atompub", familyOther},
	{"purl.org/atom", familyAtom},
	{"purl.org/rss/1.0/modules/content", familyContent},
	{"purl.org/rss/1.0/modules", familyOther},
	{"purl.org/rss/modules/content", familyContent},
	{"purl.org/rss", familyCore},
	{"purl.org/net/rss", familyCore},
	{"purl.org/dc/", familyDC},
	{"dublincore.org", familyDC},
	{"my.netscape.com/rdf/simple", familyCore},
	{"channel.netscape.com/rdf/simple", familyCore},
	{"my.netscape.com/publish/formats/rss", familyCore},
	{"backend.userland.com/rss", familyCore},
	{"blogs.law.harvard.edu/tech/rss", familyCore},
	{"cyber.law.harvard.edu/rss/creativecommons", familyOther},
	{"cyber.law.harvard.edu/rss", familyCore},
	{"rssboard.org/rss", familyCore},
	{"search.yahoo.com/mrss", familyMedia},
	{"search.yahoo.com/rss", familyMedia},
	{"video.search.yahoo.com/mrss", familyMedia},
	{"tools.search.yahoo.com/mrss", familyMedia},
	{"rssboard.org/media-rss", familyMedia},
	{"itunes.com/dtds/podcast", familyITunes},
	{"cbwiki.net/wiki/index.php/specification_1", familyBank},
	{"bis.org/rss-cb", familyBank},
}

// familyOfPrefix is what a prefix means whose namespace is missing or unheard of.
var familyOfPrefix = map[string]family{
	"rss": familyCore, "rss1": familyCore, "rss10": familyCore, "rss20": familyCore, "rss2": familyCore,
	"atom": familyAtom, "a10": familyAtom, "atom10": familyAtom, "atom03": familyAtom,
	"dc": familyDC, "dcterms": familyDC, "dct": familyDC, "content": familyContent, "media": familyMedia,
	"itunes": familyITunes, "cb": familyBank, "rdf": familyRDF, "xhtml": familyXHTML, "html": familyXHTML,
}

// vocabulary is what is read of the families whose prefixes everybody knows.
var vocabulary = func() map[family]map[string]bool {
	all := map[family]map[string]bool{}
	for f, names := range map[family]string{
		familyDC:      "title description abstract date issued created available modified creator author subject language",
		familyContent: "encoded",
		familyMedia:   "title description thumbnail keywords credit player status content group",
		familyITunes:  "title summary subtitle author image keywords",
		familyBank: "speech statistics exchangerate news paper event person nameaswritten givenname surname role jobtitle affiliation institutionabbrev " +
			"institution institutionname simpletitle occurrencedate venue location locationaswritten observation value basecurrency targetcurrency",
	} {
		all[f] = map[string]bool{}
		for name := range strings.FieldsSeq(names) {
			all[f][name] = true
		}
	}
	return all
}()

// familyOf knows a namespace; familyOther is what it has not heard of.
func familyOf(space string) family {
	space = normalSpace(space)
	for _, n := range namespaces {
		if strings.HasPrefix(space, n.begins) {
			return n.family
		}
	}
	return familyOther
}

func normalSpace(space string) string {
	space = strings.ToLower(strings.TrimSpace(space))
	for _, begin := range []string{"https:", "http:"} {
		space = strings.TrimPrefix(space, begin)
	}
	space = strings.TrimLeft(space, "/")
	space = strings.TrimPrefix(space, "www.")
	return strings.TrimRight(space, "/#")
}
