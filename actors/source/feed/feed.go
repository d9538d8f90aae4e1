package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/messages"
)

// Config is one feed.
type Config struct {
	ID       string // of the feed: names its decisions in the log
	URL      string // http or https
	SourceID string // of its articles; several feeds may share one
	Name     string // of the source, as shown
	Category string
	Language string // of items that say nothing; "" is the feed's own word
	Identity string // auto | guid | link | guid_link | title_date; "" is auto
}

// Feed reads one feed. Poll may be called again before an earlier call, which
// outlived its deadline, has returned; they take turns.
type Feed struct {
	cfg    Config
	reader *Reader

	mu    sync.Mutex // one poll at a time; protects what follows
	turn  time.Time  // when its host may be asked, where it had to wait
	asked bool       // the server was, by this process
	until time.Time  // when it may be again, once asked is set
}

// ErrURL: the feed's address is not one of the web.
var ErrURL = errors.New("want an http or https URL")

// CheckURL says what a feed cannot be made of.
func CheckURL(raw string) error {
	if _, err := weburl.Link(raw); err != nil {
		return fmt.Errorf("feed URL: %w", ErrURL)
	}
	return nil
}

// Feed returns a feed of this reader.
func (r *Reader) Feed(cfg Config) *Feed { return &Feed{cfg: cfg, reader: r} }

// Poll reads the feed if it is its host's turn. It is source.Adapter: next is
// nil where nobody was asked, after is how long the server or the document
// wants to be left alone.
func (f *Feed) Poll(ctx context.Context, data []byte) (drafts []*messages.Event, next []byte, after time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := CheckURL(f.cfg.URL); err != nil {
		return nil, nil, 0, err
	}
	m := readMark(data, f.cfg.URL)
	now := f.reader.cfg.Now()
	if wait := f.held(m, now); wait > 0 {
		return nil, nil, wait, nil
	}
	host := hostOf(m.target())
	done, again := f.reader.hosts.Take(host, f.turn)
	if done == nil {
		f.turn = again
		return nil, nil, max(again.Sub(now), time.Millisecond), nil
	}
	defer done()
	f.turn = time.Time{}
	drafts, after, err = f.read(ctx, host, &m)
	return drafts, m.bytes(), after, err
}

// Remembered is source.Remembering: a document's warning is true for as long as it
// is the last one that was read.
func (f *Feed) Remembered(mark []byte) string { return readMark(mark, f.cfg.URL).Warning }

// held is how long the server still wants to be left alone. This process knows
// it by a clock that nobody sets; of one before there is the mark, which means
// nothing where it says more than a server can have asked for: the wall clock
// was set back since.
func (f *Feed) held(m mark, now time.Time) time.Duration {
	if f.asked {
		return max(0, f.until.Sub(now))
	}
	wait := time.UnixMilli(m.NotBefore).Sub(now)
	if wait > maxRetryAfter {
		return 0
	}
	return max(0, wait)
}

// Warning is an error that comes with drafts: the document was read, and its operator
// has to know something about it.
type Warning struct{ Text string }

func (w *Warning) Error() string { return w.Text }

// Warning is the text; it marks the error as one that failed nothing.
func (w *Warning) Warning() string { return w.Text }

// warned is nil for no warning.
func warned(text string) error {
	if text == "" {
		return nil
	}
	return &Warning{text}
}

// read makes the request and writes into m what was learnt.
func (f *Feed) read(ctx context.Context, host string, m *mark) ([]*messages.Event, time.Duration, error) {
	room := f.reader.memory.hold()
	defer room.release()
	resp, err := f.reader.fetch(ctx, m.target(), *m, room)
	now := f.reader.cfg.Now()
	m.NotBefore, f.asked, f.until = 0, true, time.Time{}
	if err != nil {
		if !errors.Is(err, errBusy) {
			m.Moved = "" // if it moved to where nothing answers, try the old place again
		}
		return nil, 0, err
	}
	switch resp.status {
	case http.StatusNotModified:
		m.validators(resp.header, true)
		return nil, max(maxAge(resp.header), m.Schedule.wait(now)), warned(m.Warning)
	case http.StatusOK:
		return f.document(resp, m, now)
	}
	after := retryAfter(resp.header, now)
	if after > 0 {
		f.until = now.Add(after)
		m.NotBefore = f.until.UnixMilli()
		if resp.status == http.StatusTooManyRequests || resp.status == http.StatusServiceUnavailable {
			f.reader.hosts.Block(host, now.Add(after))
		}
	} else if resp.status == http.StatusNotFound || resp.status == http.StatusGone {
		m.Moved = ""
	}
	return nil, after, statusError(resp.status)
}

func statusError(status int) error {
	return fmt.Errorf("fetch: %w: %d %s", errStatus, status, http.StatusText(status))
}

// document reads a whole one. Only what could be read is remembered: a moved
// feed that now is a page to log in to has not moved. What was read with a
// warning is asked for again without conditions, as the next copy may be whole.
func (f *Feed) document(resp *response, m *mark, now time.Time) ([]*messages.Event, time.Duration, error) {
	after := maxAge(resp.header)
	sum := sumOf(resp.body)
	same := bytes.Equal(sum, m.Body)
	var drafts []*messages.Event
	if !same {
		body := resp.body
		resp.body = "" // what is decoded may be a copy, and this is then not needed
		doc, made, err := f.parse(resp, body, &m.Identity)
		if err != nil {
			m.Moved = ""
			m.forget()
			return nil, 0, err
		}
		drafts, m.Schedule, m.Warning = made, doc.schedule, doc.warning()
	}
	m.validators(resp.header, false)
	warning := resp.warning(m.Warning)
	if warning != "" {
		m.ETag, m.LastModified = "", ""
	}
	m.Body = sum
	if resp.moved != "" && len(resp.moved) <= maxURL {
		m.Moved = resp.moved
	}
	return drafts, max(after, m.Schedule.wait(now)), warned(warning)
}

// parse is of the body that came. Where the transfer broke, that is why nothing
// could be read, if nothing could.
func (f *Feed) parse(resp *response, body string, ids *identities) (doc *document, drafts []*messages.Event, err error) {
	doc, err = parse(body, resp.header.Get("Content-Type"), resp.url)
	if err == nil {
		drafts = f.drafts(doc, resp.url, ids)
		err = doc.fault(len(drafts))
	}
	if err != nil && resp.cut != nil {
		err = fmt.Errorf("read document: %w", resp.cut)
	}
	return doc, drafts, err
}
