package rest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// Queries is the rule language as this package sees it.
type Queries interface {
	// Validate says whether a query would be taken as a rule and what of the
	// recent posts it matches. An error means that it could not be found out.
	Validate(ctx context.Context, query string) (*Validation, error)
}

// Validation is what is known of a query.
type Validation struct {
	Valid    bool
	Error    string // "" when valid
	Position int    // of the error, in characters from 0
	Expected string // what would have been right there; may be ""
	Warnings []string
	Matched  int               // how many of the recent posts looked at match
	Samples  []*messages.Event // posts among them, newest first; at most 10 are shown
}

// validation is the answer to validate. sample_results is a number, as the
// vendor's client libraries have it; the posts themselves are in samples
// (ours).
type validation struct {
	Valid         bool     `json:"valid"`
	Error         string   `json:"error,omitempty"`
	Position      *int     `json:"position,omitempty"` // characters from 0, where invalid
	Expected      string   `json:"expected,omitempty"`
	Warnings      []string `json:"warnings,omitempty"`
	SampleResults int      `json:"sample_results"`
	Samples       []Sample `json:"samples,omitempty"`
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

func (s *Resources) validateQuery(w http.ResponseWriter, r *http.Request, _ string) {
	f, ok := gateway.ReadFields(w, r)
	if !ok {
		return
	}
	f.Need("query")
	text := f.String("query")
	if f.Bad != nil {
		gateway.WriteInvalid(w, f.Bad)
		return
	}
	// Length is an answer here and no refusal: "is this a rule?" was asked.
	if f.Text("query", 1, s.MaxQuery); f.Bad != nil {
		gateway.WriteJSON(w, http.StatusOK, validation{Error: fmt.Sprintf("query: %s", f.Bad.Reason)})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
	defer cancel()
	v, err := s.Queries.Validate(ctx, text)
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	out := validation{Valid: v.Valid, Warnings: v.Warnings, SampleResults: v.Matched}
	if !v.Valid {
		out.Error, out.Position, out.Expected, out.SampleResults = orElse(v.Error, "the query is not valid"), &v.Position, v.Expected, 0
	}
	for _, e := range v.Samples[:min(len(v.Samples), maxSamples)] {
		out.Samples = append(out.Samples, Sample{
			TweetID: e.GetPost().GetId(), AuthorUsername: e.GetPost().GetAuthor().GetUsername(),
			TweetText: e.GetPost().GetText(), TweetURL: postURL(e.GetPost()), DetectedAt: stamp(e.GetDetectedMs()),
		})
	}
	gateway.WriteJSON(w, http.StatusOK, out)
}
