package text

import "strings"

// Cut says of a classic retweet's own text, "RT @user: the beginn…", what of it
// is not the text that it retweets: what comes before it, "RT @user: ", and
// what comes after the place where it was cut. False where own is not such a
// text, or nothing was cut.
func Cut(own, retweeted string) (before, after string, cut bool) {
	end, after := CutEnd(own)
	if end < 0 {
		return "", "", false
	}
	head := 0
	if len(own) > 4 && strings.EqualFold(own[:4], "RT @") {
		if colon := strings.Index(own, ": "); colon > 0 && colon < end && isName(own[4:colon]) {
			head = colon + 2
		}
	}
	if head > end {
		return "", "", false
	}
	kept := strings.TrimRight(own[head:end], " ")
	if head == 0 && kept == "" || len(kept) >= len(retweeted) || !strings.HasPrefix(retweeted, kept) || strings.HasPrefix(retweeted, own[head:]) {
		return "", "", false
	}
	return own[:head], after, true
}

// CutEnd is where what is left of a cut text ends, and what comes after the mark
// of the cut; -1 where there is no such mark. What touches it may be half of
// something.
func CutEnd(own string) (end int, after string) {
	if end = cutAt(own); end >= 0 {
		return end, ""
	}
	// X once put the address of the whole text after the cut.
	space := strings.LastIndexByte(own, ' ')
	if space < 0 || !strings.HasPrefix(own[space+1:], "http") {
		return -1, ""
	}
	return cutAt(own[:space]), own[space:]
}

// cutAt is where the mark of a cut at the end of s begins; -1.
func cutAt(s string) int {
	switch {
	case strings.HasSuffix(s, "…"):
		return len(s) - len("…")
	case strings.HasSuffix(s, "..."):
		return len(s) - len("...")
	}
	return -1
}

func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) && s[i] != '.' && s[i] != '-' && s[i] != '@' { // other networks' have domains
			return false
		}
	}
	return s != ""
}
