package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// MaxDepth is how deep a client's JSON may nest.
	MaxDepth = 32
	// MaxValues is how many values one filter may list.
	MaxValues = 1000
	// MaxValueLength is how long one value of a filter may be, in characters.
	MaxValueLength = 256
)

var (
	// ErrTooDeep: the JSON nests deeper than MaxDepth. The connection is
	// closed with 1009, as for a message that is too long.
	ErrTooDeep = fmt.Errorf("message nests deeper than %d levels", MaxDepth)
	// ErrNotJSON: the text does not parse.
	ErrNotJSON = errors.New("invalid JSON")
	// ErrNotObject: JSON, but no message.
	ErrNotObject = errors.New("invalid message: expected a JSON object with a type")
)

// Object reads one JSON object. Names count with their case, and of a name
// given twice the last one holds, as in the vendors' JavaScript.
func Object(text []byte) (map[string]json.RawMessage, error) {
	if tooDeep(text) {
		return nil, ErrTooDeep
	}
	var object map[string]json.RawMessage
	err := json.Unmarshal(text, &object)
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind), err == nil && object == nil:
		return nil, ErrNotObject
	case err != nil:
		return nil, ErrNotJSON
	}
	return object, nil
}

// tooDeep counts brackets outside strings, before the parser builds anything.
func tooDeep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// Given says whether a field was supplied: null counts as left out.
func Given(raw json.RawMessage) bool {
	return len(raw) > 0 && !bytes.Equal(raw, []byte("null"))
}

// Text reads a string field; "" where it was left out.
func Text(raw json.RawMessage, field string) (string, error) {
	if !Given(raw) {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fmt.Errorf("%s: expected a string", field)
	}
	return s, nil
}

// Type is the message's type; "" where there is none.
func Type(object map[string]json.RawMessage) (string, error) {
	return Text(object["type"], "type")
}

// Values reads a filter's list: trimmed, empty and repeated values dropped,
// order kept.
func Values(raw json.RawMessage, field string) ([]string, error) {
	if !Given(raw) {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%s: expected an array of strings", field)
	}
	return Tidy(list, field)
}

// Tidy is the normalisation of Values for a list that was read otherwise.
func Tidy(list []string, field string) ([]string, error) {
	if len(list) > MaxValues {
		return nil, fmt.Errorf("%s: %d values, at most %d are allowed", field, len(list), MaxValues)
	}
	seen := make(map[string]bool, len(list))
	kept := make([]string, 0, len(list))
	for _, s := range list {
		s = strings.TrimSpace(s)
		if utf8.RuneCountInString(s) > MaxValueLength {
			return nil, fmt.Errorf("%s: a value is longer than %d characters", field, MaxValueLength)
		}
		if s == "" || seen[s] {
			continue
		}
		seen[s] = true
		kept = append(kept, s)
	}
	return kept, nil
}

// Tickers reads a list of symbols: upper case, without '$'.
func Tickers(raw json.RawMessage, field string) ([]string, error) {
	list, err := Values(raw, field)
	if err != nil {
		return nil, err
	}
	for i, s := range list {
		list[i] = UpperASCII(strings.TrimLeft(s, "$"))
	}
	return Tidy(list, field)
}

// UpperASCII leaves letters beyond ASCII: the capital of a dotless i is an I,
// and another ticker.
func UpperASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

// LowerASCII likewise: usernames have no other capitals.
func LowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

// Clip shortens a client's own word for use in an error text.
func Clip(s string) string {
	const most = 64
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
