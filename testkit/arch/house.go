package arch

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// checkTop holds what is at the top: nothing else, and nothing missing.
func (h *house) checkTop() []Breach {
	const (
		rule = "the top level is exactly as drawn"
		why  = "the tree is the architecture: who opens the repository sees the tiers and nothing else"
	)
	entries, err := os.ReadDir(h.root)
	if err != nil {
		return []Breach{{File: ".", What: err.Error(), Rule: rule, Why: why}}
	}
	var found []Breach
	ignored := h.ignored()
	missing := slices.Clone(top)
	for _, e := range entries {
		name := e.Name()
		missing = slices.DeleteFunc(missing, func(want string) bool { return want == name })
		if strings.HasPrefix(name, ".") || slices.Contains(top, name) || ignored(name) {
			continue
		}
		found = append(found, Breach{File: name, What: "does not belong at the top", Rule: rule, Why: why})
	}
	for _, name := range missing {
		found = append(found, Breach{File: name, What: "is missing", Rule: rule, Why: why})
	}
	return found
}

// ignored reads .gitignore as far as it speaks of names at the top: what git
// does not keep is not the repository's.
func (h *house) ignored() func(name string) bool {
	var patterns []string
	if data, err := os.ReadFile(filepath.Join(h.root, ".gitignore")); err == nil {
		for line := range strings.Lines(string(data)) {
			if line = strings.Trim(strings.TrimSpace(line), "/"); line != "" && line[0] != '#' {
				patterns = append(patterns, line)
			}
		}
	}
	return func(name string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			ok, err := path.Match(p, name)
			return err == nil && ok
		})
	}
}

// checkDocs asks every package to say what it is.
func (h *house) checkDocs() []Breach {
	var found []Breach
	for _, p := range h.packages {
		if len(p.files) == 0 {
			continue
		}
		want := "Package " + p.name + " "
		if p.name == "main" {
			want = "Command " + path.Base(p.path) + " "
		}
		documented := slices.ContainsFunc(p.files, func(f *file) bool {
			return f.ast.Doc != nil && strings.HasPrefix(f.ast.Doc.Text(), want)
		})
		if !documented {
			found = append(found, Breach{
				File: p.path, What: "no file's package comment begins with " + strings.TrimSpace(want),
				Rule: "every package says what it owns and what it never does", Why: "a newcomer must be able to say what belongs there",
			})
		}
	}
	return found
}

// checkSleep looks for time.Sleep in tests and in what tests are made with.
func (h *house) checkSleep() []Breach {
	var found []Breach
	for _, p := range h.packages {
		files := p.tests
		if under(p.path, "testkit") {
			files = slices.Concat(p.tests, p.files)
		}
		for _, f := range files {
			name, ok := importedAs(f.ast, "time")
			if !ok {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == name {
						found = append(found, Breach{
							File: f.path, Line: h.line(s.Pos()), What: "calls time.Sleep",
							Rule: "no test sleeps", Why: "it is too short on a loaded machine and too long on every other: wait for the event",
						})
					}
				}
				return true
			})
		}
	}
	return found
}

// importedAs is the name under which the file knows the package.
func importedAs(f *ast.File, packagePath string) (string, bool) {
	for _, spec := range f.Imports {
		if strings.Trim(spec.Path.Value, `"`) == packagePath {
			if spec.Name != nil {
				return spec.Name.Name, true
			}
			return path.Base(packagePath), true
		}
	}
	return "", false
}
