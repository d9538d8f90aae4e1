package ws

import (
	"strings"
)

// extensionsHeader carries a client's offers and the server's answer.
const extensionsHeader = "Sec-WebSocket-Extensions"

// deflateAnswer is what we agree to: no window is kept from one message to the
// next, so that compressed frames are shared between connections.
const deflateAnswer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// agree answers the offers in the header's lines: the first one of
// permessage-deflate that we can keep to, as RFC 7692, section 7, says; "" is
// none of them. A header that is not well formed offers nothing: the client is
// served without compression, which every client can do.
func agree(lines []string) (answer string) {
	offers, ok := parseExtensions(strings.Join(lines, ","))
	if !ok {
		return ""
	}
	for _, o := range offers {
		if answer, ok := o.accept(); ok {
			return answer
		}
	}
	return ""
}

// accept declines, as it must, what has unknown, repeated or invalid
// parameters.
func (o extension) accept() (answer string, ok bool) {
	if o.name != "permessage-deflate" {
		return "", false
	}
	answer = deflateAnswer
	seen := make(map[string]bool, len(o.params))
	for _, p := range o.params {
		if seen[p.name] {
			return "", false
		}
		seen[p.name] = true
		switch p.name {
		case "server_no_context_takeover", "client_no_context_takeover":
			ok = !p.valued
		case "client_max_window_bits": // a client may use less than the 15 that we inflate with
			ok = !p.valued || windowBits(p.value)
		case "server_max_window_bits": // we compress with 15, and an answer to this one repeats it
			ok = p.value == "15"
			answer += "; server_max_window_bits=15"
		default:
			ok = false
		}
		if !ok {
			return "", false
		}
	}
	return answer, true
}

// windowBits: a decimal from 8 to 15 without leading zeros.
func windowBits(s string) bool {
	switch s {
	case "8", "9", "10", "11", "12", "13", "14", "15":
		return true
	}
	return false
}

type extension struct {
	name   string
	params []extensionParam
}

type extensionParam struct {
	name, value string
	valued      bool
}

// parseExtensions reads the grammar of RFC 6455, section 9.1:
//
//	extension *( "," extension ), extension = token *( ";" token [ "=" ( token | quoted token ) ] )
//
// with elements of the list left empty, as RFC 9110 has receivers bear.
func parseExtensions(text string) (list []extension, ok bool) {
	p := &extensionParser{text: text}
	for {
		for p.take(',') {
		}
		if p.end() {
			return list, true
		}
		e := extension{name: p.token()}
		for e.name != "" && p.take(';') {
			param := extensionParam{name: p.token()}
			if param.name == "" {
				return nil, false
			}
			if p.take('=') {
				if param.value, param.valued = p.value(), true; param.value == "" {
					return nil, false
				}
			}
			e.params = append(e.params, param)
		}
		if e.name == "" || !p.end() && !p.take(',') {
			return nil, false
		}
		list = append(list, e)
	}
}

type extensionParser struct{ text string }

func (p *extensionParser) space() { p.text = strings.TrimLeft(p.text, " \t") }

func (p *extensionParser) end() bool {
	p.space()
	return p.text == ""
}

func (p *extensionParser) take(c byte) bool {
	p.space()
	if p.text == "" || p.text[0] != c {
		return false
	}
	p.text = p.text[1:]
	return true
}

// token is "" where there is none.
func (p *extensionParser) token() string {
	p.space()
	n := 0
	for n < len(p.text) && isTokenByte(p.text[n]) {
		n++
	}
	token := p.text[:n]
	p.text = p.text[n:]
	return token
}

// value is a token or, in quotes, what is one without them; "" is neither.
func (p *extensionParser) value() string {
	if !p.take('"') {
		return p.token()
	}
	var b strings.Builder
	for i := 0; i < len(p.text); i++ {
		c := p.text[i]
		switch {
		case c == '"':
			p.text = p.text[i+1:]
			return b.String()
		case c == '\\' && i+1 < len(p.text):
			i++
			c = p.text[i]
		}
		if !isTokenByte(c) {
			return ""
		}
		b.WriteByte(c)
	}
	return ""
}

// isTokenByte is RFC 9110's tchar.
func isTokenByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
