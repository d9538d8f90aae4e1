package rule

// Kind says what an Atom asks of a document.
type Kind uint8

// Kinds of atoms. Where a comment says "token or phrase", Atom.Tokens holds
// one folded token or several that must be adjacent.
const (
	KindInvalid Kind = iota

	// Of posts, valid alone.
	KindKeyword      // one token of the text, of a quoted text, or of a URL
	KindPhrase       // adjacent tokens of the same
	KindProximity    // all of Tokens with at most N others between the outermost
	KindHashtag      // Value without '#'
	KindMention      // Value without '@'
	KindCashtag      // Value without '$'
	KindFrom         // author's username or numeric id
	KindTo           // username replied to
	KindURL          // token or phrase of a URL, as given or expanded
	KindRetweetsOf   // username or numeric id of the retweeted author
	KindContext      // domain.entity annotation: no source has them yet
	KindEntity       // named entity: no source has them yet
	KindConversation // conversation id
	KindInReplyTo    // id of the post replied to
	KindRetweetsOfID // id of the retweeted post
	KindBio          // token or phrase of the author's description
	KindBioName      // token or phrase of the author's display name
	KindBioLocation  // token or phrase of the author's location
	KindPlace        // token or phrase of the place's name, or its id
	KindPlaceCountry // Value: ISO 3166-1 alpha-2, folded
	KindPointRadius  // Geo: longitude, latitude, radius in metres
	KindBoundingBox  // Geo: west, south, east, north

	// Of posts, valid only with one that is valid alone.
	KindIs             // Value: retweet, reply, quote, verified, nullcast
	KindHas            // Value: hashtags, cashtags, links, mentions, media, images, video_link, geo
	KindLang           // Value: code as compared, folded
	KindFollowers      // Lo..Hi of the author
	KindFollowing      // Lo..Hi of the author
	KindTweets         // Lo..Hi of the author
	KindListed         // Lo..Hi of the author
	KindURLTitle       // token or phrase of a linked page's title
	KindURLDescription // token or phrase of a linked page's description
	KindURLContains    // Value is a substring of a URL, without case
	KindSource         // Value: the whole name of the application, folded

	// Known, and false until a source supplies what they ask for.
	KindFromAffiliateOf
	KindToAffiliateOf

	// Of articles and stories.
	KindEvent      // Value: item.new, item.updated, clusters.ranked, ...
	KindSourceID   // Value, folded
	KindSourceName // Value, folded
	KindCategory   // Value, folded
	KindTitle      // token or phrase of the title or headline
	KindItemText   // token or phrase of title, description, a ticker or a tag
	KindItemLead   // token or phrase of title or description
	KindEntityID   // N
	KindTicker     // Value, folded, without '$'
	KindEmbedding  // one of Embeddings is near enough

	kinds // how many there are
)

// field is where a kind's tokens are.
func (k Kind) field() (Field, bool) {
	switch k {
	case KindKeyword, KindPhrase, KindProximity:
		return FieldText, true
	case KindURL:
		return FieldURL, true
	case KindBio:
		return FieldBio, true
	case KindBioName:
		return FieldBioName, true
	case KindBioLocation:
		return FieldBioLocation, true
	case KindPlace:
		return FieldPlace, true
	case KindURLTitle:
		return FieldURLTitle, true
	case KindURLDescription:
		return FieldURLDescription, true
	case KindTitle:
		return FieldTitle, true
	case KindItemText:
		return FieldItemText, true
	case KindItemLead:
		return FieldItemLead, true
	}
	return 0, false
}
