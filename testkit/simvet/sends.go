package simvet

import (
	"fmt"
	"go/ast"
	"go/types"
	"strings"
)

// marked exports the fact for what //simvet:sends is above.
func (c *check) marked() {
	for _, f := range c.files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				c.mark(n.Doc, n.Name)
				return false
			case *ast.InterfaceType:
				for _, m := range n.Methods.List {
					c.mark(m.Doc, m.Names...)
				}
			}
			return true
		})
	}
}

func (c *check) mark(doc *ast.CommentGroup, names ...*ast.Ident) {
	if doc == nil {
		return
	}
	for _, line := range doc.List {
		if strings.TrimSpace(line.Text) != "//simvet:sends" {
			continue
		}
		for _, name := range names {
			if fn, ok := c.pass.TypesInfo.Defs[name].(*types.Func); ok {
				c.pass.ExportObjectFact(fn, new(Sends))
			}
		}
	}
}

// senders exports the fact for the package's functions that send, however deep, and
// finds what variables and fields are that hold one.
func (c *check) senders() {
	for grown := true; grown; {
		grown = false
		for _, f := range c.files {
			ast.Inspect(f, func(n ast.Node) bool {
				grown = c.kept(n) || grown
				return true
			})
			for _, d := range f.Decls {
				decl, ok := d.(*ast.FuncDecl)
				if !ok || decl.Body == nil {
					continue
				}
				fn, ok := c.pass.TypesInfo.Defs[decl.Name].(*types.Func)
				if ok && !c.sends(fn) && c.firstSend(decl.Body) != nil {
					c.pass.ExportObjectFact(fn, new(Sends))
					grown = true
				}
			}
		}
	}
}

// kept takes note where something that sends is put into a variable or a field; grown:
// of one that was not known to hold any.
func (c *check) kept(n ast.Node) (grown bool) {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if len(n.Lhs) == len(n.Rhs) {
			for i, to := range n.Lhs {
				grown = c.put(to, n.Rhs[i]) || grown
			}
		}
	case *ast.ValueSpec:
		if len(n.Names) == len(n.Values) {
			for i, to := range n.Names {
				grown = c.put(to, n.Values[i]) || grown
			}
		}
	case *ast.CompositeLit:
		for _, e := range n.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok {
				grown = c.put(pair.Key, pair.Value) || grown
			}
		}
	}
	return grown
}

func (c *check) put(to, value ast.Expr) bool {
	v := c.variable(to)
	if v == nil || c.varSends(v) || c.sendsValue(value) == nil {
		return false
	}
	if v.Pkg() == c.pass.Pkg && v.Parent() == c.pass.Pkg.Scope() {
		c.pass.ExportObjectFact(v, new(Sends))
	}
	c.holds[v] = true
	return true
}

// variable is what the expression names, where that is a variable or a field.
func (c *check) variable(x ast.Expr) *types.Var {
	var id *ast.Ident
	switch x := ast.Unparen(x).(type) {
	case *ast.Ident:
		id = x
	case *ast.SelectorExpr:
		id = x.Sel
	default:
		return nil
	}
	v, _ := c.pass.TypesInfo.ObjectOf(id).(*types.Var)
	if v == nil {
		return nil
	}
	return v.Origin()
}

func (c *check) varSends(v *types.Var) bool {
	return c.holds[v] || v.Pkg() != nil && v.Parent() == v.Pkg().Scope() && c.pass.ImportObjectFact(v, new(Sends))
}

// sendsValue is the function that an expression is, where that sends, or where it does.
func (c *check) sendsValue(x ast.Expr) ast.Node {
	switch x := ast.Unparen(x).(type) {
	case *ast.FuncLit:
		return c.firstSend(x.Body)
	case *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr, *ast.IndexListExpr:
		if fn := c.named(x); fn != nil && c.sends(fn) {
			return x
		}
		if v := c.variable(x); v != nil && c.varSends(v) {
			if _, ok := v.Type().Underlying().(*types.Signature); ok {
				return x
			}
		}
	}
	return nil
}

// sends: one of the library's methods that do, or one that calls it.
func (c *check) sends(fn *types.Func) bool {
	if fn.Pkg() == nil {
		return false
	}
	if fn.Pkg().Path() == actorPackage {
		return sending[fn.Name()] && receiverName(fn) != ""
	}
	if fn.Pkg().Path() == library+"/eventstream" {
		return fn.Name() == "Publish"
	}
	return c.pass.ImportObjectFact(fn.Origin(), new(Sends))
}

// firstSend is the first call under n that sends, itself or by what it calls.
func (c *check) firstSend(n ast.Node) ast.Node {
	var first ast.Node
	ast.Inspect(n, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || first != nil {
			return first == nil
		}
		if callee := c.callee(call); callee != nil && c.sends(callee) {
			first = call
		} else if v := c.variable(call.Fun); v != nil && c.varSends(v) {
			first = call
		}
		return first == nil
	})
	return first
}

func (c *check) line(n ast.Node) int { return c.pass.Fset.Position(n.Pos()).Line }

func (c *check) mapRange(loop *ast.RangeStmt) {
	if !c.inMapOrder(loop.X) {
		return
	}
	if send := c.firstSend(loop.Body); send != nil {
		c.breach(loop.Pos(), MapOrder, fmt.Sprintf("ranges over a map, and line %d sends", c.line(send)))
	}
}

// inMapOrder: a map, or what package maps makes of one, or what has its order.
func (c *check) inMapOrder(x ast.Expr) bool {
	if isMap(c.pass.TypesInfo.TypeOf(x)) {
		return true
	}
	call, ok := ast.Unparen(x).(*ast.CallExpr)
	if !ok {
		return false
	}
	callee := c.callee(call)
	if callee == nil || callee.Pkg() == nil {
		return false
	}
	switch callee.Pkg().Path() {
	case "maps":
		return true
	case "slices":
		return keeping[callee.Name()] && len(call.Args) > 0 && c.inMapOrder(call.Args[0])
	}
	var v Visits
	return c.pass.ImportObjectFact(callee.Origin(), &v) && v.Iterator
}

// isMap: a map, or what can only be one.
func isMap(t types.Type) bool {
	if t == nil {
		return false
	}
	p, ok := types.Unalias(t).(*types.TypeParam)
	if !ok {
		_, ok := t.Underlying().(*types.Map)
		return ok
	}
	constraint, ok := p.Constraint().Underlying().(*types.Interface)
	if !ok {
		return false
	}
	for i := range constraint.NumEmbeddeds() {
		union, ok := constraint.EmbeddedType(i).(*types.Union)
		if !ok {
			if isMap(constraint.EmbeddedType(i)) {
				return true
			}
			continue
		}
		maps := 0
		for k := range union.Len() {
			if isMap(union.Term(k).Type()) {
				maps++
			}
		}
		if maps > 0 && maps == union.Len() {
			return true
		}
	}
	return false
}
