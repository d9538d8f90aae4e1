package dialect

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// The encoders append by hand, because the documents' field order and the
// absence of HTML escaping are part of the contract, and because an event is
// encoded on the path to the socket: encoding/json costs five times as much.

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string, without HTML escaping. Bytes that
// are not UTF-8 become U+FFFD: a text frame may hold nothing else.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			b = appendEscape(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[start:i]...)
			b = utf8.AppendRune(b, utf8.RuneError)
			i++
			start = i
			continue
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// AppendStrings appends list as a JSON array; nil is [].
func AppendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, s)
	}
	return append(b, ']')
}

// AppendInts appends list as a JSON array; nil is [].
func AppendInts(b []byte, list []int64) []byte {
	b = append(b, '[')
	for i, n := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return append(b, ']')
}

// AppendFloat appends the shortest number that reads back as f, as JavaScript
// prints it; what JSON cannot say (NaN, infinity) is 0.
func AppendFloat(b []byte, f float64) []byte { return appendFloat(b, f, 64) }

// AppendFloat32 is AppendFloat for numbers that were kept as float32.
func AppendFloat32(b []byte, f float32) []byte { return appendFloat(b, float64(f), 32) }

func appendFloat(b []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, '0')
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, f, format, -1, bits)
}

// AppendVector appends an embedding as a JSON array, printed compactly.
func AppendVector(b []byte, v []float32) []byte {
	b = append(b, '[')
	for i, f := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendFloat32(b, f)
	}
	return append(b, ']')
}

// AppendTime appends Unix milliseconds as a quoted UTC time in layout; 0,
// which is unknown, as "".
func AppendTime(b []byte, ms int64, layout string) []byte {
	b = append(b, '"')
	if ms != 0 {
		b = time.UnixMilli(ms).UTC().AppendFormat(b, layout)
	}
	return append(b, '"')
}
