package runtime

import (
	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// bound is how much may wait for one actor: so many messages, and so many bytes
// of them as weigh counts. Past either, what shed says is dropped and counted.
type bound struct{ messages, bytes int }

// boundOf is the bound of a kind of actor. Every protocol here takes that a
// message is dropped past it:
//
//	connection   is ended as a slow consumer
//	router       a lost frame is a hole, read from the log; a question is asked again
//	apikey       a lost Matched is a hole in its numbers: connections read the log
//	shard        as its keys; a request is answered by nobody: 503, and asked again
//	newsdesk     lost Deliveries are a gap, read from the log; a question is asked again
//	journal      an offer is answered by nobody: its offerer asks again
//	source       as journal
//	monitor,     a lost count is a count too few
//	filterrule
//	enricher     a lost Deliveries is a hole, read from the log; an offer or a
//	             reading that nobody answers is asked again
//
// What asks for something is shed; what answers, gives back or ends is not.
func boundOf(kind string) bound {
	switch kind {
	case "router", "journal", "shard", "newsdesk":
		return bound{65_536, 64 << 20}
	case "source":
		return bound{4_096, 64 << 20}
	case "apikey":
		return bound{16_384, 32 << 20}
	}
	return bound{4_096, 8 << 20}
}

// passed says whether a message of n bytes is too many for a mailbox in which that
// much waits. One message is never too many.
func (b bound) passed(waits, bytes, n int) bool {
	return waits > 0 && (waits >= b.messages || bytes+n > b.bytes)
}

// instead is what a mailbox takes, once, in the place of the first message that it
// drops; nil: nothing.
func instead(kind string) any {
	if kind != "connection" {
		return nil
	}
	return &messages.End{Reason: messages.EndReason_END_SLOW, Detail: "events come faster than they are handled"}
}

// Bounds are the same for mailboxes of another make, those of a simulation.
type Bounds struct {
	Most int // messages, where that is less than what a kind may have; 0: what it may have
}

// Of is how many messages and bytes may wait for an actor of the kind.
func (b Bounds) Of(kind string) (messages, bytes int) {
	of := boundOf(kind)
	if b.Most > 0 {
		of.messages = min(of.messages, b.Most)
	}
	return of.messages, of.bytes
}

// Weigh is about how many bytes the message keeps in memory while it waits.
func (Bounds) Weigh(message any) int { return weigh(message) }

// Drop says whether a mailbox in which that much waits drops the message.
func (b Bounds) Drop(kind string, waits, bytes int, message any) bool {
	most, size := b.Of(kind)
	return bound{most, size}.passed(waits, bytes, weigh(message)) && shed(message)
}

// Instead is what is put in once, in the place of the first that is dropped; nil:
// nothing.
func (Bounds) Instead(kind string) any { return instead(kind) }

// shed says whether a full mailbox may drop the message: those that come at the
// world's pace and are asked for again, or found missing, by protocol. All
// others are kept. There are only so many of them: an actor's own timers and
// the answers to its own questions, and a few of each connection at a time, on
// which there is a bound.
func shed(message any) bool {
	switch unwrapped(message).(type) {
	case *messages.FrameAppended, *messages.Matched, *messages.Deliveries, *messages.Offer, *messages.CountHits,
		*messages.Join, *messages.AskThrough, *messages.AskVoids, *messages.AskQueries, *messages.PutQueries,
		*messages.ClientSubscribed, *messages.ClientUnsubscribed, *messages.ClientPinged, *messages.ClientInvalid, *messages.Heard,
		*messages.Admit, *messages.Authorize,
		*messages.CreateKey, *messages.RevokeKey, *messages.RotateKey, *messages.UpdateKey, *messages.DescribeKey,
		*messages.CreateMonitor, *messages.UpdateMonitor, *messages.DeleteMonitor, *messages.GetMonitor, *messages.ListMonitors,
		*messages.CreateRule, *messages.UpdateRule, *messages.DeleteRule, *messages.GetRule, *messages.ListRules,
		*messages.ListDeliveries, *messages.ListBilling, *messages.DescribeSource, *messages.ListSources,
		*messages.ListStories, *messages.GetStory, *messages.FindArticle, *messages.ListEntities,
		*messages.ListFeeds, *messages.GetFeed, *messages.CreateFeed, *messages.UpdateFeed, *messages.DeleteFeed:
		return true
	}
	return false
}

// Weights of what nobody has counted.
const (
	messageWeight = 256 // of any message, about what it and its place take
	itemWeight    = 64  // of one item in a list, without the event that it names
	eventWeight   = 1 << 10
)

// weigh is about how many bytes a message keeps in memory while it waits.
// Whoever makes a message with events has said what they take, so that they
// are not counted again in every mailbox.
//
// Deliveries that ten thousand connections share are counted in full in each of
// their mailboxes, although they are there once: the bound is on how far one
// connection may be behind.
func weigh(message any) int {
	switch m := unwrapped(message).(type) {
	case *messages.FrameAppended:
		n := 0
		for _, size := range m.GetSizes() {
			n += int(size)
		}
		return weight(n, len(m.GetFrame().GetEvents()))
	case *messages.Matched:
		return weight(int(m.GetBytes()), len(m.GetHits()))
	case *messages.Deliveries:
		return weight(int(m.GetBytes()), len(m.GetDeliveries()))
	case *messages.Offer:
		return weight(int(m.GetBytes()), len(m.GetEvents()))
	case *messages.CountHits:
		return weight(0, len(m.GetEvents()))
	case *messages.ClientSubscribed, *messages.Join, *messages.PutQueries,
		*messages.CreateMonitor, *messages.UpdateMonitor, *messages.CreateRule, *messages.UpdateRule:
		return messageWeight + proto.Size(m.(proto.Message))
	}
	return messageWeight
}

func weight(counted, items int) int {
	if counted == 0 {
		counted = items * eventWeight
	}
	return messageWeight + counted + items*itemWeight
}

func unwrapped(message any) any {
	if e, ok := message.(*actor.MessageEnvelope); ok {
		return e.Message
	}
	return message
}
