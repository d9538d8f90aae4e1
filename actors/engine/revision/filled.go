package revision

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/birdwire/birdwire/messages"
)

// Fill puts an enriched article into the row of its source's, which may be
// enriched already. What the source had in the fields that differ is kept: the
// next revision is compared with that. The row is changed, the article is not.
func Fill(row *messages.Item, enriched *messages.Article) {
	said := Said(row)
	row.Article, row.Said, row.Filled = enriched, &messages.Article{}, nil
	from, to, kept := said.ProtoReflect(), enriched.ProtoReflect(), row.Said.ProtoReflect()
	for i := range from.Descriptor().Fields().Len() {
		f := from.Descriptor().Fields().Get(i)
		if from.Get(f).Equal(to.Get(f)) {
			continue
		}
		row.Filled = append(row.Filled, string(f.Name()))
		if from.Has(f) {
			kept.Set(f, from.Get(f))
		}
	}
}

// Said is the row's article as its source had it. It is read only.
func Said(row *messages.Item) *messages.Article {
	if len(row.GetFilled()) == 0 || row.GetArticle() == nil {
		return row.GetArticle()
	}
	a := &messages.Article{}
	from, kept, to := row.GetArticle().ProtoReflect(), row.GetSaid().ProtoReflect(), a.ProtoReflect()
	from.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		to.Set(f, v)
		return true
	})
	for _, name := range row.GetFilled() {
		f := to.Descriptor().Fields().ByName(protoreflect.Name(name))
		if f == nil { // of a later version
			continue
		}
		if to.Clear(f); row.GetSaid() != nil && kept.Has(f) {
			to.Set(f, kept.Get(f))
		}
	}
	return proto.CloneOf(a)
}
