package follow_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

var rewrite = flag.Bool("rewrite", false, "write what the follower does into the scenario files")

// TestScenarios runs testdata/*.txt. A file is a list of steps: a line that
// says what happens, "----", and what the follower does about it; "-" where it
// does nothing. Lines that begin with # are for the reader. What happens:
//
//	new [at=P[.K]] [option=value …]     a new follower; the first line
//	subscribe NAME [lane=N] [queries]   queries: the owner has them
//	joined #JOIN at=P number=N [term=T]
//	join-refused #JOIN [again] [retry=MS] TEXT
//	deliver #JOIN N after=N [term=T] P[.K] …
//	through #JOIN at=P number=N [term=T]
//	left #JOIN at=P number=N [term=T]
//	rejoin [#JOIN] [term=T]
//	voids #ASK through=P [since=P] [P …]
//	queries #ASK through=P [since=P]
//	read #READING through=P [P[.K] …] [lost=P-P]
//	read-failed #READING log|busy|trimmed=P|query
//	moved, taken, prove, fired #TIMER, quit
//
// Positions are plain numbers: S:I is At(S, I), S: is EndOf(S). A # alone is the
// number of the newest question of that kind.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := runScenario(t, string(data))
			if *rewrite {
				if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(data) {
				t.Errorf("%s: the follower does something else:\n%s", name, diff(string(data), got))
			}
		})
	}
}

// diff shows the first line that differs, and what is around it.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range w {
		if i >= len(g) || w[i] != g[i] {
			from := max(0, i-6)
			return fmt.Sprintf("want:\n%s\ngot:\n%s", strings.Join(w[from:min(len(w), i+4)], "\n"), strings.Join(g[from:min(len(g), i+4)], "\n"))
		}
	}
	return strings.Join(g[len(w):], "\n")
}

func runScenario(t *testing.T, text string) string {
	var out strings.Builder
	var f follow.Follower
	var cfg follow.Config
	var reached []string
	newest := map[string]uint64{}
	inOutput := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			inOutput = false
			out.WriteString(line + "\n")
		case line == "----":
			inOutput = true
			out.WriteString(line + "\n")
			if len(reached) == 0 {
				reached = []string{"-"}
			}
			out.WriteString(strings.Join(reached, "\n") + "\n")
			reached = nil
		case !inOutput:
			out.WriteString(line + "\n")
			reached = append(reached, happen(t, &f, &cfg, newest, strings.Fields(line))...)
		}
	}
	return out.String()
}

