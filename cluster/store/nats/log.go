package nats

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// serverLog brings the server's lines to slog. Its notices are a debugger's
// reading; its warnings and errors are the operator's. It never sees a
// message's content.
type serverLog struct {
	log *slog.Logger
	// trouble is called on every error line: the server reports a failed write
	// nowhere else, and the writer would wait for its deadline.
	trouble func()

	mu    sync.Mutex // protects fatal
	fatal string     // the first line of why it did not start
}

func (l *serverLog) Noticef(format string, v ...any) { l.log.Debug(line(format, v)) }
func (l *serverLog) Warnf(format string, v ...any)   { l.log.Warn(line(format, v)) }
func (l *serverLog) Debugf(string, ...any)           {}
func (l *serverLog) Tracef(string, ...any)           {}

func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Error(line(format, v))
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
