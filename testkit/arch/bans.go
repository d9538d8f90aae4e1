package arch

import (
	"fmt"
	"go/types"
	"reflect"
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/birdwire/birdwire/testkit/simvet"
)

// checkBans holds what actors, and what makes them of ports, must not do: it runs
// the analyzer that others run on theirs.
func (h *house) checkBans() ([]Breach, error) {
	checked, err := typed(h.root, simulated...)
	if err != nil {
		return nil, err
	}
	known := facts{}
	var found []Breach
	for _, t := range checked {
		findings, err := t.simvet(known)
		if err != nil {
			return nil, err
		}
		for _, f := range findings {
			if !excepts(t.path, f.Rule.ID) {
				at := t.fset.Position(f.Pos)
				found = append(found, Breach{File: t.relative(at.Filename), Line: at.Line, What: f.What, Rule: f.Rule.Text, Why: f.Rule.Why})
			}
		}
	}
	return found, nil
}

func excepts(packagePath, rule string) bool {
	for pattern, rules := range excepted {
		if fitsAny([]string{pattern}, packagePath) && slices.Contains(rules, rule) {
			return true
		}
	}
	return false
}

// facts are by the kind and the object's whole name: each package is checked with what the
// compiler exports of the others, so that objects are not the same ones.
type facts map[string]analysis.Fact

func (f facts) export(o types.Object, fact analysis.Fact) { f[kindOf(fact)+wholeName(o)] = fact }

func (f facts) read(o types.Object, into analysis.Fact) bool {
	fact, ok := f[kindOf(into)+wholeName(o)]
	if ok {
		reflect.ValueOf(into).Elem().Set(reflect.ValueOf(fact).Elem())
	}
	return ok
}

func kindOf(fact analysis.Fact) string { return reflect.TypeOf(fact).String() + " " }

func (t *typedPackage) simvet(known facts) ([]simvet.Finding, error) {
	pass := &analysis.Pass{
		Analyzer: simvet.Analyzer, Fset: t.fset, Files: t.files, Pkg: t.types, TypesInfo: t.info, TypesSizes: types.SizesFor("gc", "amd64"),
		Report:           func(analysis.Diagnostic) {},
		ExportObjectFact: known.export,
		ImportObjectFact: known.read,
	}
	result, err := simvet.Analyzer.Run(pass)
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", t.path, err)
	}
	return result.([]simvet.Finding), nil
}

func wholeName(o types.Object) string {
	if fn, ok := o.(*types.Func); ok {
		return fn.FullName()
	}
	return o.String()
}
