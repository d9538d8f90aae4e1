package failures_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// This file makes the programs that nodes are.

// built is where the programs of this run are; "": none was made yet.
var built string

// birdwire is the program of the tree as it is.
var birdwire = sync.OnceValues(func() (string, error) { return build("birdwire", "") })

// build makes a program of the module in the folder, "" for this one.
func build(name, dir string, flags ...string) (string, error) {
	if err := makeRoom(); err != nil {
		return "", err
	}
	path := filepath.Join(built, name)
	cmd := exec.Command("go", append(append([]string{"build", "-trimpath", "-o", path}, flags...), "github.com/birdwire/birdwire/cmd/birdwire")...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	return path, cmd.Run()
}

func makeRoom() (err error) {
	if built == "" {
		built, err = os.MkdirTemp("", "failures")
	}
	return err
}

// errNoHistory: this tree has no commit before its own.
var errNoHistory = errors.New("the commit before this one is not here, as in a shallow clone: 'git fetch --deepen 1', or name one in FAILURES_FROM")

// before is the program of another commit: FAILURES_FROM, or the one before this.
var before = sync.OnceValues(func() (string, error) {
	commit := os.Getenv("FAILURES_FROM")
	if commit == "" {
		commit = "HEAD~1"
		if exec.Command("git", "cat-file", "-e", commit+"^{commit}").Run() != nil {
			return "", errNoHistory
		}
	}
	if err := makeRoom(); err != nil {
		return "", err
	}
	top, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return "", fmt.Errorf("the tree of %s: %w", commit, err)
	}
	dir := filepath.Join(built, "before")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	out := exec.Command("sh", "-c", `git -C "$1" archive "$2" | tar -x -C "$3"`, "sh", strings.TrimSpace(string(top)), commit, dir)
	if text, err := out.CombinedOutput(); err != nil || len(text) > 0 {
		return "", fmt.Errorf("the tree of %s: %s (%v)", commit, text, err)
	}
	return build("birdwire-before", dir)
})

// skewed is the program of the tree on a machine whose clock is wrong by as many
// seconds as its environment says in CLOCK_OFFSET. No system has a wall clock for a
// process of its own (Linux has one of the monotonic clock alone), and preloading a
// library changes no Go program: so Go's own time.Now is changed, as the program is
// built, for the whole of it.
var skewed = sync.OnceValues(func() (string, error) {
	if err := makeRoom(); err != nil {
		return "", err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	source := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	now := filepath.Join(source, "time.go")
	text, err := os.ReadFile(now)
	if err != nil {
		return "", err
	}
	const reads = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), reads) != 1 {
		return "", fmt.Errorf("%s does not read the clock as it did: see how it does, and have skewed change that", now)
	}
	files := map[string]string{now: strings.Replace(string(text), reads, reads+"\tsec += clockOffset\n", 1), filepath.Join(source, "offset.go"): offset}
	overlay := map[string]map[string]string{"Replace": {}}
	for path, text := range files {
		to := filepath.Join(built, filepath.Base(path))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return "", err
		}
		overlay["Replace"][path] = to
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	path := filepath.Join(built, "overlay.json")
	if err := os.WriteFile(path, list, 0o600); err != nil {
		return "", err
	}
	return build("birdwire-skewed", "", "-overlay", path)
})

// offset is what is added to package time.
const offset = `package time

import "syscall"

var clockOffset = func() (n int64) {
	text, _ := syscall.Getenv("CLOCK_OFFSET")
	sign := int64(1)
	for i := range len(text) {
		if text[i] == '-' {
			sign = -1
			continue
		}
		n = 10*n + int64(text[i]-'0')
	}
	return sign * n
}()
`
