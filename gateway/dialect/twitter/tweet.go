package twitter

import (
	"errors"
	"strconv"
	"time"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

var errNoFilters = errors.New("filters: this stream takes none; its key's monitors and filter rules decide")

// Event appends the new_tweet frame of a delivery; nothing for events that
// are no posts, which this API does not show.
func (Codec) Event(b []byte, d *messages.Delivery, form dialect.Form) []byte {
	post := d.GetEvent().GetPost()
	if post == nil {
		return b
	}
	b = append(b, `{"type":"new_tweet","source":`...)
	if d.GetOrigin().GetKind() == messages.OriginKind_ORIGIN_MONITOR {
		b = append(b, `"monitor","monitor_id":`...)
		b = dialect.AppendString(b, d.GetOrigin().GetId())
		b = append(b, `,"monitor_name":`...)
	} else {
		b = append(b, `"filter_rule","rule_id":`...)
		b = dialect.AppendString(b, d.GetOrigin().GetId())
		b = append(b, `,"rule_tag":`...)
	}
	b = dialect.AppendString(b, d.GetOrigin().GetName())
	b = append(b, `,"tweet_id":`...)
	b = dialect.AppendString(b, post.GetId())
	b = append(b, `,"author_username":`...)
	b = dialect.AppendString(b, post.GetAuthor().GetUsername())
	b = append(b, `,"tweet_text":`...)
	b = dialect.AppendString(b, post.GetText())
	b = append(b, `,"tweet_type":"`...)
	b = append(b, tweetType(post)...)
	b = append(b, `","latency_ms":`...)
	b = strconv.AppendInt(b, Latency(post, d.GetEvent().GetDetectedMs()), 10)
	b = append(b, `,"detected_at":`...)
	b = dialect.AppendTime(b, d.GetEvent().GetDetectedMs(), time.RFC3339)
	if form.Cursor != "" {
		b = append(b, `,"cursor":`...)
		b = dialect.AppendString(b, form.Cursor)
	}
	return append(b, '}')
}

// tweetType: a reply that also quotes is a reply.
func tweetType(post *messages.Post) string {
	switch {
	case post.GetRetweetOf() != nil:
		return "retweet"
	case post.GetInReplyToId() != "" || post.GetInReplyToUsername() != "":
		return "reply"
	case post.GetQuoteOf() != nil:
		return "quote"
	}
	return "original"
}

const (
	snowflakeEpochMS = 1288834974657 // 2010-11-04: X ids count milliseconds from here
	snowflakeShift   = 22
	dayMS            = 24 * 60 * 60 * 1000
)

// Latency is the milliseconds from a post's own time to its detection, never
// below 0. An X id holds that time to the millisecond, where created_at has
// only seconds. Many ids merely look like one (other networks', made-up ones):
// the id is believed where its time lies within a day of the detection or of
// created_at, or where there is no created_at.
func Latency(post *messages.Post, detectedMS int64) int64 {
	own := post.GetCreatedMs()
	if t, ok := snowflakeTime(post.GetId()); ok && (own == 0 || near(t, own) || near(t, detectedMS)) {
		own = t
	}
	if own == 0 {
		return 0
	}
	return max(0, detectedMS-own)
}

func snowflakeTime(id string) (ms int64, ok bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n>>snowflakeShift == 0 {
		return 0, false
	}
	return n>>snowflakeShift + snowflakeEpochMS, true
}

func near(a, b int64) bool { return a-b <= dayMS && b-a <= dayMS }
