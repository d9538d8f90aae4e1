package rest

import (
	"math"
	"net/http"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// Rule is a filter rule as the API shows it.
type Rule struct {
	ID                   string  `json:"id"`
	Tag                  string  `json:"tag"`
	Query                string  `json:"query"`
	IntervalSeconds      float64 `json:"interval_seconds"`
	Status               string  `json:"status"`
	StatusReason         *string `json:"status_reason"`
	WebhookURL           *string `json:"webhook_url"`        // null: there are no webhooks yet
	WebhookSecretSet     bool    `json:"webhook_secret_set"` // false
	MaxResultsPerPoll    int32   `json:"max_results_per_poll"`
	CreditsPerRulePerDay float64 `json:"credits_per_rule_per_day"`
	PricingTier          string  `json:"pricing_tier"`
	CreatedAt            string  `json:"created_at"`
	UpdatedAt            string  `json:"updated_at"`
}

// RuleList is one page of them.
type RuleList struct {
	Rules  []Rule `json:"rules"`
	Total  int32  `json:"total"`
	Limit  int    `json:"limit"`
	Offset int    `json:"offset"`
}

func (s *Resources) showRule(m *messages.Rule) Rule {
	tier := tierOf(s.Tiers, m.GetIntervalSeconds())
	return Rule{
		ID: m.GetId(), Tag: m.GetTag(), Query: m.GetQuery(), IntervalSeconds: m.GetIntervalSeconds(),
		Status: m.GetStatus(), StatusReason: orNull(m.GetStatusReason()),
		MaxResultsPerPoll:    m.GetMaxResultsPerPoll(),
		CreditsPerRulePerDay: tier.CreditsPerRulePerDay, PricingTier: tier.Label,
		CreatedAt: stamp(m.GetCreatedMs()), UpdatedAt: stamp(m.GetUpdatedMs()),
	}
}

// ruleFields are those that an owner may set.
var ruleFields = []string{"tag", "query", "interval_seconds", "max_results_per_poll", "status"}

// readRule reads what was sent; fields names it. Only its form is looked at
// here: what a rule may be, its actor says.
func readRule(f *gateway.Fields) (m *messages.Rule, fields []string) {
	f.Only("a filter rule", append(ruleFields[:len(ruleFields):len(ruleFields)], webhookFields...)...)
	noWebhooks(f)
	m = &messages.Rule{
		Tag:               f.String("tag"),
		Query:             f.String("query"),
		IntervalSeconds:   f.Float("interval_seconds"),
		MaxResultsPerPoll: f.Integer("max_results_per_poll", math.MinInt32, math.MaxInt32, 0),
		Status:            f.String("status"),
	}
	return m, f.Given(ruleFields...)
}

func (s *Resources) createRule(w http.ResponseWriter, r *http.Request, keyID string) {
	f, ok := gateway.ReadFields(w, r)
	if !ok {
		return
	}
	m, fields := readRule(f)
	f.Need("tag", "query")
	if f.Bad != nil {
		gateway.WriteInvalid(w, f.Bad)
		return
	}
	s.tellRule(w, r, http.StatusCreated, keyID, &messages.CreateRule{KeyId: keyID, Rule: m, Fields: fields})
}

func (s *Resources) updateRule(w http.ResponseWriter, r *http.Request, keyID string) {
	f, ok := gateway.ReadFields(w, r)
	if !ok {
		return
	}
	m, fields := readRule(f)
	if f.Bad != nil {
		gateway.WriteInvalid(w, f.Bad)
		return
	}
	if len(fields) == 0 {
		s.getRule(w, r, keyID)
		return
	}
	m.Id = r.PathValue("id")
	s.tellRule(w, r, http.StatusOK, keyID, &messages.UpdateRule{KeyId: keyID, Rule: m, Fields: fields})
}

func (s *Resources) getRule(w http.ResponseWriter, r *http.Request, keyID string) {
	s.tellRule(w, r, http.StatusOK, keyID, &messages.GetRule{KeyId: keyID, RuleId: r.PathValue("id")})
}

func (s *Resources) listRules(w http.ResponseWriter, r *http.Request, keyID string) {
	q := gateway.ReadParameters(r)
	limit, offset := q.Window()
	status := q.OneOf("status", "active", "paused", "error", "inactive")
	if q.Bad != nil {
		gateway.WriteInvalid(w, q.Bad)
		return
	}
	command := &messages.ListRules{KeyId: keyID, Status: status, Offset: int32(offset), Limit: int32(limit)}
	switch m := s.ask(w, r, keyID, command).(type) {
	case nil:
	case *messages.RulesListed:
		list := RuleList{Rules: make([]Rule, 0, len(m.Rules)), Total: m.Total, Limit: limit, Offset: offset}
		for _, one := range m.Rules {
			list.Rules = append(list.Rules, s.showRule(one))
		}
		gateway.WriteJSON(w, http.StatusOK, list)
	default:
		s.unexpected(w, r, command, m)
	}
}

func (s *Resources) deleteRule(w http.ResponseWriter, r *http.Request, keyID string) {
	s.tellDeleted(w, r, keyID, &messages.DeleteRule{KeyId: keyID, RuleId: r.PathValue("id")})
}
