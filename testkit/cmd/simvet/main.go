// Command simvet runs the analyzer of package simvet for go vet:
//
//	go vet -vettool=$(which simvet) ./actors/...
//
// which it calls itself where it is given packages:
//
//	simvet ./actors/...
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/birdwire/birdwire/testkit/simvet"
)

func main() {
	if ofPackages(os.Args[1:]) {
		os.Exit(vet(os.Args[1:]))
	}
	unitchecker.Main(simvet.Analyzer)
}

// ofPackages says whether these are the arguments of somebody, and not of go vet, which
// asks for flags, the version, or one unit.
func ofPackages(args []string) bool {
	return len(args) > 0 && args[0] != "help" && slices.ContainsFunc(args, func(arg string) bool {
		return !strings.HasPrefix(arg, "-") && !strings.HasSuffix(arg, ".cfg")
	})
}

func vet(args []string) (code int) {
	self, err := os.Executable()
	if err == nil {
		cmd := exec.Command("go", append([]string{"vet", "-vettool=" + self}, args...)...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		err = cmd.Run()
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "simvet:", err)
		return 2
	}
	return 0
}
