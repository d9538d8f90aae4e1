package when_test

import (
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/source/feed/when"
)

// at is Tuesday, 4 August 2026, at this time in UTC.
func at(hour, minute, second int) time.Time {
	return time.Date(2026, 8, 4, hour, minute, second, 0, time.UTC)
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		want  time.Time
		texts []string
	}{
		{at(12, 30, 0), []string{
			// RFC 822 and what is made of it.
			"Tue, 04 Aug 2026 12:30:00 GMT", "Tue, 4 Aug 2026 12:30:00 +0000", "Tue, 04 Aug 2026 12:30 UT", "04 Aug 26 12:30 Z",
			"Tue, 04 Aug 2026 12:30:00 -0000", "tue, 04 aug 2026 12:30:00 utc", "Tuesday, 04-Aug-26 12:30:00 GMT", "Tue,04 Aug 2026 12:30:00 +0000",
			"Tue, 04 August 2026 12:30:00 UTC", "Thu, 04 Aug 2026 12:30:00 GMT", "  Tue, 04 Aug 2026 12:30:00 GMT\n", "Tue, 04 Aug 2026 12:30:00 00",
			// Names of zones.
			"Tue, 04 Aug 2026 08:30:00 EDT", "Tue, 04 Aug 2026 07:30:00 EST", "Tue, 04 Aug 2026 06:30:00 CST", "Tue, 04 Aug 2026 05:30:00 PDT",
			"Tue, 04 Aug 2026 14:30:00 CEST", "Tue, 04 Aug 2026 13:30:00 CET", "Tue, 04 Aug 2026 13:30:00 BST", "Tue, 04 Aug 2026 15:30:00 MSK",
			"Tue, 04 Aug 2026 21:30:00 JST", "Tue, 04 Aug 2026 21:30:00 KST", "Tue, 04 Aug 2026 18:00:00 IST", "Tue, 04 Aug 2026 22:30:00 AEST",
			"Tue, 04 Aug 2026 23:30:00 AEDT", "Tue, 04 Aug 2026 22:00:00 ACST", "Wed, 05 Aug 2026 00:30:00 NZST", "Tue, 04 Aug 2026 20:30:00 HKT",
			"Tue, 04 Aug 2026 20:30:00 SGT", "Tue, 04 Aug 2026 14:30:00 SAST", "Tue, 04 Aug 2026 09:30:00 BRT", "Tue, 04 Aug 2026 10:00:00 NDT",
			"Tue, 04 Aug 2026 17:30:00 PKT", "Tue, 04 Aug 2026 18:15:00 NPT", "Tue, 04 Aug 2026 19:30:00 WIB", "Di, 04. August 2026 14:30 MESZ",
			"2026-08-04 21:30:00 JST", "2026-08-04T21:30:00 JST", "4 August 2026 21:30 (JST)",
			// Offsets in every form.
			"Tue, 04 Aug 2026 07:30:00 GMT-05:00", "Tue, 04 Aug 2026 14:30:00 UTC+2", "Tue, 04 Aug 2026 14:30:00 GMT+0200", "Tue, 04 Aug 2026 14:30:00 +02",
			"Tue, 04 Aug 2026 14:30:00 +2", "Tue, 04 Aug 2026 14:30:00 +02:00", "Tue, 04 Aug 2026 18:00:00 UTC+5:30", "Tue, 04 Aug 2026 18:00:00 +530",
			"Tue, 04 Aug 2026 14:30:00 UTC +02:00", "Tue, 04 Aug 2026 14:30:00 GMT +2", "Tue, 04 Aug 2026 05:30:00 MST-07:00", "Tue, 04 Aug 2026 05:30:00 MST -0700",
			"Tue, 04 Aug 2026 05:30:00 --0700", "Tue, 04 Aug 2026 14:30:00 +0200 (CEST)", "Tue, 04 Aug 2026 14:30:00 +0200 CEST",
			"Tue, 04 Aug 2026 10:30:00 \u221202:00", "Tue, 04 Aug 2026 15:30:00 MSK+0300", "Tue, 04 Aug 2026 18:30:00 MSK+3", "Tue, 04 Aug 2026 14:30:00 MSK-1", "2026-08-04T14:30:00+02", "2026-08-04T14:30+0200", "2026-08-04 14:30:00 +02:00", "2026-08-04T14:30:00+02:00:00",
			"2026-08-04T14:30:00:+0200", "2026-08-04T05:30:00-0700",
			// ISO 8601.
			"2026-08-04T12:30:00Z", "2026-08-04t12:30:00z", "2026-08-04T12:30:00.000000000Z", "2026-08-04T12:30:00,000Z", "2026-08-04T12:30Z", "20260804T123000Z",
			"20260804T1230Z", "2026-08-04T1230Z", "2026-08-04T123000+0000", "2026-8-4T12:30:00Z", "2026-08-04 12:30:00 UTC", "2026-08-04 at 12:30:00", "2026/08/04 12:30",
			// What C and JavaScript print.
			"Tue Aug  4 12:30:00 2026", "Tue Aug  4 12:30:00 UTC 2026", "Tue Aug  4 21:30:00 JST 2026", "Tue Aug 04 14:30:00 +0200 2026",
			"Tue Aug 04 2026 14:30:00 GMT+0200 (Central European Summer Time)", "Tue Aug 04 2026 14:30:00 GMT+0200 (Mitteleurop\u00e4ische Sommerzeit)",
			"Tue Aug 04 2026 08:30:00 GMT-0400 (Eastern Daylight Time)", "Tue Aug 04 2026 14:30:00 GMT+0200 (CEST)", "Tue Aug 04 2026 12:30:00",
			"8/4/2026, 12:30:00 PM", "Tue Aug 04 2026 08:30:00 Eastern Daylight Time", "2026-08-04 21:30:00 Japan Standard Time",
			// Without a zone, which is taken as UTC.
			"2026-08-04 12:30:00", "2026-08-04T12:30:00", "20260804123000", "August 4, 2026 12:30 PM", "August 4th, 2026, 12:30 p.m.", "Aug 4, 2026 at 12:30pm",
			"4 August 2026, 12:30", "04.08.2026 12:30", "4.8.2026 12:30:00", "12:30 04.08.2026", "12:30, 4 August 2026", "2026 August 04 12:30",
			"1785846600", "1785846600000", "1785846600.000",
		}},
		{at(0, 0, 0), []string{
			"2026-08-04", "20260804", "Tue, 04 Aug 2026", "4 Aug 2026", "August 4, 2026", "04.08.2026", "2026-08-03T24:00:00Z", "Mon, 03 Aug 2026 24:00:00 GMT",
			"2026-08-04T00Z", "2026/08/04", "12:00 am, August 4 2026", "2026-08-04T02:00+02:00", "4. August 2026", "2026年8月4日",
		}},
		{at(14, 5, 0), []string{
			"mar., 4 ao\u00fbt 2026 16:05:00 +0200", "mardi 4 ao\u00fbt 2026 \u00e0 14:05", "Di, 04. August 2026 14:05", "Dienstag, 4. Aug. 2026 14:05 Uhr",
			"4 de agosto de 2026, 14:05", "mar, 4 ago 2026 14:05:00", "martes 4 de agosto de 2026 14:05", "ter\u00e7a-feira, 4 de agosto de 2026 14:05",
			"marted\u00ec 4 agosto 2026 14:05", "\u0432\u0442, 4 \u0430\u0432\u0433 2026 17:05:00 +0300", "4 \u0430\u0432\u0433\u0443\u0441\u0442\u0430 2026 \u0433., 14:05", "4 \u0441\u0435\u0440\u043f\u043d\u044f 2026 14:05",
			"wt., 4 sie 2026 14:05:00", "4 sierpnia 2026 14:05", "4. srpna 2026 14:05", "dinsdag 4 augustus 2026 14:05 uur", "tis, 4 aug 2026 14:05", "4. elokuuta 2026 14:05",
			"4 A\u011fustos 2026 14:05", "Sal\u0131, 04 A\u011fu 2026 14:05:00", "2026\u5e748\u67084\u65e5 14:05", "2026\u5e748\u67084\u65e5(\u706b) 14\u664205\u5206", "2026\u5e748\u67084\u65e5 \u5348\u5f8c2:05", "2026\u5e748\u67084\u65e5 \u4e0b\u53482:05",
			"2026\ub144 8\uc6d4 4\uc77c \uc624\ud6c4 2:05", "2026. 8. 4. 14:05", "4 th\u00e1ng 8, 2026 14:05", "4 \u0623\u063a\u0633\u0637\u0633 2026 14:05", "4 \u05d1\u05d0\u05d5\u05d2\u05d5\u05e1\u05d8 2026 14:05",
			"\u0664 \u0623\u063a\u0633\u0637\u0633 \u0662\u0660\u0662\u0666 \u0661\u0664:\u0660\u0665", "4 \u0391\u03c5\u03b3\u03bf\u03cd\u03c3\u03c4\u03bf\u03c5 2026 14:05", "4 Agustus 2026 14:05", "4 august 2026 14:05", "2026. augusztus 4. 14:05",
			"August 4, 2026 2:05 PM", "4 Aug 2026 02:05 pm", "4 ao\u00fbt 2026 14h05", "\uff12\uff10\uff12\uff16-08-04 14:05", "4 d\u2019agost de 2026 14:05",
		}},
		{at(12, 30, 0).Add(123456789), []string{"2026-08-04T12:30:00.123456789Z", "2026-08-04T12:30:00,123456789Z", "2026-08-04T12:30:00.1234567890Z"}},
		{time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), []string{"2026-12-31T23:59:60Z", "2026-12-31T24:00:00Z", "Thu, 31 Dec 2026 24:00:00 GMT"}},
		{time.Date(1998, 2, 28, 0, 0, 0, 0, time.UTC), []string{"28 Feb 98", "28-feb-98", "28.02.98", "28/02/1998", "02/28/1998"}},
		{time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC), []string{"29 Feb 2028", "2028-02-29"}},
	} {
		for _, s := range c.texts {
			if got, ok := when.Parse(s); !ok || !got.Equal(c.want) {
				t.Errorf("%q: %v, %v; want %v", s, got, ok, c.want)
			}
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, s := range []string{
		"", " ", "yesterday", "12", "2026", "2026-03", "August 2026", "4 August", "12:30", "now", "never", "0", "-1785846600", "TBD", "Tue, GMT",
		// No such day or time.
		"31 Feb 2026", "2026-02-31", "2026-02-29", "Tue, 31 Feb 2026 12:00:00 GMT", "31.04.2026", "32 ao\u00fbt 2026", "0 Aug 2026", "2026-13-01", "2026-00-10", "0000-01-01",
		"2026-08-04T25:00:00Z", "2026-08-04T24:00:01Z", "2026-08-04T12:60:00Z", "2026-08-04T12:00:61Z", "2026-08-04 13:00 am",
		// Zones that nobody knows, or that several countries use.
		"Tue, 04 Aug 2026 12:30:00 XYZ", "Tue, 04 Aug 2026 12:30:00 A", "Tue, 04 Aug 2026 12:30:00 ET", "Tue, 04 Aug 2026 12:30:00 Europe/Berlin",
		"2026-08-04T12:30:00[Europe/Paris]", "Tue, 04 Aug 2026 12:30:00 (Lunar Standard Time)", "Tue, 04 Aug 2026 12:30:00 Lunar Time", "2026-08-04 12:30 local time",
		"Tue, 04 Aug 2026 12:30:00 EST+5", "Tue, 04 Aug 2026 12:30:00 EST5EDT", "Tue, 04 Aug 2026 12:30:00 Etc/GMT+5", "Tue, 04 Aug 2026 12:30:00 \u041c\u0421\u041a+",
		"Tue, 04 Aug 2026 12:30:00 +9900", "Tue, 04 Aug 2026 12:30:00 +0260", "Tue, 04 Aug 2026 12:30:00 +15:00", "Tue, 04 Aug 2026 12:30:00 +", "Tue Aug  4 12:30:00 XYZ 2026",
		"2026-08-04XYZ",
		// Day and month could be either.
		"03/04/2026", "3-4-2026 12:00", "4 August 2026 5 August 2026 12:30",
		strings.Repeat("4 August 2026 ", 100),
	} {
		if got, ok := when.Parse(s); ok {
			t.Errorf("%q is %v, want unknown", s, got)
		}
	}
}

// TestHostZone: the machine's own zone changes nothing.
func TestHostZone(t *testing.T) {
	local := time.Local
	t.Cleanup(func() { time.Local = local })
	texts := []string{
		"Tue, 04 Aug 2026 12:30:00 IST", "Tue, 04 Aug 2026 12:30:00 CST", "Tue, 04 Aug 2026 12:30:00 BST", "Tue, 04 Aug 2026 12:30:00", "2026-08-04",
		"Tue, 04 Aug 2026 12:30:00 XYZ", "Tue Aug  4 12:30:00 2026", "1785846600", "Tue, 04 Aug 2026 12:30:00 EST",
	}
	read := func() (all []time.Time) {
		for _, s := range texts {
			got, _ := when.Parse(s)
			all = append(all, got)
		}
		return all
	}
	time.Local = time.UTC
	want := read()
	for _, zone := range []*time.Location{
		time.FixedZone("IST", 2*3600), time.FixedZone("CST", 8*3600), time.FixedZone("XYZ", 3600), time.FixedZone("EST", 10*3600),
	} {
		time.Local = zone
		for i, got := range read() {
			if !got.Equal(want[i]) {
				t.Errorf("in %v %q is %v, and %v in UTC", zone, texts[i], got, want[i])
			}
		}
	}
}

// FuzzParse holds the parser against Go's own for the forms that leave no
// choice, and checks of all others that the answer does not change.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"Tue, 04 Aug 2026 12:30:00 GMT", "2026-08-04T12:30:00.5+02:00", "Tue Aug 04 2026 14:30:00 GMT+0200 (Central European Summer Time)", "4 ao\u00fbt 2026 14h05",
		"2026\u5e748\u67084\u65e5 \u5348\u5f8c2:05", "8/4/2026, 12:30:00 PM", "1785846600", "12:30 04.08.2026 -0700", "2026. 8. 4.",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := when.Parse(s)
		if again, okAgain := when.Parse(" " + s + "\n"); len(s) < 150 && (ok != okAgain || !got.Equal(again)) {
			t.Errorf("%q is %v, %v, and %v, %v with spaces around it", s, got, ok, again, okAgain)
		}
		if ok && (got.Year() < 1 || got.Year() > 10000) {
			t.Errorf("%q is %v", s, got)
		}
		for _, layout := range []string{time.RFC3339Nano, time.RFC1123Z} {
			want, err := time.Parse(layout, s)
			if err != nil || want.Year() < 1 || len(s) > 100 || s != want.Format(layout) {
				continue
			}
			if _, offset := want.Zone(); offset > 14*3600 || offset < -14*3600 {
				continue
			}
			if !ok || !got.Equal(want) {
				t.Errorf("%q is %v, %v; want %v", s, got, ok, want)
			}
		}
	})
}
