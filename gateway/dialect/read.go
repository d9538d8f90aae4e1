package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// Only refuses the first field, in order of the alphabet, that is none of the
// known ones and holds something: a filter that is not understood would narrow
// nothing, and the client would get, and pay for, everything.
func Only(object map[string]json.RawMessage, known ...string) error {
	for _, field := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(known, field) && Given(object[field]) {
			return fmt.Errorf("%s: unknown, expected %s", Clip(field), words(known))
		}
	}
	return nil
}

// OnlyFilters refuses what in a message, beside its type and its filters, would
// have to narrow the subscription: a field with a filter's name, in any case, in
// singular or plural, and any list or object. What else an envelope may carry,
// such as a number of the request, is ignored.
func OnlyFilters(message map[string]json.RawMessage, filters ...string) error {
	for _, field := range slices.Sorted(maps.Keys(message)) {
		raw := message[field]
		if field == "type" || field == "filters" || !Given(raw) {
			continue
		}
		named := func(filter string) bool { return singular(filter) == singular(field) }
		if named("filters") || slices.ContainsFunc(filters, named) {
			return fmt.Errorf(`%s: not a field of this message, expected inside "filters"`, Clip(field))
		}
		if raw[0] == '[' || raw[0] == '{' {
			return fmt.Errorf("%s: not a field of this message, expected type and filters", Clip(field))
		}
	}
	return nil
}

func singular(word string) string {
	word = strings.ToLower(word)
	if stem, ok := strings.CutSuffix(word, "ies"); ok {
		return stem + "y"
	}
	return strings.TrimSuffix(word, "s")
}

// words is "a, b or c".
func words(list []string) string {
	last := len(list) - 1
	if last < 1 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:last], ", ") + " or " + list[last]
}

// Values reads a filter's list: trimmed, empty and repeated values dropped,
// order kept. A list of nothing but empty values is refused, where one without
// values matches everything: whoever sends [""] has meant some value.
func Values(raw json.RawMessage, field string) ([]string, error) {
	if !Given(raw) {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%s: expected an array of strings", field)
	}
	return narrowing(list, field)
}

// narrowing is Tidy for a list that a client sent.
func narrowing(list []string, field string) ([]string, error) {
	kept, err := Tidy(list, field)
	if err == nil && len(kept) == 0 && len(list) > 0 {
		return nil, fmt.Errorf("%s: holds only empty values, which would match everything; leave it out or send []", field)
	}
	return kept, err
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
	return narrowing(list, field)
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
