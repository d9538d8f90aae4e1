package admin

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// feed is one as it is shown, with how its source is. Times are RFC 3339;
// null: not yet.
type feed struct {
	ID              string  `json:"id"`
	URL             string  `json:"url"` // a password in it is not shown
	Name            string  `json:"name"`
	Category        string  `json:"category"`
	IntervalSeconds float64 `json:"interval_seconds"`
	SourceID        string  `json:"source_id"`
	Language        string  `json:"language"`
	Identity        string  `json:"identity"` // what makes two items the same article: auto | guid | link | guid_link | title_date
	CreatedAt       string  `json:"created_at"`
	UpdatedAt       string  `json:"updated_at"`
	health
}

// health is how a source is.
type health struct {
	Status        string  `json:"status"` // starting | ok | waiting | failing
	LastError     string  `json:"last_error"`
	LastErrorAt   *string `json:"last_error_at"`
	LastSuccessAt *string `json:"last_success_at"`
	NextPollAt    *string `json:"next_poll_at"`
	Warning       string  `json:"warning,omitempty"` // of what was read last, such as a document that was cut off
	Failures      int64   `json:"failures"`          // in a row
	Events        int64   `json:"events"`            // since the source started
	Duplicates    int64   `json:"duplicates"`
}

func healthOf(m *messages.SourceDescribed) health {
	h := health{
		Status: m.GetStatus(), LastError: m.GetLastError(),
		LastErrorAt: stampOrNull(m.GetLastErrorMs()), LastSuccessAt: stampOrNull(m.GetLastSuccessMs()), NextPollAt: stampOrNull(m.GetNextPollMs()),
		Warning: m.GetWarning(), Failures: m.GetFailures(), Events: m.GetEvents(), Duplicates: m.GetDuplicates(),
	}
	if h.Status == "" {
		h.Status = "starting"
	}
	return h
}

func showFeed(f FeedState) feed {
	return feed{
		ID: f.Feed.GetId(), URL: shownURL(f.Feed.GetUrl()), Name: f.Feed.GetName(), Category: f.Feed.GetCategory(),
		IntervalSeconds: float64(f.Feed.GetIntervalMs()) / 1000,
		SourceID:        f.Feed.GetSourceId(), Language: f.Feed.GetLanguage(), Identity: cmp.Or(f.Feed.GetIdentity(), "auto"),
		CreatedAt: stamp(f.Feed.GetCreatedMs()), UpdatedAt: stamp(f.Feed.GetUpdatedMs()),
		health: healthOf(f.Source),
	}
}

// shownURL hides the password of an address, of any that browsers take.
func shownURL(s string) string {
	scheme, rest, ok := strings.Cut(s, "//")
	if !ok {
		return s
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest[:end], '@')
	if at < 0 {
		return s
	}
	user, _, password := strings.Cut(rest[:at], ":")
	if !password {
		return s
	}
	return scheme + "//" + user + ":xxxxx" + rest[at:]
}

const (
	defaultPoll = 300    // seconds
	leastPoll   = 1      // a test's server bears it; a publisher's own limits are kept by the source
	mostPoll    = 604800 // a week
	maxName     = 200    // characters
)

var (
	sourceID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	language = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)
	identity = regexp.MustCompile(`^(auto|guid|link|guid_link|title_date)$`)
	category = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
)

// feedFields are what an operator may set of a feed.
var feedFields = []string{"url", "name", "category", "interval_seconds", "source_id", "language", "identity"}

// feedFields returns what sets the fields that were sent. Others than those of a
// feed, and also, are refused.
func (s *server) feedFields(f *gateway.Fields, also ...string) func(*messages.Feed) {
	f.Only("a feed", append(slices.Clone(feedFields), also...)...)
	sent := &messages.Feed{
		Url:        s.feedURL(f),
		Name:       f.Label("name", maxName),
		Category:   matching(f, "category", category, "must be lower-case letters, digits, _ and -, at most 64"),
		IntervalMs: int64(f.Number("interval_seconds", leastPoll, mostPoll, defaultPoll) * 1000),
		SourceId:   matching(f, "source_id", sourceID, "must be letters, digits and . _ -, at most 64"),
		Language:   matching(f, "language", language, "must be a language tag such as en or pt-BR"),
		Identity:   matching(f, "identity", identity, "must be auto, guid, link, guid_link or title_date"),
	}
	return func(to *messages.Feed) {
		for field, set := range map[string]func(){
			"url":              func() { to.Url = sent.Url },
			"name":             func() { to.Name = sent.Name },
			"category":         func() { to.Category = sent.Category },
			"interval_seconds": func() { to.IntervalMs = sent.IntervalMs },
			"source_id":        func() { to.SourceId = sent.SourceId },
			"language":         func() { to.Language = sent.Language },
			"identity":         func() { to.Identity = sent.Identity },
		} {
			if f.Has(field) {
				set()
			}
		}
	}
}

