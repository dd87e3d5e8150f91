package arrows_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// row is what one package may import besides the standard library.
type row struct {
	ours    []string // packages of this module, below its path; "." is its root
	outside []string // other modules: these packages and all below them
	tests   []string // of ours, in _test files only
}

const (
	chi       = "github.com/go-chi/chi/v5"
	cmp       = "github.com/google/go-cmp"
	leak      = "go.uber.org/goleak"
	goredis   = "github.com/redis/go-redis/v9"
	porcupine = "github.com/anishathalye/porcupine"
	rapid     = "pgregory.net/rapid"
	websocket = "github.com/coder/websocket"
	xcrypto   = "golang.org/x/crypto"
	xtime     = "golang.org/x/time"
)

// table has every package of the module. A package that is not here yet, or
// not any more, does no harm.
var table = map[string]row{
	"prefixes":           {},
	"internal/notice":    {},
	"internal/failpoint": {},

	"session":             {ours: []string{"prefixes", "internal/notice", "internal/failpoint"}, tests: []string{"session/sessiontest", "session/memstore", "session/seal"}},
	"session/memstore":    {ours: []string{"session"}, tests: []string{"session/sessiontest"}},
	"session/redisstore":  {ours: []string{"session"}, outside: []string{goredis}, tests: []string{"session/sessiontest"}},
	"session/seal":        {ours: []string{"internal/deflate"}},
	"session/signed":      {ours: []string{"internal/deflate"}},
	"session/sessiontest": {ours: []string{"session"}, outside: []string{porcupine, rapid, cmp}, tests: []string{"session/memstore"}},

	"hub":             {ours: []string{"internal/notice", "internal/failpoint"}, tests: []string{"hub/hubtest"}},
	"hub/redisbroker": {ours: []string{"hub"}, outside: []string{goredis}, tests: []string{"hub/hubtest", "session/redisstore"}},
	"hub/hubtest":     {ours: []string{"hub"}},

	"transport": {
		ours: []string{"session", "hub", "internal/failpoint"}, outside: []string{websocket},
		tests: []string{"transport/transporttest", "session/memstore", "session/redisstore", "hub/redisbroker", "web"},
	},
	"transport/transporttest": {ours: []string{"transport", "session"}, tests: []string{"session/memstore"}},
	"web":                     {ours: []string{"session"}, outside: []string{chi}, tests: []string{"session/memstore"}},

	".": {
		ours:    []string{"web", "transport", "session", "hub", "prefixes", "session/memstore", "session/redisstore", "hub/redisbroker"},
		outside: []string{chi, goredis},
		tests:   []string{"transport/transporttest"},
	},
	"cmd/hubdemo": {
		ours:    []string{".", "web", "transport", "session", "hub", "prefixes", "session/memstore", "session/redisstore", "hub/redisbroker"},
		outside: []string{chi, goredis, xcrypto, xtime},
	},

	"internal/cases": {tests: []string{
		".", "web", "transport", "hub", "session", "prefixes", "session/memstore", "session/redisstore", "session/seal", "session/signed", "session/sessiontest",
	}},

	"internal/faults": {tests: []string{
		".", "web", "transport", "hub", "session", "prefixes", "session/memstore", "session/redisstore", "hub/redisbroker", "internal/failpoint",
	}},

	"internal/soak": {tests: []string{".", "web", "transport", "hub", "session"}},

	"examples/lobby": {ours: []string{".", "session", "transport"}},
	"e2e":            {outside: []string{websocket}, tests: []string{"session", "transport"}},

	"internal/redistest":  {outside: []string{goredis, leak}},
	"internal/faultproxy": {},
	"internal/deflate":    {},
	"internal/protomodel": {},
	"internal/arrows":     {},
}

// inTests is what the tests of every package may import, besides what the
// package reaches directly or indirectly, and the row's tests.
var inTests = row{
	ours:    []string{"internal/redistest", "internal/faultproxy"},
	outside: []string{leak, cmp, rapid, porcupine},
}

