package story

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/messages"
)

// securities tells of the securities that the story is about, whenever there
// is another one. All of them are told, as of now.
func (s *Story) securities() {
	more := false
	for _, a := range s.state.Kept {
		for _, t := range a.GetTickers() {
			more = s.hasTicker(t) || more
		}
	}
	if !more {
		return
	}
	s.changed()
	face := s.Face()
	news := &messages.TickerNews{ClusterId: face.GetId(), Headline: face.GetHeadline(), Category: face.GetCategory()}
	for _, t := range s.state.GetTickers() {
		news.Tickers = append(news.Tickers, s.impact(t, face))
	}
	s.say(&messages.Event{Body: &messages.Event_TickerNews{TickerNews: news}})
}

// hasTicker adds the security and says whether it was not there.
func (s *Story) hasTicker(symbol string) (added bool) {
	i, found := slices.BinarySearch(s.state.Tickers, symbol)
	if found || symbol == "" || len(s.state.Tickers) == tickersMost {
		return false
	}
	s.state.Tickers = slices.Insert(s.state.Tickers, i, symbol)
	return true
}

// moodAt is where words are taken to be for or against; between, they are neutral.
const moodAt = 0.15

// impact is what the story may mean to one security, by its articles' words:
// a guess, which says how sure it is.
func (s *Story) impact(symbol string, face *messages.StoryFace) *messages.TickerImpact {
	sum, n := 0.0, 0
	var publishers []string
	for _, a := range s.state.Kept {
		if !slices.Contains(a.GetTickers(), symbol) {
			continue
		}
		sum += a.GetMood()
		n++
		if !slices.Contains(publishers, a.GetSourceId()) {
			publishers = append(publishers, a.GetSourceId())
		}
	}
	mood := 0.0
	if n > 0 {
		mood = hundredths(sum / float64(n))
	}
	word, weight := "neutral", hundredths((face.GetOverallScore()/100+math.Abs(mood))/2)
	switch {
	case mood >= moodAt:
		word = "positive"
	case mood <= -moodAt:
		word = "negative"
	}
	level := "low"
	switch {
	case weight >= 0.6:
		level = "high"
	case weight >= 0.3:
		level = "medium"
	}
	return &messages.TickerImpact{
		Symbol: symbol, AssetClass: assetClass(symbol), Sentiment: word, SentimentScore: mood, Impact: level, ImpactScore: weight,
		Rationale: fmt.Sprintf("named in %s by %s; their words are %s", counted(n, "article"), counted(len(publishers), "publisher"), word),
		// Two publishers who agree are half sure of what words can tell.
		Confidence: hundredths(1 - 1/(1+0.5*float64(len(publishers)))),
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// assetClass is a guess by the symbol, where nobody has said.
func assetClass(symbol string) string {
	bare := strings.TrimSuffix(strings.TrimSuffix(symbol, "USDT"), "-USD")
	switch {
	case slices.Contains(coins, bare):
		return "crypto"
	case len(symbol) == 6 && slices.Contains(currencies, symbol[:3]) && slices.Contains(currencies, symbol[3:]):
		return "forex"
	case slices.Contains(funds, symbol):
		return "etf"
	}
	return "equity"
}

var (
	coins      = strings.Fields("BTC ETH SOL XRP DOGE ADA BNB LTC AVAX DOT LINK USDT USDC")
	currencies = strings.Fields("USD EUR GBP JPY CHF AUD CAD NZD CNY SEK NOK")
	funds      = strings.Fields("SPY QQQ DIA IWM VTI VOO GLD SLV TLT USO XLF XLK XLE")
)
