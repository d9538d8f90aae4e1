package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/birdwire/birdwire/gateway/client"
)

// queryError shows where in a query the error is.
type queryError struct {
	error
	query    string
	position int // characters from 0
}

func (e queryError) Unwrap() error { return e.error }

func (e queryError) Error() string {
	line, mark := caret(e.query, e.position)
	return fmt.Sprintf("%v\n  %s\n  %s", e.error, line, mark)
}

// inQuery adds the query to an error that names a place in it.
func inQuery(query string, err error) error {
	var at *client.Error
	if !errors.As(err, &at) || at.Position == nil || *at.Position < 0 || *at.Position > len([]rune(query)) {
		return err
	}
	return queryError{answer{at}, query, *at.Position}
}

// How much of a long query is shown before and after the mark, in characters.
const (
	caretBefore = 50
	caretBehind = 26
)

// caret is the part of the query around the place, on one line, and the line
// below it with a mark under the place.
func caret(query string, position int) (line, mark string) {
	runes := []rune(query)
	from, to := max(0, position-caretBefore), min(len(runes), position+caretBehind)
	var before, after strings.Builder
	if from > 0 {
		before.WriteRune('…')
	}
	for _, r := range runes[from:position] {
		before.WriteRune(visible(r))
	}
	for _, r := range runes[position:to] {
		after.WriteRune(visible(r))
	}
	if to < len(runes) {
		after.WriteRune('…')
	}
	return before.String() + after.String(), strings.Repeat(" ", cells(before.String())) + "^"
}

// visible keeps a character's column where printing it would move or command
// the terminal.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case printable(string(r)) == "":
		return '·'
	}
	return r
}
