package ws

import (
	"errors"
	"log/slog"
	"math"
	"runtime"
	"time"

	"github.com/birdwire/birdwire/gateway"
)

// Config is how one node serves its sockets.
type Config struct {
	Node        string        // this node's name, for the slots of its connections; required
	Incarnation uint64        // of the node's process
	Epoch       func() string // the log's present epoch, for cursors; required

	EmbeddingModel string // of filters that name none; default "birdwire-hash-1"

	Proxies  gateway.Proxies
	Throttle *gateway.Throttle // of failed keys; default: one with its own defaults

	MaxConnections int           // past it new ones are refused with 503; default: none
	MaxAdmitting   int           // admissions in flight, past it 503; default 1,024
	MaxRefusing    int           // upgraded only to be told why they are refused, past it over HTTP; default 256, an address an eighth of it
	AskTimeout     time.Duration // for a key's answer; default 5 s

	QueueBytes   int           // a connection's bound; default 1 MiB
	WriteTimeout time.Duration // a stalled socket that takes nothing for so long is closed; default 30 s
	CloseTimeout time.Duration // for the client's part in closing; default 5 s
	PartingTime  time.Duration // the same where it is refused; default 2 s, and no longer than CloseTimeout

	Deflate          bool // negotiate permessage-deflate
	DeflateThreshold int  // bytes below which nothing is compressed; default 512

	Flushers  int // writers for all sockets, at most 65,535; default: one a CPU
	CacheSize int // encoded frames kept for sharing; default 4,096

	Log      *slog.Logger    // default: slog.Default()
	Refusals *gateway.Digest // is told of who is not let in; nil: nobody is
}

func (c Config) withDefaults() Config {
	orInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	orInt(&c.MaxConnections, math.MaxInt)
	orInt(&c.MaxAdmitting, 1024)
	orInt(&c.MaxRefusing, 256)
	orInt(&c.QueueBytes, 1<<20)
	orInt(&c.DeflateThreshold, 512)
	orInt(&c.Flushers, runtime.GOMAXPROCS(0))
	orInt(&c.CacheSize, 4096)
	orTime(&c.AskTimeout, 5*time.Second)
	orTime(&c.WriteTimeout, 30*time.Second)
	orTime(&c.CloseTimeout, 5*time.Second)
	orTime(&c.PartingTime, min(2*time.Second, c.CloseTimeout))
	c.Flushers = min(c.Flushers, math.MaxUint16)
	if c.EmbeddingModel == "" {
		c.EmbeddingModel = "birdwire-hash-1"
	}
	if c.Throttle == nil {
		c.Throttle = gateway.NewThrottle(gateway.ThrottleConfig{})
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Node == "":
		return errors.New("new websocket server: Node is missing: slots are named by it")
	case c.Epoch == nil:
		return errors.New("new websocket server: Epoch is missing: cursors are made of it")
	}
	return nil
}
