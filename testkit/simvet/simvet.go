package simvet

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzer is for go vet's -vettool, and for every other driver of
// golang.org/x/tools/go/analysis. Its result are the []Finding that it reports.
var Analyzer = newAnalyzer()

func newAnalyzer() *analysis.Analyzer {
	a := &analysis.Analyzer{
		Name: "simvet",
		Doc:  "simvet finds what a simulation from a seed cannot play again\n\nIt reports goroutines, wall time, randomness without a seed, locks, futures,\nselect of several channels, and messages sent in the order of a map, in actors of protoactor-go and what they call.",
		URL:  "https://pkg.go.dev/github.com/birdwire/birdwire/testkit/simvet",

		FactTypes:  []analysis.Fact{new(Sends), new(Visits)},
		ResultType: reflect.TypeFor[[]Finding](),
	}
	except := a.Flags.String("except", "", "rules that are left out, by comma: "+ids())
	a.Run = func(pass *analysis.Pass) (any, error) {
		out := map[string]bool{}
		for id := range strings.SplitSeq(*except, ",") {
			if id != "" && !known(id) {
				return nil, fmt.Errorf("-simvet.except: there is no rule %q", id)
			}
			out[id] = true
		}
		return run(pass, out), nil
	}
	return a
}

// Finding is one place that breaks a rule.
type Finding struct {
	Pos  token.Pos
	What string // what the code does there
	Rule Rule
}

// Sends is the fact that a function, a method of an interface, or what a variable
// holds, puts a message into a mailbox.
type Sends struct{}

// AFact is analysis.Fact.
func (*Sends) AFact()         {}
func (*Sends) String() string { return "sends" }

func run(pass *analysis.Pass, except map[string]bool) []Finding {
	path := pass.Pkg.Path()
	if path == library || strings.HasPrefix(path, library+"/") {
		return nil // of the library only what rules.go names sends
	}
	c := &check{pass: pass, except: except, holds: map[*types.Var]bool{}}
	for _, f := range pass.Files {
		if !strings.HasSuffix(pass.Fset.Position(f.FileStart).Filename, "_test.go") {
			c.files = append(c.files, f)
		}
	}
	c.marked()
	c.senders()
	c.visitors()
	for _, f := range c.files {
		ast.Inspect(f, c.visit)
		for _, d := range f.Decls {
			if decl, ok := d.(*ast.FuncDecl); ok && decl.Body != nil {
				c.gathered(decl.Body)
			}
		}
	}
	slices.SortFunc(c.found, func(a, b Finding) int { return cmp.Compare(a.Pos, b.Pos) })
	return c.found
}

type check struct {
	pass   *analysis.Pass
	except map[string]bool
	files  []*ast.File
	holds  map[*types.Var]bool // variables and fields that something which sends was put into
	found  []Finding
}

func (c *check) breach(pos token.Pos, rule Rule, what string) {
	if c.except[rule.ID] {
		return
	}
	c.found = append(c.found, Finding{Pos: pos, What: what, Rule: rule})
	c.pass.Report(analysis.Diagnostic{Pos: pos, Category: rule.ID, Message: what + ": " + rule.Text + ": " + rule.Why})
}

func (c *check) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		c.breach(n.Pos(), Goroutine, "starts a goroutine")
	case *ast.Ident:
		c.name(n)
	case *ast.CallExpr:
		c.strategy(n)
		c.mapVisit(n)
	case *ast.SelectStmt:
		c.choice(n)
	case *ast.RangeStmt:
		c.mapRange(n)
	}
	return true
}

// choice allows a select of one channel, with a default or without.
func (c *check) choice(s *ast.SelectStmt) {
	channels := 0
	for _, clause := range s.Body.List {
		if clause.(*ast.CommClause).Comm != nil {
			channels++
		}
	}
	if channels > 1 {
		c.breach(s.Pos(), Select, fmt.Sprintf("selects of %d channels", channels))
	}
}

// name looks at what an identifier means, so that neither a renamed import nor a
// function kept in a variable passes.
func (c *check) name(id *ast.Ident) {
	object := c.pass.TypesInfo.Uses[id]
	if object == nil || object.Pkg() == nil {
		return
	}
	qualified := object.Pkg().Path() + "." + object.Name()
	switch object := object.(type) {
	case *types.Func:
		c.function(id.Pos(), object, qualified)
	case *types.TypeName:
		if rule, ok := typeNames[qualified]; ok {
			c.breach(id.Pos(), rule, "uses "+qualified)
		}
	case *types.Var:
		if chance[object.Pkg().Path()] {
			c.breach(id.Pos(), Random, "uses "+qualified)
		}
	}
}

func (c *check) function(pos token.Pos, fn *types.Func, qualified string) {
	from, receiver := fn.Pkg().Path(), receiverName(fn)
	switch {
	case receiver == "":
		if rule, ok := functions[qualified]; ok {
			c.breach(pos, rule, "uses "+qualified)
		}
		if chance[from] || generators[from] && !strings.HasPrefix(fn.Name(), "New") {
			c.breach(pos, Random, "uses "+qualified)
		}
	case from == actorPackage:
		rule, ok := methods[fn.Name()]
		if !ok {
			rule, ok = methods[receiver+"."+fn.Name()]
		}
		if ok {
			if !token.IsExported(receiver) { // parts of which the library's contexts are made
				receiver = "Context"
			}
			c.breach(pos, rule, "calls "+receiver+"."+fn.Name())
		}
	case qualified == "sync.Go":
		c.breach(pos, Goroutine, "starts a goroutine by sync.WaitGroup.Go")
	}
}

// strategy allows the library's strategies only where they never restart: they
// count restarts by the machine's clock.
func (c *check) strategy(call *ast.CallExpr) {
	callee := c.callee(call)
	if callee == nil || callee.Pkg() == nil || callee.Pkg().Path() != actorPackage || !counting[callee.Name()] || len(call.Args) == 0 {
		return
	}
	if value := c.pass.TypesInfo.Types[call.Args[0]].Value; value == nil || value.String() != "0" {
		c.breach(call.Pos(), Supervise, "restarts by "+actorPackage+"."+callee.Name())
	}
}

func (c *check) callee(call *ast.CallExpr) *types.Func { return c.named(call.Fun) }

// named is the function that an expression names; nil of others.
func (c *check) named(x ast.Expr) *types.Func {
	fun := ast.Unparen(x)
	switch f := fun.(type) { // what a generic function is called with
	case *ast.IndexExpr:
		fun = f.X
	case *ast.IndexListExpr:
		fun = f.X
	}
	switch f := fun.(type) {
	case *ast.Ident:
		fn, _ := c.pass.TypesInfo.Uses[f].(*types.Func)
		return fn
	case *ast.SelectorExpr:
		fn, _ := c.pass.TypesInfo.Uses[f.Sel].(*types.Func)
		return fn
	}
	return nil
}

// receiverName is the type's name that fn is a method of; "" for a function.
func receiverName(fn *types.Func) string {
	receiver := fn.Signature().Recv()
	if receiver == nil {
		return ""
	}
	t := receiver.Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if named, ok := t.(*types.Named); ok {
		return named.Obj().Name()
	}
	return "interface"
}
