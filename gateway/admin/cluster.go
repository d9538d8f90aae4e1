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

// alone answers for a node that is no part of a cluster.
func (s *server) alone(w http.ResponseWriter) bool {
	if s.cfg.Cluster == nil {
		gateway.WriteError(w, http.StatusNotFound, "not_found", "this node stands alone: it is no part of a cluster")
	}
	return s.cfg.Cluster == nil
}

// lookCluster is 200 whatever was found, as health.
func (s *server) lookCluster(w http.ResponseWriter, r *http.Request) {
	if s.alone(w) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	gateway.WriteJSON(w, http.StatusOK, s.cfg.Cluster.LookCluster(ctx))
}

// drainNode answers once the node has begun.
func (s *server) drainNode(w http.ResponseWriter, r *http.Request) {
	if s.alone(w) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	name := r.PathValue("id")
	err := s.cfg.Cluster.DrainNode(ctx, name)
	switch {
	case errors.Is(err, messages.ErrNotFound):
		gateway.WriteError(w, http.StatusNotFound, "not_found", fmt.Sprintf("no node of the cluster that is up has the name %.64q", name))
	case err != nil:
		s.fault(w, r, err)
	default:
		s.changed(r, "a node is drained", "peer", name)
		w.WriteHeader(http.StatusNoContent)
	}
}

// forgetNode answers once the node is out.
func (s *server) forgetNode(w http.ResponseWriter, r *http.Request) {
	if s.alone(w) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), electionTime)
	defer cancel()
	name := r.PathValue("id")
	err := s.cfg.Cluster.ForgetNode(ctx, name)
	switch {
	case errors.Is(err, messages.ErrNotFound):
		gateway.WriteError(w, http.StatusNotFound, "not_found", fmt.Sprintf("no node of the cluster has the name %.64q", name))
	case err != nil:
		s.fault(w, r, err)
	default:
		s.changed(r, "a node was taken out of the cluster", "peer", name)
		w.WriteHeader(http.StatusNoContent)
	}
}

// stepDown answers once another leads the stream.
func (s *server) stepDown(w http.ResponseWriter, r *http.Request) {
	if s.alone(w) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), electionTime)
	defer cancel()
	stream := r.PathValue("stream")
	leader, err := s.cfg.Cluster.StepDown(ctx, stream, r.URL.Query().Get("node"))
	switch {
	case errors.Is(err, messages.ErrNotFound):
		gateway.WriteError(w, http.StatusNotFound, "not_found", fmt.Sprintf("no stream of the store has the name %.64q: they are in GET /admin/v1/cluster", stream))
	case err != nil:
		s.fault(w, r, err)
	default:
		s.changed(r, "the leader of a stream was stepped down", "stream", stream, "leader", leader)
		gateway.WriteJSON(w, http.StatusOK, ClusterStream{Stream: stream, Leader: leader})
	}
}

// electionTime holds an election of the store, in which it does not answer.
const electionTime = 20 * time.Second
