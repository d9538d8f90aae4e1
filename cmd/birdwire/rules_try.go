package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/cluster/node"
	"github.com/birdwire/birdwire/gateway/client"
)

func (c *cli) rulesTest() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test --query QUERY --post FILE|-",
		Short: "Try a query on posts of a file, and see why each matches or not",
		Long: `Try a query on posts, without a server: of every post, what each clause found
or missed. The file holds posts as 'birdwire publish posts' takes them: NDJSON,
a JSON array, or one object; "-" is stdin.

With --json it prints a line a post, and a last one with the sums. What is no
post is named by its line and the command exits 1; that a post does not match
is no failure.`,
		Example: example(`
			birdwire rules test --query 'bitcoin -is:retweet' --post posts.ndjson
			birdwire rules test --query '"interest rates" lang:en' --post - --json <posts.ndjson | jq 'select(.matched).id'`),
		Args:    words(),
		PreRunE: need("query", "post"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	query := flags.String("query", "", "what posts it wants")
	file := flags.String("post", "", `file of posts, or "-"`)
	asJSON := jsonFlag(cmd)
	addSettings(cmd, []setting{setQuery})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := c.loadConfig(cmd)
		if err != nil {
			return err
		}
		parsed, err := node.ParseQuery(*query, cfg.whole(setQuery.key))
		var at *node.QueryError
		if errors.As(err, &at) {
			return queryError{err, *query, at.Position}
		}
		if err != nil {
			return err
		}
		posts := c.stdin
		if *file != "-" {
			opened, err := os.Open(*file)
			if err != nil {
				return err
			}
			defer opened.Close()
			posts = opened
		}
		t := trial{cli: c, query: parsed, screen: c.paper(c.stdout)}
		if *asJSON {
			t.json = json.NewEncoder(c.stdout)
			t.json.SetEscapeHTML(false)
		}
		return t.run(posts)
	}
	return cmd
}

// trial is one run of a query over posts.
type trial struct {
	*cli
	query                 *node.Query
	screen                *screen
	json                  *json.Encoder // nil: for a person
	posts, matched, wrong int
}

// tried is a post's line, triedAll the last one.
type (
	tried struct {
		Type        string            `json:"type"` // post
		Line        int               `json:"line"`
		ID          string            `json:"id"`
		Matched     bool              `json:"matched"`
		Explanation *node.Explanation `json:"explanation"`
	}
	triedAll struct {
		Type     string   `json:"type"` // sum
		Query    string   `json:"query"`
		Posts    int      `json:"posts"`
		Matched  int      `json:"matched"`
		Rejected int      `json:"rejected"`
		Warnings []string `json:"warnings,omitempty"`
	}
)

func (t *trial) run(posts io.Reader) error {
	if t.json == nil {
		t.warn(t.query.Warnings())
	}
	if err := t.query.Try(posts, t.post); err != nil {
		return err
	}
	if err := t.sum(); err != nil {
		return err
	}
	if t.wrong > 0 {
		return fmt.Errorf("%d rejected", t.wrong)
	}
	return nil
}

func (t *trial) post(p node.TriedPost) error {
	if p.Wrong != nil {
		t.wrong++
		fmt.Fprintf(t.stderr, "line %d: %v\n", p.Line, p.Wrong)
		return nil
	}
	t.posts++
	if p.Explanation.Matched {
		t.matched++
	}
	if t.json != nil {
		return t.json.Encode(tried{"post", p.Line, p.ID, p.Explanation.Matched, p.Explanation})
	}
	if err := t.screen.post(t.stdout, p.Explanation.Matched, p.ID, p.Author, p.Text); err != nil {
		return err
	}
	return t.screen.explain(t.stdout, asShown(p.Explanation), 1)
}

func (t *trial) sum() error {
	if t.json != nil {
		return t.json.Encode(triedAll{"sum", t.query.String(), t.posts, t.matched, t.wrong, t.query.Warnings()})
	}
	_, err := fmt.Fprintf(t.stdout, "%d of %d posts match\n", t.matched, t.posts)
	return err
}

// asShown is the explanation as the server's answers have it.
func asShown(e *node.Explanation) *client.Explanation {
	out := &client.Explanation{Clause: e.Clause, Op: e.Op, Matched: e.Matched, Reason: e.Reason}
	for _, inner := range e.Clauses {
		out.Clauses = append(out.Clauses, asShown(inner))
	}
	return out
}
