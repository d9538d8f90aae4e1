package feed

import (
	"slices"
	"strings"
	"time"

	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/actors/source/feed/when"
)

// document is a feed as it was read, whatever its format.
type document struct {
	format   string // as shown: "RSS 2.0"
	title    text
	link     ref // of the site that it is of
	language string
	people   []string // of entries that name nobody; empty where the format has no such rule
	schedule schedule
	entries  []*entry
	gone     []tombstone
	known    bool // it says something of itself, if only its title

	atDocument bool   // relative links mean the document's own address, not its site's
	listed     int    // items that it names and does not have
	foreign    string // an element that may be an item, in no format that is known
	unreadable int    // items that show nothing
	blank      int    // of those, the ones that say nothing either
	long       int    // items whose address is too long to be kept, and that have no other
	cut        bool   // it ended before its end
	rekeyed    bool   // known links have new ids
	more       bool   // it has more items than are read
}

// entry is an item as it was read.
type entry struct {
	id          string
	title       ranked[text]
	description ranked[text]
	content     ranked[text]
	link        ranked[ref]
	permalink   ref // the id, where it is an address
	published   ranked[time.Time]
	updated     ranked[time.Time]
	people      ranked[[]string]
	tags        []text
	language    string
	images      []ranked[ref]
	videos      []ranked[ref]
	files       []ref // enclosures of other kinds
	bank        *element
	retracted   bool
	says        bool // there is more in it than an id and a date
}

// ref is an address as it was written, and what it is relative to: nil for what
// the document's addresses are relative to.
type ref struct {
	text string
	base *weburl.URL
}

// ranked holds the best that was found so far: the first of the lowest rank.
type ranked[T any] struct {
	value T
	rank  int // 1 is the best; 0: nothing was found
}

func (r *ranked[T]) offer(rank int, value T) {
	if r.rank == 0 || rank < r.rank {
		r.value, r.rank = value, rank
	}
}

func (e *entry) offerText(to *ranked[text], rank int, t text) {
	if strings.TrimSpace(t.s) != "" {
		to.offer(rank, t)
	}
}

func (e *entry) offerDate(to *ranked[time.Time], rank int, s string) {
	if at, ok := when.Parse(s); ok && sane(at) {
		to.offer(rank, at)
	}
}

func (e *entry) offerLink(rank int, r ref) {
	if r.text != "" {
		e.link.offer(rank, r)
	}
}

// offerPerson adds to the people of one rank.
func (e *entry) offerPerson(rank int, name string) {
	if name = clip(strings.TrimSpace(name), maxLoose); name == "" {
		return
	}
	if e.people.rank == rank {
		if len(e.people.value) < maxNames && !slices.Contains(e.people.value, name) {
			e.people.value = append(e.people.value, name)
		}
		return
	}
	e.people.offer(rank, []string{name})
}

// maxMedia of each kind are kept of an item.
const maxMedia = 16

func (e *entry) offerImage(rank int, r ref) {
	if r.text != "" && len(e.images) < maxMedia {
		e.images = append(e.images, ranked[ref]{r, rank})
	}
}

// offerFile takes what an item encloses for an image, a video or neither. Its
// address tells where its type does not.
func (e *entry) offerFile(rank int, r ref, kind string) {
	if r.text == "" {
		return
	}
	kind = strings.ToLower(kind)
	if !strings.Contains(kind, "image") && !strings.Contains(kind, "video") && !strings.Contains(kind, "audio") && !strings.Contains(kind, "text") {
		kind += kindOfAddress(r.text)
	}
	switch {
	case strings.Contains(kind, "video"):
		if len(e.videos) < maxMedia {
			e.videos = append(e.videos, ranked[ref]{r, rank})
		}
	case strings.Contains(kind, "image"):
		e.offerImage(rank, r)
	case len(e.files) < maxMedia:
		e.files = append(e.files, r)
	}
}

// kindOfAddress goes by the end of an address's path.
func kindOfAddress(s string) string {
	s, _, _ = strings.Cut(s, "#")
	s, _, _ = strings.Cut(s, "?")
	dot := strings.LastIndexByte(s, '.')
	if dot < 0 {
		return ""
	}
	switch strings.ToLower(s[dot+1:]) {
	case "jpg", "jpeg", "png", "gif", "webp", "avif", "bmp", "svg", "heic", "jfif":
		return "image"
	case "mp4", "m4v", "webm", "mov", "ogv", "avi", "mkv", "m3u8", "mpg", "mpeg":
		return "video"
	}
	return ""
}

// at is when it was published, or else changed; zero is unknown.
func (e *entry) at() time.Time {
	if e.published.rank > 0 {
		return e.published.value
	}
	return e.updated.value
}

// best are the addresses in order of rank.
func best(all []ranked[ref]) []ref {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b ranked[ref]) int { return a.rank - b.rank })
	refs := make([]ref, len(sorted))
	for i, r := range sorted {
		refs[i] = r.value
	}
	return refs
}

// sane drops dates that no feed means: before the web, or from a broken clock.
func sane(t time.Time) bool { return t.Year() >= 1990 && t.Year() < 2100 }
