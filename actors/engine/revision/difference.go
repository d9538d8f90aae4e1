package revision

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

const (
	pastMost     = 16       // revisions that are kept
	pastBytes    = 32 << 10 // and bytes of them, about
	editsMost    = 24       // of one text
	revisionMost = 8 << 10  // bytes of one revision, about
	pieceMost    = 1 << 10  // bytes of what was taken out or put in at one place
)

// Add returns past with what changed from one state to the next, the oldest
// revisions gone where there are too many. It shares nothing that it changes.
func Add(past []*messages.Revision, number uint32, before, after *messages.Article) []*messages.Revision {
	r := Difference(before, after)
	r.Number, r.UpdatedMs = number, after.GetUpdatedMs()
	all := append(slices.Clone(past), r)
	bytes := 0
	for i := len(all) - 1; i >= 0; i-- {
		if bytes += proto.Size(all[i]); i < len(all)-1 && (bytes > pastBytes || len(all)-i > pastMost) {
			return all[i+1:]
		}
	}
	return all
}

// Difference is what a reader sees change.
func Difference(before, after *messages.Article) *messages.Revision {
	d := difference{}
	d.text("title", before.GetTitle(), after.GetTitle())
	d.text("description", before.GetDescription(), after.GetDescription())
	d.text("content", before.GetContent(), after.GetContent())
	for _, f := range []struct{ name, before, after string }{
		{"url", before.GetUrl(), after.GetUrl()},
		{"author", before.GetAuthor(), after.GetAuthor()},
		{"category", before.GetCategory(), after.GetCategory()},
		{"language", before.GetLanguage(), after.GetLanguage()},
		{"image_url", before.GetImageUrl(), after.GetImageUrl()},
		{"video_url", before.GetVideoUrl(), after.GetVideoUrl()},
		{"article_type", before.GetArticleType(), after.GetArticleType()},
		{"source_name", before.GetSourceName(), after.GetSourceName()},
		{"headline_summary", before.GetHeadlineSummary(), after.GetHeadlineSummary()},
		{"content_status", before.GetContentStatus(), after.GetContentStatus()},
		{"speaker", before.GetSpeaker(), after.GetSpeaker()},
		{"institution", before.GetInstitution(), after.GetInstitution()},
		{"exchange_rate", before.GetExchangeRate(), after.GetExchangeRate()},
		{"tags", strings.Join(before.GetTags(), ", "), strings.Join(after.GetTags(), ", ")},
		{"tickers", strings.Join(before.GetTickers(), ", "), strings.Join(after.GetTickers(), ", ")},
	} {
		if f.before != f.after {
			d.add(&messages.FieldChange{Field: f.name, Before: d.piece(f.before), After: d.piece(f.after)})
		}
	}
	return &d.revision
}

type difference struct {
	revision messages.Revision
	bytes    int
}

func (d *difference) add(c *messages.FieldChange) {
	n := proto.Size(c)
	if d.bytes+n > revisionMost {
		d.revision.Cut = true
		return
	}
	d.bytes += n
	d.revision.Changes = append(d.revision.Changes, c)
}

func (d *difference) text(field, before, after string) {
	if before == after {
		return
	}
	c := &messages.FieldChange{Field: field}
	old, now := strings.Fields(before), strings.Fields(after)
	for _, e := range edits(old, now) {
		edit := &messages.Edit{
			Word: uint32(e.at), Removed: d.piece(strings.Join(old[e.at:e.at+e.removed], " ")), Added: d.piece(strings.Join(now[e.from:e.from+e.added], " ")),
		}
		if len(c.Edits) == editsMost || d.bytes+proto.Size(c)+proto.Size(edit) > revisionMost {
			d.revision.Cut = true
			break
		}
		c.Edits = append(c.Edits, edit)
	}
	if len(c.Edits) > 0 || !slices.Equal(old, now) { // else only spaces differ
		d.add(c)
	}
}

// piece shortens between characters.
func (d *difference) piece(s string) string {
	if len(s) <= pieceMost {
		return s
	}
	d.revision.Cut = true
	return text.Clip(s, pieceMost) + "…"
}

// edit takes removed words out at old[at:] and puts now[from:from+added] in.
type edit struct{ at, removed, from, added int }

// stepsMost bounds the work: past so many words taken out and put in, the rest
// is one edit.
const stepsMost = 300

// edits are the fewest that make now of old (Myers 1986), in order, each as
// long as it can be.
func edits(old, now []string) []edit {
	first := 0
	for first < len(old) && first < len(now) && old[first] == now[first] {
		first++
	}
	last := 0
	for last < len(old)-first && last < len(now)-first && old[len(old)-1-last] == now[len(now)-1-last] {
		last++
	}
	a, b := old[first:len(old)-last], now[first:len(now)-last]
	if len(a) == 0 && len(b) == 0 {
		return nil
	}
	rows := reach(a, b)
	if rows == nil {
		return []edit{{first, len(a), first, len(b)}}
	}
	var all []edit
	x, y := len(a), len(b)
	for d := len(rows) - 1; d > 0; d-- { // back along the way that was found
		row, k := rows[d-1], x-y
		if k == -d || k != d && row[k-1+d] < row[k+1+d] { // a word was put in
			x = row[k+1+d]
			y = x - (k + 1)
			all = join(all, edit{x + first, 0, y + first, 1})
		} else {
			x = row[k-1+d]
			y = x - (k - 1)
			all = join(all, edit{x + first, 1, y + first, 0})
		}
	}
	slices.Reverse(all)
	return all
}

// join adds one step before those there are, which are in reverse.
func join(all []edit, e edit) []edit {
	if n := len(all); n > 0 {
		if l := &all[n-1]; l.at == e.at+e.removed && l.from == e.from+e.added {
			l.at, l.from = e.at, e.from
			l.removed += e.removed
			l.added += e.added
			return all
		}
	}
	return append(all, e)
}

// reach returns how far each diagonal is reached with 0, 1, … steps; diagonal k
// of row d is at d+1+k. nil: it takes too many.
func reach(a, b []string) (rows [][]int) {
	row := []int{0, 0, 0} // diagonals -1, 0, 1
	x := 0
	for x < len(a) && x < len(b) && a[x] == b[x] {
		x++
	}
	row[1] = x
	rows = append(rows, row)
	if x == len(a) && x == len(b) {
		return rows
	}
	for d := 1; d <= stepsMost; d++ {
		before := rows[d-1]
		row := make([]int, 2*d+3)
		for k := -d; k <= d; k += 2 {
			x := 0
			if k == -d || k != d && before[k-1+d] < before[k+1+d] {
				x = before[k+1+d]
			} else {
				x = before[k-1+d] + 1
			}
			for y := x - k; x < len(a) && y >= 0 && y < len(b) && a[x] == b[y]; y++ {
				x++
			}
			row[k+d+1] = x
			if x >= len(a) && x-k >= len(b) {
				return append(rows, row)
			}
		}
		rows = append(rows, row)
	}
	return nil
}
