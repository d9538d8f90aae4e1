package quality

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
)

// Item is one line of a data file: an article and the story that people gave
// it.
type Item struct {
	Title     string   `json:"title"`
	Body      string   `json:"body"`
	URL       string   `json:"url"`
	Source    outlet   `json:"source"`
	Excerpt   string   `json:"excerpt"`
	Entities  []string `json:"entities"`
	Published int64    `json:"published_at"` // Unix milliseconds
	Cluster   *string  `json:"cluster"`      // nil: in no story that the data knows
}

// outlet is who reports: a text, or an object with an id or a name. Files say it in
// many ways; one that says it in another is none, and nothing is wrong with it.
type outlet string

// UnmarshalJSON is json.Unmarshaler's.
func (o *outlet) UnmarshalJSON(data []byte) error {
	var name any
	if err := json.Unmarshal(data, &name); err != nil {
		return err
	}
	if fields, ok := name.(map[string]any); ok {
		if name = fields["id"]; name == nil {
			name = fields["name"]
		}
	}
	text, _ := name.(string)
	*o = outlet(text)
	return nil
}

// maxLine is the longest line that is read, in bytes.
const maxLine = 16 << 20

// Read reads JSON lines and sorts them by time; those of one time stay in the
// order of the file. Fields that are not Item's are ignored.
func Read(r io.Reader) ([]Item, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var items []Item
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var i Item
		if err := json.Unmarshal(lines.Bytes(), &i); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if i.Title == "" && i.Body == "" {
			return nil, fmt.Errorf("line %d: neither title nor body", n)
		}
		items = append(items, i)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("after %d articles: %w", len(items), err)
	}
	slices.SortStableFunc(items, func(a, b Item) int { return int(min(max(a.Published-b.Published, -1), 1)) })
	return items, nil
}

// Between keeps the items published from (inclusive) until (exclusive); 0: no
// bound.
func Between(items []Item, from, until int64) []Item {
	var kept []Item
	for _, i := range items {
		if i.Published >= from && (until == 0 || i.Published < until) {
			kept = append(kept, i)
		}
	}
	return kept
}

// article is the item as an engine sees it; its number is its place.
func (i *Item) article(number int) similarity.Article {
	body := i.Body
	if body == "" {
		body = i.Excerpt
	}
	return similarity.Article{
		ID: int64(number), Title: i.Title, Link: i.URL, Body: body, Entities: i.Entities, Source: string(i.Source), Published: i.Published, Discovered: i.Published,
	}
}

// Articles are the items as an engine sees them, numbered from 1.
func Articles(items []Item) []similarity.Article {
	out := make([]similarity.Article, len(items))
	for n := range items {
		out[n] = items[n].article(n + 1)
	}
	return out
}
