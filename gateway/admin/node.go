package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

type source struct {
	ID   string `json:"id"`
	Node string `json:"node"`
	Kind string `json:"kind"` // feed | push | sample
	URL  string `json:"url"`
	health
}

func (s *server) listSources(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	sources, incomplete, err := s.cfg.Sources.ListSources(ctx)
	if err != nil {
		s.fault(w, r, err)
		return
	}
	out := make([]source, 0, len(sources))
	for _, m := range sources {
		out = append(out, source{ID: m.GetId(), Node: m.Node, Kind: m.GetKind(), URL: shownURL(m.GetUrl()), health: healthOf(m.SourceDescribed)})
	}
	gateway.WriteJSON(w, http.StatusOK, struct {
		Sources    []source `json:"sources"`
		Incomplete []string `json:"incomplete,omitempty"` // what is missing, in words
	}{out, incomplete})
}

type connection struct {
	ID          string `json:"id"`
	KeyID       string `json:"key_id"`
	API         string `json:"api"`
	Node        string `json:"node"`
	Address     string `json:"address"`
	OpenedAt    string `json:"opened_at"`
	QueuedBytes int64  `json:"queued_bytes"`
	Delivered   int64  `json:"delivered"`
	Position    uint64 `json:"position"`
}

// listConnections shows all, or those of one key and API.
func (s *server) listConnections(w http.ResponseWriter, r *http.Request) {
	q := gateway.ReadParameters(r)
	api := q.OneOf("api", "twitter", "newsrank", "kite")
	if q.Bad != nil {
		gateway.WriteInvalid(w, q.Bad)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	all, incomplete, err := s.cfg.Connections.ListConnections(ctx, q.Get("key_id"), apiNames[api])
	if err != nil {
		s.fault(w, r, err)
		return
	}
	out := make([]connection, 0, len(all))
	for _, c := range all {
		out = append(out, connection{
			ID: c.ID, KeyID: c.KeyID, API: apiName(c.API), Node: c.Node, Address: c.Address,
			OpenedAt: stamp(c.OpenedMs), QueuedBytes: c.QueuedBytes, Delivered: c.Delivered, Position: c.Position,
		})
	}
	if len(out) == 0 && s.isNoKey(ctx, q.Get("key_id")) {
		noKey(w)
		return
	}
	gateway.WriteJSON(w, http.StatusOK, struct {
		Connections []connection `json:"connections"`
		Incomplete  []string     `json:"incomplete,omitempty"` // what is missing, in words
	}{out, incomplete})
}

// isNoKey says that id names no key; where that cannot be found out, and for "",
// it says no.
func (s *server) isNoKey(ctx context.Context, id string) bool {
	if id == "" || !keyID.MatchString(id) {
		return id != ""
	}
	answer, err := known{s.cfg.Keys}.Ask(ctx, id, &messages.DescribeKey{KeyId: id})
	m, ok := answer.(*messages.Rejected)
	return err == nil && ok && m.GetRejection() == messages.Rejection_REJECTION_NOT_FOUND
}

func (s *server) closeConnection(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	if err := s.cfg.Connections.CloseConnection(ctx, r.PathValue("id")); err != nil {
		s.faultOf(w, r, "open connection", err)
		return
	}
	s.changed(r, "connection closed by an operator", "connection", r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
}

// health is 200 whatever was found: an operator asks how things are. Probes
// ask /healthz and /readyz.
func (s *server) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	answer := struct {
		Status string `json:"status"` // ok | degraded
		State
	}{"ok", s.cfg.Checks.Look(ctx)}
	if answer.Checks == nil {
		answer.Checks = []Check{}
	}
	for _, c := range answer.Checks {
		if !c.OK {
			answer.Status = "degraded"
		}
	}
	gateway.WriteJSON(w, http.StatusOK, answer)
}

// faultOf is fault for what the path names by its id.
func (s *server) faultOf(w http.ResponseWriter, r *http.Request, what string, err error) {
	if errors.Is(err, messages.ErrNotFound) {
		gateway.WriteError(w, http.StatusNotFound, "not_found", fmt.Sprintf("no %s has the id %.64q", what, r.PathValue("id")))
		return
	}
	s.fault(w, r, err)
}

// fault tells a port's error. Only what the sentinels mark is for the client.
func (s *server) fault(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, messages.ErrConflict):
		gateway.WriteError(w, http.StatusConflict, "conflict", err.Error())
	default:
		gateway.RequestLog(r, s.cfg.Log).Warn("no answer for an operator", "path", gateway.LoggedPath(r), "error", err)
		gateway.WriteRetry(w, http.StatusServiceUnavailable, time.Second, "unavailable", "the server could not answer: "+err.Error())
	}
}
