package rule

import (
	"errors"

	"github.com/birdwire/birdwire/messages"
)

// Compile makes a standing query of any kind ready for an index.
func Compile(q *messages.Query) (*Compiled, error) {
	return nil, errors.New("compile query: not built yet")
}
