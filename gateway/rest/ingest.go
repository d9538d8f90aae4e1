package rest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/birdwire/birdwire/gateway"
)

// Ingest takes what is pushed. A body is one JSON object, a JSON array, or
// NDJSON; the port reads it to its end and returns once every accepted event
// is durable. It may take events in while it reads on: what the Result says
// was done stays done, also where there is an error.
type Ingest interface {
	// Posts and Articles return an *IngestError where the events could not be
	// taken now, ErrTooLarge where the body passes a bound of the port's own, and
	// any other error for a fault of ours. An error from body is returned as it
	// is or wrapped.
	Posts(ctx context.Context, body io.Reader) (Result, error)
	Articles(ctx context.Context, body io.Reader) (Result, error)
	// DeleteArticle withdraws the article pushed under id by source; source ""
	// is the one that articles without a source have.
	DeleteArticle(ctx context.Context, source, id string) (found bool, err error)
}

// Result is what became of a body.
type Result struct {
	Accepted   int        `json:"accepted"`
	Duplicates int        `json:"duplicates"`
	Rejected   []Rejected `json:"rejected"`
	// Unlisted are rejected lines past the first 1,000, which are only counted.
	Unlisted int `json:"rejected_unlisted,omitempty"`
	// Next is the line of the body, or the element of an array, from which to
	// send again; what comes before it is accepted, a duplicate or rejected. 0
	// where all of the body was seen.
	Next int `json:"next_line,omitempty"`
}

// Rejected is one event that was not taken.
type Rejected struct {
	Line  int    `json:"line"` // of the body, from 1; in an array or alone, the element's number
	Error string `json:"error"`
}

// IngestError says that the rest of a body was not taken, and when to send it
// again.
type IngestError struct {
	Status     int // 429 or 503
	RetryAfter time.Duration
	Detail     string
}

func (e *IngestError) Error() string { return fmt.Sprintf("ingest: %s", e.Detail) }

// ErrTooLarge: a body is larger than the port reads.
var ErrTooLarge = errors.New("body too large")

// maxListed bounds Rejected in an answer.
const maxListed = 1000

// ingestProblem is an error, and what was done before it: the client sends
// only the rest again.
type ingestProblem struct {
	gateway.Problem
	Result
}

func (s *Server) push(take func(Ingest, context.Context, io.Reader) (Result, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, ok := s.authorize(w, r, gateway.ScopeIngest)
		if !ok || !gateway.Takes(w, r) || !acceptable(w, r, s.cfg.MaxPush) {
			return
		}
		connection := http.NewResponseController(w)
		upload, full := s.places.begin(key.Id, s.cfg.Proxies.ClientAddr(r).String(), connection.SetReadDeadline)
		if upload == nil {
			status, short := http.StatusTooManyRequests, "busy"
			if full == errStopped.Error() {
				status, short = http.StatusServiceUnavailable, "unavailable"
			}
			gateway.WriteRetry(w, status, time.Second, short, full)
			return
		}
		paced := s.pace(w, r, upload)
		defer paced.Close()
		body := newPushed(w, r, paced, s.cfg.MaxPush)
		result, err := take(s.cfg.Ingest, r.Context(), body)
		paced.rest()
		// A body may take longer than the server's own limit for an answer.
		_ = connection.SetWriteDeadline(time.Now().Add(answerTime))
		s.tellPushed(w, r, body, result, err)
	}
}

// answerTime is for an answer to be taken.
const answerTime = 30 * time.Second

// acceptable answers what can be refused before a byte of the body is read.
func acceptable(w http.ResponseWriter, r *http.Request, limit int64) bool {
	if r.ContentLength > limit {
		tooLarge(w, limit, Result{})
		return false
	}
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity", "gzip", "x-gzip":
	default:
		w.Header().Set("Accept-Encoding", "gzip")
		gateway.WriteError(w, http.StatusUnsupportedMediaType, "unsupported_encoding", "the body may be plain or gzip")
		return false
	}
	text := r.Header.Get("Content-Type")
	if text == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(text)
	switch {
	case err != nil:
	case kind == "application/json", kind == "application/x-ndjson", kind == "application/ndjson",
		kind == "application/jsonl", kind == "application/x-jsonlines", kind == "application/jsonlines",
		kind == "text/plain", strings.HasSuffix(kind, "+json"),
		kind == "application/x-www-form-urlencoded": // what curl says of any body
		return true
	}
	gateway.WriteError(w, http.StatusUnsupportedMediaType, "unsupported_type",
		"send application/json or application/x-ndjson (curl: --data-binary @FILE -H 'Content-Type: application/x-ndjson')")
	return false
}

func tooLarge(w http.ResponseWriter, limit int64, done Result) {
	writeIngestProblem(w, http.StatusRequestEntityTooLarge, "too_large",
		fmt.Sprintf("the body is larger than %d bytes (inflated, where it is gzip); send it in parts", limit), done)
}

