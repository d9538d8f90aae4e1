package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// notAnObject says what a value is that is no object.
func notAnObject(data []byte) error {
	if wrong := notJSON(data); wrong != nil {
		return wrong
	}
	data = bytes.TrimSpace(data)
	switch data[0] {
	case '[':
		return errors.New("want an object, got an array")
	case '"':
		return fmt.Errorf("want an object, got the string %s", short(string(data)))
	case 't', 'f', 'n':
		return fmt.Errorf("want an object, got %s", data)
	}
	return fmt.Errorf("want an object, got the number %s", short(string(data)))
}

// notJSON says where data stops being one JSON value, in characters from 1, and
// what is there. nil where it is one.
func notJSON(data []byte) error {
	var all json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(data, &all); !errors.As(err, &syntax) {
		return nil
	}
	if strings.Contains(syntax.Error(), "depth") {
		return errors.New("nested too deep")
	}
	at := int(syntax.Offset) - 1
	if at < 0 || at >= len(data) || strings.Contains(syntax.Error(), "unexpected end") {
		return errors.New("not JSON: ends inside a value")
	}
	inString := strings.Contains(syntax.Error(), "string literal")
	from, to := wordAt(data, at, !inString && strings.Contains(syntax.Error(), "literal"))
	where := utf8.RuneCount(data[:from]) + 1
	what := fmt.Sprintf("%q", short(string(data[from:to])))
	switch {
	case data[at] < ' ' && inString:
		return fmt.Errorf("not JSON: the control character U+%04X at character %d is inside a string, where it is written \\u%04x", data[at], where, data[at])
	case strings.Contains(syntax.Error(), "after top-level value"):
		return fmt.Errorf("not JSON: %s at character %d, after the end of the value: one line holds one", what, where)
	case data[at] == '\'':
		return fmt.Errorf("not JSON: %s at character %d: strings are in double quotation marks", what, where)
	}
	return fmt.Errorf("not JSON: %s at character %d", what, where)
}

// wordAt is the word at data[at], or the one that ended right before it; else
// the character there.
func wordAt(data []byte, at int, ended bool) (from, to int) {
	part := func(c byte) bool {
		return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-' || c == '+' || c >= utf8.RuneSelf
	}
	if from, to = at, at; !part(data[at]) && !ended {
		return at, at + 1
	}
	for to < len(data) && part(data[to]) {
		to++
	}
	for from > 0 && part(data[from-1]) {
		from--
	}
	if from == to {
		to++
	}
	return from, to
}

func short(s string) string {
	const most = 40
	if utf8.RuneCountInString(s) > most {
		return string([]rune(s)[:most]) + "…"
	}
	return s
}
