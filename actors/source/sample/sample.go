// Package sample plays posts and articles from JSON lines over and over, at the
// pace of people: the input of a server that has no other. The lines are those
// that push ingest takes.
//
// Every round is new: ids get the round's number, references between posts
// follow, and times are those of the playing. Played again from the same mark
// it gives the same ids, so that a crash repeats nothing.
//
// A file opening.jsonl is no part of the rounds. It is a story that is under way
// when the playing begins for the first time: each of its lines says when, in
// seconds from then, and what is before that is played at once, as what came
// before. So the first minute has a story that breaks, which else takes half an
// hour.
//
// The package never reads a clock or chance of its own, and holds what it plays
// in memory: at most MaxEntries lines.
package sample

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/birdwire/birdwire/messages"
)

//go:embed data/*.jsonl
var bundled embed.FS

// Bundled is the sample in the binary: headlines (see data/ATTRIBUTION.md) and
// invented posts.
func Bundled() fs.FS {
	sub, err := fs.Sub(bundled, "data")
	if err != nil {
		panic("sample: the bundled sample is not in the binary: " + err.Error())
	}
	return sub
}

// Bounds of what is played.
const (
	MaxEntries = 20_000
	maxLine    = 256 << 10
)

// Config is what a Sample takes.
type Config struct {
	Files   fs.FS // every *.jsonl in it, by name, and those in its folders
	Post    func(line []byte) (*messages.Post, error)
	Article func(line []byte) (*messages.Article, error)
	Pace    time.Duration             // between items on average, default 500 ms
	Now     func() time.Time          // required
	Rand    func(below uint64) uint64 // uniform in [0, below); required
}

// Sample plays one set of files. It is source.Adapter, and for one source.
type Sample struct {
	cfg     Config
	opening []opened // by time
	entries []entry
	posts   map[string]bool // ids in the set: references to them follow the round
}

// entry is one line; one of the two is set.
type entry struct {
	post    *messages.Post
	article *messages.Article
}

// ErrEmpty: there is nothing to play.
var ErrEmpty = errors.New("no posts and no articles in *.jsonl files")

// New reads all files. A line that cannot be read is an error that names it:
// whoever plays a file of their own wants to know.
func New(cfg Config) (*Sample, error) {
	if cfg.Pace == 0 {
		cfg.Pace = 500 * time.Millisecond
	}
	var names []string
	err := fs.WalkDir(cfg.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path.Ext(name) == ".jsonl" {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	slices.Sort(names)
	r := &Sample{cfg: cfg, posts: make(map[string]bool)}
	var posts, articles []entry
	for _, name := range names {
		if path.Base(name) == openingFile {
			if err := r.open(name); err != nil {
				return nil, fmt.Errorf("sample: %s: %w", name, err)
			}
			continue
		}
		if err := r.load(name, &posts, &articles); err != nil {
			return nil, fmt.Errorf("sample: %s: %w", name, err)
		}
	}
	if r.entries = mix(posts, articles); len(r.entries) == 0 {
		return nil, fmt.Errorf("sample: %w", ErrEmpty)
	}
	return r, nil
}

func (r *Sample) load(name string, posts, articles *[]entry) error {
	file, err := r.cfg.Files.Open(name)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	return eachLine(file, func(line []byte) error {
		if len(*posts)+len(*articles) == MaxEntries {
			return fmt.Errorf("more than %d lines in all", MaxEntries)
		}
		e, err := r.parse(line)
		switch {
		case err != nil:
			return err
		case e.post != nil:
			r.posts[e.post.GetId()] = true
			*posts = append(*posts, e)
		default:
			*articles = append(*articles, e)
		}
		return nil
	})
}

// eachLine calls see for every line that is not empty; its errors name the line.
func eachLine(file io.Reader, see func(line []byte) error) error {
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := see(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

// parse tells articles by their title: posts have none.
func (r *Sample) parse(line []byte) (entry, error) {
	var kind struct {
		Title *string `json:"title"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return entry{}, err
	}
	if kind.Title != nil {
		a, err := r.cfg.Article(line)
		return entry{article: a}, err
	}
	p, err := r.cfg.Post(line)
	return entry{post: p}, err
}

// mix spreads the fewer evenly among the more, each in its own order.
func mix(a, b []entry) []entry {
	all := make([]entry, 0, len(a)+len(b))
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		// The one that has had less of its share is next.
		if j == len(b) || i < len(a) && i*len(b) <= j*len(a) {
			all = append(all, a[i])
			i++
		} else {
			all = append(all, b[j])
			j++
		}
	}
	return all
}

// mark is how far the playing has come.
type mark struct {
	Round int `json:"round"` // from 1
	Next  int `json:"next"`  // of the entries
	// Of the opening: when the playing began, Unix milliseconds, and how much of
	// it was played. Began 0: there is none to play.
	Began  int64 `json:"began,omitempty"`
	Opened int   `json:"opened,omitempty"`
}

// Poll plays the next item. See source.Adapter.
func (r *Sample) Poll(_ context.Context, data []byte) (drafts []*messages.Event, next []byte, after time.Duration, err error) {
	at := mark{Round: 1}
	if data == nil && len(r.opening) > 0 {
		at.Began = r.cfg.Now().UnixMilli()
	}
	if data != nil && json.Unmarshal(data, &at) != nil || at.Round < 1 || at.Next < 0 || at.Next > len(r.entries) {
		at = mark{Round: at.Round + 1} // of other files, or broken: a new round is safe
	}
	if at.Next == len(r.entries) {
		at.Round, at.Next = at.Round+1, 0
	}
	drafts = append(r.playOpening(&at), r.play(r.entries[at.Next], max(at.Round, 1)))
	at.Next++
	next, err = json.Marshal(at)
	// A third of the pace to five thirds of it: people do not come by the clock.
	third := uint64(max(r.cfg.Pace/3, 1))
	after = time.Duration(third + r.cfg.Rand(4*third+1))
	return drafts, next, after, err
}
