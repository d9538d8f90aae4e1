package push

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-faster/jx"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// Limits of a post, in characters or elements.
const (
	maxID       = 128
	maxText     = 25_000
	maxName     = 200
	maxEntities = 100
)

// ParsePost reads one post, as the bodies of push ingest have them.
func ParsePost(data []byte) (*messages.Post, error) {
	d := newDecoder()
	defer d.release()
	return d.post(data)
}

func (d *decoder) post(data []byte) (*messages.Post, error) {
	p := &messages.Post{}
	if err := d.object(data, func(d *jx.Decoder, key []byte) error { return postField(d, p, key) }); err != nil {
		return nil, err
	}
	switch {
	case p.GetId() == "":
		return nil, wrong("id", "missing")
	case p.GetText() == "" && p.GetRetweetOf() == nil && len(p.GetMedia()) == 0:
		return nil, wrong("text", "missing")
	case p.GetCreatedMs() == 0:
		return nil, wrong("created_at", "missing")
	case p.GetAuthor() == nil:
		return nil, wrong("author", "missing")
	case p.GetAuthor().GetId() == "":
		return nil, wrong("author.id", "missing")
	case p.GetAuthor().GetUsername() == "":
		return nil, wrong("author.username", "missing")
	}
	p.CreatedMs = createdMs(p.GetId(), p.GetCreatedMs())
	d.derive(p)
	if len(data) > maxEvent/4 { // what is derived is less than the text once more, an address at most three times its length
		if n := proto.Size(p); n > maxEvent {
			return nil, wrong("text", "the post has %d bytes, at most %d fit", n, maxEvent)
		}
	}
	return p, nil
}

func postField(d *jx.Decoder, p *messages.Post, key []byte) (err error) {
	switch string(key) {
	case "id":
		p.Id, err = id(d, "id", maxID)
	case "text":
		p.Text, err = escaped(d, "text", maxText)
	case "created_at":
		p.CreatedMs, err = instant(d, "created_at")
	case "lang":
		p.Lang, err = label(d, "lang", 35)
	case "author":
		p.Author, err = author(d)
	case "conversation_id":
		p.ConversationId, err = id(d, "conversation_id", maxID)
	case "in_reply_to_id":
		p.InReplyToId, err = id(d, "in_reply_to_id", maxID)
	case "in_reply_to_username":
		p.InReplyToUsername, err = username(d, "in_reply_to_username")
	case "retweet_of":
		p.RetweetOf, err = reference(d, "retweet_of")
	case "quote_of":
		p.QuoteOf, err = reference(d, "quote_of")
	case "urls":
		p.Urls, err = links(d)
	case "hashtags":
		p.Hashtags, err = labels(d, "hashtags", maxEntities, 280, func(s string) string { return strings.TrimLeft(s, "#＃") })
	case "mentions":
		p.Mentions, err = labels(d, "mentions", maxEntities, 64, func(s string) string { return strings.TrimLeft(s, "@＠") })
	case "cashtags":
		p.Cashtags, err = labels(d, "cashtags", maxEntities, 16, func(s string) string { return strings.TrimLeft(s, "$＄") })
	case "media":
		p.Media, err = media(d)
	case "place":
		p.Place, err = place(d)
	case "geo":
		p.Geo, err = geo(d)
	case "source":
		p.Source, err = label(d, "source", maxName)
	default:
		err = d.Skip()
	}
	return err
}

func author(d *jx.Decoder) (*messages.Author, error) {
	a := &messages.Author{}
	ok, err := sub(d, "author", func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "id":
			a.Id, err = id(d, "author.id", maxID)
		case "username":
			a.Username, err = username(d, "author.username")
		case "name":
			a.Name, err = escapedLabel(d, "author.name", maxName)
		case "verified":
			a.Verified, err = boolean(d, "author.verified")
		case "followers_count":
			a.FollowersCount, err = count(d, "author.followers_count")
		case "following_count":
			a.FollowingCount, err = count(d, "author.following_count")
		case "tweet_count":
			a.TweetCount, err = count(d, "author.tweet_count")
		case "listed_count":
			a.ListedCount, err = count(d, "author.listed_count")
		case "description":
			a.Description, err = escaped(d, "author.description", 2000)
		case "location":
			a.Location, err = escapedLabel(d, "author.location", maxName)
		default:
			err = d.Skip()
		}
		return err
	})
	if !ok || err != nil {
		return nil, err
	}
	return a, nil
}

// username is written with or without '@', and kept without. Other networks
// have dots and whole domains in theirs.
func username(d *jx.Decoder, field string) (string, error) {
	s, err := id(d, field, 256)
	return strings.TrimLeft(s, "@＠"), err
}

