package assembly_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// judges says one word after the other, the last one on and on; "" is a failure.
type judges struct {
	says  []string
	asked []*messages.StoryQuestion
}

func (j *judges) Judge(_ context.Context, q *messages.StoryQuestion) (significance, model string, err error) {
	word := j.says[min(len(j.asked), len(j.says)-1)]
	if j.asked = append(j.asked, q); word == "" {
		return "", "", errors.New("no answer")
	}
	return word, "a model", nil
}

// unclear reports an event, and then what may be a turn of it.
func (n *node) unclear() {
	n.t.Helper()
	for i, a := range [][2]string{
		{"Harbor Steel halts Brenford furnaces after fire", "The plant at Brenford stopped all furnaces on Monday after a fire in the control room, workers were evacuated."},
		{"Fire at Brenford: Harbor Steel halts furnaces", "Harbor Steel evacuated workers and stopped furnaces at Brenford on Monday because smoke filled the control room."},
		{"insurers Vellum Kestrel refuse payment claims", "Brenford furnaces halted Harbor Steel fire insurers Vellum Kestrel refuse payment claims lawyers Tolmar court hearing lawsuit damages Quartz settlement"},
	} {
		n.offer(&messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Article: &messages.Article{
			Id: fmt.Sprint("u", i), Url: fmt.Sprintf("https://s%d.example/u", i), SourceId: fmt.Sprint("s", i), Title: a[0], Description: a[1],
		}}}})
	}
}

// sayAgain writes a verdict on the last question into the log, whatever was written.
func (n *node) sayAgain(significance string) {
	n.t.Helper()
	v := &messages.StoryVerdict{Significance: significance}
	frames, err := n.store.Journal().Read(n.t.Context(), 1)
	if err != nil {
		n.t.Fatal(err)
	}
	defer frames.Close()
	for {
		f, err := frames.Next(n.t.Context())
		if err != nil {
			break
		}
		for i, e := range f.Frame.GetEvents() {
			if a := e.GetArticle().GetArticle(); strings.Contains(a.GetTitle(), "Vellum") {
				v.Question, v.Article = uint64(messages.At(f.Sequence, i)), a.GetNumber()
			}
		}
	}
	if v.GetQuestion() == 0 {
		n.t.Fatal("nothing was asked")
	}
	n.actors.Ask(n.actors.Journal(), &messages.Offer{Id: 1, Events: []*messages.Event{{
		Id: "newsdesk:verdict:again", Source: desk.Source, DetectedMs: n.Clock.Now().UnixMilli(), Body: &messages.Event_StoryVerdict{StoryVerdict: v},
	}}}, 30*time.Second, func(proto.Message, error) {})
}

// A model's verdict makes a development once, whatever is lost, comes twice, or
// fails between the question and the log. Without a verdict there is none.
func TestAVerdictIsToldOnce(t *testing.T) {
	verdict := func(m any) *messages.StoryVerdict {
		if o, ok := m.(*messages.Offer); ok {
			return o.GetEvents()[0].GetStoryVerdict()
		}
		return nil
	}
	for name, c := range map[string]struct {
		says  []string
		drop  func(times int, m any) bool // one of several times that such a message came
		then  func(n *node)
		asked int
		want  string
	}{
		"at once":          {says: []string{"major"}, asked: 1, want: "major"},
		"none":             {says: []string{"none"}, asked: 1},
		"no word of ours":  {says: []string{"huge"}, asked: 1},
		"after a failure":  {says: []string{"", "minor"}, asked: 2, want: "minor"},
		"never":            {says: []string{""}, asked: 3},
		"the offer lost":   {says: []string{"minor"}, drop: func(i int, m any) bool { return verdict(m) != nil && i < 2 }, asked: 1, want: "minor"},
		"the answer lost":  {says: []string{"minor"}, drop: func(i int, m any) bool { return fmt.Sprintf("%T", m) == "*newsdesk.judged" && i < 1 }, asked: 2, want: "minor"},
		"the journal ends": {says: []string{"minor"}, drop: func(i int, m any) bool { return verdict(m) != nil && i < 1 }, then: func(n *node) { n.fail("node/journal") }, asked: 1, want: "minor"},
		"the newsdesk ends, and hears another word": {
			says: []string{"minor", "major"}, drop: func(i int, m any) bool { return verdict(m) != nil && i < 1 },
			then: func(n *node) { n.fail("node/newsdesk") }, asked: 2, want: "major",
		},
		"the newsdesk ends when all is said": {says: []string{"minor", "major"}, then: func(n *node) { n.fail("node/newsdesk") }, asked: 1, want: "minor"},
		"said again, of another name": {says: []string{"minor"}, asked: 1, want: "minor", then: func(n *node) {
			n.sayAgain("major")
		}},
		"late": {says: []string{""}, asked: 3, then: func(n *node) {
			n.Advance(7 * time.Minute)
			n.sayAgain("major")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.RunSeeds(t, 2, func(t *testing.T, k *testkit.Kit) {
				j := &judges{says: c.says}
				n := &node{Kit: k, t: t, disk: memory.NewDisk(memory.Config{Now: k.Clock.Now}), judge: j}
				n.start()
				if c.drop != nil {
					times := 0
					n.drop = func(_ string, m any) bool {
						drop := c.drop(times, m)
						if drop {
							times++
						}
						return drop
					}
				}
				n.makeKey("business")
				r := n.read()
				n.unclear()
				if c.then != nil {
					c.then(n)
				}
				n.Advance(2 * time.Minute)
				var told []string
				for _, e := range r.told() {
					if d := e.GetStoryDevelopment(); d != nil {
						told = append(told, d.GetSignificance())
						if d.GetTitle() != "insurers Vellum Kestrel refuse payment claims" || d.GetPreviousHeadline() == d.GetNewHeadline() {
							t.Errorf("told %v", d)
						}
					}
				}
				if got := strings.Join(told, " "); got != c.want {
					t.Errorf("developments: %q, want %q", got, c.want)
				}
				if len(j.asked) != c.asked {
					t.Errorf("asked %d times, want %d", len(j.asked), c.asked)
				}
				if q := j.asked[0]; len(q.GetBefore()) == 0 || !strings.Contains(q.GetText(), "Vellum") {
					t.Errorf("asked %v", q)
				}
				n.stop()
			})
		})
	}
}
