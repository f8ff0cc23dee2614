package view

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"toaster.do/lib/dockerfile"
)

// What programs say to people is found in their source: by who is called with it, by the field that it is put into, and by the function
// that returns it. What BuildKit says of a Dockerfile, and what Jenkins says of itself, stays English, and is not listed. So do
// letters (lib/auth) and feeds: of their readers nothing is known but an address.

// silent are the folders and files whose texts no page shows.
var silent = map[string]string{
	"toasterctl": "a terminal's, for the administrator", "config": "what is wrong with the configuration: for the administrator", "strength": "a filter",
	"oracle": "tests", "jenkinstest": "tests", "difftest": "tests", "enginetest": "tests", "e2e": "tests", "mailtest": "tests",
	"mail": "the log's; letters are English", "doctor.go": "a terminal's, for the administrator", "doctorjob.go": "likewise", "doctorsite.go": "likewise",
	"feed.go": "a feed's, which is English",
}

// speakers are the functions whose arguments people read, by the folder where it matters, and which arguments those are.
var speakers = map[string][]int{
	"apperr.New": {1, 2}, "apperr.Wrap": {2, 3},
	"lib/jobs refuse": {2, 3}, "lib/engine/reconcile endBuild": {2}, "lib/jobs say": {1}, "lib/buildlog v.text": {0}, "lib/health add": {1},
	"lib/dockerfile t.fail": {2, 3}, "lib/dockerfile whichOne": {0, 1}, "lib/dockerfile t.failIn": {3, 4}, "lib/dockerfile t.warn": {3, 4}, "lib/dockerfile t.warnIn": {2, 3},
	"cgi-bin/build add": {0}, "lib/store giveUp": {4},
}

// told are the fields and variables that people read.
var told = []string{"Message", "Advice", "Notice", "message", "advice", "Reason", "reason", "Title", "Lead", "Button",
	"Wrong"}

// answers are functions, constants and variables all of whose texts are read. What programs type stands in lists, and is left out.
var answers = []string{
	"cgi-bin/account messageFor", "cgi-bin/account notices", "cgi-bin/admin notices", "cgi-bin/jobs/look notices",
	"lib/jobs choose", "lib/jobs Why", "lib/engine/local waitingReason", "lib/engine/local lostReason", "lib/engine/local noRunner", "lib/engine/local outcome", "lib/engine/reconcile outageReason", "lib/engine DisabledThere",
	"lib/target next", "lib/target Login", "lib/target groups", "lib/target titles", "lib/target singleBoard", "lib/target phone", "lib/target otherARM",
	"lib/store Why", "lib/dockerfile missingAdvice", "lib/dockerfile chmodOf",
}

// returns are functions that return what people read, and have other texts, too.
var returns = []string{"lib/engine/jenkins waitingReason", "lib/engine/jenkins unavailableMessage", "lib/engine/jenkins Examine", "lib/jobs readFiles", "lib/dockerfile daemonises", "lib/dockerfile zipKind", "lib/dockerfile notText", "lib/dockerfile check", "cgi-bin/account agentName"}

// states are words of the database and of configuration files that pages show.
var states = []string{
	"new", "queued", "running", "succeeded", "failed", "aborted", "lost", "pending", "active", "suspended", "user", "admin",
	"read", "write", "metrics", "error", "warning", "note", "database", "builds", "work",
}

