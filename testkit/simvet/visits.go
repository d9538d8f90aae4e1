package simvet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"slices"
)

// Visits is the fact that a function calls what it is given in the order of a map, or
// returns an iterator that does.
type Visits struct {
	Params   []int // which of its parameters it calls
	Iterator bool
}

// AFact is analysis.Fact.
func (*Visits) AFact()           {}
func (v *Visits) String() string { return fmt.Sprintf("visits %v %v", v.Params, v.Iterator) }

// visitors exports the fact for the package's functions, however deep.
func (c *check) visitors() {
	for grown := true; grown; {
		grown = false
		for _, f := range c.files {
			for _, d := range f.Decls {
				decl, ok := d.(*ast.FuncDecl)
				if !ok || decl.Body == nil {
					continue
				}
				fn, ok := c.pass.TypesInfo.Defs[decl.Name].(*types.Func)
				if !ok {
					continue
				}
				var before Visits
				c.pass.ImportObjectFact(fn, &before)
				if now := c.visits(fn, decl); !reflect.DeepEqual(now, before) {
					c.pass.ExportObjectFact(fn, &now)
					grown = true
				}
			}
		}
	}
}

// visits looks for calls of parameters: the function's own, and those of what it
// returns.
func (c *check) visits(fn *types.Func, decl *ast.FuncDecl) (v Visits) {
	own := fn.Signature().Params()
	var yields []*types.Var
	ast.Inspect(decl.Body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok {
			for _, result := range r.Results {
				if f, ok := ast.Unparen(result).(*ast.FuncLit); ok {
					for p := range c.pass.TypesInfo.TypeOf(f).(*types.Signature).Params().Variables() {
						yields = append(yields, p)
					}
				} else if c.returnsOrder(result) {
					v.Iterator = true
				}
			}
		}
		return true
	})
	called := func(x ast.Expr) {
		p := c.variable(x)
		if p == nil {
			return
		}
		for i := range own.Len() {
			if own.At(i) == p && !slices.Contains(v.Params, i) {
				v.Params = append(v.Params, i)
			}
		}
		v.Iterator = v.Iterator || slices.Contains(yields, p)
	}
	ast.Inspect(decl.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.RangeStmt:
			if c.inMapOrder(n.X) {
				ast.Inspect(n.Body, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok {
						called(call.Fun)
					}
					return true
				})
			}
		case *ast.CallExpr:
			for _, i := range c.visited(n) {
				if i < len(n.Args) {
					called(n.Args[i])
				}
			}
		}
		return true
	})
	slices.Sort(v.Params)
	return v
}

// returnsOrder: an iterator over a map that somebody else makes.
func (c *check) returnsOrder(x ast.Expr) bool {
	t := c.pass.TypesInfo.TypeOf(x)
	if t == nil {
		return false
	}
	_, iterates := t.Underlying().(*types.Signature)
	return iterates && c.inMapOrder(x)
}

// visited are the arguments of a call that it calls in map order.
func (c *check) visited(call *ast.CallExpr) []int {
	callee := c.callee(call)
	if callee == nil {
		return nil
	}
	if i, ok := visiting[callee.FullName()]; ok {
		return []int{i}
	}
	var v Visits
	if callee.Pkg() == nil || !c.pass.ImportObjectFact(callee.Origin(), &v) {
		return nil
	}
	return v.Params
}

func (c *check) mapVisit(call *ast.CallExpr) {
	for _, i := range c.visited(call) {
		if i >= len(call.Args) {
			continue
		}
		if send := c.sendsValue(call.Args[i]); send != nil {
			c.breach(call.Pos(), MapOrder, fmt.Sprintf("has it called in map order, and line %d sends", c.line(send)))
		}
	}
}

// gathered looks for what was put into a list in map order, and is sent in the order of
// the list. Any call that the list is handed to may have sorted it.
func (c *check) gathered(body *ast.BlockStmt) {
	since := map[*types.Var]token.Pos{} // when it was put in
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.RangeStmt:
			if c.inMapOrder(n.X) {
				c.appends(n.Body, since)
			}
		case *ast.AssignStmt:
			if len(n.Lhs) == 1 && len(n.Rhs) == 1 {
				call, isCall := ast.Unparen(n.Rhs[0]).(*ast.CallExpr)
				if v := c.variable(n.Lhs[0]); v != nil && isCall && isSlice(v.Type()) && c.inMapOrder(call) {
					since[v] = n.End()
				}
			}
		}
		return true
	})
	if len(since) == 0 {
		return
	}
	ast.Inspect(body, func(n ast.Node) bool {
		loop, ok := n.(*ast.RangeStmt)
		if !ok {
			return true
		}
		v := c.variable(loop.X)
		at, put := since[v]
		if v == nil || !put || loop.Pos() < at || c.handed(body, v, at, loop.Pos()) {
			return true
		}
		if send := c.firstSend(loop.Body); send != nil {
			c.breach(loop.Pos(), MapOrder, fmt.Sprintf("ranges over what was gathered in map order, and line %d sends", c.line(send)))
		}
		return true
	})
}

// appends takes note of the lists that a loop appends to.
func (c *check) appends(loop *ast.BlockStmt, since map[*types.Var]token.Pos) {
	ast.Inspect(loop, func(n ast.Node) bool {
		a, ok := n.(*ast.AssignStmt)
		if !ok || len(a.Lhs) != len(a.Rhs) {
			return true
		}
		for i, to := range a.Lhs {
			call, ok := ast.Unparen(a.Rhs[i]).(*ast.CallExpr)
			if v := c.variable(to); ok && v != nil && c.builtin(call) == "append" && v.Pos() < loop.Pos() {
				since[v] = loop.End()
			}
		}
		return true
	})
}

// handed says whether a call between two places is given the list, or something else is
// put into it.
func (c *check) handed(body *ast.BlockStmt, v *types.Var, from, to token.Pos) (handed bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if n == nil || n.Pos() >= to || n.End() <= from {
			return n != nil && n.Pos() < to && n.End() > from
		}
		switch n := n.(type) {
		case *ast.CallExpr:
			if n.Pos() > from && c.builtin(n) == "" {
				for _, arg := range append([]ast.Expr{n.Fun}, n.Args...) {
					handed = handed || c.mentions(arg, v)
				}
			}
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				handed = handed || n.Pos() > from && c.mentions(left, v)
			}
		}
		return true
	})
	return handed
}

func (c *check) mentions(x ast.Expr, v *types.Var) (found bool) {
	ast.Inspect(x, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok && c.variable(e) == v {
			found = true
		}
		return !found
	})
	return found
}

// builtin is the name of the built-in function that is called; "" of others.
func (c *check) builtin(call *ast.CallExpr) string {
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok {
		if b, ok := c.pass.TypesInfo.Uses[id].(*types.Builtin); ok {
			return b.Name()
		}
	}
	return ""
}

func isSlice(t types.Type) bool {
	_, ok := t.Underlying().(*types.Slice)
	return ok
}
