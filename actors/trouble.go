package actors

import (
	"errors"

	"github.com/birdwire/birdwire/messages"
)

// StoreDetail is what a client is told of an error of the store.
func StoreDetail(err error) string {
	switch {
	case errors.Is(err, messages.ErrNewer):
		return "a newer version of the server has written the record of this: its operator has to go on with the upgrade"
	case errors.Is(err, messages.ErrDamaged):
		return "the record of this is damaged on the server's disk: its operator finds it named in the server's log and health"
	case errors.Is(err, messages.ErrFull):
		return "the server's disk is full: try again later"
	}
	return "the store does not answer: try again"
}
