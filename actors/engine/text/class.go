package text

import (
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// What the tokeniser does with a rune.
const (
	classBreak    uint8 = iota // parts tokens
	classWord                  // letters and numbers
	classMark                  // belongs to what comes before it
	classSingle                // Han and kana: a token by itself
	classEmoji                 // begins an emoji
	classModifier              // skin tone: belongs to the emoji before it
	classRegional              // half of a flag
	classDrop                  // invisible: as if it were not there

	classMask uint8 = 0x0f
	// unsettled marks a rune that may be another in composed form: the stretch it
	// is in is composed first.
	unsettled uint8 = 0x10
	// cased marks a rune that folds to another.
	cased uint8 = 0x20
	// tagged marks a rune that may be in a hashtag, lettered one of those
	// without which there is no hashtag.
	tagged   uint8 = 0x40
	lettered uint8 = 0x80
)

const (
	zwj         = '\u200d'
	zwsp        = '\u200b'
	keycapMark  = '\u20e3'
	tagFirst    = 0xe0020
	tagLast     = 0xe007f
	tableSize   = 0x20000
	hangulFirst = 0xac00
	hangulLast  = 0xd7a3
)

// classes holds the class of every rune below tableSize; those above are few
// kinds (see classOf). Made at start from the standard library's tables, so
// that there is no second copy of Unicode to keep: about 2 ms.
var classes = makeClasses()

func classOf(r rune) uint8 {
	if r < tableSize {
		return classes[r]
	}
	switch {
	case r >= 0x2f800 && r <= 0x2fa1f:
		return classSingle | unsettled | tagged | lettered
	case unicode.Is(unicode.Han, r):
		return classSingle | tagged | lettered
	case r >= 0xe0100 && r <= 0xe01ef: // variation selectors, which are marks
		return classDrop | tagged | lettered
	case r >= 0xe0000 && r <= 0xe0fff:
		return classDrop
	}
	return classBreak
}

func makeClasses() *[tableSize]uint8 {
	var t [tableSize]uint8
	fill := func(class uint8, tables ...*unicode.RangeTable) {
		for _, rt := range tables {
			each(rt, func(r rune) { t[r] = class })
		}
	}
	fill(classWord, unicode.L, unicode.N)
	fill(classMark, unicode.M)
	fill(classDrop, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	t[zwsp] = classBreak
	fill(classSingle, unicode.Han, unicode.Katakana, unicode.Hiragana)
	t[0x30fc] = classSingle // ー is of no script, and is written between kana
	t[0xff70] = classSingle
	fill(classEmoji, emoji)
	fill(classRegional, regional)
	fill(classModifier, modifiers)
	mark := func(bits uint8, tables ...*unicode.RangeTable) {
		for _, rt := range tables {
			each(rt, func(r rune) { t[r] |= bits })
		}
	}
	mark(tagged|lettered, unicode.L, unicode.M)
	mark(tagged, unicode.Nd)
	for _, r := range tagSigns {
		t[r] |= tagged
	}
	for r := rune(0); r < tableSize; r++ {
		if r >= 0x3400 && r <= 0x9fff || r >= hangulFirst && r <= hangulLast || r >= 0xd800 && r <= 0xf8ff || r < 0x80 {
			continue // always as they are in composed form
		}
		p := norm.NFC.PropertiesString(string(r))
		if !p.BoundaryBefore() || p.Decomposition() != nil && !norm.NFC.IsNormalString(string(r)) {
			t[r] |= unsettled
		}
	}
	for _, c := range unicode.CaseRanges {
		for r := rune(c.Lo); r <= rune(c.Hi) && r < tableSize; r++ {
			if foldRune(r) != r {
				t[r] |= cased
			}
		}
	}
	return &t
}

// folds is foldRune of the alphabets whose capitals are common.
var folds = func() (t [0x600]rune) {
	for r := range t {
		t[r] = foldRune(rune(r))
	}
	return t
}()

func foldOf(r rune) rune {
	if int(r) < len(folds) {
		return folds[r]
	}
	return foldRune(r)
}

func each(rt *unicode.RangeTable, f func(rune)) {
	for _, x := range rt.R16 {
		for r := rune(x.Lo); r <= rune(x.Hi); r += rune(x.Stride) {
			f(r)
		}
	}
	for _, x := range rt.R32 {
		for r := rune(x.Lo); r <= rune(x.Hi) && r < tableSize; r += rune(x.Stride) {
			f(r)
		}
	}
}

// foldRune is r without case: one rune for all that differ in case alone
// (Unicode simple case folding). İ and ı have no such partner and stay.
func foldRune(r rune) rune {
	if r < 0x80 {
		if 'A' <= r && r <= 'Z' {
			return r | 0x20
		}
		return r
	}
	least := r
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		least = min(least, o)
	}
	if least == r && unicode.SimpleFold(r) == r {
		return r
	}
	return unicode.ToLower(unicode.ToUpper(least))
}
