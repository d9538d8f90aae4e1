package arch

import (
	"fmt"
	"strconv"
	"strings"
)

// checkImports holds the import table against every file that is no test.
func (h *house) checkImports() []Breach {
	var found []Breach
	for _, p := range h.packages {
		row, k, ok := rowOf(p.path)
		if !ok && len(p.files) > 0 {
			found = append(found, Breach{
				File: p.files[0].path, What: fmt.Sprintf("package %q has no row in the import table", p.path),
				Rule: "every package has its place", Why: "a folder that the plan does not know belongs somewhere else, or into the plan",
			})
			continue
		}
		h.eachImport(p, func(f *file, line int, imported string) {
			own, ok := strings.CutPrefix(imported, module+"/")
			if !ok || row.allows(k, own) {
				return
			}
			found = append(found, Breach{
				File: f.path, Line: line, What: "imports " + own,
				Rule: fmt.Sprintf("%s may import of this module: %s", row.importer, orNothing(row.may)), Why: row.why,
			})
		})
	}
	return found
}

func rowOf(packagePath string) (importRow, string, bool) {
	for _, row := range imports {
		if k, ok := fits(row.importer, packagePath); ok {
			return row, k, true
		}
	}
	return importRow{}, "", false
}

func (r importRow) allows(k, imported string) bool {
	for _, may := range r.may {
		if _, ok := fits(strings.ReplaceAll(may, "{K}", k), imported); ok {
			return true
		}
	}
	return false
}

func orNothing(may []string) string {
	if len(may) == 0 {
		return "nothing"
	}
	return strings.Join(may, ", ")
}

// checkVendors holds the fences.
func (h *house) checkVendors() []Breach {
	var found []Breach
	for _, p := range h.packages {
		engine := isEngine(p.path)
		h.eachImport(p, func(f *file, line int, imported string) {
			for _, fence := range fences {
				if under(imported, fence.vendor) && !fence.open(p.path) {
					found = append(found, Breach{File: f.path, Line: line, What: "imports " + imported, Rule: fence.rule(), Why: fence.why})
				}
			}
			if !engine || fitsAny(banEngine.except, p.path) {
				return
			}
			for _, banned := range engineBans {
				if imported == banned {
					found = append(found, Breach{File: f.path, Line: line, What: "imports " + imported, Rule: banEngine.rule, Why: banEngine.why})
				}
			}
		})
	}
	return found
}

func (f fence) open(packagePath string) bool {
	if f.never != nil {
		return !fitsAny(f.never, packagePath)
	}
	return fitsAny(f.in, packagePath)
}

func (f fence) rule() string {
	switch {
	case f.never != nil:
		return fmt.Sprintf("%s never in %s", f.vendor, strings.Join(f.never, ", "))
	case len(f.in) == 0:
		return f.vendor + " is not used"
	}
	return fmt.Sprintf("%s only in %s", f.vendor, strings.Join(f.in, ", "))
}

// under says whether the import path is the vendor's or below it.
func under(imported, vendor string) bool {
	return imported == vendor || strings.HasPrefix(imported, vendor+"/")
}

func isEngine(packagePath string) bool {
	return strings.HasPrefix(packagePath, "actors/") && strings.Count(packagePath, "/") >= 2
}

// eachImport calls see for every import of p's files that are no tests.
func (h *house) eachImport(p *pkg, see func(f *file, line int, imported string)) {
	for _, f := range p.files {
		for _, spec := range f.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue // the parser has refused such a file
			}
			see(f, h.line(spec.Pos()), imported)
		}
	}
}
