package nats

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// serverLog brings the server's lines to slog. Its notices are a debugger's
// reading; its warnings and errors are the operator's, except for those that only
// say how it finds its way after a crash. It never sees a message's content.
type serverLog struct {
	log *slog.Logger
	// trouble is called on every error line: the server reports a failed write
	// nowhere else, and the writer would wait for its deadline.
	trouble func()
	// hint is called on lines that speak of damage.
	hint func()
	// orphan is called where the server takes away a stream that the cluster does
	// not know.
	orphan func(text string)

	mu    sync.Mutex // protects fatal
	fatal string     // the first line of why it did not start
}

var (
	// usual are warnings about the server's own index files, which it makes again
	// from the blocks; those we have read ourselves.
	usual = []string{"state is outdated", "Stream state", "stream state", "TTL state", "scheduling state", "Sourcing state", "Detected skew", "took "}
	// seeking is how a member finds the others, which the store itself says better,
	// and what a peer that goes away leaves behind.
	seeking = []string{
		"Error trying to connect to route", "Error flushing", "Waiting for routing to be established", "not established contact with a meta leader",
		"TLS certificate chain and hostname of solicited routes will not be verified", // they are, by the configuration itself
		"Plaintext passwords detected", "Metalayer blocking snapshot", "Catchup for stream", "Stale Connection", "Slow Consumer Detected: WriteDeadline",
		"catchup aborted, no leader",                                            // a copy that catches up when its leader goes: it begins again
		"TLS route handshake error: EOF", "TLS route handshake error: read tcp", // what it does not accept, TLS says otherwise
	}
	// damage is what its warnings say where it meets some while it runs.
	damage = []string{"corrupt", "loadBlock error", "Cache lookup", "Partial cache"}
)

func says(text string, any []string) bool {
	return slices.ContainsFunc(any, func(s string) bool { return strings.Contains(text, s) })
}

func (l *serverLog) Noticef(format string, v ...any) { l.log.Debug(line(format, v)) }
func (l *serverLog) Debugf(string, ...any)           {}
func (l *serverLog) Tracef(string, ...any)           {}

func (l *serverLog) Warnf(format string, v ...any) {
	text := line(format, v)
	switch {
	case strings.Contains(text, "orphaned stream"):
		l.log.Error(text)
		l.orphan(text)
	case says(text, damage):
		l.log.Warn(text)
		l.hint()
	case says(text, usual), says(text, seeking):
		l.log.Debug(text)
	default:
		l.log.Warn(text)
	}
}

func (l *serverLog) Errorf(format string, v ...any) {
	text := line(format, v)
	if says(text, seeking) {
		l.log.Debug(text)
		return
	}
	l.log.Error(text)
	l.trouble()
}

// Fatalf must come back: the server's default ends the process.
func (l *serverLog) Fatalf(format string, v ...any) {
	text := line(format, v)
	l.log.Error(text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == "" {
		l.fatal = text
	}
}

func (l *serverLog) fatalText() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

func line(format string, v []any) string {
	return "nats: " + strings.TrimSpace(fmt.Sprintf(format, v...))
}
