package testkit

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"
)

//go:embed show.html
var page string

//go:embed show.js
var script string

//go:embed show_panel.js
var panelScript string

// Bounds of a page: it stays pleasant.
const (
	textMost = 1500 // bytes of one message
	// foldFrom: a host's actors under one parent that are more than this share a
	// lane, all but those with foldKeep steps.
	foldFrom = 24
	foldKeep = 6
)

// Page is a run to look at: one file of HTML that needs nothing else.
type Page struct {
	Title   string
	Outcome *Outcome // with its History
	// Most is how many steps are shown, the newest, or those around the first that a
	// violation names; 0: 20,000.
	Most int
}

// shown is the page's data. Names are short since there are many.
type shown struct {
	Title      string      `json:"title"`
	Options    []string    `json:"options"`
	Violations []Violation `json:"violations"`
	Steps      int         `json:"steps"` // of the run
	Part       bool        `json:"part"`  // the page has not all of them
	Lanes      []shownLane `json:"lanes"`
	Types      []string    `json:"types"`
	// Each is [n, nanoseconds, lane, cause, type, text].
	Events [][6]any    `json:"events"`
	Marks  []shownMark `json:"marks"`
}

type shownLane struct {
	Group string `json:"group"` // the host; "" of nobody's
	Name  string `json:"name"`
	Kind  string `json:"kind"` // actor, network, world
}

type shownMark struct {
	Step  int    `json:"step"`
	Until int    `json:"until"` // of a fault; 0: it did not end
	At    int64  `json:"at"`
	Lane  int    `json:"lane"` // of who is no host; -1: it is a host
	Group string `json:"group"`
	Text  string `json:"text"`
	Fault bool   `json:"fault"`
}

// WriteTo writes the page.
func (p Page) WriteTo(w io.Writer) (int64, error) {
	if p.Outcome == nil || p.Outcome.History == nil {
		return 0, errors.New("show: the run was played without its history")
	}
	data, err := json.Marshal(p.shown()) // which escapes <, > and &
	if err != nil {
		return 0, fmt.Errorf("show: %w", err)
	}
	out := strings.NewReplacer("{{title}}", html.EscapeString(p.Title), "{{data}}", string(data), "{{script}}", script+panelScript).Replace(page)
	n, err := io.WriteString(w, out)
	return int64(n), err
}

// Save writes the page to the file of that name, all of it or nothing.
func (p Page) Save(name string) error {
	var b bytes.Buffer
	if _, err := p.WriteTo(&b); err != nil {
		return err
	}
	return writeFile(name, b.Bytes())
}

func (p Page) shown() *shown {
	most := p.Most
	if most == 0 {
		most = 20_000
	}
	h := p.Outcome.History
	steps := p.part(h.Steps, most)
	s := &shown{
		Title: p.Title, Violations: p.Outcome.Violations, Steps: p.Outcome.Steps, Part: len(steps) < len(h.Steps),
		Lanes: []shownLane{}, Events: [][6]any{}, Marks: []shownMark{}, Options: []string{},
	}
	for _, o := range p.Outcome.Options {
		s.Options = append(s.Options, o.String())
	}
	l := &lanes{of: map[shownLane]int{}, types: map[string]int{}, page: s}
	l.fold(steps)
	for _, step := range steps {
		kind, text := cutText(step.Text)
		s.Events = append(s.Events, [6]any{step.N, int64(step.At), l.ofStep(step), step.Cause, l.typ(kind), text})
	}
	from, to := 0, 0
	if len(steps) > 0 {
		from, to = steps[0].N, steps[len(steps)-1].N
	}
	for _, m := range h.Marks {
		if m.Step <= to && (m.Step >= from || m.Fault && (m.Until == 0 || m.Until >= from)) {
			s.Marks = append(s.Marks, l.mark(m))
		}
	}
	return s
}

