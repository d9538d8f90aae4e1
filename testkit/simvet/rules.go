package simvet

import (
	"slices"
	"strings"
)

// Rule is one thing that simulated code does not do.
type Rule struct {
	ID   string // what -simvet.except takes, and a diagnostic's category
	Text string
	Why  string // and what to do instead
}

// The rules.
var (
	Goroutine = Rule{"goroutine", "no goroutines in actors", "what a goroutine does cannot be played again from a seed, and nobody supervises it: give blocking work to a port that the simulation runs as one more event"}
	Time      = Rule{"time", "no wall time in actors", "a simulation moves time by itself: take a clock as a port"}
	Random    = Rule{"random", "no global randomness in actors", "a run is played again from its seed: take a generator as a port"}
	Supervise = Rule{"supervise", "no supervision by wall time in actors", "the library's own strategies count and wait by the machine's clock: count by a clock that is a port"}
	Lock      = Rule{"lock", "no locks in actors", "an actor's state is its own; a lock means that something else reaches into it, and it blocks the dispatcher"}
	Blocking  = Rule{"blocking", "no waiting for answers in actors", "a future blocks the dispatcher and runs on wall time: send a request and receive the answer as a message"}
	Select    = Rule{"select", "no select of several channels in actors", "which of several that are ready is taken no seed decides: have each come as a message"}
	Stash     = Rule{"stash", "no Stash in actors", "it gives messages back last in first out, and only on a restart: hold them in a bounded queue"}
	MapOrder  = Rule{"maporder", "no sending in map order", "map order differs from run to run and so does what others receive: sort the keys, or keep a slice"}
)

// Rules are all of them.
func Rules() []Rule {
	return []Rule{Goroutine, Time, Random, Supervise, Lock, Blocking, Select, Stash, MapOrder}
}

func ids() string {
	var all []string
	for _, r := range Rules() {
		all = append(all, r.ID)
	}
	return strings.Join(all, ", ")
}

func known(id string) bool {
	return slices.ContainsFunc(Rules(), func(r Rule) bool { return r.ID == id })
}

const (
	library      = "github.com/asynkron/protoactor-go"
	actorPackage = library + "/actor"
)

// functions are package functions by "package.Name".
var functions = map[string]Rule{
	"time.Now": Time, "time.Since": Time, "time.Until": Time, "time.After": Time, "time.AfterFunc": Time,
	"time.Sleep": Time, "time.Tick": Time, "time.NewTimer": Time, "time.NewTicker": Time,
	"context.WithTimeout": Time, "context.WithTimeoutCause": Time, "context.WithDeadline": Time, "context.WithDeadlineCause": Time,
	"context.AfterFunc":     Goroutine,
	"hash/maphash.MakeSeed": Random,

	actorPackage + ".NewExponentialBackoffStrategy": Supervise, actorPackage + ".NewRestartingStrategy": Supervise,
	actorPackage + ".DefaultSupervisorStrategy": Supervise, actorPackage + ".RestartingSupervisorStrategy": Supervise,
}

// methods are the library's, by name, or by type and name.
var methods = map[string]Rule{
	"RequestFuture": Blocking, "StopFuture": Blocking, "PoisonFuture": Blocking,
	"Future.Result": Blocking, "Future.Wait": Blocking,
	"SetReceiveTimeout": Time,
	"Stash":             Stash,
}

// typeNames are types by "package.Name".
var typeNames = map[string]Rule{"sync.Mutex": Lock, "sync.RWMutex": Lock, "sync.Cond": Lock}

// generators may be used through a generator with a seed only (New...); chance
// not at all: it has none.
var (
	generators = map[string]bool{"math/rand": true, "math/rand/v2": true}
	chance     = map[string]bool{"crypto/rand": true, "github.com/google/uuid": true}
)

// counting strategies of the library restart as often as their first argument
// says.
var counting = map[string]bool{"NewOneForOneStrategy": true, "NewAllForOneStrategy": true}

// sending are the methods of the library's contexts that put a message into a
// mailbox, if only one of the library's own: who is started or ended first is seen by
// others, as what is sent first is.
var sending = map[string]bool{
	"Send": true, "Tell": true, "Request": true, "RequestWithCustomSender": true, "Respond": true, "Forward": true,
	"Spawn": true, "SpawnPrefix": true, "SpawnNamed": true, "Stop": true, "Poison": true, "Watch": true, "Unwatch": true,
}

// visiting are functions that call one of their arguments in map order: which.
var visiting = map[string]int{"(*sync.Map).Range": 0, "maps.DeleteFunc": 1}

// keeping are the functions of package slices whose result has the order of their
// first argument.
var keeping = map[string]bool{"Collect": true, "Values": true, "All": true, "Clone": true, "Backward": true, "Chunk": true}
