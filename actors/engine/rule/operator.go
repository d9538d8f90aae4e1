package rule

import (
	"strings"
	"unicode"
)

// operator is one entry of the language.
type operator struct {
	kind    Kind
	user    bool   // its value is a user
	company bool   // valid only with an operator that is valid alone
	noData  bool   // no source supplies what it asks for
	example string // of its value
	read    func(v value) (*Expr, *problem)
}

// value is what comes after an operator's colon.
type value struct {
	name    string // the operator's, as it is printed
	kind    Kind
	text    string
	pos     int // byte of the rule at which text begins
	bracket bool
}

// problem is what is wrong with a value; at counts bytes from where it begins.
type problem struct {
	at                          int
	found, expected, suggestion string
}

// operators are those of the language by name. Filled at start: some readers
// look other operators up.
var operators map[string]*operator

// operatorNames are the names that operators are printed by.
var operatorNames [kinds]string

func init() {
	operators = map[string]*operator{
		"from":                 {kind: KindFrom, user: true, read: readUser, example: "nasa"},
		"to":                   {kind: KindTo, user: true, read: readUser, example: "nasa"},
		"retweets_of":          {kind: KindRetweetsOf, user: true, read: readUser, example: "nasa"},
		"from_affiliate_of":    {kind: KindFromAffiliateOf, user: true, noData: true, read: readUser, example: "nasa"},
		"to_affiliate_of":      {kind: KindToAffiliateOf, user: true, noData: true, read: readUser, example: "nasa"},
		"url":                  {kind: KindURL, read: readWords, example: "example.com"},
		"context":              {kind: KindContext, noData: true, read: readContext, example: "10.799022225751871488"},
		"entity":               {kind: KindEntity, noData: true, read: readExact, example: `"Michael Jordan"`},
		"conversation_id":      {kind: KindConversation, read: readID, example: "1334987486343299072"},
		"in_reply_to_tweet_id": {kind: KindInReplyTo, read: readID, example: "1539382664746020864"},
		"retweets_of_tweet_id": {kind: KindRetweetsOfID, read: readID, example: "1539382664746020864"},
		"bio":                  {kind: KindBio, read: readWords, example: "engineer"},
		"bio_name":             {kind: KindBioName, read: readWords, example: "phd"},
		"bio_location":         {kind: KindBioLocation, read: readWords, example: `"big apple"`},
		"place":                {kind: KindPlace, read: readWords, example: `"new york city"`},
		"place_country":        {kind: KindPlaceCountry, read: readCountry, example: "US"},
		"point_radius":         {kind: KindPointRadius, read: readRadius, example: "[2.355128 48.861118 16km]"},
		"bounding_box":         {kind: KindBoundingBox, read: readBox, example: "[-105.301758 39.964069 -105.178505 40.09455]"},

		"is":              {kind: KindIs, company: true, read: readFlag, example: "retweet"},
		"has":             {kind: KindHas, company: true, read: readFlag, example: "links"},
		"lang":            {kind: KindLang, company: true, read: readLang, example: "en"},
		"sample":          {company: true, example: "10"},
		"followers_count": {kind: KindFollowers, company: true, read: readCount, example: "1000..10000"},
		"following_count": {kind: KindFollowing, company: true, read: readCount, example: "1000..10000"},
		"tweets_count":    {kind: KindTweets, company: true, read: readCount, example: "1000..10000"},
		"listed_count":    {kind: KindListed, company: true, read: readCount, example: "10..100"},
		"min_followers":   {kind: KindFollowers, company: true, read: readLeast, example: "1000"},
		"url_title":       {kind: KindURLTitle, company: true, read: readWords, example: "snow"},
		"url_description": {kind: KindURLDescription, company: true, read: readWords, example: "weather"},
		"url_contains":    {kind: KindURLContains, company: true, read: readSubstring, example: "photos"},
		"source":          {kind: KindSource, company: true, read: readExact, example: `"X for iPhone"`},
	}
	for name, op := range operators {
		if name != "min_followers" {
			operatorNames[op.kind] = name
		}
	}
	for alias, name := range aliases {
		operators[alias] = operators[name]
	}
	operatorNames[KindInvalid] = ""
}

