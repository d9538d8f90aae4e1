package rest

import (
	"net/http"
	"time"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// Monitor is one as the API shows it.
type Monitor struct {
	ID                      string   `json:"id"`
	Name                    string   `json:"name"`
	Usernames               []string `json:"usernames"`
	PollIntervalSeconds     float64  `json:"poll_interval_seconds"`
	Status                  string   `json:"status"`
	StatusReason            *string  `json:"status_reason"`
	WebhookURL              *string  `json:"webhook_url"`        // null: there are no webhooks yet
	WebhookSecretSet        bool     `json:"webhook_secret_set"` // false
	EstimatedCreditsPerHour float64  `json:"estimated_credits_per_hour"`
	PricingTier             string   `json:"pricing_tier"`
	CreatedAt               string   `json:"created_at"`
	UpdatedAt               string   `json:"updated_at"`
}

// MonitorList is one page of them.
type MonitorList struct {
	Monitors []Monitor `json:"monitors"`
	Total    int32     `json:"total"`
	Page     int       `json:"page"`
	PageSize int       `json:"page_size"`
}

func (s *Resources) showMonitor(m *messages.Monitor) Monitor {
	tier := tierOf(s.Tiers, m.GetPollIntervalSeconds())
	return Monitor{
		ID: m.GetId(), Name: m.GetName(), Usernames: notNil(m.GetUsernames()),
		PollIntervalSeconds: m.GetPollIntervalSeconds(),
		Status:              m.GetStatus(), StatusReason: orNull(m.GetStatusReason()),
		EstimatedCreditsPerHour: tier.CreditsPerRulePerDay / 24 * float64(len(m.GetUsernames())),
		PricingTier:             tier.Label,
		CreatedAt:               stamp(m.GetCreatedMs()), UpdatedAt: stamp(m.GetUpdatedMs()),
	}
}

// monitorFields are those that an owner may set.
var monitorFields = []string{"name", "usernames", "poll_interval_seconds", "status"}

// readMonitor reads what was sent; fields names it. Only its form is looked at
// here: what a monitor may be, its actor says.
func readMonitor(f *gateway.Fields) (m *messages.Monitor, fields []string) {
	f.Only("a monitor", append(monitorFields[:len(monitorFields):len(monitorFields)], webhookFields...)...)
	noWebhooks(f)
	m = &messages.Monitor{
		Name:                f.String("name"),
		Usernames:           f.Strings("usernames"),
		PollIntervalSeconds: f.Float("poll_interval_seconds"),
		Status:              f.String("status"),
	}
	return m, f.Given(monitorFields...)
}

// webhookFields are of both monitors and rules.
var webhookFields = []string{"webhook_url", "webhook_secret"}

// noWebhooks: clients that were written for another server may send the fields
// empty. One that wants a webhook must hear that it gets none.
func noWebhooks(f *gateway.Fields) {
	for _, field := range webhookFields {
		if f.String(field) != "" {
			f.Fail(field, "there are no webhooks yet: leave it out, and receive the posts over the WebSocket", "")
		}
	}
}

func (s *Resources) createMonitor(w http.ResponseWriter, r *http.Request, keyID string) {
	f, ok := gateway.ReadFields(w, r)
	if !ok {
		return
	}
	m, fields := readMonitor(f)
	f.Need("name", "usernames")
	if f.Bad != nil {
		gateway.WriteInvalid(w, f.Bad)
		return
	}
	s.tellMonitor(w, r, http.StatusCreated, keyID, &messages.CreateMonitor{KeyId: keyID, Monitor: m, Fields: fields})
}

// updateMonitor changes the fields that were sent. None sent changes nothing
// and shows the monitor, as the published API does.
func (s *Resources) updateMonitor(w http.ResponseWriter, r *http.Request, keyID string) {
	f, ok := gateway.ReadFields(w, r)
	if !ok {
		return
	}
	m, fields := readMonitor(f)
	if f.Bad != nil {
		gateway.WriteInvalid(w, f.Bad)
		return
	}
	if len(fields) == 0 {
		s.getMonitor(w, r, keyID)
		return
	}
	m.Id = r.PathValue("id")
	s.tellMonitor(w, r, http.StatusOK, keyID, &messages.UpdateMonitor{KeyId: keyID, Monitor: m, Fields: fields})
}

func (s *Resources) getMonitor(w http.ResponseWriter, r *http.Request, keyID string) {
	s.tellMonitor(w, r, http.StatusOK, keyID, &messages.GetMonitor{KeyId: keyID, MonitorId: r.PathValue("id")})
}

func (s *Resources) listMonitors(w http.ResponseWriter, r *http.Request, keyID string) {
	q := gateway.ReadParameters(r)
	page, size := q.Pages()
	status := q.OneOf("status", "active", "paused", "error")
	if q.Bad != nil {
		gateway.WriteInvalid(w, q.Bad)
		return
	}
	command := &messages.ListMonitors{KeyId: keyID, Status: status, Offset: int32((page - 1) * size), Limit: int32(size)}
	switch m := s.askAs(w, r, keyID, command, paged).(type) {
	case nil:
	case *messages.MonitorsListed:
		list := MonitorList{Monitors: make([]Monitor, 0, len(m.Monitors)), Total: m.Total, Page: page, PageSize: size}
		for _, one := range m.Monitors {
			list.Monitors = append(list.Monitors, s.showMonitor(one))
		}
		gateway.WriteJSON(w, http.StatusOK, list)
	default:
		s.unexpected(w, r, command, m)
	}
}

func (s *Resources) deleteMonitor(w http.ResponseWriter, r *http.Request, keyID string) {
	s.tellDeleted(w, r, keyID, &messages.DeleteMonitor{KeyId: keyID, MonitorId: r.PathValue("id")})
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// stamp is RFC 3339 in UTC with seconds, as the published API writes times.
func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
