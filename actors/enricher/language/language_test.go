package language

import (
	"strings"
	"testing"
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
