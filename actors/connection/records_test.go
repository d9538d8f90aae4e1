package connection_test

import (
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/testkit"
)

// records are the control records of the test's kit.
func records(k *testkit.Kit) *memory.Records { return testkit.Once(k, memory.NewRecords) }
