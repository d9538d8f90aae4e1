// Command mutants measures the simulation: it puts one deliberate bug after the
// other into the product, counts the seeds until the simulation finds it, and makes
// what it has found smaller.
//
//	go run ./cmd/dev/mutants -o testkit/sim/MUTANTS.md       # all of them
//	go run ./cmd/dev/mutants -run 'slots' -seeds 50        # some, with fewer seeds
//
// The bugs are in testkit/sim/testdata/mutants, each a text, or some, that are replaced. They
// are never in the tree: the compiler is given the changed file in the place of
// the real one, and makes this command itself again, which plays the seeds (play.go).
//
// A seed that the product fails without the bug does not count. What few seeds find
// comes first: each mutant is tried with 10 seeds by each strategy, what none has
// found then with 30, and so on; after that those strategies have their turn that
// have not found what another has. With -rows each row is kept as soon as it is
// there, and a call that was ended goes on after it, as long as the commit is the
// same; one with more seeds tries those with what was not found.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const folder = "testkit/sim/testdata/mutants"

func main() {
	var m measure
	pattern := flag.String("run", "", "only mutants whose name matches the regular expression")
	strategies := flag.String("strategies", "random,priority", "how what is next is picked, by comma")
	flag.StringVar(&m.scenario, "scenario", "", "of `birdwire sim sweep`; default: each seed's own")
	flag.IntVar(&m.procs, "procs", 1, "mutants that are measured at the same time")
	flag.IntVar(&m.seeds, "seeds", 1000, "seeds that are tried at most")
	flag.BoolVar(&m.sooner, "sooner", false, "have done with what one strategy has found: the others are not tried with it")
	flag.DurationVar(&m.shrink, "shrink", time.Minute, "how long a processor works to make a failure smaller, at most; 0: not at all")
	flag.StringVar(&m.rows, "rows", "", "file that keeps rows: what is in it is not measured again")
	flag.StringVar(&m.of, "of", "", "only make the table, of the rows of this commit")
	flag.StringVar(&m.table, "o", "", "file for the table; default: the output")
	flag.StringVar(&m.logs, "logs", "", "folder for the shrunk logs")
	var p player
	flag.StringVar(&p.seeds, "play", "", "play these seeds, as 1-1000, until one fails: what this command calls itself for")
	flag.Parse()
	m.strategies = strings.Split(*strategies, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if p.seeds != "" {
		p.scenario, p.strategy, p.shrink, p.log = m.scenario, *strategies, m.shrink, m.logs
		err = p.run(os.Stdout)
	} else {
		m.only, err = regexp.Compile(*pattern)
		if err == nil {
			err = m.run(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}
