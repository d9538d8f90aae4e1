// Package language says in which language a text is written, as a BCP 47 tag
// with one part: "en", "pt", "zh". It says nothing where it is unsure: a wrong
// language does more harm than none.
package language

import (
	"unicode"

	"github.com/RadhiFadlillah/whatlanggo"

	"github.com/birdwire/birdwire/actors/engine/text"
)

const (
	textBytes    = 1 << 10 // of a text that are read
	lettersLeast = 24      // of a script that several languages share
	aloneLeast   = 4       // of one that a language has to itself
	// sureLatin and sureAtLeast are from how sure the library must be; in trials it
	// took a short English text for French at 0.52.
	sureLatin   = 0.6
	sureAtLeast = 0.4
)

// Of is the language of s, "" where it cannot be told.
func Of(s string) string {
	s = text.Clip(s, textBytes)
	letters := 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	if letters < aloneLeast {
		return ""
	}
	info := whatlanggo.Detect(s)
	least := lettersLeast
	switch info.Script {
	case unicode.Latin:
		if info.Confidence < sureLatin {
			return ""
		}
	case unicode.Cyrillic, unicode.Arabic, unicode.Devanagari, unicode.Hebrew:
		if info.Confidence < sureAtLeast {
			return ""
		}
	case nil:
		return ""
	default:
		least = aloneLeast
	}
	if letters < least {
		return ""
	}
	return info.Lang.Iso6391()
}
