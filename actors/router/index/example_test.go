package index_test

import (
	"fmt"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/messages"
)

func Example() {
	x := index.New(index.Config{})
	for id, text := range map[index.ID]string{
		1: "nasa launch -is:retweet",
		2: `("solar flare" OR aurora) lang:en`,
		3: "from:esa",
	} {
		q, err := rule.Compile(&messages.Query{Want: &messages.Query_Rule{Rule: text}})
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := x.Put(id, q); err != nil {
			fmt.Println(err)
			return
		}
	}

	before := x.Snapshot()
	x.Remove(1)
	after := x.Snapshot()

	// Now and then the owner asks for work, lets someone else do it, and
	// installs what came of it.
	if job := x.Merge(); job != nil {
		job.Run()
		x.Install(job)
	}

	var doc rule.Doc
	var scratch index.Scratch
	doc.Reset(&messages.Event{Body: &messages.Event_Post{Post: &messages.Post{
		Id: "1", Lang: "en", Text: "NASA postpones launch over solar flare",
	}}})
	fmt.Println(before.Match(&doc, &scratch, nil))
	fmt.Println(after.Match(&doc, &scratch, nil))
	// Output:
	// [{1 0} {2 0}]
	// [{2 0}]
}
