package rule

import (
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
)

// Codes that mean the same language, by the one they are compared as. X still
// writes the old ones.
var sameLanguage = map[string]string{
	"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "tl": "fil",
}

// Scripts that a region of Chinese is written in. A code without region or
// script is taken as simplified, as BCP 47's likely subtags have it.
var chineseScript = map[string]string{
	"": "hans", "cn": "hans", "sg": "hans", "my": "hans", "hans": "hans",
	"tw": "hant", "hk": "hant", "mo": "hant", "hant": "hant",
}

// language brings a code to the form in which codes are compared: folded,
// hyphens, today's code, Chinese by script: ZH_tw is zh-hant.
func language(code string) string {
	code = strings.ReplaceAll(text.FoldName(strings.TrimSpace(code)), "_", "-")
	first, rest, more := strings.Cut(code, "-")
	if now, ok := sameLanguage[first]; ok {
		first = now
	}
	if !more {
		return first
	}
	if first == "zh" {
		sub, _, _ := strings.Cut(rest, "-")
		if script, ok := chineseScript[sub]; ok {
			return "zh-" + script
		}
	}
	return first + "-" + rest
}

// languageKeys are those of the commonest codes, as posts carry them: a post
// in one of these costs no string.
var languageKeys = func() map[string][]uint64 {
	m := map[string][]uint64{}
	for _, code := range strings.Fields("en ja es pt ar tr fr id in ko th tl hi de it ru fa pl nl ur zh und qme qht iw uk sv ca ta ml te bn el da fi no cs ro hu vi") {
		m[code] = keysOfLanguage(code)
	}
	return m
}()

// languages adds the keys of every code that a post's code falls under: en-GB
// is en as well. A post without a code is und.
func (d *Doc) languages(code string) {
	if code == "" {
		code = "und"
	}
	keys, ok := languageKeys[code]
	if !ok {
		keys = keysOfLanguage(code)
	}
	d.keys = append(d.keys, keys...)
}

func keysOfLanguage(code string) []uint64 {
	var keys []uint64
	add := func(s string) { keys = append(keys, key(KindLang, text.Hash(s))) }
	c := language(code)
	for s := c; s != ""; {
		add(s)
		at := strings.LastIndexByte(s, '-')
		s = s[:max(at, 0)]
	}
	switch c {
	case "zh":
		add("zh-hans")
	case "nb", "nn": // both are Norwegian
		add("no")
	case "no": // and what is called so is nearly always this one
		add("nb")
	}
	return keys
}

// languageCodes are ISO 639-1, and what X has in addition for posts whose
// language is not one.
const languageCodes = " aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz " +
	"ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv " +
	"ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny " +
	"oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tn to tr ts tt tw ty " +
	"ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "

var languageSlips = map[string]string{
	"jp": "ja", "cn": "zh-CN", "us": "en", "kr": "ko", "gr": "el", "dk": "da", "cz": "cs", "gb": "en", "ua": "uk", "ir": "fa",
	"br": "pt", "english": "en", "spanish": "es", "french": "fr", "german": "de", "japanese": "ja", "chinese": "zh-CN",
	"portuguese": "pt", "arabic": "ar", "russian": "ru", "korean": "ko", "italian": "it", "turkish": "tr", "hindi": "hi",
	"dutch": "nl", "unknown": "und", "undefined": "und", "none": "und", "hebrew": "he", "indonesian": "id", "polish": "pl",
}

// knownLanguage says whether a code in its compared form is one of BCP 47:
// a known language of two letters or any of three, then script and region.
func knownLanguage(code string) bool {
	for i, part := range strings.Split(code, "-") {
		letters := part != "" && strings.Trim(part, "abcdefghijklmnopqrstuvwxyz") == ""
		switch {
		case i == 0 && len(part) == 2:
			if !letters || !strings.Contains(languageCodes, " "+part+" ") {
				return false
			}
		case i == 0:
			if !letters || len(part) != 3 {
				return false
			}
		case letters && (len(part) == 2 || len(part) == 4), len(part) == 3 && strings.Trim(part, "0123456789") == "":
		case len(part) >= 5 && len(part) <= 8 && strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789") == "": // a variant
		default:
			return false
		}
	}
	return true
}

func readLang(v value) (*Expr, *problem) {
	code := language(v.text)
	if v.bracket || !knownLanguage(code) {
		suggestion := ""
		if to := languageSlips[strings.ToLower(v.text)]; to != "" {
			suggestion = "lang:" + to
		}
		return nil, &problem{0, quote(v.text), "a language code of BCP 47, such as en, pt-BR or und", suggestion}
	}
	return valueAtom(v.kind, code), nil
}
