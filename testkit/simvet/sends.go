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

// senders exports the fact for the package's functions that send, however deep.
func (c *check) senders() {
	for grown := true; grown; {
		grown = false
		for _, f := range c.files {
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

// sends: one of the library's methods that do, or one that calls it.
func (c *check) sends(fn *types.Func) bool {
	if fn.Pkg() == nil {
		return false
	}
	if fn.Pkg().Path() == actorPackage {
		return sending[fn.Name()] && receiverName(fn) != ""
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
		}
		return first == nil
	})
	return first
}

func (c *check) mapRange(loop *ast.RangeStmt) {
	if !c.inMapOrder(loop.X) {
		return
	}
	if send := c.firstSend(loop.Body); send != nil {
		c.breach(loop.Pos(), MapOrder, fmt.Sprintf("ranges over a map, and line %d sends", c.pass.Fset.Position(send.Pos()).Line))
	}
}

// inMapOrder: a map, or what package maps makes of one.
func (c *check) inMapOrder(x ast.Expr) bool {
	if over := c.pass.TypesInfo.TypeOf(x); over != nil {
		if _, ok := over.Underlying().(*types.Map); ok {
			return true
		}
	}
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	callee := c.callee(call)
	return callee != nil && callee.Pkg() != nil && callee.Pkg().Path() == "maps"
}
