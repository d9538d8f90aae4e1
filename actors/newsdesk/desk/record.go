package desk

import (
	"cmp"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
	"github.com/birdwire/birdwire/messages"
)

// Bytes of an article's texts that a story keeps.
const (
	titleBytes       = 512
	urlBytes         = 1024
	nameBytes        = 128
	descriptionBytes = 300
)

// asSeen is the article as its story is found by. Before it is enriched that is
// what its source says; after it, with what its page says and names.
func asSeen(a *messages.Article) similarity.Article {
	seen := similarity.Article{
		ID: int64(a.GetNumber()), Title: a.GetTitle(), Link: a.GetUrl(), Body: body(a), Source: publisher(a), Published: a.GetPublishedMs(), Discovered: a.GetDiscoveredMs(),
	}
	for _, e := range a.GetEntities() {
		seen.Entities = append(seen.Entities, e.GetName())
	}
	return seen
}

func body(a *messages.Article) string {
	return cmp.Or(a.GetContent(), a.GetDescription(), a.GetExcerpt())
}

// record is what a story keeps of the article.
func (m *Machine) record(p messages.Position, a *messages.Article) *messages.StoryArticle {
	source := text.Clip(publisher(a), nameBytes)
	r := &messages.StoryArticle{
		Number: a.GetNumber(), Positions: []uint64{uint64(p)}, Title: text.Clip(strings.TrimSpace(a.GetTitle()), titleBytes), Url: text.Clip(a.GetUrl(), urlBytes),
		SourceId: source, SourceName: text.Clip(a.GetSourceName(), nameBytes), Category: text.Clip(a.GetCategory(), nameBytes),
		PublishedMs: a.GetPublishedMs(), DiscoveredMs: a.GetDiscoveredMs(), Copy: a.GetSyndicatedFrom() != "",
		EntityIds: a.GetEntityIds(), Mood: mood(a), Simhash: a.GetSimhash(),
		Description: text.Clip(strings.TrimSpace(cmp.Or(a.GetHeadlineSummary(), a.GetDescription(), a.GetExcerpt())), descriptionBytes),
		Quality:     cmp.Or(m.cfg.Quality[source], usualQuality), Preferred: m.cfg.Preferred[source],
	}
	r.Tickers = append(r.Tickers, a.GetTickers()...)
	for _, e := range a.GetEntities() {
		if e.GetTicker() != "" {
			r.Tickers = append(r.Tickers, e.GetTicker())
		}
	}
	return r
}

// publisher is who reports: the source, else the site.
func publisher(a *messages.Article) string {
	return cmp.Or(a.GetSourceId(), a.GetSourceName(), site(a.GetUrl()))
}

// site is the host of an address, which was made canonical when it was read.
func site(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return strings.TrimPrefix(host, "www.")
}

// mood says from -1 to 1 whether the words of title and lead are good news or
// bad. It knows words and no sentences: who needs more configures a model.
func mood(a *messages.Article) float64 {
	var buffer text.Buffer
	good, bad := 0.0, 0.0
	for _, s := range []string{text.Clip(a.GetTitle(), titleBytes), text.Clip(cmp.Or(a.GetDescription(), a.GetExcerpt()), descriptionBytes)} {
		text.Tokenize(s, &buffer)
		for _, t := range buffer.Tokens {
			if m := moods[t.Hash]; m > 0 {
				good += m
			} else {
				bad -= m
			}
		}
	}
	if good+bad == 0 {
		return 0
	}
	return (good - bad) / (good + bad + 1) // one word alone is not sure
}

// moods are words of markets and events, 1 good and -1 bad.
var moods = func() map[uint64]float64 {
	all := map[uint64]float64{}
	for value, words := range map[float64]string{
		1: `gain gains gained rise rises rose risen rising surge surges surged jump jumps jumped soar soars soared rally rallies rallied
			beat beats record profit profits growth grow grows grew upgrade upgraded win wins won approve approves approved approval
			strong stronger boost boosts boosted recover recovers recovery breakthrough deal expands expansion outperform`,
		-1: `fall falls fell fallen falling drop drops dropped plunge plunges plunged slump slumps slumped sink sinks sank tumble tumbles
			miss misses missed loss losses lose loses lost cut cuts layoffs downgrade downgraded lawsuit sue sues sued fraud probe
			recall recalls bankrupt bankruptcy default weak weaker crash crashes crisis fears fear warns warning ban banned fine fined
			delay delays delayed halt halts halted attack killed dead war outage breach hack hacked`,
	} {
		for _, w := range strings.Fields(words) {
			all[text.Hash(w)] = value
		}
	}
	return all
}()
