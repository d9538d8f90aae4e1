package enricher

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/enricher/hashvector"
	"github.com/birdwire/birdwire/actors/enricher/summary"
)

// Reading is the Reader of a node. What the article's source has said itself is
// never replaced.
type Reading struct{}

// Read is Reader.
func (r Reading) Read(ctx context.Context, t Task) Outcome {
	a := proto.CloneOf(t.Article)
	body := a.GetDescription() + "\n" + a.GetContent()
	out := Outcome{Article: a, Page: "none", Vector: "none", Summary: "none"}
	if a.GetHeadlineSummary() == "" {
		a.HeadlineSummary, out.Summary = summary.Line(a.GetTitle(), body), "offline"
	}
	if len(a.GetEmbedding()) == 0 {
		a.Embedding, a.EmbeddingModel = hashvector.Of(hashvector.Article{Title: a.GetTitle(), Body: body}), hashvector.Model
		out.Vector = "offline"
	}
	return out
}
