package newsrank

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

const (
	// maxFrame: a vendor's client library reads no longer frame.
	maxFrame = 32 << 10
	// reserve is kept free for similarity, cursor and the closing brace.
	reserve = 160
)

// limits are how much of an event's text and lists is shown.
type limits struct {
	text int // bytes of one string
	list int // values of one list
}

// shrinking is tried in order until a frame fits; the last fits whatever the
// event holds, even if every byte must be escaped as six.
var shrinking = []limits{
	{text: maxFrame, list: maxFrame},
	{text: 8 << 10, list: 1024},
	{text: 2 << 10, list: 256},
	{text: 512, list: 64},
	{text: 128, list: 8},
	{text: 64, list: 4},
}

// Event appends the frame of an event; nothing for one that this API does not
// show (posts, edits and withdrawals of articles). Embeddings are added where
// the form asks for them and the event has one; only they may take a frame
// past maxFrame.
func (Codec) Event(b []byte, d *messages.Delivery, form dialect.Form) []byte {
	start := len(b)
	for _, l := range shrinking {
		b = l.appendBody(b[:start], d.GetEvent())
		if len(b)-start <= maxFrame-reserve {
			break
		}
	}
	if len(b) == start {
		return b
	}
	if s := d.GetSimilarity(); s != 0 {
		b = append(b, `,"similarity":`...)
		b = dialect.AppendFloat32(b, float32(s))
	}
	if form.Embeddings {
		if vector, model := vectorOf(d.GetEvent()); len(vector) > 0 {
			b = append(b, `,"embedding":`...)
			b = dialect.AppendVector(b, vector)
			b = append(b, `,"embedding_model":`...)
			b = dialect.AppendString(b, model)
		}
	}
	if form.Cursor != "" {
		b = append(b, `,"cursor":`...)
		b = dialect.AppendString(b, form.Cursor)
	}
	return append(b, '}')
}

// appendBody appends everything but what a form adds, without the closing
// brace; nothing for an event that is not shown.
func (l limits) appendBody(b []byte, e *messages.Event) []byte {
	switch body := e.GetBody().(type) {
	case *messages.Event_Article:
		return l.appendItem(b, body.Article)
	case *messages.Event_ClustersRanked:
		return l.appendRanked(b, body.ClustersRanked)
	case *messages.Event_StoryDevelopment:
		return l.appendDevelopment(b, body.StoryDevelopment)
	case *messages.Event_StoryPriority:
		return l.appendPriority(b, body.StoryPriority)
	case *messages.Event_ClusterChange:
		return appendClusterEvent(b, body.ClusterChange)
	case *messages.Event_TickerNews:
		return l.appendTickerNews(b, body.TickerNews)
	}
	return b
}

func vectorOf(e *messages.Event) ([]float32, string) {
	switch body := e.GetBody().(type) {
	case *messages.Event_Article:
		a := body.Article.GetArticle()
		return a.GetEmbedding(), a.GetEmbeddingModel()
	case *messages.Event_StoryDevelopment:
		return body.StoryDevelopment.GetCentroid(), body.StoryDevelopment.GetEmbeddingModel()
	case *messages.Event_StoryPriority:
		return body.StoryPriority.GetCentroid(), body.StoryPriority.GetEmbeddingModel()
	case *messages.Event_ClusterChange:
		return body.ClusterChange.GetCentroid(), body.ClusterChange.GetEmbeddingModel()
	}
	return nil, ""
}

// str appends a named string; name comes with its quotes and punctuation.
func (l limits) str(b []byte, name, value string) []byte {
	b = append(b, name...)
	return dialect.AppendString(b, l.cut(value))
}

// cut shortens at a character's border.
func (l limits) cut(s string) string {
	if len(s) <= l.text {
		return s
	}
	end := l.text
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimRight(s[:end], " ")
}

func first[T any](list []T, n int) []T { return list[:min(n, len(list))] }

func num(b []byte, name string, n int64) []byte {
	b = append(b, name...)
	return strconv.AppendInt(b, n, 10)
}

func id(b []byte, name string, n uint64) []byte {
	b = append(b, name...)
	return strconv.AppendUint(b, n, 10)
}

func float(b []byte, name string, f float64) []byte {
	b = append(b, name...)
	return dialect.AppendFloat(b, f)
}
