package feed

import (
	"net/url"
	"strings"
	"time"

	"github.com/mmcdole/gofeed"
	ext "github.com/mmcdole/gofeed/extensions"
)

// tombstone is an at:deleted-entry (RFC 6721): the entry of that id is
// withdrawn, unless the document lists it with a later date.
type tombstone struct {
	id   string
	when time.Time // zero where it is not told
}

// maxTombstones of one document are kept; who lists more keeps an archive.
const maxTombstones = 1000

// tombstones finds them under whatever prefix the document gave the namespace.
func tombstones(extensions ext.Extensions) []tombstone {
	var all []tombstone
	for _, elements := range extensions {
		for _, e := range elements["deleted-entry"] {
			id := strings.TrimSpace(e.Attrs["ref"])
			if id == "" || len(all) == maxTombstones {
				continue
			}
			t := tombstone{id: asParsed(id)}
			if when, err := parseDate(e.Attrs["when"]); err == nil {
				t.when = when
			}
			all = append(all, t)
		}
	}
	return all
}

// asParsed is an id as the parser hands out those of entries: it takes them for
// URLs, and writes them anew.
func asParsed(id string) string {
	if u, err := url.Parse(id); err == nil {
		return u.String()
	}
	return id
}

// buries says whether the tombstone is of this item and younger than it.
func (t tombstone) buries(item *gofeed.Item) bool {
	if item.GUID != t.id {
		return false
	}
	at := item.UpdatedParsed
	if at == nil {
		at = item.PublishedParsed
	}
	return at == nil || t.when.IsZero() || !at.After(t.when)
}

// retracted is a feed's own word for it: media:status of the item.
func retracted(item *gofeed.Item) bool {
	for _, status := range item.Extensions["media"]["status"] {
		if strings.EqualFold(status.Attrs["state"], "deleted") {
			return true
		}
	}
	return false
}
