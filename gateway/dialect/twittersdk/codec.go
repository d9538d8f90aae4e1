// Package twittersdk is the codec of the tweet streaming API as the vendor's
// Node library speaks it, which knows other frames than the published document:
// a hit is a tweet frame whatever found it, and the server pings in JSON.
// Everything else (connected, errors, refusals, close codes) is the document's,
// and package twitter's.
package twittersdk

import (
	"strconv"
	"time"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/gateway/dialect/twitter"
	"github.com/birdwire/birdwire/messages"
)

// Codec turns messages into frames of this dialect. What a client says is
// ignored, as on the published API: the library answers pings with pongs.
type Codec struct{ twitter.Codec }

// isoTime is a time as JavaScript writes it.
const isoTime = "2006-01-02T15:04:05.000Z"

// Ping appends the server's ping, which the library answers.
func (Codec) Ping(b []byte, now time.Time) []byte {
	b = append(b, `{"type":"ping","timestamp":`...)
	b = dialect.AppendTime(b, now.UnixMilli(), isoTime)
	return append(b, '}')
}

// Event appends the tweet frame of a delivery; nothing for events that are no
// posts. The library knows monitors only: a rule's id is in the same place.
func (Codec) Event(b []byte, d *messages.Delivery, form dialect.Form) []byte {
	post := d.GetEvent().GetPost()
	if post == nil {
		return b
	}
	detected := d.GetEvent().GetDetectedMs()
	latency := twitter.Latency(post, detected)
	b = append(b, `{"type":"tweet","monitor_id":`...)
	b = dialect.AppendString(b, d.GetOrigin().GetId())
	b = append(b, `,"tweet_id":`...)
	b = dialect.AppendString(b, post.GetId())
	b = append(b, `,"author_username":`...)
	b = dialect.AppendString(b, dialect.LowerASCII(post.GetAuthor().GetUsername()))
	b = append(b, `,"tweet_published_at":`...)
	b = dialect.AppendTime(b, detected-latency, isoTime)
	b = append(b, `,"detected_at":`...)
	b = dialect.AppendTime(b, detected, isoTime)
	b = append(b, `,"latency_ms":`...)
	b = strconv.AppendInt(b, latency, 10)
	b = append(b, `,"tweet":`...)
	b = appendTweet(b, post)
	if form.Cursor != "" {
		b = append(b, `,"cursor":`...)
		b = dialect.AppendString(b, form.Cursor)
	}
	return append(b, '}')
}

// appendTweet appends the post. Counts are of its detection, when nobody has
// seen it yet.
func appendTweet(b []byte, post *messages.Post) []byte {
	b = append(b, `{"id":`...)
	b = dialect.AppendString(b, post.GetId())
	b = append(b, `,"text":`...)
	b = dialect.AppendString(b, post.GetText())
	b = append(b, `,"created_at":`...)
	b = dialect.AppendTime(b, post.GetCreatedMs(), isoTime)
	b = append(b, `,"user_id":`...)
	b = dialect.AppendString(b, post.GetAuthor().GetId())
	b = append(b, `,"username":`...)
	b = dialect.AppendString(b, post.GetAuthor().GetUsername())
	b = append(b, `,"user_name":`...)
	b = dialect.AppendString(b, post.GetAuthor().GetName())
	b = append(b, `,"favorite_count":0,"retweet_count":0,"reply_count":0,"media":[`...)
	for i, m := range post.GetMedia() {
		b = appendObject(b, i, "type", m.GetType())
	}
	b = append(b, `],"urls":[`...)
	for i, u := range post.GetUrls() {
		b = appendObject(b, i, "url", u.GetUrl(), "expanded_url", u.GetExpandedUrl(), "title", u.GetTitle(), "description", u.GetDescription())
	}
	b = append(b, `],"hashtags":[`...)
	for i, tag := range post.GetHashtags() {
		b = appendObject(b, i, "text", tag)
	}
	return append(b, `]}`...)
}

// appendObject appends the i-th object of a list, without fields that are
// empty except for the first.
func appendObject(b []byte, i int, fields ...string) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = append(b, '{')
	for at := 0; at < len(fields); at += 2 {
		if at > 0 && fields[at+1] == "" {
			continue
		}
		if at > 0 {
			b = append(b, ',')
		}
		b = dialect.AppendString(b, fields[at])
		b = append(b, ':')
		b = dialect.AppendString(b, fields[at+1])
	}
	return append(b, '}')
}
