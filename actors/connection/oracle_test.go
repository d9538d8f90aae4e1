package connection_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

// The oracle knows the whole log and what each client asked for and was
// answered. It decides nothing by itself: it says which sequences of what a
// client saw are right.

// unit is one thing that a client may be sent.
type unit struct {
	position messages.Position
	k        uint32
	words    []string
	near     int
	name     string // "": whatever it is called
}

// units are all that might be sent to clients of the API, in order.
func (w *world) units(api messages.Api) (all []unit) {
	had := map[string]bool{}
	for i, f := range w.log.frames {
		for n, e := range f.GetEvents() {
			if had[e.GetId()] {
				continue
			}
			had[e.GetId()] = true
			u := unit{position: messages.At(uint64(i+1), n)}
			switch {
			case api == messages.Api_API_TWITTER && w.versions != nil:
				all = append(all, w.versioned(u, e)...)
			case api == messages.Api_API_TWITTER && e.GetPost() != nil:
				for k, word := range w.rules {
					if slices.Contains(strings.Fields(e.GetPost().GetText()), word) {
						u.k = uint32(k + 1)
						all = append(all, u)
					}
				}
			case api != messages.Api_API_TWITTER && e.GetArticle() != nil:
				u.words = strings.Fields(e.GetArticle().GetArticle().GetTitle())
				if u.near = 1; e.GetArticle().GetArticle().GetEmbedding()[1] == 1 {
					u.near = 2
				}
				all = append(all, u)
			}
		}
	}
	return all
}

// versioned are what the key's rules, as they were then, want of the event.
func (w *world) versioned(u unit, e *messages.Event) (all []unit) {
	for _, q := range w.versions {
		in := uint64(u.position) > q.GetAfter() && (q.GetUntil() == 0 || uint64(u.position) <= q.GetUntil())
		if in && slices.Contains(strings.Fields(e.GetPost().GetText()), q.GetRule()) {
			u.k, u.name = q.GetK(), q.GetOrigin().GetName()
			all = append(all, u)
		}
	}
	slices.SortFunc(all, func(a, b unit) int { return int(a.k) - int(b.k) })
	return all
}

// wanted says whether the filters want it; a key's rules always count.
func (u unit) wanted(f *filters) bool {
	if u.k > 0 {
		return true
	}
	return f != nil && (f.near == 0 || f.near == u.near) && slices.ContainsFunc(f.words, func(word string) bool { return slices.Contains(u.words, word) })
}

// check says what is wrong with what the client saw, "" where it is right. A
// change of filters may have taken effect anywhere between the event before it
// and the one after it: each event between must be wanted by neither, in order.
func (c *client) check() string {
	all := c.w.units(c.api)
	var at follow.Place
	begun := false // from here on everything is owed
	var chain []*filters
	next := 0 // of all, the first after at
	// pass goes over what is before the place, all of which was not sent.
	pass := func(to follow.Place, what string) string {
		for ; next < len(all); next++ {
			u := all[next]
			if u.position > to.Position || u.position == to.Position && u.k > to.K {
				break
			}
			if !begun {
				continue
			}
			for len(chain) > 0 && u.wanted(chain[0]) {
				chain = chain[1:]
			}
			if len(chain) == 0 {
				return fmt.Sprintf("%d.%d is missing before %s", u.position, u.k, what)
			}
		}
		return ""
	}
	if c.api == messages.Api_API_TWITTER {
		chain = []*filters{nil}
	}
	for i, s := range c.seen {
		what := fmt.Sprintf("what was seen as number %d, %+v", i, s)
		switch {
		case s.opened:
			if c.api != messages.Api_API_TWITTER {
				chain = []*filters{nil} // nothing is sent before the first answer
			}
		case s.answer != nil:
			chain = append(chain, s.answer)
		case s.cursor:
			if begun && (s.position < at.Position) {
				return what + " goes back"
			}
			if wrong := pass(follow.End(s.position), what); wrong != "" {
				return wrong
			}
			at, begun = follow.End(s.position), true
		case s.position != 0:
			if s.position < at.Position || s.position == at.Position && s.k <= at.K {
				return what + " comes twice or out of order"
			}
			before := follow.Place{Position: s.position, K: s.k - 1}
			if s.k == 0 {
				before = follow.End(s.position - 1)
			}
			if wrong := pass(before, what); wrong != "" {
				return wrong
			}
			if next == len(all) || all[next].position != s.position || all[next].k != s.k || all[next].name != "" && all[next].name != s.name {
				return what + " is nothing that could be sent"
			}
			// The answers before it are all before it: it is the last one's.
			chain = chain[len(chain)-1:]
			if !all[next].wanted(chain[0]) {
				return fmt.Sprintf("%s is not wanted by %v", what, chain[0])
			}
			at, begun = follow.Place{Position: s.position, K: s.k}, true
			next++
		}
	}
	if c.closed {
		return "it is closed"
	}
	if len(c.said) > 0 {
		return fmt.Sprintf("%d subscribes were not answered", len(c.said))
	}
	if c.api != messages.Api_API_TWITTER {
		if last := chain[len(chain)-1]; last != c.wants {
			return fmt.Sprintf("the current filters are %v, asked for were %v", last, c.wants)
		}
	}
	return pass(follow.End(messages.EndOf(uint64(len(c.w.log.frames)))), "the end")
}

// story is what a client saw, for failures.
func (c *client) story() string {
	var b strings.Builder
	for _, s := range c.seen {
		switch {
		case s.opened:
			b.WriteString("\n\tconnects:")
		case s.answer != nil:
			fmt.Fprintf(&b, " <%v>", s.answer)
		case s.cursor:
			fmt.Fprintf(&b, " (%d:%d)", s.position.Sequence(), s.position.Index())
		case s.text != "":
			fmt.Fprintf(&b, " %q", s.text)
		default:
			fmt.Fprintf(&b, " %d:%d.%d", s.position.Sequence(), s.position.Index(), s.k)
		}
	}
	return b.String()
}
