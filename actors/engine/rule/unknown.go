package rule

import (
	"slices"
	"strings"
)

// elsewhere are names that other searches have, and what is meant here.
var elsewhere = map[string]string{
	"author": "from:", "user": "from:", "username": "from:", "by": "from:",
	"hashtag": "#tag", "hashtags": "has:hashtags or #tag", "mention": "@user", "mentions": "has:mentions or @user",
	"cashtag": "$TICKER", "ticker": "$TICKER", "symbol": "$TICKER",
	"reply_to": "to:", "in_reply_to": "to:", "replies_to": "to:", "language": "lang:", "country": "place_country:",
	"near": "point_radius:[lon lat 10mi]", "geocode": "point_radius:[lon lat 10mi]", "contains": "the word itself",
	"keyword": "the word itself", "text": "the word itself", "link": "url:", "domain": "url:", "site": "url:",
	"thread": "conversation_id:", "conversation": "conversation_id:", "max_followers": "followers_count:0..n",
	"retweet_of": "retweets_of:", "retweeted_from": "retweets_of:", "min_following": "following_count:",
	"links": "has:links", "images": "has:images", "video": "has:video_link", "media": "has:media",
}

// absent are names that other searches have and that a stream cannot have.
var absent = map[string]string{
	"since": noDates, "until": noDates, "since_id": noDates, "max_id": noDates, "since_time": noDates, "until_time": noDates,
	"min_faves": noCounts, "min_likes": noCounts, "min_retweets": noCounts, "min_replies": noCounts, "min_reposts": noCounts,
	"list": "its members, as in (from:nasa OR from:esa): lists are not known here",
}

const (
	noDates  = "no dates: a stream delivers what is posted after the rule was made"
	noCounts = "no likes, retweets or replies: a post that was just made has none"
)

// unknown is the error for a name with a colon that is no operator.
func (p *parser) unknown(name string) error {
	const expected = `an operator of the language, or quotation marks around it where it is text`
	s := p.here()
	found := "the unknown operator " + quote(name+":")
	switch {
	case strings.HasPrefix(s[len(name):], "://"):
		return p.fail(p.pos, "an address", "url: before it", `url:"`+s+`"`)
	case name == "filter":
		v := strings.ToLower(strings.TrimPrefix(s[len(name):], ":"))
		for _, k := range []Kind{KindIs, KindHas} {
			values := flagValues[k]
			if to, ok := values[nearest(v, values)]; ok {
				return p.fail(p.pos, found, expected, operatorNames[k]+":"+to)
			}
		}
		return p.fail(p.pos, found, expected, "is: or has:")
	}
	if hint, ok := elsewhere[name]; ok {
		if strings.HasSuffix(hint, ":") {
			hint += s[len(name)+1:]
		}
		return p.fail(p.pos, found, expected, hint)
	}
	if why, ok := absent[name]; ok {
		return p.fail(p.pos, found, why, "")
	}
	if near := nearest(name, operators); near != "" {
		return p.fail(p.pos, found, expected, near+s[len(name):])
	}
	return p.fail(p.pos, found, expected, `"`+strings.Trim(s, `"`)+`" in quotation marks`)
}

// nearest is the key that s is probably a slip of; "" where none is near. Of
// several the first in the alphabet.
func nearest[V any](s string, among map[string]V) string {
	best, least := "", min(2, len(s)/2)+1
	names := make([]string, 0, len(among))
	for name := range among {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if d := distance(s, name, least); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is the number of slips (a letter too many, too few, wrong, or two
// swapped) between a and b; limit where there are as many or more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, last, before := rows[i%3], rows[(i+2)%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return min(limit, rows[len(a)%3][len(b)])
}
