package rule_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/messages"
)

// A line of the corpus, with the post it is about.
type example struct {
	where, rule, why string
	post             *messages.Post
	want             bool
}

func TestCorpus(t *testing.T) {
	examples := corpus(t)
	if len(examples) < 300 {
		t.Errorf("%d examples: the corpus promises 300", len(examples))
	}
	var d rule.Doc
	for _, e := range examples {
		r, err := rule.Parse(e.rule, rule.Limits{})
		if err != nil {
			t.Errorf("%s: %s: %v", e.where, e.rule, err)
			continue
		}
		d.Reset(&messages.Event{Body: &messages.Event_Post{Post: e.post}})
		why := r.Explain(&d)
		if got := d.Sampled(r.Sample) && rule.Eval(r.Expr, &d); got != e.want {
			t.Errorf("%s: %s: got %v, want %v: %s\n%s", e.where, e.rule, got, e.want, e.why, rule.Draw(why))
		} else if why.Matched != got {
			t.Errorf("%s: %s: the explanation says %v\n%s", e.where, e.rule, why.Matched, rule.Draw(why))
		}
		c, err := rule.Compile(&messages.Query{Want: &messages.Query_Rule{Rule: e.rule}})
		if err != nil || c.Match(&d) != e.want {
			t.Errorf("%s: %s: compiled it says otherwise (%v)", e.where, e.rule, err)
		}
		again, err := rule.Parse(r.String(), rule.Limits{MaxCharacters: 2048})
		if err != nil || again.String() != r.String() {
			t.Errorf("%s: %s prints as %s, which is read as %v (%v)", e.where, e.rule, r, again, err)
		}
	}
}

// Every kind of atom, operator and alias is in the corpus, on a rule that
// matches and on one that does not; but those that no source supplies.
func TestCorpusIsComplete(t *testing.T) {
	matched, missed := map[string]bool{}, map[string]bool{}
	name := regexp.MustCompile(`[A-Za-z_]+:`)
	for _, e := range corpus(t) {
		to := missed
		if e.want {
			to = matched
		}
		for _, n := range name.FindAllString(e.rule, -1) {
			to[strings.ToLower(strings.TrimSuffix(n, ":"))] = true
		}
	}
	for _, n := range rule.OperatorNames() {
		if !matched[n] && !rule.WithoutData(n) {
			t.Errorf("%s: nothing in the corpus matches it", n)
		}
		if !missed[n] && n != "sample" && !strings.Contains("user_bio user_bio_name user_bio_location friends_count within_url_title within_url_description retweets_of_status_id", n) {
			t.Errorf("%s: nothing in the corpus fails it", n)
		}
	}
}

func corpus(t *testing.T) []example {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus", err)
	}
	var out []example
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var post *messages.Post
		for i, line := range strings.Split(string(data), "\n") {
			where := fmt.Sprintf("%s:%d", filepath.Base(f), i+1)
			switch {
			case strings.TrimSpace(line) == "":
			case line == "post":
				post = &messages.Post{}
			case strings.HasPrefix(line, "  "):
				if err := setField(post, strings.TrimSpace(line)); err != nil {
					t.Fatalf("%s: %v", where, err)
				}
			case strings.HasPrefix(line, "yes "), strings.HasPrefix(line, "no "):
				verdict, rest, _ := strings.Cut(line, " ")
				text, why, ok := strings.Cut(rest, " -- ")
				if !ok {
					t.Fatalf("%s: without a reason", where)
				}
				out = append(out, example{where, unescape(strings.TrimSpace(text)), why, post, verdict == "yes"})
			default:
				t.Fatalf("%s: %q is neither post, field, yes nor no", where, line)
			}
		}
	}
	return out
}

var escape = regexp.MustCompile(`\\u\{[0-9a-f]+\}|\\n|\\t`)

func unescape(s string) string {
	return escape.ReplaceAllStringFunc(s, func(e string) string {
		switch e {
		case `\n`:
			return "\n"
		case `\t`:
			return "\t"
		}
		n, err := strconv.ParseInt(e[3:len(e)-1], 16, 32)
		if err != nil {
			panic(err)
		}
		return string(rune(n))
	})
}

func setField(p *messages.Post, line string) error {
	name, v, ok := strings.Cut(line, ":")
	if !ok || p == nil {
		return fmt.Errorf("%q is no field of a post", line)
	}
	v = unescape(strings.TrimSpace(v))
	words, parts := strings.Fields(v), strings.Split(v, " | ")
	author := func() *messages.Author {
		if p.Author == nil {
			p.Author = &messages.Author{}
		}
		return p.Author
	}
	ref := func() *messages.PostRef {
		w := strings.Fields(parts[0])
		return &messages.PostRef{Id: w[0], Username: w[1], AuthorId: w[2], Text: parts[1]}
	}
	switch name {
	case "id":
		p.Id = v
	case "text":
		p.Text = v
	case "lang":
		p.Lang = v
	case "source":
		p.Source = v
	case "conversation":
		p.ConversationId = v
	case "author":
		return setAuthor(author(), words)
	case "name":
		author().Name = v
	case "bio":
		author().Description = v
	case "location":
		author().Location = v
	case "reply_to":
		p.InReplyToId, p.InReplyToUsername = words[0], words[1]
	case "retweet_of":
		p.RetweetOf = ref()
	case "quote_of":
		p.QuoteOf = ref()
	case "url":
		w := strings.Fields(parts[0])
		p.Urls = append(p.Urls, &messages.Link{Url: w[0], ExpandedUrl: w[1], Title: parts[1], Description: parts[2]})
	case "hashtags":
		p.Hashtags = words
	case "mentions":
		p.Mentions = words
	case "cashtags":
		p.Cashtags = words
	case "media":
		for _, w := range words {
			p.Media = append(p.Media, &messages.Media{Type: w})
		}
	case "place":
		w := strings.Fields(parts[0])
		p.Place = &messages.Place{Id: w[0], CountryCode: w[1], Name: parts[1]}
		var err error
		p.Place.Bbox, err = floats(w[2:])
		return err
	case "geo":
		f, err := floats(words)
		if err != nil {
			return err
		}
		p.Geo = &messages.Geo{Lon: f[0], Lat: f[1]}
	default:
		return fmt.Errorf("a post has no field %q", name)
	}
	return nil
}

func setAuthor(a *messages.Author, words []string) error {
	a.Username, a.Id = words[0], words[1]
	for _, w := range words[2:] {
		what, number, _ := strings.Cut(w, "=")
		n, err := strconv.ParseInt("0"+number, 10, 64)
		if err != nil {
			return err
		}
		switch what {
		case "verified":
			a.Verified = true
		case "followers":
			a.FollowersCount = n
		case "following":
			a.FollowingCount = n
		case "tweets":
			a.TweetCount = n
		case "listed":
			a.ListedCount = n
		default:
			return fmt.Errorf("an author has no %q", what)
		}
	}
	return nil
}

func floats(words []string) ([]float64, error) {
	var out []float64
	for _, w := range words {
		f, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}
