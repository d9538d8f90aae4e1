package actors

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TextFault says why s is not a text that an owner may set, "" when it is:
// least to most characters, and nothing that a terminal or a log would act on.
func TextFault(s string, least, most int) string {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case n == 0 && least > 0:
		return "must not be empty"
	case n < least:
		return fmt.Sprintf("has %d characters, at least %d are needed", n, least)
	case n > most:
		return fmt.Sprintf("has %d characters, at most %d are allowed", n, most)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "must not contain control characters"
	}
	return ""
}
