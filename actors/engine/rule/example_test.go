package rule_test

import (
	"fmt"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/messages"
)

func ExampleParse() {
	r, err := rule.Parse(`(falcon OR "Space X") lang:en -is:retweet`, rule.Limits{})
	fmt.Println(r, err)
	_, err = rule.Parse("from @nasa", rule.Limits{})
	fmt.Println(err)
	// Output:
	// (falcon OR "space x") lang:en -is:retweet <nil>
	// position 0: found "from @nasa", expected from: and a username, without a space; did you mean from:nasa?
}

func ExampleExplain() {
	r, err := rule.Parse(`falcon -has:links`, rule.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var d rule.Doc
	d.Reset(&messages.Event{Body: &messages.Event_Post{Post: &messages.Post{Text: "Falcon 9 is up: https://t.co/x"}}})
	fmt.Print(rule.Draw(rule.Explain(r.Expr, &d)))
	// Output:
	// ✗ all of
	//   ✓ falcon: in the text: Falcon 9 is…
	//   ✗ not
	//     ✓ has:links: the post has links
}