func reference(d *jx.Decoder, field string) (*messages.PostRef, error) {
	r := &messages.PostRef{}
	ok, err := sub(d, field, func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "id":
			r.Id, err = id(d, field+".id", maxID)
		case "username":
			r.Username, err = username(d, field+".username")
		case "text":
			r.Text, err = escaped(d, field+".text", maxText)
		case "author_id":
			r.AuthorId, err = id(d, field+".author_id", maxID)
		default:
			err = d.Skip()
		}
		return err
	})
	switch {
	case !ok || err != nil:
		return nil, err
	case r.GetId() == "":
		return nil, wrong(field+".id", "missing")
	case r.GetUsername() == "":
		return nil, wrong(field+".username", "missing")
	}
	return r, nil
}

func links(d *jx.Decoder) ([]*messages.Link, error) {
	if d.Next() == jx.Null {
		return nil, d.Null()
	}
	all := []*messages.Link{}
	err := list(d, "urls", maxEntities, func(d *jx.Decoder) error {
		l := &messages.Link{}
		ok, err := sub(d, "urls", func(d *jx.Decoder, key []byte) (err error) {
			switch string(key) {
			case "url":
				l.Url, err = writtenLink(d, "urls.url")
			case "expanded_url":
				l.ExpandedUrl, err = writtenLink(d, "urls.expanded_url")
			case "title":
				l.Title, err = escaped(d, "urls.title", 1000)
			case "description":
				l.Description, err = escaped(d, "urls.description", 5000)
			default:
				err = d.Skip()
			}
			return err
		})
		if !ok || err != nil {
			return err
		}
		if l.GetUrl() == "" {
			return wrong("urls.url", "missing")
		}
		all = append(all, l)
		return nil
	})
	return all, err
}

func media(d *jx.Decoder) ([]*messages.Media, error) {
	var all []*messages.Media
	err := list(d, "media", 20, func(d *jx.Decoder) error {
		m := &messages.Media{}
		ok, err := sub(d, "media", func(d *jx.Decoder, key []byte) (err error) {
			if string(key) != "type" {
				return d.Skip()
			}
			m.Type, err = label(d, "media.type", 32)
			return err
		})
		if !ok || err != nil {
			return err
		}
		switch m.GetType() {
		case "photo", "video", "animated_gif":
			all = append(all, m)
			return nil
		}
		return wrong("media.type", "want photo, video or animated_gif, got %q", m.GetType())
	})
	return all, err
}

func place(d *jx.Decoder) (*messages.Place, error) {
	p := &messages.Place{}
	ok, err := sub(d, "place", func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "id":
			p.Id, err = id(d, "place.id", maxID)
		case "name":
			p.Name, err = escapedLabel(d, "place.name", maxName)
		case "country_code":
			p.CountryCode, err = label(d, "place.country_code", 2)
			p.CountryCode = text.Upper(p.CountryCode)
		case "bbox":
			p.Bbox, err = box(d)
		default:
			err = d.Skip()
		}
		return err
	})
	if !ok || err != nil {
		return nil, err
	}
	if code := p.GetCountryCode(); code != "" && !isCountry(code) {
		return nil, wrong("place.country_code", "want two letters of ISO 3166-1, got %q", code)
	}
	return p, nil
}

func isCountry(s string) bool {
	return len(s) == 2 && 'A' <= s[0] && s[0] <= 'Z' && 'A' <= s[1] && s[1] <= 'Z'
}

// box is west, south, east, north. West may be east of east: it then spans
// the antimeridian.
func box(d *jx.Decoder) ([]float64, error) {
	var b []float64
	err := list(d, "place.bbox", 4, func(d *jx.Decoder) error {
		most := 180.0
		if len(b)%2 == 1 {
			most = 90
		}
		v, err := number(d, "place.bbox", -most, most)
		b = append(b, v)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case len(b) != 0 && len(b) != 4:
		return nil, wrong("place.bbox", "want west, south, east and north, got %d numbers", len(b))
	case len(b) == 4 && b[1] > b[3]:
		return nil, wrong("place.bbox", "south %g is north of north %g", b[1], b[3])
	}
	return b, nil
}

func geo(d *jx.Decoder) (*messages.Geo, error) {
	g := &messages.Geo{}
	given := 0
	ok, err := sub(d, "geo", func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "lon":
			given |= 1
			g.Lon, err = number(d, "geo.lon", -180, 180)
		case "lat":
			given |= 2
			g.Lat, err = number(d, "geo.lat", -90, 90)
		default:
			err = d.Skip()
		}
		return err
	})
	if !ok || err != nil {
		return nil, err
	}
	if given != 3 {
		return nil, wrong("geo", "want lon and lat")
	}
	return g, nil
}

// snowflakeEpoch is the millisecond from which X counts its ids' time.
const snowflakeEpoch = 1_288_834_974_657

var errNoSnowflake = errors.New("not a snowflake")

// createdMs is the time in an X id where there is one: created_at has whole
// seconds there, and latencies are told in milliseconds. An id whose time is a
// day or more from what the post says of itself is a number of another kind.
func createdMs(id string, given int64) int64 {
	ms, err := snowflake(id)
	if err != nil || ms-given > 86_400_000 || given-ms > 86_400_000 {
		return given
	}
	return ms
}

func snowflake(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1<<53 {
		return 0, errNoSnowflake
	}
	return n>>22 + snowflakeEpoch, nil
}
