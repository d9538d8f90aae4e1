package rest

import (
	"net/http"

	"github.com/birdwire/birdwire/gateway"
)

// Tier is one price by polling interval. The labels are those that the
// vendor's clients know; every price is 0 unless the operator sets one: what
// costs is a delivery, and not that there is a rule.
type Tier struct {
	ID                   string  `json:"id"`
	Label                string  `json:"tier_label"`
	MaxIntervalSeconds   float64 `json:"max_interval_seconds"` // the tier is for intervals up to it
	CreditsPerRulePerDay float64 `json:"credits_per_rule_per_day"`
	DisplayOrder         int     `json:"display_order"` // from 1, fastest first
}

// DefaultTiers are in ascending order of interval, as every list of tiers is.
var DefaultTiers = []Tier{
	{ID: "tier-ultra", Label: "Ultra", MaxIntervalSeconds: 1, DisplayOrder: 1},
	{ID: "tier-high", Label: "High", MaxIntervalSeconds: 10, DisplayOrder: 2},
	{ID: "tier-standard", Label: "Standard", MaxIntervalSeconds: 300, DisplayOrder: 3},
	{ID: "tier-low", Label: "Low", MaxIntervalSeconds: 3600, DisplayOrder: 4},
	{ID: "tier-minimal", Label: "Minimal", MaxIntervalSeconds: 86400, DisplayOrder: 5},
}

// tierOf is the first tier whose interval reaches that far, else the last.
func tierOf(tiers []Tier, interval float64) Tier {
	for _, t := range tiers {
		if interval <= t.MaxIntervalSeconds {
			return t
		}
	}
	if len(tiers) == 0 {
		return Tier{}
	}
	return tiers[len(tiers)-1]
}

func (s *Resources) pricing(w http.ResponseWriter, _ *http.Request, _ string) {
	gateway.WriteJSON(w, http.StatusOK, map[string][]Tier{"tiers": s.Tiers})
}