// part is what is shown: a quarter of it after the first step that a violation names.
func (p Page) part(steps []Step, most int) []Step {
	end := len(steps)
	if n := len(p.Outcome.Violations); n > 0 {
		step := p.Outcome.Violations[0].Step
		for _, v := range p.Outcome.Violations {
			step = min(step, v.Step)
		}
		i, _ := slices.BinarySearchFunc(steps, step, func(s Step, n int) int { return s.N - n })
		end = min(end, max(i+most/4, most))
	}
	return steps[max(0, end-most):end]
}

// cutText is a message's type and its text, both without what is the same in all.
func cutText(text string) (kind, rest string) {
	kind, rest, _ = strings.Cut(strings.TrimPrefix(text, "&"), "{")
	if len(kind) > 80 || strings.ContainsAny(kind, `" `) { // no struct
		kind, rest = "", text
	} else if rest != "" {
		rest = "{" + rest
	}
	if len(rest) > textMost {
		rest = strings.ToValidUTF8(rest[:textMost], "") + "…"
	}
	return kind, rest
}

// lanes are numbered as they come first.
type lanes struct {
	page   *shown
	of     map[shownLane]int
	types  map[string]int
	folded map[string]bool // names, with their host, that share the lane of their parent
}

// fold finds parents with many children that do little.
func (l *lanes) fold(steps []Step) {
	l.folded = map[string]bool{}
	count, children := map[string]int{}, map[string][]string{}
	for _, s := range steps {
		name := laneName(s)
		if count[s.Host+" "+name]++; count[s.Host+" "+name] == 1 {
			parent, _ := parentOf(name)
			children[s.Host+" "+parent] = append(children[s.Host+" "+parent], s.Host+" "+name)
		}
	}
	for _, all := range children {
		if len(all) <= foldFrom {
			continue
		}
		for _, name := range all {
			l.folded[name] = count[name] < foldKeep
		}
	}
}

func parentOf(name string) (parent string, ok bool) {
	i := strings.LastIndex(name, "/")
	if i < 0 {
		return "", false
	}
	return name[:i], true
}

// laneName is an actor's id, also for the jobs that it has asked for.
func laneName(s Step) string {
	if s.Actor == "" {
		return strings.TrimPrefix(s.Lane, jobOf)
	}
	return strings.TrimPrefix(s.Actor, s.Host+"/")
}

func (l *lanes) ofStep(s Step) int {
	lane := shownLane{Group: s.Host, Name: laneName(s), Kind: "actor"}
	if l.folded[s.Host+" "+lane.Name] {
		parent, _ := parentOf(lane.Name)
		lane.Name = parent + "/…"
	}
	if s.Actor == "" && !strings.HasPrefix(s.Lane, jobOf) {
		lane.Kind = "network"
	}
	return l.number(lane)
}

func (l *lanes) number(lane shownLane) int {
	i, known := l.of[lane]
	if !known {
		i = len(l.page.Lanes)
		l.of[lane] = i
		l.page.Lanes = append(l.page.Lanes, lane)
	}
	return i
}

func (l *lanes) typ(name string) int {
	i, known := l.types[name]
	if !known {
		i = len(l.page.Types)
		l.types[name] = i
		l.page.Types = append(l.page.Types, name)
	}
	return i
}

// mark is of a host, where there is one of that name, perhaps with a number of its
// process behind it.
func (l *lanes) mark(m Mark) shownMark {
	s := shownMark{Step: m.Step, Until: m.Until, At: int64(m.At / time.Nanosecond), Lane: -1, Group: m.Who, Text: m.Text, Fault: m.Fault}
	isHost := slices.ContainsFunc(l.page.Lanes, func(lane shownLane) bool {
		return lane.Group == m.Who || strings.HasPrefix(lane.Group, m.Who+"@")
	})
	if !isHost {
		s.Lane = l.number(shownLane{Name: m.Who, Kind: "world"})
	}
	return s
}
