package source

import (
	"time"

	"github.com/birdwire/birdwire/messages"
)

// figures are what a source tells of itself. They begin again with the actor.
type figures struct {
	failures    int64 // in a row
	lastError   string
	lastErrorAt time.Time
	warning     string // of the last poll that succeeded
	lastSuccess time.Time
	next        time.Time // the next poll; zero while one is under way
	events      int64
	duplicates  int64
}

func (f *figures) failure(cfg Config, what string, err error) {
	f.failures++
	f.lastError = what + ": " + err.Error()
	f.lastErrorAt = cfg.Clock.Now()
	cfg.Logger.Warn("source failed; it will be tried again", "what", what, "failures", f.failures, "error", err)
}

func (f *figures) success(cfg Config) {
	if f.failures > 0 {
		cfg.Logger.Info("source recovered", "failures", f.failures)
	}
	f.failures = 0
	f.lastSuccess = cfg.Clock.Now()
}

// warned keeps what the last poll had to say, and logs it once.
func (f *figures) warned(cfg Config, warning string) {
	if warning != "" && warning != f.warning {
		cfg.Logger.Warn("source read with a warning", "warning", warning)
	}
	f.warning = warning
}

// count adds up what became of a batch. What a source decides about itself is
// no event that anybody waits for.
func (f *figures) count(cfg Config, drafts []*messages.Event, fates []fate, err error) {
	events, duplicates := 0, 0
	for i, fate := range fates {
		if i < len(drafts) && drafts[i].GetFeedIdentity() != nil {
			continue
		}
		switch fate {
		case appended:
			events++
		case repeated, unchanged:
			duplicates++
		case pending, unwritable, unread:
		}
	}
	f.events += int64(events)
	f.duplicates += int64(duplicates)
	cfg.Observe(Observation{Source: cfg.ID, Kind: cfg.Kind, Events: events, Duplicates: duplicates, Err: err})
}

// described fills in all but the status, which each kind of source has its own
// words for. The last error stays to be seen after it was overcome.
func (f *figures) described(cfg Config, status string) *messages.SourceDescribed {
	return &messages.SourceDescribed{
		Id: cfg.ID, Kind: cfg.Kind, Status: status, Url: cfg.URL,
		LastError: f.lastError, LastErrorMs: unixMilli(f.lastErrorAt),
		LastSuccessMs: unixMilli(f.lastSuccess), NextPollMs: unixMilli(f.next),
		Failures: f.failures, Events: f.events, Duplicates: f.duplicates, Warning: f.warning,
	}
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (s *source) describe() *messages.SourceDescribed {
	status := "ok"
	switch {
	case s.appender.waiting:
		status = "waiting"
	case s.figures.failures > 0:
		status = "failing"
	case s.figures.lastSuccess.IsZero():
		status = "starting"
	}
	return s.figures.described(s.cfg, status)
}
