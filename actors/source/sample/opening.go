package sample

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

const openingFile = "opening.jsonl"

// opened is one line of the opening.
type opened struct {
	at      time.Duration // after the playing began; below 0: before
	article *messages.Article
}

// open reads the opening.
func (r *Sample) open(name string) error {
	file, err := r.cfg.Files.Open(name)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	err = eachLine(file, func(line []byte) error {
		var l struct {
			At      *float64        `json:"at_s"`
			Article json.RawMessage `json:"article"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		if l.At == nil || len(r.opening) == MaxEntries {
			return errors.New("no at_s, or too many lines")
		}
		a, err := r.cfg.Article(l.Article)
		r.opening = append(r.opening, opened{time.Duration(*l.At * float64(time.Second)), a})
		return err
	})
	slices.SortStableFunc(r.opening, func(a, b opened) int { return cmp.Compare(a.at, b.at) })
	return err
}

// playOpening is what of the opening is due. What is said to have come before
// the playing began has that time.
func (r *Sample) playOpening(at *mark) (drafts []*messages.Event) {
	if at.Began == 0 {
		return nil
	}
	passed := time.Duration(r.cfg.Now().UnixMilli()-at.Began) * time.Millisecond
	for at.Opened < len(r.opening) && r.opening[at.Opened].at <= passed {
		o := r.opening[at.Opened]
		came := at.Began + o.at.Milliseconds()
		a := proto.CloneOf(o.article)
		a.PublishedMs = came - 20_000
		e := &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Article: a}}}
		if o.at < 0 {
			e.DetectedMs = came
		}
		drafts = append(drafts, e)
		at.Opened++
	}
	return drafts
}