func matching(f *gateway.Fields, field string, pattern *regexp.Regexp, reason string) string {
	s := strings.TrimSpace(f.String(field))
	if s != "" && !pattern.MatchString(s) {
		f.Fail(field, reason, "")
		return ""
	}
	return s
}

func (s *server) feedURL(f *gateway.Fields) string {
	raw := strings.TrimSpace(f.Text("url", 1, 2048))
	if !f.Has("url") {
		return ""
	}
	u, err := s.cfg.Feeds.FeedURL(raw)
	if err != nil {
		f.Fail("url", "must be an http or https URL", "https://…")
		return ""
	}
	return u
}

func (s *server) listFeeds(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	feeds, err := s.cfg.Feeds.ListFeeds(ctx)
	if err != nil {
		s.fault(w, r, err)
		return
	}
	out := make([]feed, 0, len(feeds))
	for _, f := range feeds {
		out = append(out, showFeed(f))
	}
	gateway.WriteJSON(w, http.StatusOK, map[string][]feed{"feeds": out})
}

func (s *server) showFeed(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	f, err := s.cfg.Feeds.GetFeed(ctx, r.PathValue("id"))
	if err != nil {
		s.faultOf(w, r, "feed", err)
		return
	}
	gateway.WriteJSON(w, http.StatusOK, showFeed(f))
}

// updateFeed reads a new address before it changes anything, as createFeed does.
func (s *server) updateFeed(w http.ResponseWriter, r *http.Request) {
	f, ok := gateway.ReadFields(w, r)
	if !ok {
		return
	}
	set := s.feedFields(f, "force")
	force := f.Bool("force")
	var sent []string
	for _, field := range feedFields {
		if f.Has(field) {
			sent = append(sent, field)
		}
	}
	for _, field := range []string{"category", "source_id"} {
		if f.Has(field) && strings.TrimSpace(f.String(field)) == "" {
			f.Fail(field, "must not be empty", "")
		}
	}
	if f.Bad != nil {
		gateway.WriteInvalid(w, f.Bad)
		return
	}
	var address string
	var trial *tried
	if f.Has("url") {
		if address, trial, ok = s.newAddress(w, r, set, force); !ok {
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	now := s.cfg.Now().UnixMilli()
	changed, err := s.cfg.Feeds.UpdateFeed(ctx, r.PathValue("id"), func(to *messages.Feed) {
		set(to)
		if address != "" {
			to.Url = address
		}
		to.UpdatedMs = now
	})
	if err != nil {
		s.faultOf(w, r, "feed", err)
		return
	}
	s.changed(r, "feed changed", "feed", changed.Feed.GetId(), "fields", sent)
	gateway.WriteJSON(w, http.StatusOK, struct {
		feed
		Tried *tried `json:"tried,omitempty"`
	}{showFeed(changed), trial})
}

// newAddress is what the feed's address becomes, and what is there; "" where it
// stays. It answers itself where it says false.
func (s *server) newAddress(w http.ResponseWriter, r *http.Request, set func(*messages.Feed), force bool) (string, *tried, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	present, err := s.cfg.Feeds.GetFeed(ctx, r.PathValue("id"))
	if err != nil {
		s.faultOf(w, r, "feed", err)
		return "", nil, false
	}
	next := proto.CloneOf(present.Feed)
	if set(next); next.GetUrl() == present.Feed.GetUrl() {
		return "", nil, true
	}
	trial, bad := s.try(r.Context(), next, force)
	if bad != nil {
		gateway.WriteInvalid(w, bad)
		return "", nil, false
	}
	return next.GetUrl(), &trial, true
}

func (s *server) deleteFeed(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	if err := s.cfg.Feeds.DeleteFeed(ctx, r.PathValue("id")); err != nil {
		s.faultOf(w, r, "feed", err)
		return
	}
	s.changed(r, "feed deleted", "feed", r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
}
