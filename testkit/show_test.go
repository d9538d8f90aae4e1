package testkit_test

import (
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// passes has n messages go around over a network between two hosts, of which one
// has a fault for a while, and violates something with the last.
func passes(n int) func(k *testkit.Kit) {
	return func(k *testkit.Kit) {
		hosts := []*testkit.Host{k.NewHost("left"), k.NewHost("right")}
		var all []*actor.PID
		handled, over := 0, func() {}
		for i, h := range hosts {
			lane := hosts[1-i].Lane("link from " + []string{"left", "right"}[i])
			all = append(all, h.Spawn("player", receive(func(ctx actor.Context) {
				if m, ok := ctx.Message().(*pass); ok {
					if handled++; handled == n/2 {
						over()
					}
					if handled == n {
						k.Violated("the ball is never <dropped>", "it was, after %d", n)
						return
					}
					next := &pass{Number: m.Number + 1, Note: "<b>to you & back</b>"}
					lane.Add(func() { hosts[1-i].Tell(all[1-i], next) })
				}
			})))
		}
		k.Settle()
		over = k.Fault("left", "rain")
		k.Note("client ada", "watches")
		hosts[0].Tell(all[0], &pass{})
		k.Settle()
	}
}

type pass struct {
	Number int
	Note   string
}

// pageOf is the page of a run, and its path.
func pageOf(t *testing.T, n int) (*testkit.Outcome, string) {
	t.Helper()
	o := testkit.Play(testkit.Plan{Seed: 1, History: true}, passes(n))
	file := filepath.Join(t.TempDir(), "run.html")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (testkit.Page{Title: "a game, seed 1", Outcome: o}).WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return o, file
}

func TestAPageNeedsNothingElse(t *testing.T) {
	_, file := pageOf(t, 10)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, not := range []string{"http://", "https://", "src=", "{{", "<b>to you", "<dropped>"} {
		if strings.Contains(string(text), not) {
			t.Errorf("the page has %s", not)
		}
	}
	_, data, _ := strings.Cut(string(text), `type="application/json">`)
	data, _, _ = strings.Cut(data, "</script>")
	var got struct {
		Lanes []struct{ Group, Name, Kind string }
		Marks []struct {
			Text        string
			Group       string
			Step, Until int
			Fault       bool
		}
	}
	if err := json.Unmarshal([]byte(data), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Lanes) != 5 || len(got.Marks) != 2 || !got.Marks[0].Fault || got.Marks[0].Until <= got.Marks[0].Step {
		t.Errorf("%+v", got)
	}
}

// In a browser: the page opens at the violation, or at the step that a link names,
// with ten messages and with thousands.
func TestAPageInABrowser(t *testing.T) {
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			browser = found
		}
	}
	if browser == "" {
		t.Skip("no chromium is installed: .ci/run need installs it")
	}
	for _, n := range []int{10, 10_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			o, file := pageOf(t, n)
			at := o.History.Steps[len(o.History.Steps)-5] // a message or a link
			for hash, want := range map[string]string{
				"":                            fmt.Sprintf("Step %d: testkit_test.pass", o.Violations[0].Step),
				fmt.Sprintf("#step=%d", at.N): fmt.Sprintf("Step %d: ", at.N),
			} {
				out, err := exec.Command(browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
					"--virtual-time-budget=5000", "--dump-dom", "file://"+file+hash).Output()
				if err != nil {
					t.Fatalf("%s: %v", browser, err)
				}
				dom := html.UnescapeString(string(out))
				for _, want := range []string{`data-ready="yes"`, want, "the ball is never <dropped>", "Number:"} {
					if !strings.Contains(dom, want) {
						t.Errorf("%s: there is no %q in what the browser shows", hash, want)
					}
				}
			}
		})
	}
}
