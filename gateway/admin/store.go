package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// Store is what the nodes keep, as a whole.
type Store interface {
	// Backup writes all that is kept. size is called once before the first byte,
	// with about how many bytes it will be.
	Backup(ctx context.Context, w io.Writer, size func(bytes int64)) error
	// Restore puts a backup in the place of what is kept. ErrConflict: there is
	// something, and replace is not set. ErrInvalid, ErrDamaged: of the backup.
	Restore(ctx context.Context, r io.Reader, replace bool) ([]StoredStream, error)
	// Audit compares the copies that the nodes have.
	Audit(ctx context.Context) ([]StoreFinding, error)
}

// StoredStream is what a part of the store holds after it was restored.
type StoredStream struct {
	Stream   string `json:"stream"`
	Messages uint64 `json:"messages"`
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
	SHA256   string `json:"sha256"`
}

// StoreFinding is one thing that an audit found.
type StoreFinding struct {
	Node   string `json:"node"` // whose copy it is
	Stream string `json:"stream"`
	File   string `json:"file,omitempty"`
	What   string `json:"what"`
}

// sizeHeader says about how many bytes a backup will be.
const sizeHeader = "Birdwire-Backup-Bytes"

// unhurried takes away the time limits of a request that is as long as the store
// is large.
func (s *server) unhurried(w http.ResponseWriter, r *http.Request) bool {
	if s.cfg.Store == nil {
		gateway.WriteError(w, http.StatusNotFound, "not_found", "this server has no store of its own")
		return false
	}
	limits := http.NewResponseController(w)
	if err := errors.Join(limits.SetReadDeadline(time.Time{}), limits.SetWriteDeadline(time.Time{})); err != nil {
		s.fault(w, r, err)
		return false
	}
	return true
}

// backup ends without an answer's end where it fails half way: the reader sees
// that it was cut off, and the file has no end of its own.
func (s *server) backup(w http.ResponseWriter, r *http.Request) {
	if !s.unhurried(w, r) {
		return
	}
	begun := false
	err := s.cfg.Store.Backup(r.Context(), w, func(bytes int64) {
		begun = true
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set(sizeHeader, strconv.FormatInt(bytes, 10))
		w.WriteHeader(http.StatusOK)
	})
	switch {
	case err != nil && !begun:
		s.fault(w, r, err)
	case err != nil:
		gateway.RequestLog(r, s.cfg.Log).Error("a backup was cut off", "error", err)
		panic(http.ErrAbortHandler)
	default:
		s.changed(r, "backup made")
	}
}

func (s *server) restore(w http.ResponseWriter, r *http.Request) {
	if !s.unhurried(w, r) {
		return
	}
	streams, err := s.cfg.Store.Restore(r.Context(), r.Body, r.URL.Query().Get("replace") == "true")
	switch {
	case errors.Is(err, messages.ErrInvalid), errors.Is(err, messages.ErrDamaged):
		gateway.WriteError(w, http.StatusUnprocessableEntity, "invalid", err.Error())
	case err != nil:
		s.fault(w, r, err)
	default:
		s.changed(r, "store replaced by a backup")
		gateway.WriteJSON(w, http.StatusOK, map[string][]StoredStream{"streams": streams})
	}
}

func (s *server) audit(w http.ResponseWriter, r *http.Request) {
	if !s.unhurried(w, r) {
		return
	}
	findings, err := s.cfg.Store.Audit(r.Context())
	if err != nil {
		s.fault(w, r, err)
		return
	}
	if findings == nil {
		findings = []StoreFinding{}
	}
	gateway.WriteJSON(w, http.StatusOK, map[string][]StoreFinding{"findings": findings})
}
