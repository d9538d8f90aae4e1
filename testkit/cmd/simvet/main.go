// Command simvet runs the analyzer of package simvet for go vet:
//
//	go vet -vettool=$(which simvet) ./actors/...
package main

import (
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/birdwire/birdwire/testkit/simvet"
)

func main() { unitchecker.Main(simvet.Analyzer) }
