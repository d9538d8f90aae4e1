package rest

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// Resources are the monitors and filter rules of a key over HTTP. The owner
// reaches them by key, an operator by naming the key: Identify is what
// differs.
type Resources struct {
	Keys    gateway.Keys
	Queries Queries
	Log     *slog.Logger
	Tiers   []Tier
	Timeout time.Duration // for one answer of an actor

	backtests oneEach
}

// Identify says whose resources a request is about, or answers it itself and
// says false. write: it would change something.
type Identify func(w http.ResponseWriter, r *http.Request, write bool) (keyID string, ok bool)

// Register adds the paths under monitors and rules, such as
// "/v1/twitter/stream/monitors", to mux.
func (s *Resources) Register(mux gateway.Routes, monitors, rules string, who Identify) {
	mux.HandleFunc("POST "+monitors, s.guard(who, true, s.createMonitor))
	mux.HandleFunc("GET "+monitors, s.guard(who, false, s.listMonitors, "page", "page_size", "status"))
	mux.HandleFunc("GET "+monitors+"/{id}", s.guard(who, false, s.getMonitor))
	mux.HandleFunc("PATCH "+monitors+"/{id}", s.guard(who, true, s.updateMonitor))
	mux.HandleFunc("DELETE "+monitors+"/{id}", s.guard(who, true, s.deleteMonitor))

	mux.HandleFunc("POST "+rules, s.guard(who, true, s.createRule))
	mux.HandleFunc("GET "+rules, s.guard(who, false, s.listRules, "limit", "offset", "status"))
	s.RegisterQueries(mux, rules, who)
	mux.HandleFunc("GET "+rules+"/{id}", s.guard(who, false, s.getRule))
	mux.HandleFunc("PATCH "+rules+"/{id}", s.guard(who, true, s.updateRule))
	mux.HandleFunc("DELETE "+rules+"/{id}", s.guard(who, true, s.deleteRule))
	mux.HandleFunc("GET "+rules+"/{id}/logs", s.guard(who, false, s.listRuleLogs,
		"limit", "offset", "author_username", "delivery_status", "source", "sort"))
}

// RegisterQueries adds what can be asked of a query that is no rule yet.
func (s *Resources) RegisterQueries(mux gateway.Routes, rules string, who Identify) {
	mux.HandleFunc("POST "+rules+"/validate", s.guard(who, false, s.validateQuery))
	mux.HandleFunc("POST "+rules+"/backtest", s.guard(who, false, s.backtest))
}

// guard identifies first, and decodes nothing for a stranger. parameters are
// those that the address takes.
func (s *Resources) guard(who Identify, write bool, serve func(w http.ResponseWriter, r *http.Request, keyID string), parameters ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if keyID, ok := who(w, r, write); ok && gateway.Takes(w, r, parameters...) {
			serve(w, r, keyID)
		}
	}
}

// ask sends a command to the key's actor. A refusal or rejection is answered
// here, and nil comes back.
func (s *Resources) ask(w http.ResponseWriter, r *http.Request, keyID string, command proto.Message) proto.Message {
	return s.askAs(w, r, keyID, command, nil)
}

// askAs is ask where the client has other names for fields of the command.
func (s *Resources) askAs(w http.ResponseWriter, r *http.Request, keyID string, command proto.Message, names map[string]string) proto.Message {
	ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
	defer cancel()
	answer, err := s.Keys.Ask(ctx, keyID, command)
	if err != nil {
		s.unavailable(w, r, err)
		return nil
	}
	switch m := answer.(type) {
	case *messages.Rejected:
		writeRejected(w, m, names)
		return nil
	case *messages.Refused:
		writeRefused(w, m, "")
		return nil
	}
	return answer
}

func (s *Resources) tellMonitor(w http.ResponseWriter, r *http.Request, status int, keyID string, command proto.Message) {
	switch m := s.ask(w, r, keyID, command).(type) {
	case nil:
	case *messages.MonitorShown:
		gateway.WriteJSON(w, status, s.showMonitor(m.Monitor))
	default:
		s.unexpected(w, r, command, m)
	}
}

func (s *Resources) tellRule(w http.ResponseWriter, r *http.Request, status int, keyID string, command proto.Message) {
	switch m := s.ask(w, r, keyID, command).(type) {
	case nil:
	case *messages.RuleShown:
		gateway.WriteJSON(w, status, s.showRule(m.Rule))
	default:
		s.unexpected(w, r, command, m)
	}
}

func (s *Resources) tellDeleted(w http.ResponseWriter, r *http.Request, keyID string, command proto.Message) {
	switch m := s.ask(w, r, keyID, command).(type) {
	case nil:
	case *messages.Deleted:
		noContent(w)
	default:
		s.unexpected(w, r, command, m)
	}
}

// unavailable: no answer came. A retry of a create may find its first attempt
// done; the detail says so.
func (s *Resources) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	gateway.RequestLog(r, s.Log).Warn("no answer for a request", "path", gateway.LoggedPath(r), "error", err)
	detail := "the server could not answer in time; try again"
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		detail += ", and look first whether the change was made"
	}
	gateway.WriteRetry(w, http.StatusServiceUnavailable, time.Second, "unavailable", detail)
}

// writeRejected tells an actor's Rejected in HTTP. A field is named as the client
// wrote it: names says what differs.
func writeRejected(w http.ResponseWriter, m *messages.Rejected, names map[string]string) {
	field := cmp.Or(names[m.Field], m.Field)
	switch m.Rejection {
	case messages.Rejection_REJECTION_NOT_FOUND:
		gateway.WriteError(w, http.StatusNotFound, "not_found", cmp.Or(m.Detail, "there is no such resource"))
	case messages.Rejection_REJECTION_CONFLICT:
		gateway.WriteError(w, http.StatusConflict, "conflict", cmp.Or(m.Detail, "it exists already"))
	case messages.Rejection_REJECTION_CREDITS:
		gateway.WriteError(w, http.StatusPaymentRequired, "no_credits", cmp.Or(m.Detail, "the month's credits are used up"))
	case messages.Rejection_REJECTION_INVALID:
		invalid := &gateway.Invalid{Field: field, Reason: cmp.Or(m.Detail, "is not valid"), Expected: m.Expected}
		if field == "query" {
			invalid.Position = &m.QueryPosition
		}
		gateway.WriteInvalid(w, invalid)
	case messages.Rejection_REJECTION_LIMIT:
		gateway.WriteInvalid(w, &gateway.Invalid{Short: "limit_reached", Field: field, Reason: cmp.Or(m.Detail, "as many as the key may have exist already")})
	default:
		gateway.WriteRetry(w, http.StatusServiceUnavailable, time.Second, "unavailable", cmp.Or(m.Detail, "the store did not answer; look first whether the change was made, then try again"))
	}
}

func retryAfter(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// noContent answers a delete: no body and no Content-Type, which one vendor's
// client fails on.
func noContent(w http.ResponseWriter) {
	w.WriteHeader(http.StatusNoContent)
}
