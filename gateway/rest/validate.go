package rest

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// Queries is the rule language as this package sees it.
type Queries interface {
	// Validate says whether a query would be taken as a rule and what of the
	// recent posts it matches. An error means that it could not be found out:
	// ErrBusy that the key, or all of them, ask for too much at once.
	Validate(ctx context.Context, keyID, query string) (*messages.Validation, error)
	// Backtest counts what a query would have matched since a moment of the
	// posts that are still held. keyID is whose budget it is on; "" is the
	// operators'. progress is told often, and an error of its
	// ends the run. A *messages.SyntaxError, or ErrBusy, comes before progress is told
	// anything.
	Backtest(ctx context.Context, keyID, query string, since time.Time, progress func(messages.Backtested) error) (messages.Backtested, error)
}

// validation is the answer to validate. sample_results is a number, as the
// vendor's client libraries have it; what comes after it is ours.
type validation struct {
	Valid         bool       `json:"valid"`
	Error         string     `json:"error,omitempty"`
	Position      *int       `json:"position,omitempty"` // characters from 0, where invalid
	Expected      string     `json:"expected,omitempty"`
	Warnings      []string   `json:"warnings,omitempty"`
	SampleResults int64      `json:"sample_results"`
	SamplePosts   *int64     `json:"sample_posts,omitempty"` // of so many newest posts; where valid
	Samples       []Sample   `json:"samples,omitempty"`
	Explanation   *Explained `json:"explanation,omitempty"`
}

// Sample is a post that a query under validation matches.
type Sample struct {
	TweetID        string `json:"tweet_id"`
	AuthorUsername string `json:"author_username"`
	TweetText      string `json:"tweet_text"`
	TweetURL       string `json:"tweet_url"`
	DetectedAt     string `json:"detected_at"`
}

const maxSamples = 10

func (s *Resources) validateQuery(w http.ResponseWriter, r *http.Request, keyID string) {
	f, ok := gateway.ReadFields(w, r)
	if !ok {
		return
	}
	f.Only("a validation", "query")
	f.Need("query")
	text := f.String("query")
	if f.Bad != nil {
		gateway.WriteInvalid(w, f.Bad)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
	defer cancel()
	v, err := s.Queries.Validate(ctx, keyID, text)
	if errors.Is(err, ErrBusy) {
		gateway.WriteRetry(w, http.StatusTooManyRequests, time.Second, "busy", "too many validations at once; try again")
		return
	}
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	gateway.WriteJSON(w, http.StatusOK, showValidation(v))
}

func showValidation(v *messages.Validation) validation {
	out := validation{Valid: v.Invalid == nil, Warnings: v.Warnings}
	if !out.Valid {
		out.Error = v.Invalid.Error()
		var syntax *messages.SyntaxError
		if errors.As(v.Invalid, &syntax) {
			out.Position, out.Expected = &syntax.Position, syntax.Expected
		}
		return out
	}
	out.SampleResults, out.SamplePosts, out.Samples = v.Matched, &v.Posts, samplesOf(v.Samples)
	if v.Explained != nil {
		out.Explanation = &Explained{sampleOf(v.Explained), v.Explanation}
	}
	return out
}

func samplesOf(events []*messages.Event) (out []Sample) {
	for _, e := range events[:min(len(events), maxSamples)] {
		out = append(out, sampleOf(e))
	}
	return out
}

func sampleOf(e *messages.Event) Sample {
	return Sample{
		TweetID: e.GetPost().GetId(), AuthorUsername: e.GetPost().GetAuthor().GetUsername(),
		TweetText: e.GetPost().GetText(), TweetURL: postURL(e.GetPost()), DetectedAt: stamp(e.GetDetectedMs()),
	}
}
