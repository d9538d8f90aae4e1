package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// Breach is one place where the code leaves the plan.
type Breach struct {
	File string // relative to the module
	Line int    // 0: the whole file or folder
	What string
	Rule string
	Why  string
}

func (b Breach) String() string {
	at := b.File
	if b.Line > 0 {
		at += ":" + strconv.Itoa(b.Line)
	}
	return fmt.Sprintf("%s: %s\n\trule: %s\n\twhy:  %s", at, b.What, b.Rule, b.Why)
}

// Check returns every breach in the module at root, by file and line.
func Check(root string) ([]Breach, error) {
	h, err := read(root)
	if err != nil {
		return nil, err
	}
	breaches := h.checkTop()
	breaches = append(breaches, h.checkDocs()...)
	breaches = append(breaches, h.checkSleep()...)
	breaches = append(breaches, h.checkImports()...)
	breaches = append(breaches, h.checkVendors()...)
	bans, err := h.checkBans()
	if err != nil {
		return nil, err
	}
	breaches = append(breaches, bans...)
	sort.SliceStable(breaches, func(i, j int) bool {
		if breaches[i].File != breaches[j].File {
			return breaches[i].File < breaches[j].File
		}
		return breaches[i].Line < breaches[j].Line
	})
	return breaches, nil
}

// house is the module as read.
type house struct {
	root     string
	fset     *token.FileSet
	packages []*pkg // by path
}

// pkg is one folder with Go files.
type pkg struct {
	path  string // relative to the module; "" is its root
	name  string
	files []*file // without tests
	tests []*file
}

type file struct {
	path string // relative to the module
	ast  *ast.File
}

func read(root string) (*house, error) {
	h := &house{root: root, fset: token.NewFileSet()}
	folders := map[string]*pkg{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			return skip(name, rel)
		}
		if path.Ext(rel) != ".go" {
			return nil
		}
		return h.parse(folders, name, rel)
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", root, err)
	}
	for _, p := range folders {
		h.packages = append(h.packages, p)
	}
	sort.Slice(h.packages, func(i, j int) bool { return h.packages[i].path < h.packages[j].path })
	return h, nil
}

// skip leaves out what is no part of the module.
func skip(name, rel string) error {
	if rel == "." {
		return nil
	}
	base := path.Base(rel)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func (h *house) parse(folders map[string]*pkg, name, rel string) error {
	parsed, err := parser.ParseFile(h.fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	folder := path.Dir(rel)
	if folder == "." {
		folder = ""
	}
	p := folders[folder]
	if p == nil {
		p = &pkg{path: folder}
		folders[folder] = p
	}
	f := &file{path: rel, ast: parsed}
	if strings.HasSuffix(rel, "_test.go") {
		p.tests = append(p.tests, f)
		return nil
	}
	p.name = parsed.Name.Name
	p.files = append(p.files, f)
	return nil
}

func (h *house) line(pos token.Pos) int { return h.fset.Position(pos).Line }

// fits says whether the package path fits the pattern, and what {K} is there.
func fits(pattern, packagePath string) (k string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(packagePath, "/")
	for i, w := range want {
		if w == "**" {
			return k, true
		}
		if i >= len(have) {
			return "", false
		}
		switch {
		case w == "{K}":
			k = have[i]
		case w != "*" && w != have[i]:
			return "", false
		}
	}
	return k, len(want) == len(have)
}

func fitsAny(patterns []string, packagePath string) bool {
	for _, p := range patterns {
		if _, ok := fits(p, packagePath); ok {
			return true
		}
	}
	return false
}
