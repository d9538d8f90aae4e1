package ws_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/messages"
)

// ask sends bytes as they are and reads the head of what is answered.
func (h *house) ask(t *testing.T, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q is answered without HTTP: %v", request, err)
	}
	return answer
}

const nonce = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

// Whatever a handshake's headers look like, the client is upgraded or has an
// answer over HTTP that says what is missing.
func TestHandshakes(t *testing.T) {
	h := newHouse(t)
	const version, connection, upgrade = "Sec-WebSocket-Version: 13", "Connection: Upgrade", "Upgrade: websocket"
	for name, c := range map[string]struct {
		line   string // of the request, with PATH in it; "" is an ordinary one
		head   []string
		status int
	}{
		"as most send it":                  {head: []string{connection, upgrade, version, nonce}, status: 101},
		"any case":                         {head: []string{"CONNECTION: uPgRaDe", "uPGRADE: WebSocket", "sec-websocket-version: 13", strings.Replace(nonce, "Key", "key", 1)}, status: 101},
		"a list":                           {head: []string{"Connection: keep-alive, Upgrade", upgrade, version, nonce}, status: 101},
		"a list without spaces":            {head: []string{"Connection: keep-alive,Upgrade,foo", upgrade, version, nonce}, status: 101},
		"a list with tabs and holes":       {head: []string{"Connection: ,\tkeep-alive\t, \t Upgrade ,,", upgrade, version, nonce}, status: 101},
		"two lines":                        {head: []string{"Connection: keep-alive", connection, upgrade, version, nonce}, status: 101},
		"two lines, the other way":         {head: []string{connection, "Connection: keep-alive", upgrade, version, nonce}, status: 101},
		"Upgrade is a list":                {head: []string{connection, "Upgrade: h2c, websocket", version, nonce}, status: 101},
		"Upgrade is a list, first":         {head: []string{connection, "Upgrade: WEBSOCKET , foo/2", version, nonce}, status: 101},
		"Upgrade on two lines":             {head: []string{connection, "Upgrade: h2c", upgrade, version, nonce}, status: 101},
		"Upgrade on two lines, first":      {head: []string{connection, upgrade, "Upgrade: foo", version, nonce}, status: 101},
		"both on two lines":                {head: []string{"Connection: foo, keep-alive", "Connection: bar, upgrade", "Upgrade: h2c", "Upgrade: foo, websocket", version, nonce}, status: 101},
		"Connection: close as well":        {head: []string{"Connection: close, Upgrade", upgrade, version, nonce}, status: 101},
		"white space around values":        {head: []string{"Connection:    Upgrade   ", "Upgrade:\twebsocket\t", "Sec-WebSocket-Version:   13  ", nonce + "   "}, status: 101},
		"many others":                      {head: []string{connection, upgrade, version, nonce, "Origin: https://example.com", "Cookie: a=b", "Sec-WebSocket-Protocol: chat", "Accept: */*"}, status: 101},
		"no upgrade":                       {status: 426},
		"Connection is missing":            {head: []string{upgrade, version, nonce}, status: 426},
		"Connection is another word":       {head: []string{"Connection: keep-alive", upgrade, version, nonce}, status: 426},
		"Connection only holds the word":   {head: []string{"Connection: upgraded, xupgrade", upgrade, version, nonce}, status: 426},
		"Upgrade is missing":               {head: []string{connection, version, nonce}, status: 426},
		"Upgrade is something else":        {head: []string{connection, "Upgrade: h2c", version, nonce}, status: 426},
		"Upgrade only holds the word":      {head: []string{connection, "Upgrade: websockets, x-websocket", version, nonce}, status: 426},
		"no version":                       {head: []string{connection, upgrade, nonce}, status: 426},
		"version 8":                        {head: []string{connection, upgrade, "Sec-WebSocket-Version: 8", nonce}, status: 426},
		"version 13 and 8":                 {head: []string{connection, upgrade, "Sec-WebSocket-Version: 13, 8", nonce}, status: 426},
		"version 13 twice":                 {head: []string{connection, upgrade, version, version, nonce}, status: 426},
		"version that is no number":        {head: []string{connection, upgrade, "Sec-WebSocket-Version: x", nonce}, status: 426},
		"HTTP/1.0":                         {line: "GET PATH HTTP/1.0", head: []string{connection, upgrade, version, nonce}, status: 426},
		"no nonce":                         {head: []string{connection, upgrade, version}, status: 400},
		"empty nonce":                      {head: []string{connection, upgrade, version, "Sec-WebSocket-Key:"}, status: 400},
		"nonce of 15 bytes":                {head: []string{connection, upgrade, version, "Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1"}, status: 400},
		"nonce of 17 bytes":                {head: []string{connection, upgrade, version, "Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Njc="}, status: 400},
		"nonce that is no base64":          {head: []string{connection, upgrade, version, "Sec-WebSocket-Key: ~~~~~~~~~~~~~~~~~~~~~~=="}, status: 400},
		"nonce twice":                      {head: []string{connection, upgrade, version, nonce, nonce}, status: 400},
		"POST":                             {line: "POST PATH HTTP/1.1", head: []string{connection, upgrade, version, nonce, "Content-Length: 0"}, status: 405},
		"HEAD":                             {line: "HEAD PATH HTTP/1.1", head: []string{connection, upgrade, version, nonce}, status: 405},
		"CONNECT":                          {line: "CONNECT PATH HTTP/1.1", head: []string{connection, upgrade, version, nonce}, status: 405},
		"a method of one's own":            {line: "BREW PATH HTTP/1.1", head: []string{connection, upgrade, version, nonce}, status: 405},
		"HTTP/2 without asking":            {line: "PRI * HTTP/2.0", status: 404},
		"HTTP/3.0":                         {line: "GET PATH HTTP/3.0", head: []string{connection, upgrade, version, nonce}, status: 505},
		"a name with a space":              {head: []string{"Connection : Upgrade", upgrade, version, nonce}, status: 400},
		"a line that is continued":         {head: []string{"Connection: keep-alive,", " Upgrade", upgrade, version, nonce}, status: 101},
		"a request that is none":           {line: "hello", status: 400},
		"absolute form":                    {line: "GET http://testPATH HTTP/1.1", head: []string{connection, upgrade, version, nonce}, status: 101},
		"upgrade with a body that is long": {head: []string{connection, upgrade, version, nonce, "Content-Length: 5"}, status: 101},
	} {
		t.Run(name, func(t *testing.T) {
			for _, api := range []messages.Api{tw, news, kite} {
				line := c.line
				if line == "" {
					line = "GET PATH HTTP/1.1"
				}
				request := strings.Replace(line, "PATH", paths[api], 1) + "\r\nHost: test\r\n" + strings.Join(append(c.head, "", ""), "\r\n")
				answer := h.ask(t, request)
				if answer.StatusCode != c.status {
					t.Fatalf("%v: %s, want %d", api, answer.Status, c.status)
				}
				switch c.status {
				case 101:
					if got := answer.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
						t.Errorf("%v: accepted with %q", api, got)
					}
					if got := answer.Header.Get("X-Request-Id"); !strings.HasPrefix(got, "req-") {
						t.Errorf("%v: the answer's id is %q", api, got)
					}
					h.next(t)
				case 426:
					if answer.Header.Get("Sec-WebSocket-Version") != "13" || answer.Header.Get("Upgrade") != "websocket" {
						t.Errorf("%v: 426 with %v; want what would be right", api, answer.Header)
					}
				case 405:
					if answer.Header.Get("Allow") == "" {
						t.Errorf("%v: 405 without Allow", api)
					}
				}
			}
		})
	}
}
