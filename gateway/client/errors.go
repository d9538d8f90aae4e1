package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What an *Error is, for errors.Is.
var (
	ErrInvalid      = errors.New("invalid request")           // 400, 413, 415, 422
	ErrUnauthorized = errors.New("bad or missing key")        // 401, close 4001
	ErrCredits      = errors.New("credits used up")           // 402, close 4402
	ErrForbidden    = errors.New("not allowed")               // 403, close 4403
	ErrNotFound     = errors.New("not found")                 // 404
	ErrConflict     = errors.New("exists already")            // 409
	ErrTooMany      = errors.New("too many, try later")       // 429, close 4003
	ErrUnavailable  = errors.New("unavailable, try later")    // 5xx, close 1011 to 1013
	ErrClosed       = errors.New("stream closed by its user") // after Close
)

// Error is what the server answered instead of what was asked for.
type Error struct {
	Status int    // HTTP, or the one that a close code means
	Code   int    // WebSocket close code; 0 over HTTP
	Short  string // stable word, such as "not_found"
	Detail string // the sentence for a person

	Field    string // 422: what is wrong
	Position *int   // 422 of a query: where in it, in characters from 0
	Expected string // 422: what would have been right

	// Foreign: another program answered, or a proxy before the server. Detail is
	// what it said.
	Foreign bool

	RetryAfter time.Duration // when to come back; 0: the server did not say
	Pushed     *Pushed       // of a push: what was done before the error
}

func (e *Error) Error() string {
	text := e.Detail
	if text == "" {
		text = e.Short
	}
	if text == "" {
		text = http.StatusText(e.Status)
	}
	if e.Position != nil {
		text += fmt.Sprintf(" (at character %d", *e.Position+1)
		if e.Expected != "" {
			text += ", expected " + e.Expected
		}
		text += ")"
	}
	if e.Foreign {
		return fmt.Sprintf("what answers is no birdwire server (status %d): %s", e.Status, text)
	}
	if e.Code != 0 {
		return fmt.Sprintf("%s (close %d)", text, e.Code)
	}
	return fmt.Sprintf("%s (status %d)", text, e.Status)
}

// Is finds the sentinel of the status.
func (e *Error) Is(target error) bool { return target == e.kind() }

func (e *Error) kind() error {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return ErrInvalid
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusPaymentRequired:
		return ErrCredits
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return ErrConflict
	case http.StatusTooManyRequests:
		return ErrTooMany
	}
	if e.Status >= 500 {
		return ErrUnavailable
	}
	return nil
}

// maxProblem bounds an error's body.
const maxProblem = 1 << 20

// readError makes an Error of an answer, also of one that some proxy wrote.
func readError(res *http.Response) *Error {
	e := &Error{Status: res.StatusCode, RetryAfter: retryAfter(res.Header, time.Now())}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	if err != nil && len(body) == 0 {
		return e
	}
	var p struct {
		Error    string `json:"error"`
		Detail   string `json:"detail"`
		Field    string `json:"field"`
		Position *int   `json:"position"`
		Expected string `json:"expected"`
		Accepted *int   `json:"accepted"`
	}
	if json.Unmarshal(body, &p) != nil || p.Error == "" {
		e.Foreign, e.Detail = len(body) > 0, plain(body)
		if said := strings.ToLower(e.Detail); strings.Contains(said, "http request") && strings.Contains(said, "https") { // Go's words, and nginx's
			e.Detail = "it speaks TLS: write https:// instead of http://"
		}
		return e
	}
	e.Short, e.Detail, e.Field, e.Position, e.Expected = p.Error, p.Detail, p.Field, p.Position, p.Expected
	if p.Accepted != nil {
		var done Pushed
		if json.Unmarshal(body, &done) == nil {
			e.Pushed = &done
		}
	}
	return e
}

// foreign is an answer that no birdwire server gives: it is not the JSON that was
// asked for.
func foreign(status int, body []byte) *Error {
	return &Error{Status: status, Foreign: true, Detail: cmp.Or(plain(body), "an empty answer")}
}

var (
	unseen = regexp.MustCompile(`(?is)<(script|style|head)\b.*?</(script|style|head)>`)
	tags   = regexp.MustCompile(`(?s)<[^>]*>`)
)

// plain is what a page says, on one line.
func plain(body []byte) string {
	text := tags.ReplaceAllString(unseen.ReplaceAllString(strings.ToValidUTF8(string(body), ""), " "), " ")
	return clip(strings.Join(strings.Fields(text), " "))
}

func clip(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// retryAfter reads both forms of the header; 0 where there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return time.Duration(min(n, 86400)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), 24*time.Hour))
	}
	return 0
}

// withoutKey is a transport's error without the key that its URL may hold.
type withoutKey struct {
	text string
	err  error
}

func (e *withoutKey) Error() string { return e.text }
func (e *withoutKey) Unwrap() error { return e.err }

func hideKey(err error, key string) error {
	if err == nil || key == "" || !strings.Contains(err.Error(), key) {
		return err
	}
	hidden := &withoutKey{text: strings.ReplaceAll(err.Error(), key, "***"), err: err}
	var u *url.Error
	if errors.As(err, &u) { // whoever unwraps must not find the URL again
		hidden.err = u.Err
	}
	return hidden
}
