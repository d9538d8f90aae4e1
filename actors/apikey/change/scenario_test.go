package change_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/apikey/change"
	"github.com/birdwire/birdwire/actors/apikey/definitions"
	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
)

var update = flag.Bool("update", false, "write what the scenarios give into their files")

// TestScenarios plays testdata/*.txt. A line that begins with "> " is what
// happens, those after it are what the machine wants done:
//
//	> start [none|revoked] [rule ID K VERSION AFTER TAG QUERY STATUS] [past K VERSION AFTER UNTIL TAG QUERY] [changing ID VERSION] [end POSITION] ...
//	        what the store has, and where the log ends; a key that is active unless said otherwise
//	> do TICKET COMMAND ...                                                 see player.command
//	> drafted [rejected FIELD]                                              the child answers
//	> put POSITION [refused DETAIL]                                         the router answers
//	> stored REVISION | nothing | unknown | replaced                        the store answers
//	> read ... | failed                                                     as start, to Load
//	> silence, > broken                                                     no answer in time; the child failed
//	> again                                                                 the last answer comes once more
//	> handled POSITION
//	> stop
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(data))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(data) {
				t.Errorf("the scenario gives\n%s", got)
			}
		})
	}
}

// player drives one machine, and plays whoever answers it.
type player struct {
	t       *testing.T
	m       *change.Machine
	ids     int
	handled uint64

	draft  change.Draft // the open question of each kind
	token  uint64       // of store and load
	put    uint64
	wait   uint64
	answer any // the last one
}

func play(t *testing.T, script string) string {
	p := &player{t: t}
	p.m = change.New(change.Config{
		KeyID: "key-1", MonitorsMost: 2, RulesMost: 3, QueueMost: 2, AnswerWithin: 2 * time.Second,
		NewID: func(rule bool) string {
			p.ids++
			return fmt.Sprint(map[bool]string{true: "rule-", false: "mon-"}[rule], p.ids)
		},
		Now:     func() int64 { return 1000 },
		Handled: func() uint64 { return p.handled },
		Fault: func(k *messages.Key) *messages.Rejected {
			if k.GetPlan() == "gold" {
				return &messages.Rejected{Rejection: messages.Rejection_REJECTION_INVALID, Field: "plan", Detail: "is no plan"}
			}
			return nil
		},
		Credits: func() *messages.Rejected {
			if p.handled == 402 {
				return &messages.Rejected{Rejection: messages.Rejection_REJECTION_CREDITS}
			}
			return nil
		},
	})
	var out strings.Builder
	for line := range strings.Lines(script) {
		switch {
		case strings.HasPrefix(line, "#"), line == "\n":
			out.WriteString(line)
		case strings.HasPrefix(line, "> "):
			out.WriteString(line)
			for _, e := range p.input(strings.Fields(line)[1:]) {
				if text := p.effect(e); text != "" {
					out.WriteString(text + "\n")
				}
			}
		}
	}
	return out.String()
}

func (p *player) input(words []string) []change.Effect {
	p.t.Helper()
	switch words[0] {
	case "start":
		return p.m.Start(p.loaded(words[1:], 0))
	case "do":
		ticket := p.number(words[1])
		return p.m.Do(ticket, p.command(words[2:]))
	case "handled":
		p.handled = p.number(words[1])
		return nil
	case "stop":
		return p.m.GiveUp()
	case "drafted":
		p.answer = p.drafted(words[1:])
	case "put":
		put := &messages.QueriesPut{Id: p.put, Position: p.number(words[1])}
		if len(words) > 2 {
			put.Refused = []*messages.QueryRefused{{Detail: strings.Join(words[3:], " ")}}
		}
		p.answer = put
	case "stored":
		switch words[1] {
		case "nothing", "unknown", "replaced":
			p.answer = change.Stored{Token: p.token, Err: errors.New(words[1]), Nothing: words[1] == "nothing", Replaced: words[1] == "replaced"}
		default:
			p.answer = change.Stored{Token: p.token, Revision: p.number(words[1])}
		}
	case "read":
		l := p.loaded(words[1:], p.token)
		if len(words) > 1 && words[1] == "failed" {
			l = &change.Loaded{Token: p.token, Err: errors.New("down")}
		}
		p.answer = l
	case "silence":
		p.answer = change.Silent{Token: p.wait}
	case "broken":
		p.answer = change.Failed{Token: p.draft.Token}
	case "again":
	default:
		p.t.Fatalf("what is %q?", words)
	}
	return p.m.Answer(p.answer)
}

