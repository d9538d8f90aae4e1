package rest

import (
	"net/http"
	"time"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// billingLog is one month. The vendor bills each monitor by the tick; here
// monitors cost nothing and what is charged are deliveries, one credit each,
// on the APIs that are metered.
type billingLog struct {
	ID              string  `json:"id"`
	MonitorID       string  `json:"monitor_id"`
	MonitorName     string  `json:"monitor_name"`
	BilledAt        string  `json:"billed_at"`
	NumAccounts     int     `json:"num_accounts"`
	CreditsDeducted float64 `json:"credits_deducted"`
	TierLabel       string  `json:"tier_label"`
	RateApplied     float64 `json:"rate_applied"`
}

type billingList struct {
	Logs         []billingLog `json:"logs"`
	Total        int          `json:"total"`
	Page         int          `json:"page"`
	PageSize     int          `json:"page_size"`
	Month        string       `json:"month"` // ours, as are the next two
	CreditsUsed  int64        `json:"credits_used"`
	CreditsLimit int64        `json:"credits_limit"` // 0: unlimited
}

func (s *Resources) listBilling(w http.ResponseWriter, r *http.Request, keyID string) {
	q := gateway.ReadParameters(r)
	page, size := q.Pages()
	if q.Bad != nil {
		gateway.WriteInvalid(w, q.Bad)
		return
	}
	command := &messages.ListBilling{KeyId: keyID}
	switch m := s.ask(w, r, keyID, command).(type) {
	case nil:
	case *messages.BillingListed:
		list := billingList{
			Logs: []billingLog{}, Page: page, PageSize: size,
			Month: m.Month, CreditsUsed: m.CreditsUsed, CreditsLimit: m.CreditsLimit,
		}
		began, err := time.Parse("2006-01", m.Month)
		if err == nil && m.CreditsUsed > 0 && q.Get("monitor_id") == "" {
			list.Total = 1
			if page == 1 {
				list.Logs = append(list.Logs, billingLog{
					ID: m.Month, BilledAt: stamp(began.UnixMilli()),
					CreditsDeducted: float64(m.CreditsUsed), TierLabel: "deliveries", RateApplied: 1,
				})
			}
		}
		gateway.WriteJSON(w, http.StatusOK, list)
	default:
		s.unexpected(w, r, command, m)
	}
}
