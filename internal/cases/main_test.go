package cases_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sessionhub/sessionhub/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// behaviour is one case: its rule, and the test of it. Several may have one
// number.
type behaviour struct {
	name, rule string
	run        func(w *world)
}

func behaviours() []behaviour {
	return slices.Concat(dictionaryCases(), expiryCases(), cleanupCases(), keyCases(), lifeCases(), storeCases(),
		middlewareCases(), cookieCases(), signingCases())
}

// skipped has the numbers of what means nothing here, and why.
var skipped = map[int]string{
	50: "the time zones of a cache before a database: there is one store, and A43 is its case",
	51: "a missing directory of the file backend: no store keeps files",
	55: "a path object for the file backend: no store keeps files",
	71: "what does not apply to sessions in signed cookies: no session is kept in its cookie",
	73: "an expiry that signed cookies do not honour: the server keeps every expiry, and A35 is the case",
}

func TestCases(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			for _, c := range behaviours() {
				t.Run(c.name, func(t *testing.T) {
					t.Log("rule:", c.rule)
					k.run(t, func(t *testing.T) { c.run(newWorld(t, k)) })
				})
			}
		})
	}
}

func TestCases_haveEveryNumber(t *testing.T) {
	numbered := regexp.MustCompile(`^A(u?)([1-9][0-9]*)_[a-z][a-zA-Z0-9]+$`)
	names, found := make(map[string]bool), make(map[int]bool)
	for _, c := range behaviours() {
		m := numbered.FindStringSubmatch(c.name)
		switch {
		case m == nil:
			t.Errorf("%s has no number and behaviour", c.name)
			continue
		case names[c.name]:
			t.Errorf("%s is there twice", c.name)
		case c.rule == "":
			t.Errorf("%s has no rule", c.name)
		}
		names[c.name] = true
		if n, err := strconv.Atoi(m[2]); err != nil {
			t.Error(err)
		} else if m[1] == "" {
			found[n] = true
		}
	}
	for n := range 79 {
		reason, skip := skipped[n+1]
		if found[n+1] == skip {
			t.Errorf("A%d: a case %v, skipped %v; want one of both", n+1, found[n+1], skip)
		}
		if skip && reason == "" {
			t.Errorf("A%d is skipped without a reason", n+1)
		}
	}
	if total := len(found) + len(skipped); total != 79 {
		t.Errorf("%d numbers, want A1 to A79", total)
	}
}

// The cases of signing need no session, and so are where the signatures are.
func TestCases_ofSigningAreInItsPackage(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "session", "signed", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var tests []string
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				tests = append(tests, fn.Name.Name)
			}
		}
	}
	for n := 80; n <= 88; n++ {
		prefix := "TestA" + strconv.Itoa(n) + "_"
		if !slices.ContainsFunc(tests, func(name string) bool { return strings.HasPrefix(name, prefix) }) {
			t.Errorf("session/signed has no %s…", prefix)
		}
	}
}
