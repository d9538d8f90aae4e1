package dialect

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/birdwire/birdwire/messages"
)

// ErrCursor: the text is not a cursor.
var ErrCursor = errors.New(`malformed cursor: expected <epoch>-<position>.<k> as received in "cursor", or "new"`)

// maxEpoch is generous: the log's own epochs have 8 to 16 letters and digits.
const maxEpoch = 32

// ParseCursor reads what AppendCursor wrote, and only that: a cursor has one
// spelling, so that clients may compare them as text.
func ParseCursor(text string) (messages.Cursor, error) {
	epoch, place, ok := strings.Cut(text, "-")
	if !ok || epoch == "" || len(epoch) > maxEpoch || strings.ContainsFunc(epoch, notAlphanumeric) {
		return messages.Cursor{}, ErrCursor
	}
	position, k, ok := strings.Cut(place, ".")
	if !ok {
		return messages.Cursor{}, ErrCursor
	}
	p, err := parseCanonical(position, 64)
	if err != nil {
		return messages.Cursor{}, ErrCursor
	}
	n, err := parseCanonical(k, 32)
	if err != nil {
		return messages.Cursor{}, ErrCursor
	}
	return messages.Cursor{Epoch: epoch, Position: messages.Position(p), K: uint32(n)}, nil
}

// After is the cursor of a client that has had everything up to and including
// position, whatever the numbers of its rules.
func After(epoch string, position messages.Position) messages.Cursor {
	k := uint32(math.MaxUint32)
	if position == messages.EndOf(position.Sequence()) {
		k = 0 // no event is there: the short form says the same
	}
	return messages.Cursor{Epoch: epoch, Position: position, K: k}
}

// AppendCursor appends the cursor's text, <epoch>-<position>.<k>.
func AppendCursor(b []byte, c messages.Cursor) []byte {
	b = append(b, c.Epoch...)
	b = append(b, '-')
	b = strconv.AppendUint(b, uint64(c.Position), 10)
	b = append(b, '.')
	return strconv.AppendUint(b, uint64(c.K), 10)
}

// AppendCursorFrame appends the control frame that keeps a client's place
// where nothing matched for long.
func AppendCursorFrame(b []byte, c messages.Cursor) []byte {
	b = append(b, `{"type":"cursor","cursor":"`...)
	b = AppendCursor(b, c)
	return append(b, `"}`...)
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// parseCanonical refuses signs and leading zeros, which ParseUint lets pass.
func parseCanonical(digits string, bits int) (uint64, error) {
	if digits == "" || digits[0] == '+' || (digits[0] == '0' && len(digits) > 1) {
		return 0, ErrCursor
	}
	return strconv.ParseUint(digits, 10, bits)
}
