package gazetteer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func names(title, body string) string {
	found, tickers := Bundled().Find(title, body)
	var all []string
	for _, f := range found {
		all = append(all, fmt.Sprintf("%s %d", f.Name, f.Mentions))
	}
	return strings.Join(all, ", ") + "; " + strings.Join(tickers, " ")
}

func TestFind(t *testing.T) {
	for name, c := range map[string]struct{ title, body, want string }{
		"companies and their tickers": {
			"Microsoft and Google sue EU", "Microsoft Corp said on Monday that it goes to court. Alphabet's Google joined it.",
			"Microsoft 2, Alphabet 3, European Union 1; GOOGL MSFT",
		},
		"central banks":             {"Fed signals rate cut", "The Federal Reserve and the Bank of England met. England is a place.", "Federal Reserve 2, Bank of England 1, England 1; "},
		"words that are no names":   {"They told us who won the target", "Visa rules changed for us. Who knows what the visa is worth, on target or not.", "; "},
		"acronyms":                  {"WHO warns the US", "The WHO said the U.S. must act.", "World Health Organization 2, United States 2; "},
		"shouted headlines":         {"WHO TOLD US THE TRUTH ABOUT THIS TARGET", "", "; "},
		"a frequent word":           {"Target shares fall", "Shares of Target Corp (NYSE: TGT) fell. Target said so.", "Target Corp 4; TGT"},
		"tickers that no list has":  {"Shares move", "It rose (NASDAQ: ZZQX) with $ZZQY and (ZZQZ.N).", "; ZZQX ZZQY ZZQZ"},
		"names that no list has":    {"Minister resigns", "On Friday Maria van der Berg resigned. Prime Minister Maria van der Berg had led it.", "Maria van der Berg 2; "},
		"title case says nothing":   {"Big Storm Hits Long Beach As Many People Leave", "", "; "},
		"the longest name":          {"", "Reports by the Democratic Republic of the Congo and the Republic of the Congo.", "Democratic Republic of the Congo 1, Republic of the Congo 1; "},
		"apostrophes and ampersand": {"", "Both AT&T and McDonald's rose.", "AT&T 1, McDonald's 1; MCD T"},
		"nothing":                   {"", "", "; "},
	} {
		if got := names(c.title, c.body); !sameSet(got, c.want) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// sameSet compares without the order of equal mentions.
func sameSet(a, b string) bool {
	split := func(s string) []string {
		all := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' })
		for i := range all {
			all[i] = strings.TrimSpace(all[i])
		}
		slices.Sort(all)
		return all
	}
	return slices.Equal(split(a), split(b))
}

func TestMostMentionedComesFirst(t *testing.T) {
	found, _ := Bundled().Find("Tesla", "The maker Tesla and Ford Motor. Tesla again, and France.")
	if len(found) != 3 || found[0].Name != "Tesla, Inc." && found[0].Ticker != "TSLA" || found[0].Mentions != 3 {
		t.Errorf("%+v", found)
	}
}

// What an operator adds has priority over what is bundled.
func TestOperatorsEntries(t *testing.T) {
	entries, err := Parse(strings.NewReader(`
# ours
{"id":1,"name":"Acme Rockets","aliases":["Acme","rocket skates"],"ticker":"$acme","type":"company"}
{"id":2,"name":"Fed","type":"person"}
{"id":1012,"name":"Central Bank of Nowhere"}
`))
	if err != nil {
		t.Fatal(err)
	}
	g := Bundled().With(entries)
	found, tickers := g.Find("Acme falls", "Makers of rocket skates met the Fed, the Bank of Korea and Microsoft.")
	got := map[int64]string{}
	for _, f := range found {
		got[f.ID] = f.Name
	}
	want := map[int64]string{1: "Acme Rockets", 2: "Fed", companyIDs + 789019: "Microsoft"}
	if fmt.Sprint(got) != fmt.Sprint(want) || !slices.Contains(tickers, "ACME") {
		t.Errorf("%v %v, want %v", got, tickers, want)
	}
	if g.Len() != Bundled().Len()+2 {
		t.Errorf("%d entries, %d are bundled", g.Len(), Bundled().Len())
	}
}

func TestWrongFilesAreRefusedWhole(t *testing.T) {
	const good = `{"id":1,"name":"Acme"}` + "\n"
	for in, want := range map[string]string{
		good + `{"name":"x"}`:                                       "line 2: id is missing",
		good + `{"id":1,"name":"x"}`:                                "line 2: id 1 is that of line 1",
		good + `{"id":0,"name":"x"}`:                                "line 2: id 0 is not from 1",
		good + `{"id":9007199254740992,"name":"x"}`:                 "is not from 1",
		good + `{"id":2,"name":"…"}`:                                "is no name",
		good + `{"id":2,"name":"x","aliases":[""]}`:                 "is no name",
		good + `{"id":2,"name":"x","alias":["y"]}`:                  "unknown field",
		good + `{"id":2,"name":"x"} {}`:                             "more than one object",
		good + `[1]`:                                                "line 2:",
		good + `{"id":2,"name":"` + strings.Repeat("x", 300) + `"}`: "is no name",
		good + `{"id":2,"name":"` + strings.Repeat("x", lineMost):   "after 1 entries",
	} {
		if entries, err := Parse(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) || entries != nil {
			t.Errorf("%.80s: %v, want %s", in, err, want)
		}
	}
}

func TestIDsAreWhatJavaScriptHolds(t *testing.T) {
	for i := range 1000 {
		if id := OwnID(fmt.Sprint("Jane Doe ", i)); id < ownIDs || id >= 1<<53 {
			t.Fatalf("%d", id)
		}
	}
	if OwnID("JANE DOE") != OwnID("Jane Doe") {
		t.Error("the id depends on capitals")
	}
}

func FuzzFind(f *testing.F) {
	f.Add("Fed", "The Bank of\nEngland (NYSE: F) $A")
	f.Add("\xff", "U.S. d'Ivoire")
	f.Fuzz(func(t *testing.T, title, body string) {
		found, tickers := Bundled().Find(title, body)
		if len(found) > foundMost || len(tickers) > 2*foundMost {
			t.Errorf("%d found, %d tickers", len(found), len(tickers))
		}
		for _, e := range found {
			if e.ID < 1 || e.ID >= 1<<53 || e.Name == "" || e.Mentions < 1 {
				t.Errorf("%+v", e)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(`{"id":1,"name":"Acme","aliases":["x"],"ticker":"$A","type":"company"}`)
	f.Fuzz(func(t *testing.T, in string) {
		entries, err := Parse(strings.NewReader(in))
		if err != nil {
			return
		}
		g := Bundled().With(entries)
		for _, e := range entries {
			if _, ok := g.at[e.ID]; !ok {
				t.Errorf("%d is not there", e.ID)
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	body := strings.Repeat("Microsoft Corp said on Monday that it goes to court with the European Union. Jane Doe joined the Bank of England.\n", 20)
	Bundled()
	for b.Loop() {
		Bundled().Find("Microsoft and Google sue EU", body)
	}
}
