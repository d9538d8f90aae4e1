package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestGoVet runs the command as its users do, on a module that is not ours.
func TestGoVet(t *testing.T) {
	folder := t.TempDir()
	tool := filepath.Join(folder, "simvet")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	module := filepath.Join(folder, "shop")
	wanted := lay(t, module)
	if len(wanted) != 18 {
		t.Fatalf("the module has %d lines that break a rule", len(wanted))
	}
	for _, c := range []struct {
		flags []string
		want  []string
	}{
		{nil, wanted},
		{[]string{"-simvet.except=time,maporder"}, slices.DeleteFunc(slices.Clone(wanted), func(w string) bool {
			return strings.HasSuffix(w, " time") || strings.HasSuffix(w, " maporder")
		})},
	} {
		if got := reported(t, vet(module, tool, c.flags...)); !slices.Equal(got, c.want) {
			t.Errorf("go vet %v reports\n%q, want\n%q", c.flags, got, c.want)
		}
	}
	itself := exec.Command(tool, "-simvet.except=goroutine", "./...")
	itself.Dir, itself.Env = module, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := itself.CombinedOutput()
	if got := reported(t, string(out)); err == nil || !slices.Equal(got, slices.DeleteFunc(slices.Clone(wanted), func(w string) bool { return strings.HasSuffix(w, " goroutine") })) {
		t.Errorf("given packages it ends with %v and reports\n%q", err, got)
	}
	if out := vet(module, tool, "-simvet.except=clocks"); !strings.Contains(out, `there is no rule "clocks"`) {
		t.Errorf("a rule that does not exist is answered with\n%s", out)
	}
}

// lay writes the module and returns its lines with "want", as "file:line rule".
func lay(t *testing.T, module string) (wanted []string) {
	archive, err := txtar.ParseFile(filepath.Join("testdata", "shop.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		path := filepath.Join(module, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(f.Data), "\n") {
			if _, rule, ok := strings.Cut(line, "// want "); ok {
				wanted = append(wanted, fmt.Sprintf("%s:%d %s", f.Name, n+1, rule))
			}
		}
	}
	slices.Sort(wanted)
	return wanted
}

func vet(module, tool string, flags ...string) string {
	cmd := exec.Command("go", append(append([]string{"vet", "-vettool=" + tool}, flags...), "./...")...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, _ := cmd.CombinedOutput() // it fails where it reports
	return string(out)
}

// texts are what a rule is known by in what go vet prints.
var texts = map[string]string{
	"no goroutines in actors": "goroutine", "no wall time in actors": "time", "no waiting for answers in actors": "blocking",
	"no sending in map order": "maporder", "no select of several channels": "select",
}

var place = regexp.MustCompile(`^(\S+?):(\d+):\d+: (.*)$`)

func reported(t *testing.T, out string) (found []string) {
	for line := range strings.Lines(out) {
		m := place.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		rule := ""
		for text, id := range texts {
			if strings.Contains(m[3], text) {
				rule = id
			}
		}
		found = append(found, fmt.Sprintf("%s:%s %s", filepath.ToSlash(m[1]), m[2], rule))
	}
	slices.Sort(found)
	if len(found) == 0 {
		t.Logf("go vet printed\n%s", out)
	}
	return found
}