// verdict says why a package may not import something, or nothing. pkg and an
// import of this module are given below the module's path.
func verdict(pkg, imported string, ours, test bool) string {
	r, ok := table[pkg]
	if !ok {
		return "the package has no row in the table of internal/arrows"
	}
	if !ours && !strings.Contains(strings.Split(imported, "/")[0], ".") {
		return "" // standard library
	}
	packages, modules := r.ours, r.outside
	if test {
		packages, modules = reach(pkg, nil)
		packages = slices.Concat(packages, r.tests, inTests.ours)
		modules = slices.Concat(modules, inTests.outside)
		for _, p := range slices.Concat(r.tests, inTests.ours) {
			modules = append(modules, table[p].outside...)
		}
	}
	switch {
	case ours && slices.Contains(packages, imported):
		return ""
	case ours:
		return fmt.Sprintf("may import of this module: %s", list(packages))
	case slices.ContainsFunc(modules, func(m string) bool { return imported == m || strings.HasPrefix(imported, m+"/") }):
		return ""
	}
	return fmt.Sprintf("may import of other modules: %s", list(modules))
}

// reach returns all that a package imports directly or indirectly, itself
// included.
func reach(pkg string, seen []string) (packages, modules []string) {
	packages = append(seen, pkg)
	modules = slices.Clone(table[pkg].outside)
	for _, p := range table[pkg].ours {
		if !slices.Contains(packages, p) {
			var more []string
			packages, more = reach(p, packages)
			modules = append(modules, more...)
		}
	}
	return packages, modules
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

func TestArrows_areListed(t *testing.T) {
	root := filepath.Join("..", "..")
	module := moduleOf(t, root)
	files := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if file != root && leftOut(file, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		files++
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		// All files, whatever their build constraints.
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			below, ours := strings.CutPrefix(imported+"/", module+"/")
			if ours {
				imported = path.Clean(below)
			}
			if why := verdict(path.Dir(rel), imported, ours, strings.HasSuffix(rel, "_test.go")); why != "" {
				t.Errorf("%s imports %s: %s", rel, imported, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Errorf("only %d files were found", files)
	}
}

// leftOut reports whether a directory is no part of this module.
func leftOut(dir, name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "vendor" {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func moduleOf(t *testing.T, root string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^module (\S+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatal("go.mod names no module")
	}
	return string(m[1])
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		ours, test    bool
		refused       bool
	}{
		{pkg: "session", imported: "net/http"},
		{pkg: "session", imported: "prefixes", ours: true},
		{pkg: "session", imported: "hub", ours: true, refused: true},
		{pkg: "hub", imported: "session", ours: true, refused: true},
		{pkg: "session", imported: "hub", ours: true, test: true, refused: true},
		{pkg: "prefixes", imported: "session", ours: true, refused: true}, // back up
		{pkg: "transport", imported: "prefixes", ours: true, refused: true},
		{pkg: "transport", imported: "prefixes", ours: true, test: true}, // through session
		{pkg: "session", imported: goredis, refused: true},
		{pkg: "session/redisstore", imported: goredis + "/maintnotifications"},
		{pkg: "session/redisstore", imported: goredis + "x", refused: true},
		{pkg: "session/redisstore", imported: "internal/redistest", ours: true, refused: true},
		{pkg: "session/redisstore", imported: "internal/redistest", ours: true, test: true},
		{pkg: "session", imported: cmp + "/cmp", refused: true},
		{pkg: "session", imported: cmp + "/cmp", test: true},
		{pkg: "web", imported: "example.com/x", test: true, refused: true},
		{pkg: "cmd/hubdemo", imported: ".", ours: true},
		{pkg: "web", imported: ".", ours: true, refused: true},
		{pkg: "cmd/hubdemo", imported: "session/sessiontest", ours: true, refused: true},
		{pkg: "nowhere", imported: "fmt", refused: true},
	} {
		why := verdict(c.pkg, c.imported, c.ours, c.test)
		if refused := why != ""; refused != c.refused {
			t.Errorf("%+v: refused %v (%s)", c, refused, why)
		}
	}
}

func TestTable_hasNoCircle(t *testing.T) {
	for pkg, r := range table {
		for _, p := range r.ours {
			if back, _ := reach(p, nil); slices.Contains(back, pkg) {
				t.Errorf("%s reaches itself through %s", pkg, p)
			}
		}
	}
}