// spokenByPrograms finds the texts in the programs.
func spokenByPrograms(t *testing.T) []string {
	s := &program{list: slices.Clone(states), met: map[string]bool{}}
	for _, r := range dockerfile.Rules() {
		s.list = append(s.list, r.Title, r.Advice)
	}
	for _, k := range dockerfile.Instructions() {
		s.list = append(s.list, k.Text)
	}
	for _, root := range []string{"cgi-bin", "lib"} {
		err := filepath.WalkDir("../../"+root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			if silent[d.Name()] != "" {
				return fs.SkipDir
			}
			return s.read(path)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Concat(answers, returns, slices.Collect(maps.Keys(speakers))) {
		if !s.met[name] {
			t.Errorf("there is no %s any more: what says its texts now?", name)
		}
	}
	s.scripts(t)
	targets, err := os.ReadFile("../../conf/targets.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^remark = "([^"]*)"$`).FindAllStringSubmatch(string(targets), -1) {
		s.list = append(s.list, m[1])
	}
	var list []string
	for _, text := range s.list {
		if strings.ContainsFunc(strings.ReplaceAll(text, "%s", ""), unicode.IsLower) {
			list = append(list, text)
		}
	}
	return list
}

// program is what was found, and where the search is.
type program struct {
	list      []string
	folder    string // "lib/jobs"
	constants map[string]ast.Expr
	met       map[string]bool // entries of the lists above
}

// is tells whether one of the lists above has a name, and notes that the name is there.
func (s *program) is(list []string, name string) bool {
	found := slices.Contains(list, name)
	s.met[name] = s.met[name] || found
	return found
}

// read looks through the files of a folder.
func (s *program) read(dir string) error {
	s.folder, s.constants = strings.TrimPrefix(filepath.ToSlash(dir), "../../"), map[string]ast.Expr{}
	names, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		return err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || silent[filepath.Base(name)] != "" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		files = append(files, file)
		ast.Inspect(file, func(n ast.Node) bool {
			if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
				for _, spec := range d.Specs {
					for i, v := range spec.(*ast.ValueSpec).Values {
						s.constants[spec.(*ast.ValueSpec).Names[i].Name] = v
					}
				}
			}
			return true
		})
	}
	for _, file := range files {
		ast.Inspect(file, s.visit)
	}
	return nil
}

func (s *program) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		name := called(n.Fun)
		for _, name := range []string{name, s.folder + " " + name} {
			for _, i := range speakers[name] {
				s.met[name] = true
				s.say(n.Args[i])
			}
		}
		if s.folder == "lib/dockerfile" && name == "refuse" {
			for _, text := range s.literal(n.Args[1]) {
				s.list = append(s.list, "The build context can't be used: %s "+text+".")
			}
		}
	case *ast.KeyValueExpr:
		if slices.Contains(told, called(n.Key)) {
			s.say(n.Value)
		}
	case *ast.AssignStmt:
		for i, to := range n.Lhs {
			if name := called(to); i < len(n.Rhs) && slices.Contains(told, name[strings.LastIndex(name, ".")+1:]) {
				s.assigned(n.Tok, n.Rhs[i])
			}
		}
	case *ast.FuncDecl:
		s.function(n)
	case *ast.ValueSpec:
		for i, v := range n.Values {
			name := s.folder + " " + n.Names[i].Name
			if s.is(answers, name) {
				s.all(v)
			}
		}
	case *ast.CompositeLit:
		name := s.folder + " " + called(n.Type)
		if s.is(answers, name) {
			s.all(n)
		}
	case *ast.SelectorExpr: // the name of a status is the title of its page
		if name, ok := strings.CutPrefix(called(n), "http.Status"); ok {
			for code := http.StatusBadRequest; code < 600; code++ {
				if text := http.StatusText(code); text != "" && strings.ReplaceAll(text, " ", "") == name && s.folder == "lib/web" {
					s.list = append(s.list, text)
				}
			}
		}
	}
	return true
}

// assigned is a text that is put into a variable, or behind what it has.
func (s *program) assigned(by token.Token, e ast.Expr) {
	for _, text := range s.literal(e) {
		if by == token.ADD_ASSIGN {
			text = "%s" + text
		}
		s.list = append(s.list, text)
	}
}

func (s *program) function(f *ast.FuncDecl) {
	name := s.folder + " " + f.Name.Name
	if s.is(answers, name) {
		s.all(f.Body)
	}
	if s.is(returns, name) {
		ast.Inspect(f.Body, func(n ast.Node) bool {
			if r, ok := n.(*ast.ReturnStmt); ok {
				for _, e := range r.Results {
					s.say(e)
				}
			}
			return true
		})
	}
}

// all takes every text below a node that is for people.
func (s *program) all(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if list, ok := n.Type.(*ast.ArrayType); ok && called(list.Elt) == "string" && s.folder == "lib/target" {
				return false // commands
			}
		case *ast.AssignStmt:
			if n.Tok == token.ADD_ASSIGN {
				s.assigned(n.Tok, n.Rhs[0])
				return false
			}
		case *ast.KeyValueExpr:
			s.all(n.Value)
			return false
		case ast.Expr:
			if texts := s.literal(n); len(texts) > 0 {
				for _, text := range texts {
					if reads(text) {
						s.list = append(s.list, text)
					}
				}
				return false
			}
		}
		return true
	})
}

// reads tells a text from a name: it has a space, or begins like a sentence.
func reads(text string) bool {
	return strings.Contains(text, " ") && !strings.HasPrefix(text, " ") || unicode.IsUpper([]rune(text)[0])
}

func (s *program) say(e ast.Expr) { s.list = append(s.list, s.literal(e)...) }

func called(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			return x.Name + "." + e.Sel.Name
		}
		return "." + e.Sel.Name
	}
	return ""
}

var verb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)

// literal is what an expression can say: a text, with %s for what is only known later.
func (s *program) literal(e ast.Expr) []string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && text != "" && e.Kind == token.STRING {
			return []string{verb.ReplaceAllString(text, "%s")}
		}
	case *ast.Ident:
		if value, ok := s.constants[e.Name]; ok {
			return s.literal(value)
		}
	case *ast.ParenExpr:
		return s.literal(e.X)
	case *ast.CallExpr:
		switch called(e.Fun) {
		case "fmt.Sprintf", "fmt.Errorf", "sentence":
			return s.literal(e.Args[0])
		}
	case *ast.BinaryExpr:
		a, b := s.literal(e.X), s.literal(e.Y)
		if e.Op != token.ADD || len(a) == 0 && len(b) == 0 {
			return nil
		}
		return []string{first(a) + first(b)}
	}
	return nil
}

func first(list []string) string {
	if len(list) == 0 {
		return "%s"
	}
	return list[0]
}

// scripts finds what a build script says when it gives up, which a build's page repeats with a capital.
func (s *program) scripts(t *testing.T) {
	ends := regexp.MustCompile(`\b(?:fail|explain)(?: \d)? "((?:[^"\\]|\\.)*)"`)
	continued := regexp.MustCompile(`" \\\n\s*"`)
	values := regexp.MustCompile(`\$\((?:[^()]|\([^()]*\))*\)|\$\{[^}]*\}|\$\w+|@[A-Z]+@`)
	names, err := filepath.Glob("../target/script/*.sh")
	if err != nil || len(names) == 0 {
		t.Fatal("no scripts: ", err)
	}
	names = append(names, "../engine/jenkins/wrapper.sh")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		whole := values.ReplaceAllString(continued.ReplaceAllString(string(text), " "), "%s")
		for _, m := range ends.FindAllStringSubmatch(whole, -1) {
			said := strings.ReplaceAll(m[1], `\"`, `"`)
			s.list = append(s.list, strings.ToUpper(said[:1])+said[1:])
		}
	}
}