func writeIngestProblem(w http.ResponseWriter, status int, short, detail string, done Result) {
	w.Header().Set("Connection", "close") // the rest of the body may still be on its way
	gateway.WriteJSON(w, status, ingestProblem{gateway.Problem{Error: short, Detail: detail, Status: status}, listed(done)})
}

func listed(done Result) Result {
	if n := len(done.Rejected); n > maxListed {
		done.Unlisted += n - maxListed
		done.Rejected = done.Rejected[:maxListed]
	}
	if done.Rejected == nil {
		done.Rejected = []Rejected{}
	}
	return done
}

// tellPushed prefers what was wrong with the body over what the port made of
// it: a cut body is the client's fault however it was noticed.
func (s *Server) tellPushed(w http.ResponseWriter, r *http.Request, body *pushed, done Result, err error) {
	var large *http.MaxBytesError
	switch {
	case errors.As(body.err, &large), errors.Is(body.err, errInflated), errors.Is(err, ErrTooLarge):
		tooLarge(w, s.cfg.MaxPush, done)
	case slices.ContainsFunc(ours, func(end error) bool { return errors.Is(body.err, end) }):
		w.Header().Set("Retry-After", gateway.RetryAfter(time.Second))
		status, short := http.StatusTooManyRequests, "busy"
		if done.Accepted+done.Duplicates > 0 || errors.Is(body.err, errStopped) {
			status, short = http.StatusServiceUnavailable, "unavailable"
		}
		writeIngestProblem(w, status, short, "the body was not read to its end: "+body.err.Error(), done)
	case errors.Is(body.err, errSlow):
		writeIngestProblem(w, http.StatusRequestTimeout, "too_slow", fmt.Sprintf(
			"the body did not arrive in time: it may not pause for %v, and has to come with %d bytes a second", s.cfg.PushIdle, s.cfg.PushRate), done)
	case body.err != nil:
		writeIngestProblem(w, http.StatusBadRequest, "bad_body", "the body could not be read to its end: "+body.reason(), done)
	case err == nil && done.Accepted+done.Duplicates == 0 && len(done.Rejected) > 0:
		writeNothingTaken(w, done)
	case err == nil:
		gateway.WriteJSON(w, http.StatusAccepted, listed(done))
	default:
		status, short, detail := s.fault(w, r, err)
		writeIngestProblem(w, status, short, detail, done)
	}
}

// writeNothingTaken answers a push of which nothing was taken, and nothing will be
// however often it is sent.
func writeNothingTaken(w http.ResponseWriter, done Result) {
	n := len(done.Rejected) + done.Unlisted
	first := done.Rejected[0]
	detail := fmt.Sprintf("nothing was taken: line %d: %s", first.Line, first.Error)
	if n > 1 {
		detail = fmt.Sprintf("nothing was taken: all %d are rejected, the first of them on line %d: %s", n, first.Line, first.Error)
	}
	status := http.StatusUnprocessableEntity
	gateway.WriteJSON(w, status, ingestProblem{gateway.Problem{Error: "validation_failed", Detail: detail, Status: status}, listed(done)})
}

// fault is what an error of the port means to the client; where it should
// come back, Retry-After is set.
func (s *Server) fault(w http.ResponseWriter, r *http.Request, err error) (status int, short, detail string) {
	var busy *IngestError
	switch {
	case errors.As(err, &busy):
		w.Header().Set("Retry-After", gateway.RetryAfter(busy.RetryAfter))
		if busy.Status == http.StatusTooManyRequests {
			return busy.Status, "busy", busy.Detail
		}
		return http.StatusServiceUnavailable, "unavailable", busy.Detail
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		w.Header().Set("Retry-After", gateway.RetryAfter(time.Second))
		return http.StatusServiceUnavailable, "unavailable", "not all was durable in time; send the rest again"
	}
	s.cfg.Log.Error("ingest failed", "path", r.URL.Path, "error", err)
	return http.StatusInternalServerError, "internal", "the request failed inside the server; the log says why"
}

func (s *Server) deleteArticle(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.authorize(w, r, gateway.ScopeIngest); !ok || !gateway.Takes(w, r, "source", "id") {
		return
	}
	// In a query for ids that clients change in a path: "..", "a//b".
	id := cmp.Or(r.PathValue("id"), r.URL.Query().Get("id"))
	if id == "" || len(id) > 2048 {
		gateway.WriteInvalid(w, &gateway.Invalid{Field: "id", Reason: "must be 1 to 2048 bytes"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	found, err := s.cfg.Ingest.DeleteArticle(ctx, r.URL.Query().Get("source"), id)
	switch {
	case err != nil:
		status, short, detail := s.fault(w, r, err)
		gateway.WriteError(w, status, short, detail)
	case !found:
		gateway.WriteError(w, http.StatusNotFound, "not_found", "no article has this id; if its source was given when it was pushed, name it: ?source=ID")
	default:
		noContent(w)
	}
}
