package markup

import "strings"

// Attributes calls each for every attribute of a tag, in order, until it
// returns false. Names are as written, values unescaped. One without a value
// is "".
func (t Token) Attributes(each func(name, value string) bool) {
	s := t.Text
	for {
		s = strings.TrimLeft(s, " \t\r\n/\"'=")
		if s == "" {
			return
		}
		end := strings.IndexAny(s, " \t\r\n=/\"'")
		if end < 0 {
			end = len(s)
		}
		name, value := s[:end], ""
		s = strings.TrimLeft(s[end:], " \t\r\n")
		if strings.HasPrefix(s, "=") {
			value, s = attributeValue(strings.TrimLeft(s[1:], " \t\r\n"))
		}
		if !each(name, Unescape(value)) {
			return
		}
	}
}

func attributeValue(s string) (value, rest string) {
	if s == "" {
		return "", ""
	}
	if quote := s[0]; quote == '"' || quote == '\'' {
		if n := strings.IndexByte(s[1:], quote); n >= 0 {
			return s[1 : 1+n], s[2+n:]
		}
		return s[1:], "" // its closing quote is missing
	}
	end := strings.IndexAny(s, " \t\r\n")
	if end < 0 {
		end = len(s)
	}
	return s[:end], s[end:]
}
