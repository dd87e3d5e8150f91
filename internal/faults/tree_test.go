package faults_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestD67_everyPackageLooksForLeaks looks at the TestMain of every package that has
// tests, of the nested module too.
func TestD67_everyPackageLooksForLeaks(t *testing.T) {
	root := filepath.Join("..", "..")
	looks := make(map[string]bool) // directories with tests
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.Dir(file)
		looks[dir] = looks[dir] || looksForLeaks(f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, does := range looks {
		if !does {
			t.Errorf("%s has tests, and no TestMain with goleak.VerifyTestMain or redistest.Main", dir)
		}
	}
	if len(looks) < 20 {
		t.Errorf("only %d packages with tests were found", len(looks))
	}
}

// looksForLeaks reports whether a file has a TestMain that looks for goroutines
// that are left.
func looksForLeaks(f *ast.File) (looks bool) {
	for _, d := range f.Decls {
		main, ok := d.(*ast.FuncDecl)
		if !ok || main.Name.Name != "TestMain" {
			continue
		}
		ast.Inspect(main.Body, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok {
				of, _ := call.X.(*ast.Ident)
				looks = looks || of != nil &&
					(of.Name == "goleak" && call.Sel.Name == "VerifyTestMain" || of.Name == "redistest" && call.Sel.Name == "Main")
			}
			return true
		})
	}
	return looks
}

// TestD68_testsRunUnderTheRaceDetector reads what "make test" does: all packages,
// with the race detector, and with the places at which tests stop a node.
func TestD68_testsRunUnderTheRaceDetector(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^\tgo test -race -tags failpoint .*\./\.\.\.$`).Match(text) {
		t.Error("the Makefile has no line that tests all packages with -race and -tags failpoint")
	}
}
