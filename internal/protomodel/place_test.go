package protomodel_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/internal/protomodel"
)

func TestRules_nameTheirPlaces(t *testing.T) {
	root := filepath.Join("..", "..")
	functions := make(map[string]map[string]string) // by package: where each stands
	for _, r := range protomodel.Rules() {
		if len(r.Where) == 0 {
			t.Errorf("%v: says not what carries it out", r)
		}
		for _, p := range r.Where {
			path := filepath.Join(root, filepath.FromSlash(p.Path))
			if filepath.Ext(path) != "" {
				text, err := os.ReadFile(path)
				if err != nil {
					t.Errorf("%v: %v", r, err)
				} else if !strings.Contains(string(text), p.Name) {
					t.Errorf("%v: %s has no line %q any more", r, p.Path, p.Name)
				}
				continue
			}
			if functions[path] == nil {
				functions[path] = functionsOf(t, path)
			}
			at, ok := functions[path][p.Name]
			if !ok {
				t.Errorf("%v: package %s has no function %s any more", r, p.Path, p.Name)
			}
			t.Logf("%v: %s %s", r, at, p.Name)
		}
	}
}

// functionsOf returns the functions of a package outside its tests, methods as
// "Type.Method", and the file that each is in.
func functionsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := fn.Name.Name
			if fn.Recv != nil {
				name = receiver(fn.Recv.List[0].Type) + "." + name
			}
			all[name] = file
		}
	}
	return all
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
