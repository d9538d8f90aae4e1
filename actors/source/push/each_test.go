package push_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/messages"
)

func TestEachPost(t *testing.T) {
	one := func(id string) string {
		return fmt.Sprintf(`{"id":%q,"text":"see #a","created_at":"2026-03-04T12:00:00Z","author":{"id":"7","username":"ada"}}`, id)
	}
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"lines":   {one("1") + "\n\n{\"id\":2}\n" + one("3"), []string{"1: 1 [a]", "3: text: missing", "4: 3 [a]"}},
		"array":   {"[" + one("1") + ",\n" + one("2") + "]", []string{"1: 1 [a]", "2: 2 [a]"}},
		"object":  {strings.ReplaceAll(one("1"), ",", ",\n"), []string{"1: 1 [a]"}},
		"nothing": {" \n", nil},
		"no JSON": {"id,text\n1,hello\n", []string{`1: not JSON: "id" at character 1`, `2: not JSON: "," at character 2, after the end of the value: one line holds one`}},
	} {
		var got []string
		err := push.EachPost(strings.NewReader(c.body), func(line int, p *messages.Post, wrong error) error {
			if wrong != nil {
				got = append(got, fmt.Sprintf("%d: %v", line, wrong))
				return nil
			}
			got = append(got, fmt.Sprintf("%d: %s %v", line, p.GetId(), p.GetHashtags()))
			return nil
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	stop := errors.New("enough")
	if err := push.EachPost(strings.NewReader(one("1")), func(int, *messages.Post, error) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("each ended it by %v", err)
	}
	cut := io.MultiReader(strings.NewReader(one("1")+"\n"), iotest.ErrReader(io.ErrClosedPipe))
	if err := push.EachPost(cut, func(int, *messages.Post, error) error { return nil }); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that breaks: %v", err)
	}
}
