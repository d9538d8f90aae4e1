package rule

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
)

// readRadius reads [longitude latitude radius], the radius in mi or km.
func readRadius(v value) (*Expr, *problem) {
	const expected = "[longitude latitude radius], such as [2.355128 48.861118 16km]"
	f, at := numbers(v.text)
	if !v.bracket || len(f) != 3 {
		return nil, &problem{0, quote(v.text), expected, ""}
	}
	lon, lat, e := readPoint(f[:2], at[:2])
	if e != nil {
		return nil, e
	}
	number, unit, metres := f[2], "", 0.0
	for _, u := range []struct {
		name   string
		metres float64
	}{{"mi", metresPerMile}, {"km", 1000}} {
		if n, ok := strings.CutSuffix(text.FoldName(f[2]), u.name); ok {
			number, unit, metres = n, u.name, u.metres
		}
	}
	r, ok := decimal(number)
	switch {
	case unit == "":
		return nil, &problem{at[2], quote(f[2]), "a radius with its unit, mi or km", fmt.Sprintf("[%s %s %smi]", f[0], f[1], f[2])}
	case !ok || r <= 0:
		return nil, &problem{at[2], quote(f[2]), "a radius above 0", ""}
	case r*metres >= maxGeoMetres:
		return nil, &problem{at[2], quote(f[2]), "a radius below 25mi (40.2km)", ""}
	}
	x := valueAtom(v.kind, fmt.Sprintf("[%s %s %s%s]", plain(lon), plain(lat), plain(r), unit))
	x.Atom.Geo = [4]float64{lon, lat, r * metres}
	return x, nil
}

// readBox reads [west south east north]. West above east is a box over the
// 180th meridian.
func readBox(v value) (*Expr, *problem) {
	const expected = "[west south east north] in degrees, such as [-105.301758 39.964069 -105.178505 40.09455]"
	f, at := numbers(v.text)
	if !v.bracket || len(f) != 4 {
		return nil, &problem{0, quote(v.text), expected, ""}
	}
	west, south, e := readPoint(f[:2], at[:2])
	if e != nil {
		return nil, e
	}
	east, north, e := readPoint(f[2:], at[2:])
	if e != nil {
		return nil, e
	}
	if south > north {
		return nil, &problem{0, quote(v.text), "south before north", fmt.Sprintf("%s:[%s %s %s %s]", v.name, f[0], f[3], f[2], f[1])}
	}
	width, height := boxSides(west, south, east, north)
	if width >= maxGeoMetres || height >= maxGeoMetres {
		suggestion := ""
		if w, h := boxSides(east, south, west, north); w < maxGeoMetres && h < maxGeoMetres {
			suggestion = fmt.Sprintf("%s:[%s %s %s %s]", v.name, f[2], f[1], f[0], f[3])
		}
		return nil, &problem{
			0, fmt.Sprintf("a box of %.1f by %.1f miles", width/metresPerMile, height/metresPerMile),
			"sides below 25 miles", suggestion,
		}
	}
	x := valueAtom(v.kind, fmt.Sprintf("[%s %s %s %s]", plain(west), plain(south), plain(east), plain(north)))
	x.Atom.Geo = [4]float64{west, south, east, north}
	return x, nil
}

// boxSides are a box's largest width and its height in metres.
func boxSides(west, south, east, north float64) (width, height float64) {
	degrees := east - west
	if degrees < 0 {
		degrees += 360
	}
	lat := 0.0 // the parallel that is longest: the one next to the equator
	if south > 0 {
		lat = south
	} else if north < 0 {
		lat = north
	}
	const perDegree = math.Pi / 180 * earthMetres
	return degrees * perDegree * math.Cos(lat*math.Pi/180), (north - south) * perDegree
}

// numbers are the words of a bracket and where each begins.
func numbers(s string) (words []string, at []int) {
	for from := 0; ; {
		from += len(s[from:]) - len(strings.TrimLeft(s[from:], " \t\r\n"))
		word := firstWord(s[from:])
		if word == "" {
			return words, at
		}
		words, at = append(words, word), append(at, from)
		from += len(word)
	}
}

func readPoint(words []string, at []int) (lon, lat float64, e *problem) {
	const expected = "a longitude of -180 to 180, then a latitude of -90 to 90"
	lon, ok := decimal(words[0])
	if !ok || math.Abs(lon) > 180 {
		return 0, 0, &problem{at[0], quote(words[0]), expected, ""}
	}
	lat, ok = decimal(words[1])
	if !ok || math.Abs(lat) > 90 {
		suggestion := ""
		if ok && math.Abs(lat) <= 180 && math.Abs(lon) <= 90 {
			suggestion = "the longitude first: " + words[1] + " " + words[0]
		}
		return 0, 0, &problem{at[1], quote(words[1]), expected, suggestion}
	}
	return lon, lat, nil
}

// decimal reads a plain decimal number: no exponent, no hexadecimal, no words.
func decimal(s string) (float64, bool) {
	if strings.Trim(s, "+-.0123456789") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f + 0, err == nil // + 0 makes 0 of -0
}

func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// countries are the assigned codes of ISO 3166-1 alpha-2, and XK, which places
// in Kosovo carry.
const countries = " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ " +
	"CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR " +
	"GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP " +
	"KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ " +
	"NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW " +
	"SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ " +
	"UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW "

var countrySlips = map[string]string{
	"UK": "GB", "EN": "GB", "USA": "US", "GBR": "GB", "DEU": "DE", "GER": "DE", "FRA": "FR", "JPN": "JP", "EL": "GR",
}

func readCountry(v value) (*Expr, *problem) {
	code := text.Upper(v.text)
	if v.bracket || len(code) != 2 || !strings.Contains(countries, " "+code+" ") {
		suggestion := ""
		if to := countrySlips[code]; to != "" {
			suggestion = v.name + ":" + to
		}
		return nil, &problem{0, quote(v.text), "a country's two letters (ISO 3166-1 alpha-2), such as US", suggestion}
	}
	return valueAtom(v.kind, text.Fold(code)), nil
}
