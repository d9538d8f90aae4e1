package apikey

import (
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/apikey/change"
	"github.com/birdwire/birdwire/messages"
)

// This file is how the monitors and rules whose records are damaged are shown:
// by their ids, with the status of what does not work, and why.

const statusError = "error"

func (k *key) lostMonitors(status string) (shown []*messages.Monitor) {
	if status == "" || status == statusError {
		for _, id := range k.changes.Lost(false) {
			shown = append(shown, lostMonitor(id))
		}
	}
	return shown
}

func (k *key) lostRules(status string) (shown []*messages.Rule) {
	if status == "" || status == statusError {
		for _, id := range k.changes.Lost(true) {
			shown = append(shown, lostRule(id))
		}
	}
	return shown
}

func lostMonitor(id string) *messages.Monitor {
	return &messages.Monitor{Id: id, Status: statusError, StatusReason: change.LostDetail}
}

func lostRule(id string) *messages.Rule {
	return &messages.Rule{Id: id, Status: statusError, StatusReason: change.LostDetail}
}

func lostShown(id string, rule bool) proto.Message {
	if rule {
		return &messages.RuleShown{Rule: lostRule(id)}
	}
	return &messages.MonitorShown{Monitor: lostMonitor(id)}
}
