package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// typedPackage is a package with its types.
type typedPackage struct {
	root  string
	path  string // relative to the module
	fset  *token.FileSet
	files []*ast.File
	types *types.Package
	info  *types.Info
}

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Export     string // file with what the compiler exports
	Dir        string
	GoFiles    []string
	DepOnly    bool
	Error      *struct{ Err string }
}

// typed type-checks the packages of the module at root that fit the patterns,
// on the platform that runs the check; each after those that it imports.
func typed(root string, patterns ...string) ([]*typedPackage, error) {
	// The compiler's own export files spare a dependency on go/packages.
	list := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Export,Dir,GoFiles,DepOnly,Error"}, patterns...)...)
	list.Dir = root
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("type-check %v: go list: %w\n%s", patterns, err, stderr.Bytes())
	}
	exports := map[string]string{}
	var wanted []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("type-check %v: read go list: %w", patterns, err)
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			wanted = append(wanted, p)
		}
	}
	fset := token.NewFileSet()
	from := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	checked := make([]*typedPackage, 0, len(wanted))
	for _, p := range wanted {
		t, err := check(root, fset, from, p)
		if err != nil {
			return nil, err
		}
		checked = append(checked, t)
	}
	return checked, nil
}

func check(root string, fset *token.FileSet, from types.Importer, p listed) (*typedPackage, error) {
	t := &typedPackage{
		root: root, path: strings.TrimPrefix(p.ImportPath, module+"/"), fset: fset,
		info: &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}},
	}
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("type-check %s: %w", p.ImportPath, err)
		}
		t.files = append(t.files, f)
	}
	config := types.Config{Importer: from}
	var err error
	if t.types, err = config.Check(p.ImportPath, fset, t.files, t.info); err != nil {
		return nil, fmt.Errorf("type-check %s: %w", p.ImportPath, err)
	}
	return t, nil
}

func (t *typedPackage) relative(name string) string {
	rel, err := filepath.Rel(t.root, name)
	if err != nil {
		return name
	}
	return filepath.ToSlash(rel)
}
