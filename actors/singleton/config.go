package singleton

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
)

// Config is what the actor takes from its node.
type Config struct {
	Name        string // names its record: of letters, digits, _ and -
	Node        string
	Incarnation uint64
	Records     actors.Records
	Clock       actors.Clock
	Worker      actors.Worker
	Props       actors.Props
	Lease       actors.Lease
	Logger      *slog.Logger

	// Owns says whether its place is here now.
	Owns func() bool
	// Holder is this actor in another process that may still have it; nil: that
	// process has ended. Asked inside Workers.
	Holder func(ctx context.Context, node string, incarnation uint64) (*actor.PID, error)
	// Owner is this actor where its place is now; nil: nowhere.
	Owner func() *actor.PID
	// Child makes the one actor. Records are those of Config, and refuse to be
	// written once the term has ended.
	Child func(term uint64, records actors.Records) *actor.Props
	// Absent answers a question that nobody can be asked now; nil: none is.
	Absent func(question proto.Message) proto.Message

	StoreTimeout time.Duration // of one reading or write, default 10 s
	HandOver     time.Duration // how long a holder that lives has to give it up, default 20 s; then it is taken all the same
	AskAgain     time.Duration // of a holder that has not answered, default 2 s
}

func (c Config) withDefaults() Config {
	duration := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	duration(&c.StoreTimeout, 10*time.Second)
	duration(&c.HandOver, 20*time.Second)
	duration(&c.AskAgain, 2*time.Second)
	return c
}
