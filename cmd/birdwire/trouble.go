package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

// target is who was asked, and with what, for errors.
type target struct{ address, setting, credential string }

func (c *config) atAdmin() target {
	credential := c.origin(setAdminToken.key)
	if !c.isSet(setAdminToken.key) {
		credential = "--admin, and the token in " + filepath.Join(c.str("data"), "admin.token")
	}
	return target{"http://" + reachable(c.str("admin")), "--" + setAdmin.flag(), credential}
}

func (c *config) atPublic() target {
	credential := c.origin(setKey.key)
	if !c.isSet(setKey.key) {
		credential = "the keys in " + filepath.Join(c.str("data"), devKeysFile)
	}
	return target{c.serverURL(), "--" + setServer.flag(), credential}
}

// explain says of an error what a person can do about it.
func (t target) explain(err error) error {
	var answered *client.Error
	var query queryError
	var lost *client.Unreachable
	var untrusted *tls.CertificateVerificationError
	switch {
	case err == nil, errors.As(err, &query):
		return err
	case errors.As(err, &answered) && answered.Foreign:
		return fmt.Errorf("%s: %w: check %s", t.address, answered, t.setting)
	case errors.As(err, &answered) && answered.Status == http.StatusUnauthorized:
		return fmt.Errorf("%w: check %s", answer{answered}, t.credential)
	case errors.As(err, &answered):
		return answer{answered}
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing answers at %s: is 'birdwire serve' running, and is that its address?", t.address)
	case errors.As(err, &untrusted):
		return fmt.Errorf("%w; SSL_CERT_FILE can name the file of a certificate to trust", briefly(err))
	case errors.As(err, &lost):
		return fmt.Errorf("%w: check %s", lost, t.setting)
	}
	return err
}

// answer is what the server said, in its words: who asked knows what was asked.
type answer struct{ said *client.Error }

func (a answer) Unwrap() error { return a.said }

func (a answer) Error() string {
	if a.said.Detail == "" || a.said.Foreign {
		return a.said.Error()
	}
	return strings.TrimSuffix(a.said.Detail, ".") // an error is no sentence: more may follow
}

// briefly is an error without the words for what was asked, for a line that says
// that it is asked again.
func briefly(err error) error {
	var answered *client.Error
	var lost *client.Unreachable
	switch {
	case errors.As(err, &answered):
		return answer{answered}
	case errors.As(err, &lost):
		return lost
	}
	return err
}

// waitNote is how long an answer may take before somebody who watches is told
// what is being waited for.
const waitNote = 3 * time.Second

// patient is a client that says so, once, where a server takes its time: one that
// takes a connection and says nothing looks like a program that hangs.
func (c *config) patient() *http.Client {
	return &http.Client{Transport: &waiting{notes: c.notes}}
}

type waiting struct {
	notes io.Writer
	once  sync.Once
}

func (w *waiting) RoundTrip(r *http.Request) (*http.Response, error) {
	server := r.URL.Scheme + "://" + r.URL.Host
	note := time.AfterFunc(waitNote, func() {
		w.once.Do(func() { fmt.Fprintf(w.notes, "%s has not answered yet; waiting for it\n", server) })
	})
	defer note.Stop()
	return http.DefaultTransport.RoundTrip(r)
}
