package main

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"strings"

	"toaster.do/lib/view"
)

// operators are the functions of templates that compare.
var operators = map[string]token.Token{
	"eq": token.EQL, "ne": token.NEQ, "lt": token.LSS, "le": token.LEQ, "gt": token.GTR, "ge": token.GEQ,
}

// function is the result of a function of templates: text/template's, or one of lib/view.
func (f *function) function(name string, args []value) value {
	operator, compares := operators[name]
	n := len(args)
	switch {
	case name == "set" && n%2 == 0:
		return set(args)
	case name == "and" && n > 0:
		return junction(" && ", args)
	case name == "or" && n > 0:
		return junction(" || ", args)
	case compares && (n == 2 || name == "eq" && n > 2):
		return compared(operator, args)
	case name == "index" && n == 2:
		return element(args[0], args[1])
	case n == 1:
		return f.unary(name, args[0])
	}
	fail("%s: %w", name, errArguments)
	return value{}
}

// unary is the result of a function with one argument.
func (f *function) unary(name string, v value) value {
	switch name {
	case "not":
		condition, fixed := v.truth()
		if fixed {
			return known(constant.MakeBool(condition == "false"))
		}
		return value{code: "!(" + condition + ")", of: types.Typ[types.Bool]}
	case "len":
		return value{code: "len(" + v.code + ")", of: types.Typ[types.Int]}
	case "t":
		return f.translated(v)
	case "asset":
		path, err := view.Asset(v.text())
		if err != nil {
			fail("%w", err)
		}
		return known(constant.MakeString(path))
	case "clean":
		return f.called("Clean", v)
	case "iso":
		return f.called("ISO", v)
	case "bytes", "day", "length":
		return f.called(capital(name), known(constant.MakeString(f.lang)), v)
	}
	fail("there is no function %s", name)
	return value{}
}

// called is the result of a function of lib/view.
func (f *function) called(name string, args ...value) value {
	for _, p := range f.in.Imports() {
		if p.Path() == viewPath {
			return call("view."+name, p.Scope().Lookup(name).(*types.Func), args)
		}
	}
	fail("%s is not imported", viewPath)
	return value{}
}

// translated is a Text, or a word that has a type of its own, in the page's language. English needs no translation.
func (f *function) translated(v value) value {
	switch {
	case v.constant != nil:
		return known(constant.MakeString(view.Word(f.lang, v.text())))
	case !v.isText() && (!v.is(types.IsString) || types.Identical(v.of, types.Typ[types.String])):
		fail("%s of the type %v is no text that can be translated", v.code, v.of)
	case f.lang == view.Languages[0]:
		_, code := v.printed()
		return value{code: code, of: types.Typ[types.String]}
	case v.isText():
		return f.called("Text", known(constant.MakeString(f.lang)), v)
	}
	code := fmt.Sprintf("view.Word(%q, %s)", f.lang, v.code)
	return value{code: code, of: types.Typ[types.String]}
}

// keyType is i18n.Key.
var keyType = types.NewNamed(types.NewTypeName(token.NoPos, types.NewPackage(i18nPath, "i18n"), "Key", nil),
	types.Typ[types.String], nil)

// set is the map that the function set makes of names and values.
func set(args []value) value {
	fields := map[string]value{}
	for i := 0; i < len(args); i += 2 {
		fields[args[i].text()] = args[i+1]
	}
	return value{record: fields}
}

// junction is the result of “and” or “or”. It is the template's value only where all are booleans.
func junction(operator string, args []value) value {
	v := value{of: types.Typ[types.Bool]}
	var list []string
	for _, a := range args {
		condition, _ := a.truth()
		list = append(list, condition)
		v.boolean = v.boolean || a.boolean || !a.is(types.IsBoolean)
	}
	v.code = "(" + strings.Join(list, operator) + ")"
	return v
}

// compared compares the first argument with the other, or with each of the others.
func compared(operator token.Token, args []value) value {
	for _, a := range args {
		if !a.is(types.IsString|types.IsInteger|types.IsBoolean) || a.boolean {
			fail("%v can't be compared", a.of)
		}
	}
	first := args[0]
	var list []string
	for _, a := range args[1:] {
		if first.constant != nil && a.constant != nil && len(args) == 2 {
			return known(constant.MakeBool(constant.Compare(first.constant, operator, a.constant)))
		}
		one, other := first.code, a.code
		if first.constant == nil && a.constant == nil && a.is(types.IsString) && !types.Identical(first.of, a.of) {
			one, other = "string("+one+")", "string("+other+")" // a typed string, such as a state, and another
		}
		list = append(list, one+" "+operator.String()+" "+other)
	}
	return value{code: "(" + strings.Join(list, " || ") + ")", of: types.Typ[types.Bool]}
}

// element is an element of a slice or a map.
func element(of, at value) value {
	if of.of != nil {
		switch t := of.of.Underlying().(type) {
		case *types.Slice:
			return value{code: of.code + "[" + at.as(types.Typ[types.Int]) + "]", of: t.Elem()}
		case *types.Map:
			return value{code: of.code + "[" + at.as(t.Key()) + "]", of: t.Elem()}
		}
	}
	fail("%v has no elements", of.of)
	return value{}
}
