package feed

import (
	"strings"

	"github.com/birdwire/birdwire/actors/source/feed/when"
	"github.com/birdwire/birdwire/messages"
)

// bankElements are an item's elements of the vocabulary that central banks add
// to RSS (RSS-CB 1.2, and 1.0 and 1.1, which nest less).
func bankElements(item *element) map[string]*element {
	if item == nil {
		return nil
	}
	var all map[string]*element
	for _, c := range item.children {
		if c.family == familyBank && all[c.name] == nil {
			if all == nil {
				all = map[string]*element{}
			}
			all[c.name] = c
		}
	}
	return all
}

// centralBank reads speeches, statistics and exchange rates. What the
// vocabulary does not say stays as the item says it.
func centralBank(a *messages.Article, elements map[string]*element) {
	if speech := elements["speech"]; speech != nil {
		a.ArticleType = "speech"
		a.Institution = institution(speech)
		a.EventLocation = venue(speech)
		occurrence(a, speech)
		people(a, speech)
		return
	}
	if statistics := elements["statistics"]; statistics != nil {
		a.ArticleType = "statistics"
		a.Institution = institution(statistics)
		if rate := statistics.child("exchangerate"); rate != nil {
			readRate(a, rate)
		}
		return
	}
	if rate := elements["exchangerate"]; rate != nil {
		a.Institution = institution(rate)
		readRate(a, rate)
		return
	}
	for _, kind := range []string{"news", "paper", "event"} {
		if e := elements[kind]; e != nil {
			a.ArticleType = kind
			a.Institution = institution(e)
			a.EventLocation = venue(e)
			occurrence(a, e)
			people(a, e)
			return
		}
	}
}

// occurrence is when it was said or happened: the date of an item that has none
// of its own.
func occurrence(a *messages.Article, e *element) {
	if a.GetPublishedMs() != 0 {
		return
	}
	if at, ok := when.Parse(e.childText("occurrencedate")); ok && sane(at) {
		a.PublishedMs = at.UnixMilli()
	}
}

// simpleTitle is the bare one, of an item that has none. Where both are there
// the item's says more: who speaks, and often where.
func simpleTitle(elements map[string]*element) string {
	for _, kind := range []string{"speech", "news", "paper", "event"} {
		if e := elements[kind]; e != nil {
			return e.childText("simpletitle")
		}
	}
	return ""
}

// people names the first person; the others are authors like them.
func people(a *messages.Article, e *element) {
	var names []string
	for _, p := range e.children {
		if p.name != "person" || len(names) == maxNames {
			continue
		}
		name := p.childText("nameaswritten")
		if name == "" {
			name = strings.TrimSpace(p.childText("givenname") + " " + p.childText("surname"))
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
	person := e.child("person")
	role := person.child("role")
	a.SpeakerTitle = line(either(role.childText("jobtitle"), person.childText("jobtitle")), maxLabel)
	if a.GetInstitution() == "" {
		a.Institution = line(either(affiliation(role), affiliation(person)), maxLabel)
	}
}

// affiliation is text in 1.1, and an institution within in 1.2.
func affiliation(e *element) string {
	if e := e.child("affiliation"); e != nil {
		return either(e.ownText(), e.childText("name"), e.childText("institutionabbrev"))
	}
	return ""
}

func institution(e *element) string {
	return line(either(e.childText("institutionabbrev"), e.childText("institution"), e.childText("institutionname")), maxLabel)
}

func venue(e *element) string {
	if v := e.child("venue"); v != nil {
		return line(either(v.ownText(), v.childText("locationaswritten"), v.childText("name")), maxLabel)
	}
	return line(either(e.childText("locationaswritten"), e.childText("location")), maxLabel)
}

// readRate keeps the digits as they were published: trailing zeros say how
// exact they are. In 1.2 the value is in an observation.
func readRate(a *messages.Article, rate *element) {
	a.ArticleType = "exchange_rate"
	a.BaseCurrency = strings.ToUpper(line(rate.childText("basecurrency"), 16))
	a.TargetCurrency = strings.ToUpper(line(rate.childText("targetcurrency"), 16))
	a.ExchangeRate = line(either(rate.childText("value"), rate.child("observation").childText("value")), 32)
}