// aliases are other names that people write, most of them from the enterprise
// streams.
var aliases = map[string]string{
	"statuses_count":         "tweets_count",
	"friends_count":          "following_count",
	"user_in_lists_count":    "listed_count",
	"within_url_title":       "url_title",
	"within_url_description": "url_description",
	"retweets_of_user":       "retweets_of",
	"user_bio":               "bio",
	"user_bio_name":          "bio_name",
	"user_bio_location":      "bio_location",
	"in_reply_to_status_id":  "in_reply_to_tweet_id",
	"retweets_of_status_id":  "retweets_of_tweet_id",
	"geo_bounding_box":       "bounding_box",
}

// flagValues are the values of is: and has:, each with the one it means.
var flagValues = map[Kind]map[string]string{
	KindIs: {"retweet": "retweet", "reply": "reply", "quote": "quote", "verified": "verified", "nullcast": "nullcast"},
	KindHas: {
		"hashtags": "hashtags", "cashtags": "cashtags", "links": "links", "mentions": "mentions", "media": "media",
		"images": "images", "video_link": "video_link", "geo": "geo",
		"videos": "video_link", "media_link": "media",
	},
}

// operatorName says whether a run begins as an operator does: a name and a colon.
func operatorName(s string) (string, bool) {
	name, _, ok := strings.Cut(s, ":")
	if !ok || name == "" || name[0] >= '0' && name[0] <= '9' {
		return "", false
	}
	for _, c := range []byte(name) {
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return "", false
		}
	}
	return name, true
}

// operator reads the operator whose name is here.
func (p *parser) operator(written string, negated bool) (*Expr, error) {
	start := p.pos
	name := strings.ToLower(written)
	op := operators[name]
	if op == nil {
		return nil, p.unknown(name)
	}
	if to, ok := aliases[name]; ok {
		name = to
	}
	p.pos += len(written) + 1
	v, err := p.value(name, op)
	if err != nil {
		return nil, err
	}
	if name == "sample" {
		return nil, p.sampleOf(start, v, negated)
	}
	x, e := op.read(v)
	if e != nil {
		return nil, p.fail(max(start, v.pos+e.at), e.found, e.expected, e.suggestion)
	}
	if op.noData {
		p.warn(start, "%s: is known, but no source supplies what it asks for: it matches nothing", name)
	}
	if x.Op == OpAtom && x.Atom.Kind == KindIs && x.Atom.Value == "nullcast" && !negated {
		return nil, p.fail(start, quote("is:nullcast"), "it negated: there is nothing else to ask for", "-is:nullcast")
	}
	return x, nil
}

// value reads what comes after the colon.
func (p *parser) value(name string, op *operator) (value, error) {
	v := value{name: name, kind: op.kind, pos: p.pos}
	var err error
	switch r := p.peek(); {
	case r == '"':
		v.pos++
		v.text, err = p.quoted()
	case r == '[':
		v.bracket = true
		v.pos++
		v.text, err = p.bracketed()
	case r == '(':
		return v, p.fail(p.pos, `"("`, "a value right after "+name+":", "the operator before each value, as in ("+name+":"+op.example+" OR "+name+":…)")
	default:
		v.text = p.here()
		p.pos += len(v.text)
		if v.text == "" {
			found, suggestion := "nothing", ""
			if r >= 0 && unicode.IsSpace(r) {
				found = "a space"
				if next := firstWord(p.in[p.pos:]); next != "" && next != "OR" {
					suggestion = name + ":" + strings.TrimPrefix(next, "@")
				}
			}
			return v, p.fail(v.pos, found, "a value right after "+name+":, such as "+op.example, suggestion)
		}
	}
	if err != nil {
		return v, err
	}
	return v, p.boundary()
}
