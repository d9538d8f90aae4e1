package admin

import (
	"context"
	"encoding/base32"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// tryTimeout is for both requests of a trial: a page, and the feed it names.
const tryTimeout = 25 * time.Second

// tried is the answer's part about the trial.
type tried struct {
	URL     string `json:"url"`  // of the feed
	Page    string `json:"page"` // what was sent, where that is a page that names the feed
	Title   string `json:"title"`
	Format  string `json:"format"`
	Items   int    `json:"items"`
	Warning string `json:"warning"`
	Error   string `json:"error"` // why it cannot be read; only where it was forced
}

// createFeed reads the address before it makes anything: a feed that cannot be
// read is refused, unless force is set, and one without a name takes its title.
func (s *server) createFeed(w http.ResponseWriter, r *http.Request) {
	f, ok := gateway.ReadFields(w, r)
	if !ok {
		return
	}
	set := s.feedFields(f, "force")
	force := f.Bool("force")
	f.Need("url", "category")
	if f.Has("category") && strings.TrimSpace(f.String("category")) == "" {
		f.Fail("category", "must not be empty", "")
	}
	if f.Bad != nil {
		gateway.WriteInvalid(w, f.Bad)
		return
	}
	id, err := mintID(s.cfg.Random)
	if err != nil {
		s.fault(w, r, err)
		return
	}
	now := s.cfg.Now().UnixMilli()
	made := &messages.Feed{Id: id, IntervalMs: defaultPoll * 1000, CreatedMs: now, UpdatedMs: now}
	set(made)
	trial, bad := s.try(r.Context(), made, force)
	if bad != nil {
		gateway.WriteInvalid(w, bad)
		return
	}
	if made.SourceId == "" {
		made.SourceId = slug(made.Name, id)
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	if err := s.cfg.Feeds.CreateFeed(ctx, made); err != nil {
		s.fault(w, r, err)
		return
	}
	s.changed(r, "feed created", "feed", made.Id, "name", made.Name, "url", shownURL(made.Url), "category", made.Category)
	gateway.WriteJSON(w, http.StatusCreated, struct {
		feed
		Tried tried `json:"tried"`
	}{showFeed(FeedState{Feed: made}), trial})
}

// try reads the feed that is about to be made or to get another address, and
// completes it by what was read.
func (s *server) try(ctx context.Context, made *messages.Feed, force bool) (tried, *gateway.Invalid) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	t, err := s.cfg.Feeds.TryFeed(ctx, made.Url)
	if err != nil && !force {
		return tried{}, &gateway.Invalid{
			Short: "feed_unreadable", Field: "url",
			Reason:   fmt.Sprintf("the feed cannot be read: %v; nothing was changed, and force does it all the same", err),
			Expected: "a feed that can be read now",
		}
	}
	if err != nil {
		if made.Name == "" {
			return tried{}, &gateway.Invalid{Field: "name", Reason: "is required where the feed cannot be read: it has no title to take"}
		}
		return tried{URL: shownURL(made.Url), Error: err.Error()}, nil
	}
	page := ""
	if t.URL != made.Url {
		page = shownURL(made.Url)
	}
	made.Url = t.URL
	if made.Name == "" {
		made.Name = titleOf(t.Title)
	}
	if made.Name == "" {
		return tried{}, &gateway.Invalid{Field: "name", Reason: "is required: the feed has no title to take"}
	}
	return tried{URL: shownURL(t.URL), Page: page, Title: t.Title, Format: t.Format, Items: t.Items, Warning: t.Warning}, nil
}

// titleOf is a title as a name: as long as names may be.
func titleOf(title string) string {
	runes := []rune(strings.TrimSpace(title))
	if len(runes) > maxName {
		runes = runes[:maxName]
	}
	return strings.TrimSpace(string(runes))
}

func mintID(random io.Reader) (string, error) {
	var raw [10]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("mint feed id: read randomness: %w", err)
	}
	return "feed-" + strings.ToLower(base32.StdEncoding.EncodeToString(raw[:]))[:10], nil
}

// slug is a source id made of the feed's name, "bbc-news" of "BBC News".
func slug(name, otherwise string) string {
	parts := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool {
		return c > unicode.MaxASCII || (!unicode.IsLetter(c) && !unicode.IsDigit(c))
	})
	s := strings.Join(parts, "-")
	if len(s) > 64 {
		s = strings.TrimRight(s[:64], "-")
	}
	if s == "" {
		return otherwise
	}
	return s
}
