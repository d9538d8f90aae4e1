package sample_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/actors/source/sample"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func config(files fstest.MapFS) sample.Config {
	return sample.Config{
		Files: files, Post: push.ParsePost, Article: push.ParseArticle,
		Now: func() time.Time { return noon }, Rand: func(below uint64) uint64 { return below / 2 },
	}
}

func post(id, more string) string {
	return fmt.Sprintf(`{"id":%q,"text":"t","created_at":"2020-01-01T00:00:00Z","author":{"id":"1","username":"ada"}%s}`+"\n", id, more)
}

func article(n int) string {
	return fmt.Sprintf(`{"url":"https://a.example/%d","title":"A%d","source":{"id":"s"}}`+"\n", n, n)
}

func TestRounds(t *testing.T) {
	r, err := sample.New(config(fstest.MapFS{
		"a.jsonl":     {Data: []byte(post("100", "") + "\n" + post("x1", `,"in_reply_to_id":"100","conversation_id":"100","quote_of":{"id":"99","username":"z"}`))},
		"sub/b.jsonl": {Data: []byte(article(1) + article(2))},
		"notes.txt":   {Data: []byte("not played")},
	}))
	if err != nil {
		t.Fatal(err)
	}
	var mark []byte
	var played []string
	seen := map[string]bool{}
	for range 8 {
		before := mark
		drafts, next, after, err := r.Poll(t.Context(), mark)
		if err != nil || len(drafts) != 1 || after < 166*time.Millisecond || after > 834*time.Millisecond {
			t.Fatalf("%v, %v, %v", drafts, after, err)
		}
		again, _, _, _ := r.Poll(t.Context(), before)
		if again[0].String() != drafts[0].String() {
			t.Errorf("from the same mark %v and then %v", drafts, again)
		}
		mark = next
		p, a := drafts[0].GetPost(), drafts[0].GetArticle().GetArticle()
		id := p.GetId() + a.GetId()
		if seen[id] {
			t.Errorf("%s was played before", id)
		}
		seen[id] = true
		if p != nil {
			id += ">" + p.GetInReplyToId() + ">" + p.GetConversationId() + ">" + p.GetQuoteOf().GetId()
			if age := noon.UnixMilli() - p.GetCreatedMs(); age < 0 || age > 1000 {
				t.Errorf("created %d ms ago", age)
			}
		}
		played = append(played, id)
	}
	want := strings.Fields(`100000001>>100000001> https://a.example/1-1 x1-1>100000001>100000001>99 https://a.example/2-1
		100000002>>100000002> https://a.example/1-2 x1-2>100000002>100000002>99 https://a.example/2-2`)
	if strings.Join(played, "\n") != strings.Join(want, "\n") {
		t.Errorf("played\n%s\nwant\n%s", strings.Join(played, "\n"), strings.Join(want, "\n"))
	}
}

