package rest

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/dialect/twitter"
	"github.com/birdwire/birdwire/messages"
)

// MonitorLog is one delivery as /logs shows it. A rule's delivery is there
// too (ours): its rule fields are set and the monitor's are "".
type MonitorLog struct {
	ID          string `json:"id"`
	MonitorID   string `json:"monitor_id"`
	MonitorName string `json:"monitor_name"`
	delivered
	RuleID  string `json:"rule_id,omitempty"`
	RuleTag string `json:"rule_tag,omitempty"`
}

// RuleLog is one delivery as a rule's own logs show it.
type RuleLog struct {
	ID      string `json:"id"`
	RuleID  string `json:"rule_id"`
	RuleTag string `json:"rule_tag"`
	delivered
	TweetText string `json:"tweet_text"`
	TweetType string `json:"tweet_type"`
}

type delivered struct {
	TweetID           string `json:"tweet_id"`
	AuthorUsername    string `json:"author_username"`
	TweetTextPreview  string `json:"tweet_text_preview"`
	TweetURL          string `json:"tweet_url"`
	TweetPublishedAt  string `json:"tweet_published_at"`
	DetectedAt        string `json:"detected_at"`
	LatencyMs         int64  `json:"latency_ms"`
	LatencyBadge      string `json:"latency_badge"`
	DeliveryStatus    string `json:"delivery_status"`
	WebhookStatusCode *int   `json:"webhook_status_code"` // null: no webhook was called
	WebhookAttempts   int    `json:"webhook_attempts"`
}

// LogList is one page of /logs.
type LogList struct {
	Logs     []MonitorLog `json:"logs"`
	Total    int          `json:"total"`
	Page     int          `json:"page"`
	PageSize int          `json:"page_size"`
}

// RuleLogList is one window of a rule's logs.
type RuleLogList struct {
	Logs   []RuleLog `json:"logs"`
	Total  int       `json:"total"`
	Limit  int       `json:"limit"`
	Offset int       `json:"offset"`
}

// selection is what of a key's deliveries was asked for.
type selection struct {
	of     string // a monitor's or rule's id; "" is all
	author string // without case and '@'
	status string // as it is shown
	source string // monitor | filter_rule | ""
	oldest bool   // oldest first
}

// kinds are the sources as the actors know them.
var kinds = map[string]messages.OriginKind{
	"monitor": messages.OriginKind_ORIGIN_MONITOR, "filter_rule": messages.OriginKind_ORIGIN_RULE,
}

func selected(p *gateway.Parameters) selection {
	return selection{
		of:     p.Get("monitor_id"),
		author: strings.TrimPrefix(p.Get("author_username"), "@"),
		status: p.Get("delivery_status"),
		source: p.OneOf("source", "monitor", "filter_rule"),
		oldest: p.OneOf("sort", "asc", "desc") == "asc",
	}
}

// paged are the names of a list's fields where it goes by pages.
var paged = map[string]string{"limit": "page_size", "offset": "page"}

func (s *Resources) listLogs(w http.ResponseWriter, r *http.Request, keyID string) {
	q := gateway.ReadParameters(r)
	page, size := q.Pages()
	want := selected(q)
	if q.Bad != nil {
		gateway.WriteInvalid(w, q.Bad)
		return
	}
	if found, total, ok := s.deliveries(w, r, keyID, want, (page-1)*size, size, paged); ok {
		list := LogList{Logs: make([]MonitorLog, 0, len(found)), Total: total, Page: page, PageSize: size}
		for _, d := range found {
			list.Logs = append(list.Logs, showMonitorLog(d))
		}
		gateway.WriteJSON(w, http.StatusOK, list)
	}
}

func (s *Resources) listRuleLogs(w http.ResponseWriter, r *http.Request, keyID string) {
	q := gateway.ReadParameters(r)
	limit, offset := q.Window()
	want := selected(q)
	want.of, want.source = r.PathValue("id"), ""
	if q.Bad != nil {
		gateway.WriteInvalid(w, q.Bad)
		return
	}
	if found, total, ok := s.deliveries(w, r, keyID, want, offset, limit, nil); ok {
		list := RuleLogList{Logs: make([]RuleLog, 0, len(found)), Total: total, Limit: limit, Offset: offset}
		for _, d := range found {
			list.Logs = append(list.Logs, showRuleLog(d))
		}
		gateway.WriteJSON(w, http.StatusOK, list)
	}
}

