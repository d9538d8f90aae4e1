package client

import (
	"encoding/json"
	"fmt"
	"time"
)

// Message is one frame of a stream.
type Message struct {
	Event  Event
	Cursor string          // to go on after this event; "" where the stream was opened without Resume
	Raw    json.RawMessage // the frame as it came
}

// Event is one of the pointers to the structs below.
type Event interface{ event() }

// Connected is the first frame of twitter and kite.
type Connected struct {
	ConnectionID string `json:"connection_id"` // twitter
	APIKeyID     string `json:"api_key_id"`    // twitter
	Message      string `json:"message"`       // kite
}

// Subscribed answers Subscribe and Unsubscribe: what comes after it is decided
// by the new filters.
type Subscribed struct {
	EmbeddingFilters int          `json:"embedding_filters"` // newsrank: how many
	EmbeddingModel   string       `json:"embedding_model"`   // newsrank
	Filters          *KiteFilters `json:"filters"`           // kite
}

// Fault is the server's word that it could not serve a message, or why it will
// close, or that a cursor is too old and where the log begins.
type Fault struct {
	Code int    // twitter's 4001 and 4003; else 0
	Text string // for a person
}

// Checkpoint keeps the cursor near the log's end while nothing matches.
type Checkpoint struct{}

// Pong answers Ping.
type Pong struct{}

// Unknown is a frame of a type that this SDK does not know.
type Unknown struct{ Type string }

// Tweet is twitter's new_tweet. One post is one Tweet for each monitor and
// rule that it matches.
type Tweet struct {
	Source         string    `json:"source"` // monitor | filter_rule
	MonitorID      string    `json:"monitor_id"`
	MonitorName    string    `json:"monitor_name"`
	RuleID         string    `json:"rule_id"`
	RuleTag        string    `json:"rule_tag"`
	TweetID        string    `json:"tweet_id"`
	AuthorUsername string    `json:"author_username"`
	TweetText      string    `json:"tweet_text"`
	TweetType      string    `json:"tweet_type"` // original | reply | retweet | quote
	LatencyMs      int64     `json:"latency_ms"` // from posting to detection
	DetectedAt     time.Time `json:"detected_at"`
}

func (*Connected) event()  {}
func (*Subscribed) event() {}
func (*Fault) event()      {}
func (*Checkpoint) event() {}
func (*Pong) event()       {}
func (*Unknown) event()    {}
func (*Tweet) event()      {}

// envelope is what every frame may have.
type envelope struct {
	Type    string          `json:"type"`
	Cursor  string          `json:"cursor"`
	Code    int             `json:"code"`
	Message json.RawMessage `json:"message"`
	Error   json.RawMessage `json:"error"`
}

// decode reads a frame of any of the APIs. A frame that cannot be read is an
// error: the connection is not what it should be.
func decode(raw []byte) (Message, error) {
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		return Message{}, fmt.Errorf("read a frame: %w", err)
	}
	m := Message{Cursor: e.Cursor, Raw: raw}
	var into any
	switch e.Type {
	case "connected":
		m.Event = &Connected{}
	case "subscribed":
		m.Event = &Subscribed{}
	case "new_tweet":
		m.Event = &Tweet{}
	case "pong":
		m.Event = &Pong{}
	case "cursor":
		m.Event = &Checkpoint{}
	case "error":
		m.Event = &Fault{Code: e.Code, Text: text(e.Message) + text(e.Error)}
		return m, nil
	case "news":
		m.Event = &News{}
	default:
		if m.Event, into = newsrankEvent(e.Type); m.Event == nil {
			m.Event = &Unknown{Type: e.Type}
			return m, nil
		}
	}
	if into == nil {
		into = m.Event
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return Message{}, fmt.Errorf("read a %s frame: %w", e.Type, err)
	}
	return m, nil
}

func text(raw json.RawMessage) (s string) {
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
