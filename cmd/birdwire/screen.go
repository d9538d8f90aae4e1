package main

import (
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/fatih/color"
	"golang.org/x/term"

	"github.com/birdwire/birdwire/gateway/client"
)

// screen draws events for a person: one line each, cut to the width.
type screen struct {
	width     int
	now       func() time.Time
	headlines headlines

	time, who, what, mark, good, bad *color.Color
}

func newScreen(width int, plain bool) *screen {
	s := &screen{
		width: width, now: time.Now,
		time: color.New(color.Faint), who: color.New(color.FgCyan, color.Bold), what: color.New(color.FgYellow),
		mark: color.New(color.FgMagenta), good: color.New(color.FgGreen), bad: color.New(color.FgRed),
	}
	for _, c := range []*color.Color{s.time, s.who, s.what, s.mark, s.good, s.bad} {
		// The library looks at the process's own stdout; the caller has looked at ours.
		if plain {
			c.DisableColor()
		} else {
			c.EnableColor()
		}
	}
	return s
}

const (
	defaultWidth = 120 // of a terminal that does not say
	leastWidth   = 40  // of a line; a narrower terminal wraps it
)

// terminal says how wide w is; false where it is no terminal.
func terminal(w io.Writer) (width int, ok bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return defaultWidth, true
	}
	return max(width, leastWidth), true
}

// part is a piece of a line in one color; nil is the terminal's own.
type part struct {
	color *color.Color
	text  string
}

func (s *screen) show(w io.Writer, m client.Message) error {
	return s.line(w, "", "  ", append([]part{{s.time, s.now().Format("15:04:05")}}, s.parts(m)...))
}

// line writes parts after indent, sep between them, cut to the width. Empty
// parts are left out.
func (s *screen) line(w io.Writer, indent, sep string, parts []part) error {
	var b strings.Builder
	b.WriteString(indent)
	room := s.width - cells(indent)
	for i, p := range parts {
		text := printable(p.text)
		if text == "" {
			continue
		}
		if i > 0 {
			if room -= cells(sep); room < 4 {
				break
			}
			b.WriteString(sep)
		}
		text = clip(text, room)
		room -= cells(text)
		if p.color != nil {
			text = p.color.Sprint(text)
		}
		b.WriteString(text)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *screen) parts(m client.Message) []part {
	switch e := m.Event.(type) {
	case *client.Tweet:
		name := e.MonitorName
		if e.Source == "filter_rule" {
			name = e.RuleTag
		}
		kind := e.TweetType
		if kind == "original" {
			kind = ""
		}
		return []part{{s.who, "@" + e.AuthorUsername}, {s.mark, name}, {s.what, kind}, {nil, e.TweetText}}
	case *client.News:
		action := map[string]*color.Color{"create": s.good, "delete": s.bad}[e.Action]
		if action == nil {
			action = s.what
		}
		return []part{{action, e.Action}, {s.who, e.Item.Source}, {s.mark, e.Item.Category}, {s.what, strings.Join(e.Item.Tickers, " ")}, {nil, e.Item.Title}, {s.time, e.Item.URL}}
	}
	if parts := s.storyParts(m); parts != nil {
		return parts
	}
	return []part{{nil, string(m.Raw)}}
}

// printable leaves out what would command the terminal: strangers write posts.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, s)
}
