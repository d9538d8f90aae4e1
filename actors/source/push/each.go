package push

import (
	"errors"
	"io"
	"math"

	"github.com/birdwire/birdwire/messages"
)

// EachPost reads posts as a body of push ingest holds them, of any length, and
// offers them to nobody. each gets every post with the place that a Rejection
// would name, or what is wrong with it, and can end the reading by an error.
func EachPost(r io.Reader, each func(line int, post *messages.Post, wrong error) error) error {
	split := splitter{r: r, max: math.MaxInt64}
	dec := newDecoder()
	defer dec.release()
	for {
		value, line, err := split.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var bad *badValue
		switch {
		case errors.As(err, &bad):
			err = each(line, nil, bad)
		case err == nil:
			post, wrong := dec.post(value)
			err = each(line, post, wrong)
		}
		if err != nil {
			return err
		}
	}
}
