package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Config says where the server is and who asks.
type Config struct {
	URL       string        // of the public listener, http or https; "host:port" is http
	Key       string        // API key
	HTTP      *http.Client  // default: one of its own; its Timeout is not used
	UserAgent string        // default "birdwire-go"
	Timeout   time.Duration // for one REST call or one handshake; default 30 s
}

func (c Config) withDefaults() Config {
	if c.HTTP == nil {
		c.HTTP = &http.Client{}
	}
	c.UserAgent = cmp.Or(c.UserAgent, "birdwire-go")
	c.Timeout = cmp.Or(max(c.Timeout, 0), 30*time.Second)
	return c
}

// Client speaks with one key. It is safe for use by several goroutines.
type Client struct {
	Resources // the key's own monitors and filter rules
	caller    *caller
	first     time.Duration // wait before coming back
	silence   time.Duration // that ends a connection
}

// New checks the configuration; it does not connect.
func New(cfg Config) (*Client, error) {
	c, err := newCaller(cfg, "X-API-Key", cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("new client: %w", err)
	}
	return &Client{
		caller: c, first: firstWait, silence: longSilence,
		Resources: Resources{caller: c, monitors: "/v1/twitter/stream/monitors", rules: "/v1/twitter/stream/filter-rules"},
	}, nil
}

// caller makes REST calls with one credential.
type caller struct {
	cfg    Config
	base   *url.URL
	http   *http.Client // without Timeout: contexts bound each call
	header string       // that carries the credential
	value  string
	secret string // never shown
}

func newCaller(cfg Config, header, secret string) (*caller, error) {
	cfg = cfg.withDefaults()
	text := cfg.URL
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	base, err := url.Parse(text)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("%q is no URL of a server: give http://HOST:PORT or https://HOST", cfg.URL)
	}
	if secret == "" {
		return nil, errors.New("a key or token is needed")
	}
	if strings.ContainsAny(secret, "\r\n") {
		return nil, errors.New("the key or token holds a line break: it was read with more than itself")
	}
	base.Path, base.RawQuery, base.Fragment = strings.TrimRight(base.Path, "/"), "", ""
	own := *cfg.HTTP
	own.Timeout = 0
	return &caller{cfg: cfg, base: base, http: &own, header: header, value: secret, secret: secret}, nil
}

// target is the URL of a path, which may hold escaped parts, and a query.
func (c *caller) target(path string, query url.Values) string {
	u := c.base.Scheme + "://" + c.base.Host + c.base.EscapedPath() + path
	if c.base.User != nil {
		u = c.base.Scheme + "://" + c.base.User.String() + "@" + c.base.Host + c.base.EscapedPath() + path
	}
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	return u
}

// mostOf is how long the call may still take, for errors.
func mostOf(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return time.Until(end).Round(100 * time.Millisecond)
}

// call sends in as JSON (nil: no body) and reads the answer into out (nil:
// there is none to read).
func (c *caller) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body io.Reader
	header := http.Header{}
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: encode: %w", method, path, err)
		}
		body = bytes.NewReader(text)
		header.Set("Content-Type", "application/json")
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	return c.send(ctx, method, path, query, header, body, out)
}

// send is call with a body as it is. Every error names the call.
func (c *caller) send(ctx context.Context, method, path string, query url.Values, header http.Header, body io.Reader, out any) error {
	res, err := c.do(ctx, method, path, query, header, body)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if out == nil {
		if res.StatusCode != http.StatusNoContent {
			return fmt.Errorf("%s %s: %w", method, path, foreign(res.StatusCode, head(res.Body)))
		}
		return nil
	}
	seen := &beginning{}
	err = json.NewDecoder(io.TeeReader(res.Body, seen)).Decode(out)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax), errors.As(err, &kind), errors.Is(err, io.EOF):
		return fmt.Errorf("%s %s: %w", method, path, foreign(res.StatusCode, seen.text))
	}
	return fmt.Errorf("%s %s: read the answer: %w", method, path, c.unreachable(err, mostOf(ctx)))
}

// beginning keeps how what is written to it begins.
type beginning struct{ text []byte }

func (b *beginning) Write(p []byte) (int, error) {
	b.text = append(b.text, p[:min(len(p), maxBeginning-len(b.text))]...)
	return len(p), nil
}

const maxBeginning = 4 << 10

// head is how a body begins; one that cannot be read says nothing.
func head(body io.Reader) []byte {
	text, _ := io.ReadAll(io.LimitReader(body, maxBeginning))
	return text
}

// do returns an answer that is no error; the caller closes its body.
func (c *caller) do(ctx context.Context, method, path string, query url.Values, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.target(path, query), body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, hideKey(err, c.secret))
	}
	req.Header = header
	req.Header.Set(c.header, c.value)
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	req.Header.Set("Accept", "application/json")
	most := mostOf(ctx)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, c.unreachable(err, most))
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		defer func() { _ = res.Body.Close() }()
		return nil, fmt.Errorf("%s %s: %w", method, path, readError(res))
	}
	return res, nil
}

// AdminToken reads the token that a server made in its data folder.
func AdminToken(data string) (string, error) {
	text, err := os.ReadFile(filepath.Join(data, "admin.token"))
	if err != nil {
		return "", fmt.Errorf("read admin token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