func (s *Resources) deliveries(w http.ResponseWriter, r *http.Request, keyID string, want selection, offset, limit int, names map[string]string) (found []*messages.DeliveryLogged, total int, ok bool) {
	command := &messages.ListDeliveries{
		KeyId: keyID, MonitorId: want.of, Offset: int32(min(offset, math.MaxInt32)), Limit: int32(limit),
		Author: want.author, Status: keptStatus(want.status), Kind: kinds[want.source], Oldest: want.oldest,
	}
	switch m := s.askAs(w, r, keyID, command, names).(type) {
	case nil:
	case *messages.DeliveriesListed:
		return m.Deliveries, int(m.Total), true
	default:
		s.unexpected(w, r, command, m)
	}
	return nil, 0, false
}

func logID(d *messages.DeliveryLogged) string { return fmt.Sprintf("%d.%d", d.Position, d.K) }

func showMonitorLog(d *messages.DeliveryLogged) MonitorLog {
	log := MonitorLog{ID: logID(d), delivered: showDelivered(d)}
	if d.GetOrigin().GetKind() == messages.OriginKind_ORIGIN_RULE {
		log.RuleID, log.RuleTag = d.Origin.Id, d.Origin.Name
	} else {
		log.MonitorID, log.MonitorName = d.GetOrigin().GetId(), d.GetOrigin().GetName()
	}
	return log
}

func showRuleLog(d *messages.DeliveryLogged) RuleLog {
	log := RuleLog{ID: logID(d), RuleID: d.GetOrigin().GetId(), RuleTag: d.GetOrigin().GetName(), delivered: showDelivered(d)}
	if post := d.GetEvent().GetPost(); post != nil {
		log.TweetText, log.TweetType = post.GetText(), tweetType(post)
	}
	return log
}

// showDelivered shows a delivery whose post is gone from the log by what is
// still known of it: when, whose it was, and what became of it.
func showDelivered(d *messages.DeliveryLogged) delivered {
	if d.GetEvent() == nil {
		return delivered{AuthorUsername: d.GetAuthor(), DetectedAt: stamp(d.GetDeliveredMs()), DeliveryStatus: shownStatus(d.Status)}
	}
	post := d.GetEvent().GetPost()
	latency := twitter.Latency(post, d.GetEvent().GetDetectedMs())
	return delivered{
		TweetID: post.GetId(), AuthorUsername: post.GetAuthor().GetUsername(),
		TweetTextPreview: preview(post.GetText()), TweetURL: postURL(post),
		TweetPublishedAt: stamp(d.GetEvent().GetDetectedMs() - latency), DetectedAt: stamp(d.GetEvent().GetDetectedMs()),
		LatencyMs: latency, LatencyBadge: badge(latency), DeliveryStatus: shownStatus(d.Status),
	}
}

// shownDelivered is the vendor's word for a delivery to a socket; that nobody
// was connected has none there, and keeps ours.
const (
	keptDelivered  = "delivered"
	shownDelivered = "websocket_delivered"
)

func shownStatus(status string) string {
	if status == keptDelivered {
		return shownDelivered
	}
	return status
}

// keptStatus is the status that is shown so: one that none is shown as, where
// there is no such.
func keptStatus(shown string) string {
	switch shown {
	case shownDelivered:
		return keptDelivered
	case keptDelivered:
		return shownDelivered
	}
	return shown
}

// badge is green up to 5 s, yellow up to 30 s.
func badge(latencyMs int64) string {
	switch {
	case latencyMs <= 5_000:
		return "green"
	case latencyMs <= 30_000:
		return "yellow"
	}
	return "red"
}

// preview is the first 100 characters.
func preview(text string) string {
	n := 0
	for i := range text {
		if n == 100 {
			return text[:i]
		}
		n++
	}
	return text
}

func postURL(p *messages.Post) string {
	user := url.PathEscape(p.GetAuthor().GetUsername())
	if user == "" {
		user = "i/web"
	}
	return "https://twitter.com/" + user + "/status/" + url.PathEscape(p.GetId())
}

func tweetType(p *messages.Post) string {
	switch {
	case p.GetRetweetOf() != nil:
		return "retweet"
	case p.GetInReplyToId() != "" || p.GetInReplyToUsername() != "":
		return "reply"
	case p.GetQuoteOf() != nil:
		return "quote"
	}
	return "original"
}
