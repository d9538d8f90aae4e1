package failures_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built is where the programs of this run are; "": none was made yet.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// birdwire is the program of the tree as it is.
var birdwire = sync.OnceValues(func() (string, error) { return build("birdwire", "") })

// build makes a program of the module in the folder, "" for this one.
func build(name, dir string, flags ...string) (string, error) {
	if built == "" {
		var err error
		if built, err = os.MkdirTemp("", "failures"); err != nil {
			return "", err
		}
	}
	path := filepath.Join(built, name)
	cmd := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), "github.com/birdwire/birdwire/cmd/birdwire")...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	return path, cmd.Run()
}
