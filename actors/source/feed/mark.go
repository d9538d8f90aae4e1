package feed

import (
	"encoding/json"
	"net/http"
)

// mark is what a feed remembers between polls and across restarts.
type mark struct {
	URL          string `json:"url"`             // as configured; with another one all of this is void
	Moved        string `json:"moved,omitempty"` // where it permanently went
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	Body         []byte `json:"body,omitempty"`       // SHA-256 of the last document that was read
	NotBefore    int64  `json:"not_before,omitempty"` // Unix milliseconds; the server's Retry-After

	Identity identities `json:"identity,omitzero"`
	Schedule schedule   `json:"schedule,omitzero"` // the last document's; a 304 has none
	Warning  string     `json:"warning,omitempty"` // the last document's, for as long as it is the same
}

// readMark never fails: a mark that cannot be read costs one full download.
func readMark(data []byte, url string) mark {
	var m mark
	if json.Unmarshal(data, &m) != nil || m.URL != url {
		return mark{URL: url}
	}
	return m
}

func (m mark) bytes() []byte {
	data, err := json.Marshal(m)
	if err != nil {
		panic("feed: a struct of strings does not marshal: " + err.Error())
	}
	return data
}

func (m mark) target() string {
	if m.Moved != "" {
		return m.Moved
	}
	return m.URL
}

func (m mark) condition(h http.Header) {
	if m.ETag != "" {
		h.Set("If-None-Match", m.ETag)
	}
	if m.LastModified != "" {
		h.Set("If-Modified-Since", m.LastModified)
	}
}

// validators takes what the response says of the document. One validator that
// is missing while the other is unchanged is kept: some servers and most
// caches in front of them leave one out at times, and dropping it would make
// every later poll a full download. With a document that changed, a missing
// one is gone.
func (m *mark) validators(h http.Header, notModified bool) {
	etag, modified := short(h.Get("ETag")), short(h.Get("Last-Modified"))
	sameETag := notModified || etag != "" && etag == m.ETag
	sameModified := notModified || modified != "" && modified == m.LastModified
	if etag != "" || !sameModified {
		m.ETag = etag
	}
	if modified != "" || !sameETag {
		m.LastModified = modified
	}
}

// short keeps the mark small whatever a server sends.
func short(validator string) string {
	if len(validator) > 1024 {
		return ""
	}
	return validator
}

// forget makes the next poll unconditional: what was downloaded last could not
// be read, and asking whether it changed would be told no.
func (m *mark) forget() {
	m.ETag, m.LastModified, m.Body, m.Schedule, m.Warning = "", "", nil, schedule{}, ""
}
