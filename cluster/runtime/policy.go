package runtime

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// boundOf says how many messages may wait for one actor of a kind. Past it a
// message is dropped and counted, which every protocol here takes:
//
//	connection   is ended as a slow consumer
//	router       a lost frame is a hole, read from the log
//	apikey       a lost Matched is a hole in its numbers: connections rejoin
//	shard        a request is answered by nobody: 503, and asked again
//	journal      an offer is answered by nobody: its offerer asks again
//	source       as journal
//
// What asks for something anew is shed; what answers, gives back or ends is
// not (see shed).
func boundOf(kind string) int {
	switch kind {
	case "router", "shard", "journal":
		return 65_536
	case "apikey":
		return 16_384
	}
	return 4_096
}

// shed says whether a full mailbox may drop the message: those that come at the
// world's pace and are asked for again, or found missing, by protocol. All
// others are kept. There are only so many of them: an actor's own timers and
// the answers to its own questions, and a few of each connection at a time, on
// which there is a bound.
func shed(message any) bool {
	if e, ok := message.(*actor.MessageEnvelope); ok {
		message = e.Message
	}
	switch message.(type) {
	case *messages.FrameAppended, *messages.Matched, *messages.Deliveries, *messages.Offer, *messages.CountHits,
		*messages.ClientSubscribed, *messages.ClientUnsubscribed, *messages.ClientPinged, *messages.ClientInvalid, *messages.Heard,
		*messages.Admit, *messages.Authorize,
		*messages.CreateKey, *messages.RevokeKey, *messages.RotateKey, *messages.UpdateKey, *messages.DescribeKey,
		*messages.CreateMonitor, *messages.UpdateMonitor, *messages.DeleteMonitor, *messages.GetMonitor, *messages.ListMonitors,
		*messages.CreateRule, *messages.UpdateRule, *messages.DeleteRule, *messages.GetRule, *messages.ListRules,
		*messages.ListDeliveries, *messages.ListBilling, *messages.DescribeSource:
		return true
	}
	return false
}