// happen does one line and says what the follower did.
func happen(t *testing.T, f *follow.Follower, cfg *follow.Config, newest map[string]uint64, words []string) []string {
	a := parse(t, words[1:])
	if a.open {
		a.id = newest[words[0]]
	}
	var in any
	switch words[0] {
	case "new":
		*cfg = follow.Config{
			Lanes: int(a.number("lanes")), Near: a.number("near"), HeldMost: int(a.number("held")), HeldBytes: int(a.number("bytes")),
			PendingMost: int(a.number("pending")), RoundsMost: int(a.number("rounds")),
		}.WithDefaults()
		*f = follow.New(cfg, place(t, a.text["at"]))
		return []string{"at " + showPlace(f.Place())}
	case "subscribe":
		s := &follow.Subscription{Lane: follow.Lane(a.number("lane")), Tag: a.words[0]}
		if !a.has("queries") {
			s.Query = &messages.Query{Want: &messages.Query_Rule{Rule: a.words[0]}}
		}
		in = follow.Subscribe{Subscription: s}
	case "joined":
		in = &messages.Joined{Join: a.id, Position: a.position("at"), Number: a.number("number"), Term: a.number("term")}
	case "join-refused":
		in = &messages.JoinRefused{Join: a.id, Again: a.has("again"), RetryAfterMs: int64(a.number("retry")), Detail: strings.Join(a.words, " ")}
	case "deliver":
		number, err := strconv.ParseUint(a.words[0], 10, 64)
		if err != nil {
			t.Fatalf("%v: %v", words, err)
		}
		m := &messages.Deliveries{Join: a.id, Number: number, Previous: a.number("after"), Term: a.number("term"), Deliveries: a.deliveries(a.words[1:])}
		if ds, ok := f.Next(m); ok {
			return []string{"next" + showDeliveries(ds)}
		}
		in = m
	case "through":
		in = &messages.Through{Join: a.id, Position: a.position("at"), Number: a.number("number"), Term: a.number("term")}
	case "left":
		in = &messages.Left{Join: a.id, Position: a.position("at"), Number: a.number("number"), Term: a.number("term")}
	case "rejoin":
		in = &messages.Rejoin{Join: a.id, Term: a.number("term")}
	case "voids":
		m := &messages.VoidsKnown{Ask: a.id, Through: a.position("through"), Since: a.position("since")}
		for _, w := range a.words {
			m.Positions = append(m.Positions, uint64(position(t, w)))
		}
		in = m
	case "queries":
		in = &messages.Queries{Ask: a.id, Position: a.position("through"), Since: a.position("since"), Queries: []*messages.Query{{K: 1}}}
	case "read":
		r := follow.Result{Through: messages.Position(a.position("through")), Deliveries: a.deliveries(a.words)}
		if l := a.text["lost"]; l != "" {
			from, to, _ := strings.Cut(l, "-")
			r.Lost = []messages.Lost{{From: position(t, from), To: position(t, to), Why: messages.Damaged}}
		}
		in = follow.Read{Reading: a.id, Result: r}
	case "read-failed":
		fault := map[string]follow.Fault{"log": follow.FaultLog, "busy": follow.FaultBusy, "query": follow.FaultQuery}
		failed := follow.ReadFailed{Reading: a.id, Detail: "why"}
		if a.text["trimmed"] != "" {
			failed.Fault, failed.First = follow.FaultTrimmed, messages.Position(a.position("trimmed"))
		} else {
			failed.Fault = fault[a.words[0]]
		}
		in = failed
	case "moved":
		in = follow.Moved{}
	case "taken":
		in = follow.Taken{}
	case "prove":
		in = follow.Prove{}
	case "fired":
		in = follow.Fired{Timer: a.id}
	case "quit":
		return show(f.Quit())
	default:
		t.Fatalf("no such thing happens: %v", words)
	}
	out := f.Step(in)
	for _, o := range out {
		switch o := o.(type) {
		case follow.Join:
			for _, kind := range []string{"joined", "join-refused", "deliver", "through", "left", "rejoin"} {
				newest[kind] = o.Join
			}
		case follow.AskVoids:
			newest["voids"] = o.Ask
		case follow.AskQueries:
			newest["queries"] = o.Ask
		case follow.ReadLog:
			newest["read"], newest["read-failed"] = o.Reading, o.Reading
		case follow.Wait:
			newest["fired"] = o.Timer
		}
	}
	return show(out)
}

// args are the words of a line: #ID, name=value, and others.
type args struct {
	t     *testing.T
	id    uint64
	open  bool // of the open question
	text  map[string]string
	words []string
}

func parse(t *testing.T, words []string) *args {
	a := &args{t: t, text: map[string]string{}}
	for _, w := range words {
		if name, value, ok := strings.Cut(w, "="); ok {
			a.text[name] = value
		} else if w == "#" {
			a.open = true
		} else if strings.HasPrefix(w, "#") {
			id, err := strconv.ParseUint(w[1:], 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", w, err)
			}
			a.id = id
		} else {
			a.words = append(a.words, w)
		}
	}
	return a
}

// has takes the word out.
func (a *args) has(word string) bool {
	for i, w := range a.words {
		if w == word {
			a.words = append(a.words[:i:i], a.words[i+1:]...)
			return true
		}
	}
	return false
}

func (a *args) number(name string) uint64 {
	if a.text[name] == "" {
		return 0
	}
	n, err := strconv.ParseUint(a.text[name], 10, 64)
	if err != nil {
		a.t.Fatalf("%s: %v", name, err)
	}
	return n
}

func (a *args) position(name string) uint64 { return uint64(position(a.t, a.text[name])) }

func (a *args) deliveries(words []string) (ds []*messages.Delivery) {
	for _, w := range words {
		p := place(a.t, w)
		k := p.K
		if k == follow.End(0).K {
			k = 0
		}
		ds = append(ds, &messages.Delivery{Position: uint64(p.Position), K: k, Event: &messages.Event{Id: w}})
	}
	return ds
}

