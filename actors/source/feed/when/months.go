package when

import "strings"

// names are the twelve months of each language, folded: small letters without
// marks. Where a language bends them, the form in a date ("4 марта") comes
// after the other, with a '|' between.
var names = []string{
	"january february march april may june july august september october november december",
	"januar februar marz april mai juni juli august september oktober november dezember",
	"janner feber maerz april mai juni juli august september oktober november dezember",
	"janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
	"enero febrero marzo abril mayo junio julio agosto septiembre|setiembre octubre noviembre diciembre",
	"janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
	"gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
	"gener febrer marc abril maig juny juliol agost setembre octubre novembre desembre",
	"januari februari maart|mrt april mei juni juli augustus september oktober november december",
	"januari februari mars april maj juni juli augusti september oktober november december",
	"januar februar marts april maj juni juli august september oktober november december",
	"januar februar mars april mai juni juli august september oktober november desember",
	"tammikuu|tammikuuta helmikuu|helmikuuta maaliskuu|maaliskuuta huhtikuu|huhtikuuta toukokuu|toukokuuta kesakuu|kesakuuta heinakuu|heinakuuta elokuu|elokuuta syyskuu|syyskuuta lokakuu|lokakuuta marraskuu|marraskuuta joulukuu|joulukuuta",
	"styczen|stycznia luty|lutego marzec|marca kwiecien|kwietnia maj|maja czerwiec|czerwca lipiec|lipca sierpien|sierpnia wrzesien|wrzesnia pazdziernik|pazdziernika listopad|listopada grudzien|grudnia",
	"leden|ledna unor|unora brezen|brezna duben|dubna kveten|kvetna cerven|cervna cervenec|cervence srpen|srpna zari rijen|rijna listopad|listopadu prosinec|prosince",
	"januar|januara februar|februara marec|marca april|aprila maj|maja jun|juna jul|jula august|augusta september|septembra oktober|oktobra november|novembra december|decembra",
	"ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
	"januar februar marcius aprilis majus junius julius augusztus szeptember oktober november december",
	"ocak subat mart nisan mayis haziran temmuz agustos eylul ekim kasim aralik",
	"январь|января февраль|февраля март|марта апрель|апреля маи|мая июнь|июня июль|июля август|августа сентябрь|сентября октябрь|октября ноябрь|ноября декабрь|декабря",
	"січень|січня лютии|лютого березень|березня квітень|квітня травень|травня червень|червня липень|липня серпень|серпня вересень|вересня жовтень|жовтня листопад|листопада грудень|грудня",
	"януари февруари март април маи юни юли август септември октомври ноември декември",
	"ιανουαριος|ιανουαριου φεβρουαριος|φεβρουαριου μαρτιος|μαρτιου απριλιος|απριλιου μαιος|μαιου ιουνιος|ιουνιου ιουλιος|ιουλιου αυγουστος|αυγουστου σεπτεμβριος|σεπτεμβριου οκτωβριος|οκτωβριου νοεμβριος|νοεμβριου δεκεμβριος|δεκεμβριου",
	"januari februari maret april mei juni juli agustus september oktober november desember",
	"يناير فبراير مارس ابريل مايو يونيو يوليو اغسطس سبتمبر اكتوبر نوفمبر ديسمبر",
	"ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר",
	"जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर",
	"มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม",
}

// fixed are the short forms of English. They win over the beginnings of words
// of other languages: "mar" is March and not the Finnish marraskuu.
const fixed = "jan feb mar apr may jun jul aug sep|sept oct nov dec"

// months holds every name, and every beginning of one from three letters on.
// 0: several languages mean different months by it.
var months = func() map[string]int {
	all := map[string]int{}
	begin := func(s string, month int) {
		runes := []rune(s)
		for n := 3; n < len(runes); n++ {
			short := string(runes[:n])
			if have, ok := all[short]; ok && have != month {
				all[short] = 0
				continue
			}
			all[short] = month
		}
	}
	each(names, begin)
	// A whole name is never a mere beginning of another; one that is two months
	// in two languages is none.
	whole := map[string]int{}
	each(names, func(s string, month int) {
		if have, ok := whole[s]; ok && have != month {
			month = 0
		}
		whole[s] = month
	})
	for s, month := range whole {
		all[s] = month
	}
	each([]string{fixed}, func(s string, month int) { all[s] = month })
	return all
}()

func each(lines []string, do func(name string, month int)) {
	for _, line := range lines {
		for i, forms := range strings.Fields(line) {
			for form := range strings.SplitSeq(forms, "|") {
				do(fold(form), i+1)
			}
		}
	}
}

// monthOf is 1 to 12, or 0 where the word is no month.
func monthOf(word string) int {
	if month, ok := months[word]; ok {
		return month
	}
	return months[strings.TrimPrefix(word, "ב")] // Hebrew's "in", written as part of the word
}
