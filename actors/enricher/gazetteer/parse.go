package gazetteer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/birdwire/birdwire/actors/engine/text"
)

// lineMost is how long a line of a file may be.
const lineMost = 64 << 10

// Parse reads an operator's file: one JSON object a line with id, name, aliases,
// ticker and type. Empty lines and those that begin with '#' are passed over.
// The error names the first line that is wrong, and nothing is returned then:
// half a list would be taken for a whole one.
func Parse(r io.Reader) ([]Entry, error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4096), lineMost)
	var entries []Entry
	seen := map[int64]int{}
	for line := 1; s.Scan(); line++ {
		data := bytes.TrimSpace(s.Bytes())
		if len(data) == 0 || data[0] == '#' {
			continue
		}
		e, err := parseLine(data)
		if err == nil && seen[e.ID] != 0 {
			err = fmt.Errorf("id %d is that of line %d", e.ID, seen[e.ID])
		}
		if err == nil && len(entries) == entriesMost {
			err = fmt.Errorf("more than %d entries", entriesMost)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		seen[e.ID] = line
		entries = append(entries, e)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("after %d entries: %w", len(entries), err)
	}
	return entries, nil
}

func parseLine(data []byte) (Entry, error) {
	var l struct {
		ID      *int64   `json:"id"`
		Name    string   `json:"name"`
		Aliases []string `json:"aliases"`
		Ticker  string   `json:"ticker"`
		Type    string   `json:"type"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Entry{}, err
	}
	if d.More() {
		return Entry{}, errors.New("more than one object")
	}
	e := Entry{
		Name: strings.TrimSpace(l.Name), Kind: strings.TrimSpace(l.Type),
		Ticker: text.Upper(strings.TrimLeft(strings.TrimSpace(l.Ticker), "$")), Aliases: l.Aliases,
	}
	switch {
	case l.ID == nil:
		return Entry{}, errors.New("id is missing")
	case *l.ID < 1 || *l.ID >= ownIDs:
		return Entry{}, fmt.Errorf("id %d is not from 1 to %d", *l.ID, int64(ownIDs)-1)
	case len(e.Kind) > 64 || len(e.Ticker) > 16 || len(e.Aliases) > aliasesMost:
		return Entry{}, fmt.Errorf("type, ticker or aliases are too long: at most 64 bytes, 16 bytes, %d", aliasesMost)
	}
	e.ID = *l.ID
	for _, n := range append([]string{e.Name}, e.Aliases...) {
		if n == "" || len(n) > nameMost || !utf8.ValidString(n) || len(words(n)) == 0 || len(words(n)) > wordsMost {
			return Entry{}, fmt.Errorf("%q is no name: want 1 to %d words, at most %d bytes", text.Clip(n, 80), wordsMost, nameMost)
		}
	}
	return e, nil
}
