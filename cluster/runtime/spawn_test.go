package runtime

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// The strategies of tests' actors, which have no parent. One value each:
// protoactor keeps a guardian for every strategy it sees.
var (
	stopOnFailure     = actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective })
	restartWithBudget = actor.NewOneForOneStrategy(10, 10*time.Second, actor.DefaultDecider)
)

// spawn starts an actor that has no parent, under an explicit strategy.
func (s *System) spawn(name string, props *actor.Props, strategy actor.SupervisorStrategy) (*actor.PID, error) {
	return s.Root.SpawnNamed(props.Configure(actor.WithGuardian(strategy)), name)
}
