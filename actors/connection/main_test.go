package connection_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// The conversations leave much behind in a small heap: a third of their time
// went to collecting it.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
