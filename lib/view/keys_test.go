package view

import (
	"encoding/json"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/i18n"
)

// The keys of the programs are the constants of the type i18n.Key, wherever the compiler takes a text for one. What
// BuildKit says of a Dockerfile, and Jenkins of itself, is an argument. Emails and feeds are in English.

// silent are the packages whose texts no page shows.
var silent = map[string]string{
	"toaster.do/lib/toasterctl": "a terminal's, for the administrator",
	"toaster.do/lib/config":     "what is wrong with the configuration: for the administrator",
	"toaster.do/lib/mail":       "the log's",
}

// computed are the files that make a Key of what is no constant; keysElsewhere has these.
var computed = []string{"lib/engine/marks.go", "lib/dockerfile/rules.go", "lib/target/targets.go", "lib/web/fault.go"}

// words are types whose constants pages show.
var words = []string{"store.BuildState", "store.UserState", "store.Role", "store.Scope", "dockerfile.Level"}

// keysElsewhere are the rules of BuildKit, the remarks of the targets, and what build scripts say.
func keysElsewhere(t *testing.T) (list []string) {
	for _, r := range dockerfile.Rules() {
		list = append(list, string(r.Title))
	}
	targets, err := os.ReadFile("../../conf/targets.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^remark = "([^"]*)"$`).FindAllStringSubmatch(string(targets), -1) {
		list = append(list, m[1])
	}
	return append(list, keysOfScripts(t)...)
}

// keysOfPrograms finds the keys in the programs.
func keysOfPrograms(t *testing.T) []string {
	k := &keys{T: t, set: token.NewFileSet(), list: keysElsewhere(t)}
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,DepOnly",
		"toaster.do/cgi-bin/...", "toaster.do/lib/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	k.importer = importer.ForCompiler(k.set, "gc",
		func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	var ours []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if exports[p.ImportPath] = p.Export; !p.DepOnly && silent[p.ImportPath] == "" {
			ours = append(ours, p)
		}
	}
	for _, p := range ours {
		k.read(p)
	}
	if len(k.list) < 500 {
		t.Fatal("hardly any keys are found: ", len(k.list))
	}
	return slices.DeleteFunc(k.list, func(key string) bool {
		return !strings.ContainsFunc(strings.ReplaceAll(key, "%s", ""), unicode.IsLower)
	})
}

// goPackage is what “go list” says of a package.
type goPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	DepOnly                 bool
}

// keys are what was found, and where the search is.
type keys struct {
	*testing.T
	set      *token.FileSet
	importer types.Importer
	list     []string
	path     string // of the package
	info     *types.Info
}

func (k *keys) read(p goPackage) {
	var files []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(k.set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			k.Fatal(err)
		}
		files = append(files, file)
	}
	k.path, k.info = p.ImportPath, &types.Info{Types: map[ast.Expr]types.TypeAndValue{},
		Uses: map[*ast.Ident]types.Object{},
		Defs: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: k.importer}
	if _, err := config.Check(p.ImportPath, k.set, files, k.info); err != nil {
		k.Fatal(err)
	}
	for _, file := range files {
		ast.Inspect(file, k.visit)
	}
}

func (k *keys) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		k.call(n)
	case *ast.Ident:
		k.name(n)
	}
	e, ok := n.(ast.Expr)
	if !ok {
		return true
	}
	v := k.info.Types[e]
	if v.Value == nil || typeName(v.Type) != "i18n.Key" {
		return true
	}
	i18n.T(i18n.Key(constant.StringVal(v.Value))).In(k)
	return false // with what it is put together of
}

// Format implements i18n.Language: a catalog is asked for the key.
func (k *keys) Format(key string) string {
	k.list = append(k.list, key)
	return key
}

// Time implements i18n.Language.
func (k *keys) Time(i18n.Time) string { return "" }

// call sees to it that a Key is a constant, and that its verbs have their arguments.
func (k *keys) call(n *ast.CallExpr) {
	at := k.set.Position(n.Pos())
	called := k.info.Types[n.Fun]
	if called.IsType() {
		file := strings.TrimPrefix(k.path, "toaster.do/") + "/" + filepath.Base(at.Filename)
		if typeName(called.Type) == "i18n.Key" && k.info.Types[n].Value == nil && !slices.Contains(computed, file) {
			k.Errorf("%s makes a Key of what is no constant: no catalog has it", at)
		}
		return
	}
	sig, ok := called.Type.(*types.Signature)
	if !ok || !sig.Variadic() || n.Ellipsis.IsValid() ||
		sig.Params().At(sig.Params().Len()-1).Type().String() != "[]any" {
		return
	}
	verbs, last := 0, sig.Params().Len()-1
	defer func() {
		for _, arg := range n.Args[last:] {
			if verbs > 0 {
				k.sentence(arg)
			}
		}
	}()
	for i := range last {
		if typeName(sig.Params().At(i).Type()) != "i18n.Key" {
			continue
		}
		key := k.info.Types[n.Args[i]].Value
		if key == nil {
			return // it is counted where it is a constant, if it has arguments at all
		}
		verbs += i18n.Verbs(i18n.Key(constant.StringVal(key)))
	}
	if typeName(sig.Params().At(max(0, last-1)).Type()) == "i18n.Key" && verbs != len(n.Args)-last {
		k.Errorf("%s: %d verbs, %d arguments", at, verbs, len(n.Args)-last)
	}
}

// sentence refuses an argument that is a sentence itself, put together for English alone.
func (k *keys) sentence(arg ast.Expr) {
	c, ok := arg.(*ast.CallExpr)
	if !ok || len(c.Args) == 0 {
		return
	}
	f, ok := c.Fun.(*ast.SelectorExpr)
	format := k.info.Types[c.Args[0]].Value
	if ok && f.Sel.Name == "Sprintf" && format != nil && len(strings.Fields(constant.StringVal(format))) > 3 {
		k.Errorf("%s has a sentence as an argument, which no catalog has", k.set.Position(arg.Pos()))
	}
}

// name finds words, and statuses, whose names are the titles of pages.
func (k *keys) name(n *ast.Ident) {
	if c, ok := k.info.Defs[n].(*types.Const); ok && slices.Contains(words, typeName(c.Type())) {
		k.list = append(k.list, constant.StringVal(c.Val()))
	}
	c, ok := k.info.Uses[n].(*types.Const)
	if !ok || k.path != "toaster.do/lib/web" || !strings.HasPrefix(n.Name, "Status") {
		return
	}
	if code, _ := constant.Int64Val(c.Val()); code >= http.StatusBadRequest {
		k.list = append(k.list, http.StatusText(int(code)))
	}
}

// typeName is a type of ours with its package: "i18n.Key".
func typeName(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string {
		if strings.HasPrefix(p.Path(), "toaster.do/") {
			return p.Name()
		}
		return p.Path()
	})
}

// keysOfScripts finds what a build script says when it gives up, which a build's page repeats with a capital.
func keysOfScripts(t *testing.T) (list []string) {
	formats := regexp.MustCompile(`\b(?:fail|explain|printf '%s\\t')(?: \d)? "((?:[^"\\]|\\.)*)"`)
	names, err := filepath.Glob("../target/script/*.sh")
	if err != nil || len(names) == 0 {
		t.Fatal("no scripts: ", err)
	}
	for _, name := range append(names, "../engine/jenkins/wrapper.sh", "../engine/jenkins/context.sh") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range formats.FindAllStringSubmatch(string(text), -1) {
			said := strings.ReplaceAll(m[1], `\"`, `"`)
			if strings.Contains(said, "$") && said != "$@" {
				t.Errorf("%s: %q has a value in it, which is an argument", name, said)
			}
			list = append(list, strings.ToUpper(said[:1])+said[1:])
		}
	}
	return list
}
