package follow

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// This file is what every actor around a Follower does in the same way.

// Outcome is what a reading came to, for Step: a Read, or a ReadFailed that says
// why.
func Outcome(reading uint64, result Result, err error) any {
	if err == nil {
		return Read{Reading: reading, Result: result}
	}
	failed := ReadFailed{Reading: reading, Detail: err.Error()}
	var trimmed *messages.TrimmedError
	var query *QueryError
	switch {
	case errors.As(err, &trimmed):
		failed.Fault, failed.First = FaultTrimmed, trimmed.Position()
	case errors.As(err, &query):
		failed.Fault = FaultQuery
	}
	return failed
}

// RouterQuestion is what a follower of the router with that id, an actor of its
// node, asks there for o; nil where o is nothing that a router is asked.
func RouterQuestion(o Output, id string, at *messages.Ref) proto.Message {
	switch o := o.(type) {
	case Join:
		return &messages.Join{ConnectionId: id, Connection: at, Query: o.Query, Cursor: uint64(o.Cursor), Join: o.Join}
	case Leave:
		return &messages.Leave{ConnectionId: id, Join: o.Join}
	case AskThrough:
		return &messages.AskThrough{ConnectionId: id, Join: o.Join}
	case AskVoids:
		return &messages.AskVoids{From: uint64(o.From), Ask: o.Ask}
	}
	return nil
}
