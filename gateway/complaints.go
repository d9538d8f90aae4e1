package gateway

import (
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// complaints takes what net/http itself says, most of which strangers make it
// say as often as they like: a handshake that fails is a line. Each kind is told
// a few times, then counted.
type complaints struct{ digest *Digest }

// complaintsFirst is how many of a kind are told at once: the first of them may
// be the operator's own test of a certificate.
const complaintsFirst = 3

func newComplaints(log *slog.Logger) complaints {
	d := NewDigest(log, complaintsFirst, time.Minute)
	d.level = slog.LevelWarn
	return complaints{d}
}

var handshake = regexp.MustCompile(`^http: TLS handshake error from (\S+): (.*)$`)

// Write takes one line.
func (c complaints) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	kind, addr := "the HTTP server complains", netip.Addr{}
	switch m := handshake.FindStringSubmatch(text); {
	case m != nil:
		kind, text = "TLS handshake failed", m[2]
		if from, err := netip.ParseAddrPort(m[1]); err == nil {
			addr = from.Addr()
		}
	case strings.HasPrefix(text, "http: Accept error"):
		kind = "a connection cannot be accepted"
	}
	if len(text) > complaintShown {
		text = text[:complaintShown] + "…"
	}
	c.digest.Note(kind, addr, "error", text)
	return len(line), nil
}

// complaintShown is how much of one the log shows, in bytes: a client may have
// written part of it.
const complaintShown = 256
