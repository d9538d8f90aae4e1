package sample

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// play is an entry as of a round and of now.
func (r *Sample) play(e entry, round int) *messages.Event {
	now := r.cfg.Now()
	if e.article != nil {
		a := proto.CloneOf(e.article)
		id := a.GetId()
		if id == "" {
			id = a.GetUrl()
		}
		a.Id = suffixed(id, round)
		a.PublishedMs = now.Add(-r.age(time.Minute)).UnixMilli()
		return &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Article: a}}}
	}
	p := proto.CloneOf(e.post)
	p.CreatedMs = now.Add(-r.age(time.Second)).UnixMilli()
	p.Id = suffixed(p.GetId(), round)
	p.ConversationId = r.reference(p.GetConversationId(), round)
	p.InReplyToId = r.reference(p.GetInReplyToId(), round)
	for _, ref := range []*messages.PostRef{p.GetRetweetOf(), p.GetQuoteOf()} {
		if ref != nil {
			ref.Id = r.reference(ref.GetId(), round)
		}
	}
	return &messages.Event{Body: &messages.Event_Post{Post: p}}
}

// age is how long ago it is said to have been written: at least a quarter of most.
func (r *Sample) age(most time.Duration) time.Duration {
	return most/4 + time.Duration(r.cfg.Rand(uint64(most*3/4)))
}

// reference follows the round where it means a post of the set.
func (r *Sample) reference(id string, round int) string {
	if !r.posts[id] {
		return id
	}
	return suffixed(id, round)
}

// suffixed keeps numbers numbers, as clients of X ids expect.
func suffixed(id string, round int) string {
	if strings.Trim(id, "0123456789") == "" && len(id) <= 12 {
		return fmt.Sprintf("%s%06d", id, round)
	}
	return fmt.Sprintf("%s-%d", id, round)
}
