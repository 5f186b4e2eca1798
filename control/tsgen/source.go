package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// source is what reflection can't see: the comments on types and fields, and the
// constants of a named string type. It reads each package's folder once.
type source struct {
	root     string
	packages map[string]*pkg
	err      error // the first; the output is worth nothing then
}

type pkg struct {
	types  map[string]string   // doc by type name
	fields map[string]string   // doc by "Type.Field"
	values map[string][]string // constants by the name of their type, in order
	says   map[string]string   // doc by constant's value, "Type.value"
}

func newSource(root string) *source { return &source{root: root, packages: map[string]*pkg{}} }

func (s *source) of(t reflect.Type) *pkg {
	path := t.PkgPath()
	if p := s.packages[path]; p != nil {
		return p
	}
	p := &pkg{map[string]string{}, map[string]string{}, map[string][]string{}, map[string]string{}}
	s.packages[path] = p
	dir, ours := strings.CutPrefix(path, "obvan/")
	if !ours {
		return p
	}
	names, err := filepath.Glob(filepath.Join(s.root, dir, "*.go"))
	for _, name := range names {
		if err == nil && !strings.HasSuffix(name, "_test.go") {
			err = p.read(name)
		}
	}
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("read %s: %w", path, err)
	}
	return p
}

func (p *pkg) read(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				p.addType(spec, decl.Doc)
			case *ast.ValueSpec:
				if decl.Tok == token.CONST {
					p.addConst(spec)
				}
			}
		}
	}
	return nil
}

func (p *pkg) addType(spec *ast.TypeSpec, doc *ast.CommentGroup) {
	if spec.Doc != nil {
		doc = spec.Doc
	}
	p.types[spec.Name.Name] = oneLine(doc)
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range s.Fields.List {
		says := oneLine(f.Doc)
		if line := oneLine(f.Comment); line != "" {
			says = strings.TrimSpace(says + " " + line)
		}
		for _, name := range f.Names {
			p.fields[spec.Name.Name+"."+name.Name] = says
		}
	}
}

func (p *pkg) addConst(spec *ast.ValueSpec) {
	kind, ok := spec.Type.(*ast.Ident)
	if !ok || len(spec.Values) != 1 {
		return
	}
	lit, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return
	}
	value, err := strconv.Unquote(lit.Value)
	if err != nil {
		return
	}
	p.values[kind.Name] = append(p.values[kind.Name], value)
	p.says[kind.Name+"."+value] = oneLine(spec.Comment)
}

func oneLine(c *ast.CommentGroup) string {
	return strings.Join(strings.Fields(c.Text()), " ")
}
