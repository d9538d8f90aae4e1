package language

import (
	"strings"
	"testing"

	"github.com/RadhiFadlillah/whatlanggo"
)

func TestOf(t *testing.T) {
	for text, want := range map[string]string{
		"Federal Reserve officials agreed that interest rates are likely to be cut in March.":             "en",
		"Die Bundesregierung hat am Montag beschlossen, dass die Steuern im nächsten Jahr sinken sollen.": "de",
		"Le gouvernement a annoncé lundi que les impôts baisseront l'année prochaine en France.":          "fr",
		"El gobierno anunció el lunes que los impuestos bajarán el próximo año en todo el país.":          "es",
		"O governo anunciou na segunda-feira que os impostos vão baixar no próximo ano no país.":          "pt",
		"Правительство объявило в понедельник, что налоги снизятся в следующем году.":                     "ru",
		"日本銀行は政策金利を引き上げた。市場は反応した。":                                                                        "ja",
		"中国人民银行周一宣布下调利率，市场作出反应。":                                                                          "zh",
		"정부는 월요일에 내년에 세금이 내릴 것이라고 발표했다.":                                                                  "ko",
		"أعلنت الحكومة يوم الاثنين أن الضرائب ستنخفض في العام المقبل.":                                    "ar",
		"Microsoft sues\nMicrosoft Corp went to court on Monday, its lawyers said.":                       "",
		"OK":               "",
		"":                 "",
		"12345 67890 !!!":  "",
		"BMW X5 M50i 2026": "",
	} {
		if got := Of(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// What is plainly English is so for the library, too; what quotes English, or is a
// list of its words in another language's text, is left to it.
func TestPlainlyEnglish(t *testing.T) {
	english := "The head of the bank said that rates are to be cut, and that it would say more about this by the end of the year."
	for text, want := range map[string]bool{
		english:                         true,
		"Rates cut: what the bank said": false,
		"Der Chef der Bank sagte, dass die Zinsen sinken: \"the end of the year\", and that to him by now it was enough, das sagte er am Montag vor Journalisten in Berlin und dann noch einmal in Wien": false,
		"De voorzitter van de bank zei dat de rente dit jaar daalt en dat het in de zomer meer wordt":                                                                                                    false,
	} {
		if got := plainlyEnglish(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if info := whatlanggo.Detect(english); info.Lang.Iso6391() != "en" {
		t.Errorf("the library takes it for %s", info.Lang.Iso6391())
	}
}

func BenchmarkOf(b *testing.B) {
	s := strings.Repeat("Officials of the Federal Reserve agreed that interest rates are likely to be cut in March, minutes of their meeting show. ", 15)
	for b.Loop() {
		Of(s)
	}
}

func FuzzOf(f *testing.F) {
	f.Add("Federal Reserve officials")
	f.Add("\xff\xfe日")
	f.Fuzz(func(t *testing.T, s string) {
		if tag := Of(s); tag != "" && len(tag) != 2 && len(tag) != 3 {
			t.Errorf("%q", tag)
		}
	})
}

func TestLongTextsAreReadInPart(t *testing.T) {
	if got := Of(strings.Repeat("Officials agreed that the rates are to be cut. ", 50_000)); got != "en" {
		t.Error(got)
	}
}
