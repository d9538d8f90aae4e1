package feed

import (
	"strings"

	ext "github.com/mmcdole/gofeed/extensions"

	"github.com/birdwire/birdwire/messages"
)

// centralBank reads the vocabulary that central banks add to RSS 1.0 (RSS-CB
// 1.2, and 1.0 and 1.1, which nest less): speeches, statistics and exchange
// rates. What the vocabulary does not say stays as the item says it.
func centralBank(a *messages.Article, elements map[string][]ext.Extension) {
	if speech, ok := one(elements, "speech"); ok {
		a.ArticleType = "speech"
		readSpeech(a, speech.Children)
		return
	}
	if statistics, ok := one(elements, "statistics"); ok {
		a.ArticleType = "statistics"
		a.Institution = institution(statistics.Children)
		if rate, ok := one(statistics.Children, "exchangeRate"); ok {
			readRate(a, rate.Children)
		}
		return
	}
	if rate, ok := one(elements, "exchangeRate"); ok {
		a.Institution = institution(rate.Children)
		readRate(a, rate.Children)
		return
	}
	for _, kind := range []string{"news", "paper", "event"} {
		if e, ok := one(elements, kind); ok {
			a.ArticleType = kind
			a.Institution = institution(e.Children)
			a.EventLocation = venue(e.Children)
			occurrence(a, e.Children)
			people(a, e.Children)
			return
		}
	}
}

func readSpeech(a *messages.Article, speech map[string][]ext.Extension) {
	a.Institution = institution(speech)
	a.EventLocation = venue(speech)
	occurrence(a, speech)
	people(a, speech)
}

// occurrence is when it was said or happened: the date of an item that has none
// of its own.
func occurrence(a *messages.Article, children map[string][]ext.Extension) {
	if a.GetPublishedMs() != 0 {
		return
	}
	if when, err := parseDate(child(children, "occurrenceDate")); err == nil {
		a.PublishedMs = sane(when.UnixMilli())
	}
}

// simpleTitle is the bare one, of an item that has none. Where both are there
// the item's says more: who speaks, and often where.
func simpleTitle(elements map[string][]ext.Extension) string {
	for _, kind := range []string{"speech", "news", "paper", "event"} {
		if e, ok := one(elements, kind); ok {
			return child(e.Children, "simpleTitle")
		}
	}
	return ""
}

// people names the first person; the others are authors like them.
func people(a *messages.Article, children map[string][]ext.Extension) {
	var names []string
	for _, p := range children["person"] {
		name := child(p.Children, "nameAsWritten")
		if name == "" {
			name = strings.TrimSpace(child(p.Children, "givenName") + " " + child(p.Children, "surname"))
		}
		if name != "" {
			names = append(names, line(name, maxLabel))
		}
	}
	if len(names) == 0 {
		return
	}
	if a.GetAuthor() == "" {
		a.Author = line(strings.Join(names, ", "), maxLabel)
	}
	if a.GetArticleType() != "speech" {
		return
	}
	a.Speaker = names[0]
	person := children["person"][0].Children
	role, _ := one(person, "role")
	a.SpeakerTitle = line(either(child(role.Children, "jobTitle"), child(person, "jobTitle")), maxLabel)
	if a.GetInstitution() == "" {
		a.Institution = line(either(affiliation(role.Children), affiliation(person)), maxLabel)
	}
}

// affiliation is text in 1.1, and an institution within in 1.2.
func affiliation(children map[string][]ext.Extension) string {
	if e, ok := one(children, "affiliation"); ok {
		return either(strings.TrimSpace(e.Value), child(e.Children, "name"), child(e.Children, "institutionAbbrev"))
	}
	return ""
}

func institution(children map[string][]ext.Extension) string {
	return line(either(child(children, "institutionAbbrev"), child(children, "institution"),
		child(children, "institutionName")), maxLabel)
}

func venue(children map[string][]ext.Extension) string {
	if e, ok := one(children, "venue"); ok {
		return line(either(strings.TrimSpace(e.Value), child(e.Children, "locationAsWritten"),
			child(e.Children, "name")), maxLabel)
	}
	return line(either(child(children, "locationAsWritten"), child(children, "location")), maxLabel)
}

// readRate keeps the digits as they were published: trailing zeros say how
// exact they are. In 1.2 the value stands in an observation.
func readRate(a *messages.Article, rate map[string][]ext.Extension) {
	a.ArticleType = "exchange_rate"
	a.BaseCurrency = strings.ToUpper(line(child(rate, "baseCurrency"), 16))
	a.TargetCurrency = strings.ToUpper(line(child(rate, "targetCurrency"), 16))
	observation, _ := one(rate, "observation")
	a.ExchangeRate = line(either(child(rate, "value"), child(observation.Children, "value")), 32)
}

func one(children map[string][]ext.Extension, name string) (ext.Extension, bool) {
	if all := children[name]; len(all) > 0 {
		return all[0], true
	}
	return ext.Extension{}, false
}

func either(options ...string) string {
	for _, s := range options {
		if s != "" {
			return s
		}
	}
	return ""
}