func position(t *testing.T, text string) messages.Position {
	if text == "" {
		return 0
	}
	sequence, index, found := strings.Cut(text, ":")
	s, err := strconv.ParseUint(sequence, 10, 64)
	if err != nil {
		t.Fatalf("position %q: %v", text, err)
	}
	switch {
	case !found:
		return messages.Position(s)
	case index == "":
		return messages.EndOf(s)
	}
	i, err := strconv.Atoi(index)
	if err != nil {
		t.Fatalf("position %q: %v", text, err)
	}
	return messages.At(s, i)
}

func place(t *testing.T, text string) follow.Place {
	if text == "" {
		return follow.Place{}
	}
	at, k, found := strings.Cut(text, ".")
	if !found {
		return follow.End(position(t, at))
	}
	n, err := strconv.ParseUint(k, 10, 32)
	if err != nil {
		t.Fatalf("place %q: %v", text, err)
	}
	return follow.Place{Position: position(t, at), K: uint32(n)}
}

func show(out []follow.Output) (lines []string) {
	for _, o := range out {
		lines = append(lines, showOne(o))
	}
	return lines
}

func showOne(o follow.Output) string {
	name := func(s *follow.Subscription) string { return s.Tag.(string) }
	query := func(q *messages.Query) string {
		if q == nil {
			return "the owner's"
		}
		return q.GetRule()
	}
	switch o := o.(type) {
	case follow.Join:
		return fmt.Sprintf("  join #%d lane %d %s, is at %s", o.Join, o.Lane, query(o.Query), showPosition(o.Cursor))
	case follow.Leave:
		return fmt.Sprintf("  leave #%d lane %d", o.Join, o.Lane)
	case follow.AskThrough:
		return fmt.Sprintf("  how far #%d lane %d", o.Join, o.Lane)
	case follow.AskVoids:
		return fmt.Sprintf("  voids #%d lane %d from %s", o.Ask, o.Lane, showPosition(o.From))
	case follow.AskQueries:
		return fmt.Sprintf("  queries #%d lane %d %s to %s", o.Ask, o.Lane, showPosition(o.From), showPosition(o.Through))
	case follow.ReadLog:
		r := o.Request
		text := fmt.Sprintf("  read #%d %s after %s through %s", o.Reading, query(r.Queries[0]), showPlace(r.After), showPosition(r.Through))
		if len(r.Voids) > 0 || r.VoidsSince > 0 {
			text += fmt.Sprintf(" voids %v since %s", r.Voids, showPosition(r.VoidsSince))
		}
		return text
	case follow.Wait:
		if o.For == 0 {
			return "  wait no more"
		}
		return fmt.Sprintf("  wait %v #%d", o.For.Round(time.Millisecond), o.Timer)
	case follow.Deliver:
		return "deliver" + showDeliveries(o.Deliveries)
	case follow.Accepted:
		return "accepted " + name(o.Subscription)
	case follow.Refused:
		return "refused " + name(o.Subscription) + ": " + o.Detail
	case follow.Reached:
		if o.First {
			return "reached " + showPosition(o.Position) + ", first"
		}
		return "reached " + showPosition(o.Position)
	case follow.Trimmed:
		return "trimmed, first " + showPosition(o.First)
	case follow.Lost:
		return "lost " + showPosition(o.Lost.From) + " to " + showPosition(o.Lost.To)
	case follow.Over:
		return fmt.Sprintf("over %d: %s", o.Why, o.Detail)
	}
	return fmt.Sprintf("%T", o)
}

func showDeliveries(ds []*messages.Delivery) string {
	var b strings.Builder
	for _, d := range ds {
		b.WriteString(" " + d.GetEvent().GetId())
	}
	if len(ds) == 0 {
		return " nothing"
	}
	return b.String()
}

func showPosition(p messages.Position) string {
	switch {
	case p.Sequence() == 0:
		return fmt.Sprint(uint64(p))
	case p == messages.EndOf(p.Sequence()):
		return fmt.Sprintf("%d:", p.Sequence())
	}
	return fmt.Sprintf("%d:%d", p.Sequence(), p.Index())
}

func showPlace(p follow.Place) string {
	switch {
	case p == follow.Place{}:
		return "none"
	case p == follow.End(p.Position):
		return showPosition(p.Position)
	}
	return fmt.Sprintf("%s.%d", showPosition(p.Position), p.K)
}
