package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"toaster.do/templates"
)

const (
	viewPath = "toaster.do/lib/view"
	i18nPath = "toaster.do/lib/i18n"
)

// goPackage is a package that declares templates.
type goPackage struct {
	path, dir string
	types     *types.Package
	templates []declared
}

// declared is a variable of the type view.Template.
type declared struct {
	variable, name string
	data           types.Type
}

// listed is what “go list” says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles, Imports        []string
	DepOnly                 bool
}

// load returns the packages of the patterns that declare templates, with their types.
func load(patterns ...string) (packages []*goPackage, err error) {
	all, err := list(patterns)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, l := range all {
		exports[l.ImportPath] = l.Export
	}
	set := token.NewFileSet()
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	config := types.Config{IgnoreFuncBodies: true, Importer: importer.ForCompiler(set, "gc", open)}
	for _, l := range all {
		if l.DepOnly || !slices.Contains(l.Imports, viewPath) {
			continue
		}
		p := &goPackage{path: l.ImportPath, dir: l.Dir}
		if err := p.check(set, config, l.GoFiles); err != nil {
			return nil, err
		}
		if len(p.templates) > 0 {
			packages = append(packages, p)
		}
	}
	return packages, nil
}

// list returns the packages of the patterns and all that they import, compiled.
func list(patterns []string) (all []listed, err error) {
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,Imports,DepOnly"}
	cmd := exec.Command("go", append(args, patterns...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := d.Decode(&l); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
}

// check type-checks the package and finds its templates.
func (p *goPackage) check(set *token.FileSet, config types.Config, names []string) (err error) {
	var files []*ast.File
	for _, name := range names {
		file, err := parser.ParseFile(set, filepath.Join(p.dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	if p.types, err = config.Check(p.path, set, files, info); err != nil {
		return err
	}
	for _, file := range files {
		for _, d := range file.Decls {
			if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.VAR {
				for _, spec := range d.Specs {
					p.find(info, spec.(*ast.ValueSpec))
				}
			}
		}
	}
	return nil
}

// find adds the templates of a declaration: name = view.Template[data]{Name: "…"}.
func (p *goPackage) find(info *types.Info, spec *ast.ValueSpec) {
	for i, v := range spec.Values {
		literal, isLiteral := v.(*ast.CompositeLit)
		if !isLiteral || !isNamed(info.TypeOf(v), viewPath, "Template") {
			continue
		}
		d := declared{variable: spec.Names[i].Name, data: info.TypeOf(v).(*types.Named).TypeArgs().At(0)}
		for _, e := range literal.Elts {
			if text, ok := e.(*ast.KeyValueExpr).Value.(*ast.BasicLit); ok {
				d.name, _ = strconv.Unquote(text.Value)
			}
		}
		p.templates = append(p.templates, d)
	}
}

func isNamed(t types.Type, path, name string) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == path && n.Obj().Name() == name
}

// checkComplete returns an error that names the templates that no package declares.
func checkComplete(packages []*goPackage) error {
	files, err := fs.Glob(templates.Pages, "*.ace")
	if err != nil {
		return err
	}
	declared := map[string]bool{"layout": true}
	for _, p := range packages {
		for _, d := range p.templates {
			declared[d.name] = true
		}
	}
	for _, file := range files {
		if name := strings.TrimSuffix(file, ".ace"); name[0] != '_' && !declared[name] {
			err = errors.Join(err, fmt.Errorf("templates/%s: no package declares this template", file))
		}
	}
	return err
}
