package sim

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
)

// version is what a rule or monitor was for a stretch of the log: it decides the
// events in (after, until]; an until of 0 is no end. A rule is a word here.
type version struct {
	k, number    uint32
	after, until messages.Position
	tag          string // or the monitor's name
	word         string // of a rule
	accounts     []string
	ids          []string // of accounts, as far as they were learnt
}

func (v version) decides(p messages.Position) bool {
	return p > v.after && (v.until == 0 || p <= v.until)
}

func (v version) wants(p *messages.Post) bool {
	if v.word != "" {
		return slices.Contains(strings.Fields(p.GetText()), v.word)
	}
	return slices.Contains(v.accounts, p.GetAuthor().GetUsername()) || slices.Contains(v.ids, p.GetAuthor().GetId())
}

// is says whether the definition asks for the same from the same position on.
func (v version) is(d definition.Definition) bool {
	w := versionOf(d.Query())
	return v.after == w.after && v.tag == w.tag && v.word == w.word && slices.Equal(v.accounts, w.accounts) && slices.Equal(v.ids, w.ids)
}

func versionOf(q *messages.Query) version {
	return version{
		k: q.GetK(), number: q.GetVersion(), after: messages.Position(q.GetAfter()), until: messages.Position(q.GetUntil()),
		tag: q.GetOrigin().GetName(), word: q.GetRule(), accounts: q.GetMonitor().GetUsernames(), ids: q.GetMonitor().GetAuthorIds(),
	}
}

// always are rules that hold over the whole log, numbered in that order, each
// with its word as its tag.
func always(words []string) (all []version) {
	for i, word := range words {
		all = append(all, version{k: uint32(i + 1), tag: word, word: word})
	}
	return all
}

// versions are the active ones that the key's rules and monitors have and had, as
// the store's records say, and those that there are.
func (c *Cluster) versions(keyID string) (all []version, now []definition.Definition) {
	c.TB.Helper()
	for _, prefix := range []string{actors.MonitorRecord(keyID, ""), actors.RuleRecord(keyID, "")} {
		for _, data := range c.records(prefix) {
			if len(data) == 0 { // it was to be made, and never was
				continue
			}
			d, err := definition.Unmarshal(prefix == actors.RuleRecord(keyID, ""), data)
			if err != nil {
				c.TB.Fatal(err)
			}
			now = append(now, d)
			if q := d.Query(); q != nil {
				all = append(all, versionOf(q))
			}
		}
	}
	for _, q := range c.pastOf(keyID) {
		void := func(d definition.Definition) bool { return d.K() == q.GetK() && d.Version() == q.GetVersion() }
		if !slices.ContainsFunc(now, void) { // else what was to replace it was never written
			all = append(all, versionOf(q))
		}
	}
	slices.SortFunc(all, func(a, b version) int { return cmp.Or(cmp.Compare(a.k, b.k), cmp.Compare(a.number, b.number)) })
	return all, now
}

// pastOf are the versions that were replaced, those that went with the log too.
func (c *Cluster) pastOf(keyID string) []*messages.Query {
	c.TB.Helper()
	all := slices.Clone(c.past[keyID])
	for _, data := range c.records(actors.PastRecords(keyID)) {
		q := &messages.Query{}
		c.read(data, q)
		all = append(slices.DeleteFunc(all, func(o *messages.Query) bool {
			return o.GetK() == q.GetK() && o.GetVersion() == q.GetVersion()
		}), q)
	}
	return all
}

func (c *Cluster) records(prefix string) (all [][]byte) {
	c.TB.Helper()
	kept, err := c.control().List(c.TB.Context(), prefix)
	if err != nil {
		c.TB.Fatal(err)
	}
	for _, r := range kept {
		all = append(all, r.Data)
	}
	return all
}

func (c *Cluster) read(data []byte, m proto.Message) {
	c.TB.Helper()
	if err := proto.Unmarshal(data, m); err != nil {
		c.TB.Fatal(err)
	}
}

// end is where the log ends.
func (c *Cluster) end() messages.Position {
	c.TB.Helper()
	_, last, err := c.Disk.Open(nil).Journal().Bounds(c.TB.Context())
	if err != nil {
		c.TB.Fatal(err)
	}
	return messages.EndOf(last)
}

// log calls do with each event of the log, once, in order, also of what was
// trimmed, and returns the log's end.
func (c *Cluster) log(do func(p messages.Position, e *messages.Event)) (end messages.Position) {
	c.TB.Helper()
	had := map[string]bool{}
	for _, entry := range slices.Concat(c.trimmed, c.held()) {
		end = messages.EndOf(entry.sequence)
		for i, e := range entry.frame.GetEvents() {
			if !had[e.GetId()] {
				had[e.GetId()] = true
				do(messages.At(entry.sequence, i), e)
			}
		}
	}
	return end
}

// held are the frames that the log holds.
func (c *Cluster) held() (all []entry) {
	c.TB.Helper()
	c.frames(1, func(e entry) { all = append(all, e) })
	return all
}

// frames tells of those that the log holds, from the sequence on.
func (c *Cluster) frames(from uint64, see func(entry)) {
	c.TB.Helper()
	cursor, err := c.Disk.Open(nil).Journal().Read(c.TB.Context(), from)
	if err != nil {
		c.TB.Fatal(err)
	}
	defer cursor.Close()
	for {
		e, err := cursor.Next(c.TB.Context())
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			c.TB.Fatal(err)
		}
		see(entry{e.Sequence, e.Frame})
	}
}

// matched is the plain matcher: what the versions make of each event after a
// position, in the log's order and then by k.
func (c *Cluster) matched(versions []version, after messages.Position) (all []seen) {
	c.TB.Helper()
	c.log(func(p messages.Position, e *messages.Event) {
		for _, v := range versions {
			if p > after && v.decides(p) && v.wants(e.GetPost()) {
				all = append(all, seen{p, v.k, v.tag, e.GetPost().GetId()})
			}
		}
	})
	return all
}