func (p *player) number(word string) uint64 {
	p.t.Helper()
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func (p *player) loaded(words []string, token uint64) *change.Loaded {
	l := &change.Loaded{Token: token, Key: &messages.Key{Id: "key-1", NextK: 9, State: messages.KeyState_KEY_ACTIVE, SecretHash: make([]byte, 32)}, Revision: 50}
	for len(words) > 0 {
		switch words[0] {
		case "none":
			l.Key = nil
		case "revoked":
			l.Key.State = messages.KeyState_KEY_REVOKED
		case "rule":
			r := &messages.Rule{
				Id: words[1], K: uint32(p.number(words[2])), Version: uint32(p.number(words[3])), After: p.number(words[4]),
				Tag: words[5], Query: words[6], Status: words[7],
			}
			l.Stored = append(l.Stored, definitions.Stored{Definition: definition.Definition{Rule: r}, Revision: 60 + uint64(r.GetK())})
			words = words[7:]
		case "past":
			l.Past = append(l.Past, &messages.Query{
				K: uint32(p.number(words[1])), Version: uint32(p.number(words[2])), After: p.number(words[3]), Until: p.number(words[4]),
				Origin: &messages.Origin{Name: words[5]}, Want: &messages.Query_Rule{Rule: words[6]},
			})
			words = words[6:]
		case "changing":
			l.Key.Changing = &messages.Changing{Rule: true, Id: words[1], Version: uint32(p.number(words[2]))}
			words = words[2:]
		case "end":
			l.End = p.number(words[1])
			words = words[1:]
		}
		words = words[1:]
	}
	return l
}

func (p *player) command(words []string) any {
	p.t.Helper()
	value := map[string]string{}
	var fields []string
	for _, w := range words[1:] {
		if name, v, ok := strings.Cut(w, "="); ok {
			value[name] = v
			if name != "id" {
				fields = append(fields, name)
			}
		}
	}
	rule := &messages.Rule{Id: value["id"], Tag: value["tag"], Query: value["query"], Status: value["status"]}
	switch words[0] {
	case "create-key":
		return &messages.CreateKey{Key: &messages.Key{Name: "n", Plan: value["plan"], SecretHash: make([]byte, 32)}}
	case "update-key":
		return &messages.UpdateKey{Key: &messages.Key{Plan: value["plan"]}, Fields: fields}
	case "rotate":
		return &messages.RotateKey{SecretHash: bytes.Repeat([]byte{byte(len(value["secret"]) + 1)}, 32), GraceMs: int64(p.number(value["grace"]))}
	case "revoke":
		return &messages.RevokeKey{}
	case "create-rule":
		return &messages.CreateRule{Rule: rule}
	case "create-monitor":
		return &messages.CreateMonitor{Monitor: &messages.Monitor{Name: value["name"], Usernames: strings.Split(value["usernames"], ",")}}
	case "update-rule":
		return &messages.UpdateRule{Rule: rule, Fields: fields}
	case "delete-rule":
		return &messages.DeleteRule{RuleId: value["id"]}
	case "learn":
		return &messages.AuthorsLearnt{MonitorId: value["id"], Learnt: []*messages.LearntAuthor{{Username: value["username"], Id: value["author"]}}}
	case "used":
		p.m.Used(int64(p.number(value["ms"])))
		return change.WriteUsed{}
	case "tidy":
		return change.Tidy{}
	case "expire":
		return change.Expire{First: p.number(value["first"])}
	}
	p.t.Fatalf("no command %q", words)
	return nil
}

// drafted does what a child does with a change that is valid.
func (p *player) drafted(words []string) any {
	var why *messages.Rejected
	if len(words) > 0 {
		why = &messages.Rejected{Rejection: messages.Rejection_REJECTION_INVALID, Field: words[1]}
	}
	switch d := p.draft.Message.(type) {
	case *messages.DraftRule:
		if why != nil {
			return &messages.RuleDrafted{Id: d.GetId(), Rejected: why}
		}
		to := &messages.Rule{Status: "active"}
		if d.GetPresent() != nil {
			to = proto.Clone(d.GetPresent()).(*messages.Rule)
		}
		proto.Merge(to, d.GetChange())
		return &messages.RuleDrafted{Id: d.GetId(), Rule: to}
	case *messages.DraftMonitor:
		to := &messages.Monitor{Status: "active"}
		proto.Merge(to, d.GetChange())
		return &messages.MonitorDrafted{Id: d.GetId(), Monitor: to, Rejected: why}
	}
	p.t.Fatal("no draft is asked for")
	return nil
}

// effect is one line, and notes what can be answered.
func (p *player) effect(e change.Effect) string {
	switch e := e.(type) {
	case change.Draft:
		p.draft = e
		return "draft " + e.ID
	case change.Put:
		if e.Message.GetId() != 0 {
			p.put = e.Message.GetId()
		}
		return "put " + putText(e.Message)
	case change.Store:
		p.token = e.Token
		var writes []string
		for _, w := range e.Writes {
			writes = append(writes, writeText(w))
		}
		return "store " + strings.Join(writes, " then ")
	case change.Load:
		p.token = e.Token
		return "load"
	case change.Wait:
		if e.For == 0 {
			return ""
		}
		p.wait = e.Token
		return fmt.Sprint("wait ", e.For)
	case change.Reply:
		if r, ok := e.Message.(*messages.Rejected); ok {
			return fmt.Sprintf("reply %d %s %s: %s", e.Ticket, r.GetRejection(), r.GetField(), r.GetDetail())
		}
		return fmt.Sprintf("reply %d %T", e.Ticket, e.Message)
	case change.Report:
		return fmt.Sprintf("report %s %v %s", e.Text, e.Err, e.Count)
	default:
		return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T%v", e, e), "change."))
	}
}

func putText(m *messages.PutQueries) string {
	var parts []string
	for _, q := range m.GetPut() {
		parts = append(parts, fmt.Sprintf("%d.%d %s%s", q.GetK(), q.GetVersion(), q.GetRule(), strings.Join(q.GetMonitor().GetUsernames(), ","))+untilText(q.GetUntil()))
	}
	for _, q := range m.GetRemove() {
		parts = append(parts, fmt.Sprintf("without %d.%d", q.GetK(), q.GetVersion())+untilText(q.GetUntil()))
	}
	if m.GetAll() {
		parts = append(parts, "and nothing else")
	}
	if m.GetId() != 0 {
		parts = append(parts, "?")
	}
	return strings.Join(parts, " ")
}

func untilText(position uint64) string {
	if position == 0 {
		return ""
	}
	return fmt.Sprint(" until ", position)
}

func writeText(w change.Write) string {
	switch {
	case w.Kind == change.OfPast && w.Data == nil:
		return fmt.Sprintf("forget %d.%d", w.Past.GetK(), w.Past.GetVersion())
	case w.Kind == change.OfPast:
		return fmt.Sprintf("past %d.%d (%d,%d]", w.Past.GetK(), w.Past.GetVersion(), w.Past.GetAfter(), w.Past.GetUntil())
	case w.Never:
		return fmt.Sprintf("never %s", w.ID)
	case w.Data == nil:
		return fmt.Sprintf("delete %s@%d", w.ID, w.Revision)
	case w.Kind == change.OfKey:
		k := &messages.Key{}
		_ = proto.Unmarshal(w.Data, k)
		named := ""
		if c := k.GetChanging(); c != nil {
			named = fmt.Sprintf(" changing %s to version %d", c.GetId(), c.GetVersion())
		}
		return fmt.Sprintf("key@%d %s plan=%s next_k=%d used=%d former=%d", w.Revision, k.GetState(), k.GetPlan(), k.GetNextK(), k.GetLastUsedMs(), k.GetFormerUntilMs()) + named
	default:
		d, _ := definition.Unmarshal(w.Kind == change.OfRule, w.Data)
		return fmt.Sprintf("%s@%d k=%d version=%d after=%d %s %s", w.ID, w.Revision, d.K(), d.Version(), d.After(), d.Status(), d.Origin().GetName())
	}
}
