package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// checkBans holds what actors, and what makes them of ports, must not do. It
// needs types: only they tell a map from a slice, and a future's Wait from any
// other.
func (h *house) checkBans() ([]Breach, error) {
	checked, err := typed(h.root, "./actors/...", "./cluster/assembly/...")
	if err != nil {
		return nil, err
	}
	var found []Breach
	for _, t := range checked {
		c := &banCheck{t: t, senders: t.senders()}
		for _, f := range t.files {
			ast.Inspect(f, c.visit)
		}
		found = append(found, c.found...)
	}
	return found, nil
}

type banCheck struct {
	t       *typedPackage
	senders map[*types.Func]bool
	found   []Breach
}

func (c *banCheck) breach(pos token.Pos, b *ban, what string) {
	if b == nil || fitsAny(b.except, c.t.path) {
		return
	}
	at := c.t.fset.Position(pos)
	c.found = append(c.found, Breach{File: c.t.relative(at.Filename), Line: at.Line, What: what, Rule: b.rule, Why: b.why})
}

func (c *banCheck) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		c.breach(n.Pos(), &banGo, "starts a goroutine")
	case *ast.Ident:
		c.name(n)
	case *ast.CallExpr:
		c.strategy(n)
	case *ast.RangeStmt:
		c.mapRange(n)
	}
	return true
}

// name looks at what an identifier means, so that neither a renamed
// import nor a function kept in a variable passes.
func (c *banCheck) name(id *ast.Ident) {
	object := c.t.info.Uses[id]
	if object == nil || object.Pkg() == nil {
		return
	}
	qualified := object.Pkg().Path() + "." + object.Name()
	switch object := object.(type) {
	case *types.Func:
		receiver := receiverName(object)
		switch {
		case receiver == "":
			c.breach(id.Pos(), bannedFuncs[qualified], "uses "+qualified)
			if isGlobalChance(object) {
				c.breach(id.Pos(), &banRand, "uses "+qualified)
			}
		case object.Pkg().Path() == actorPackage:
			b := bannedMethods[object.Name()]
			if b == nil {
				b = bannedMethods[receiver+"."+object.Name()]
			}
			c.breach(id.Pos(), b, "calls "+receiver+"."+object.Name())
		case qualified == "sync.Go":
			c.breach(id.Pos(), &banGo, "starts a goroutine by sync.WaitGroup.Go")
		}
	case *types.TypeName:
		c.breach(id.Pos(), bannedTypes[qualified], "uses "+qualified)
	case *types.Var:
		if chancePackages[object.Pkg().Path()] {
			c.breach(id.Pos(), &banRand, "uses "+qualified)
		}
	}
}

// strategy allows the library's strategies only where they never restart: they
// count restarts by the machine's clock.
func (c *banCheck) strategy(call *ast.CallExpr) {
	callee := c.t.callee(call)
	if callee == nil || callee.Pkg() == nil || callee.Pkg().Path() != actorPackage || !countingStrategies[callee.Name()] {
		return
	}
	if value := c.t.info.Types[call.Args[0]].Value; value == nil || value.String() != "0" {
		c.breach(call.Pos(), &banSupervision, "restarts by "+actorPackage+"."+callee.Name())
	}
}

func isGlobalChance(fn *types.Func) bool {
	from := fn.Pkg().Path()
	return chancePackages[from] || randPackages[from] && !strings.HasPrefix(fn.Name(), "New")
}

func (c *banCheck) mapRange(loop *ast.RangeStmt) {
	if !c.inMapOrder(loop.X) {
		return
	}
	if sender := c.t.firstSend(loop.Body, c.senders); sender != nil {
		c.breach(loop.Pos(), &banMapSend, fmt.Sprintf("ranges over a map, and line %d sends", c.t.fset.Position(sender.Pos()).Line))
	}
}

// inMapOrder: a map, or what package maps makes of one.
func (c *banCheck) inMapOrder(x ast.Expr) bool {
	if over := c.t.info.TypeOf(x); over != nil {
		if _, ok := over.Underlying().(*types.Map); ok {
			return true
		}
	}
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	callee := c.t.callee(call)
	return callee != nil && callee.Pkg() != nil && callee.Pkg().Path() == "maps"
}

// firstSend is the first call under n that sends, itself or by a function of
// the same package.
func (t *typedPackage) firstSend(n ast.Node, senders map[*types.Func]bool) ast.Node {
	var first ast.Node
	ast.Inspect(n, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || first != nil {
			return first == nil
		}
		if callee := t.callee(call); callee != nil && (t.isSend(callee) || senders[callee]) {
			first = call
		}
		return first == nil
	})
	return first
}

// senders are the package's functions that send, however deep.
func (t *typedPackage) senders() map[*types.Func]bool {
	senders := map[*types.Func]bool{}
	for grown := true; grown; {
		grown = false
		for _, f := range t.files {
			for _, d := range f.Decls {
				decl, ok := d.(*ast.FuncDecl)
				if !ok || decl.Body == nil {
					continue
				}
				fn, ok := t.info.Defs[decl.Name].(*types.Func)
				if ok && !senders[fn] && t.firstSend(decl.Body, senders) != nil {
					senders[fn], grown = true, true
				}
			}
		}
	}
	return senders
}

// isSend: one of sends, of protoactor or of package actors.
func (t *typedPackage) isSend(fn *types.Func) bool {
	if fn.Pkg() == nil || !sends[fn.Name()] {
		return false
	}
	switch fn.Pkg().Path() {
	case actorPackage:
		return receiverName(fn) != ""
	case module + "/actors":
		return true
	}
	return false
}

func (t *typedPackage) callee(call *ast.CallExpr) *types.Func {
	switch f := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		fn, _ := t.info.Uses[f].(*types.Func)
		return fn
	case *ast.SelectorExpr:
		fn, _ := t.info.Uses[f.Sel].(*types.Func)
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