func TestBrokenMarkBeginsANewRound(t *testing.T) {
	r, err := sample.New(config(fstest.MapFS{"a.jsonl": {Data: []byte(post("1", ""))}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range []string{`{`, `{"round":-5,"next":0}`, `{"round":3,"next":99}`, `{"round":3,"next":-1}`} {
		drafts, next, _, err := r.Poll(t.Context(), []byte(mark))
		if err != nil || len(drafts) != 1 || next == nil {
			t.Errorf("%s: %v, %q, %v", mark, drafts, next, err)
		}
	}
}

func TestBadFiles(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"empty":        {"", "no posts and no articles"},
		"no JSON":      {post("1", "") + "oops\n", "a.jsonl: line 2: invalid character"},
		"a bad post":   {post("1", "") + "\n" + post("", ""), "a.jsonl: line 3: id: missing"},
		"a bad URL":    {`{"title":"x","url":"y"}`, "a.jsonl: line 1: url: want an http or https URL"},
		"a long line":  {`{"title":"` + strings.Repeat("x", 300_000) + `"}`, "token too long"},
		"too many":     {strings.Repeat(post("1", ""), sample.MaxEntries+1), "line 20001: more than 20000 lines"},
		"nothing else": {"\n\n", "no posts"},
	} {
		_, err := sample.New(config(fstest.MapFS{"a.jsonl": {Data: []byte(c.data)}}))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := sample.New(config(fstest.MapFS{"a.txt": {}})); !errors.Is(err, sample.ErrEmpty) {
		t.Error(err)
	}
}

// The opening is played once: what came before at once and with its times, the
// rest when it is due, and all of it again only to who has no mark.
func TestOpening(t *testing.T) {
	now := noon
	line := func(at int, n int) string {
		return fmt.Sprintf(`{"at_s":%d,"article":{"url":"https://a.example/%d","title":"A%d","source":{"id":"s"}}}`+"\n", at, n, n)
	}
	cfg := config(fstest.MapFS{
		"a.jsonl":       {Data: []byte(article(9))},
		"opening.jsonl": {Data: []byte(line(-600, 1) + line(30, 3) + line(-20, 2))},
	})
	cfg.Now = func() time.Time { return now }
	r, err := sample.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var mark []byte
	poll := func() (played []string) {
		t.Helper()
		drafts, next, _, err := r.Poll(t.Context(), mark)
		if err != nil {
			t.Fatal(err)
		}
		mark = next
		for _, d := range drafts[:len(drafts)-1] { // the last one is the round's
			a := d.GetArticle().GetArticle()
			before := int64(0)
			if d.GetDetectedMs() != 0 {
				before = (now.UnixMilli() - d.GetDetectedMs()) / 1000
			}
			played = append(played, fmt.Sprintf("%s %d s ago", a.GetTitle(), before))
		}
		return played
	}
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, "[A1 600 s ago A2 20 s ago]"}, {29 * time.Second, "[]"}, {2 * time.Second, "[A3 0 s ago]"}, {time.Hour, "[]"}} {
		now = now.Add(step.after)
		if got := fmt.Sprint(poll()); got != step.want {
			t.Errorf("after %v more: played %s, want %s", step.after, got, step.want)
		}
	}
}

func TestSample(t *testing.T) {
	cfg := config(nil)
	cfg.Files = sample.Bundled()
	r, err := sample.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	posts, langs, categories, stories := 0, map[string]bool{}, map[string]int{}, 0
	var tags, cash, replies, retweets, quotes, links, media int
	var mark []byte
	ids := map[string]bool{}
	for range 512 {
		drafts, next, _, err := r.Poll(t.Context(), mark)
		if err != nil {
			t.Fatal(err)
		}
		mark = next
		drafts = drafts[len(drafts)-1:] // without the opening
		if a := drafts[0].GetArticle().GetArticle(); a != nil {
			stories++
			categories[a.GetCategory()]++
			ids[a.GetId()] = true
			continue
		}
		p := drafts[0].GetPost()
		posts++
		ids[p.GetId()] = true
		langs[p.GetLang()] = true
		count(&tags, len(p.GetHashtags()) > 0)
		count(&cash, len(p.GetCashtags()) > 0)
		count(&replies, p.GetInReplyToId() != "")
		count(&retweets, p.GetRetweetOf() != nil)
		count(&quotes, p.GetQuoteOf() != nil)
		count(&links, len(p.GetUrls()) > 0)
		count(&media, len(p.GetMedia()) > 0)
	}
	if posts != 150 || stories != 362 || len(ids) != 512 {
		t.Errorf("%d posts, %d articles, %d ids in the first round", posts, stories, len(ids))
	}
	if len(langs) < 12 || len(categories) != 4 || min(tags, cash, replies, quotes, links, media) < 5 || retweets < 2 {
		t.Errorf("not varied: %d languages, %v, tags %d, cashtags %d, replies %d, retweets %d, quotes %d, links %d, media %d",
			len(langs), categories, tags, cash, replies, retweets, quotes, links, media)
	}
	if drafts, _, _, _ := r.Poll(t.Context(), mark); ids[drafts[0].GetPost().GetId()+drafts[0].GetArticle().GetArticle().GetId()] {
		t.Error("the second round repeats an id")
	}
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}
