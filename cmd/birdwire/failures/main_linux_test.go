package failures_test

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // what is left is in the system's folder for that
	}
	os.Exit(code)
}
