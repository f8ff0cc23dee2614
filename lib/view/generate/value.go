package main

import (
	"fmt"
	"go/constant"
	"go/types"
	"maps"
	"slices"
	"strings"
	"text/template/parse"
)

// value is an expression of a template in Go. The zero value is nil.
type value struct {
	code     string
	of       types.Type
	constant constant.Value   // of a value that is known; else nil
	record   map[string]value // the fields of the page's data, or of the map that “set” makes; else nil
	boolean  bool             // only its truth is that of the template's value
}

// known is a constant.
func known(c constant.Value) value {
	v := value{code: c.ExactString(), constant: c}
	switch c.Kind() {
	case constant.Bool:
		v.of = types.Typ[types.UntypedBool]
	case constant.String:
		v.of = types.Typ[types.UntypedString]
	default:
		v.of = types.Typ[types.UntypedInt]
	}
	return v
}

// text is the text of a string constant.
func (v value) text() string {
	if v.constant == nil || v.constant.Kind() != constant.String {
		fail("a text in quotes is needed")
	}
	return constant.StringVal(v.constant)
}

func sortedKeys(m map[string]value) []string { return slices.Sorted(maps.Keys(m)) }

func (v value) is(info types.BasicInfo) bool {
	if v.of == nil {
		return false
	}
	b, ok := v.of.Underlying().(*types.Basic)
	return ok && b.Info()&info != 0
}

// isText tells whether the value is an i18n.Text, or where one is.
func (v value) isText() bool {
	if p, ok := v.of.(*types.Pointer); ok {
		v.of = p.Elem()
	}
	return v.of != nil && isNamed(v.of, i18nPath, "Text")
}

// truth is the condition that the value is not empty, as text/template defines it. Fixed: it is
// always "true", or always "false".
func (v value) truth() (condition string, fixed bool) {
	switch {
	case v.isText():
		fail("{{if}} takes every Text for true: ask for {{if t …}}")
	case v.constant != nil:
		return fmt.Sprint(!slices.Contains([]string{"false", `""`, "0"}, v.code)), true
	case v.record != nil:
		return "true", true
	case v.of == nil:
		return "false", true
	case v.is(types.IsBoolean):
		return v.code, false
	case v.is(types.IsString):
		return v.code + ` != ""`, false
	case v.is(types.IsNumeric):
		return v.code + " != 0", false
	}
	switch v.of.Underlying().(type) {
	case *types.Slice, *types.Map:
		return "len(" + v.code + ") > 0", false
	case *types.Pointer:
		return v.code + " != nil", false
	case *types.Struct:
		return "true", true
	}
	fail("%s can't be a condition", v.of)
	return "", false
}

// printed is the code of what is printed of a value, and the method of view.Writer that prints it.
// "Text" stands for the one that the context needs.
func (v value) printed() (method, code string) {
	if v.of == nil || v.boolean {
		fail("this can't be printed")
	}
	for _, name := range []string{"Error", "String"} {
		if f, _, _ := types.LookupFieldOrMethod(v.of, true, nil, name); f != nil {
			if _, ok := f.(*types.Func); ok {
				return "Text", v.code + "." + name + "()"
			}
		}
	}
	switch {
	case isNamed(v.of, "html/template", "HTML"):
		return "HTML", "string(" + v.code + ")"
	case v.is(types.IsString):
		return "Text", v.converted(types.String)
	case v.is(types.IsInteger):
		return "Int", v.converted(types.Int64)
	case v.is(types.IsBoolean):
		return "Bool", v.converted(types.Bool)
	}
	fail("%s can't be printed", v.of)
	return "", ""
}

// converted is the value as one of a predeclared type.
func (v value) converted(to types.BasicKind) string {
	if types.Identical(v.of, types.Typ[to]) {
		return v.code
	}
	return types.Typ[to].Name() + "(" + v.code + ")"
}

// as is the value as an argument of a type.
func (v value) as(want types.Type) string {
	if v.of != nil {
		if types.AssignableTo(v.of, want) {
			return v.code
		}
		if p, ok := v.of.Underlying().(*types.Pointer); ok && types.AssignableTo(p.Elem(), want) {
			return "*" + v.code
		}
	}
	fail("%v is no %s", v.of, want)
	return ""
}

// pipe is the value of a pipeline that sets no variable.
func (f *function) pipe(p *parse.PipeNode, s scope) value {
	if len(p.Decl) > 0 {
		fail("%s: only range can set variables", p)
	}
	return f.commands(p.Cmds, s)
}

// commands passes each command's value to the next one, as its last argument.
func (f *function) commands(cmds []*parse.CommandNode, s scope) (v value) {
	for i, c := range cmds {
		var args []value
		for _, a := range c.Args[1:] {
			args = append(args, f.operand(a, s, nil))
		}
		if i > 0 {
			args = append(args, v)
		}
		v = f.operand(c.Args[0], s, args)
	}
	return v
}

// operand is the value of an operand, which gets the arguments if it is a function or a method.
func (f *function) operand(n parse.Node, s scope, args []value) (v value) {
	switch n := n.(type) {
	case *parse.FieldNode:
		return f.chain(s.dot, n.Ident, args)
	case *parse.VariableNode:
		return f.chain(s.variables[n.Ident[0]], n.Ident[1:], args)
	case *parse.ChainNode:
		return f.chain(f.operand(n.Node, s, nil), n.Field, args)
	case *parse.IdentifierNode:
		return f.function(n.Ident, args)
	case *parse.PipeNode:
		v = f.pipe(n, s)
	case *parse.DotNode:
		v = s.dot
	case *parse.NilNode:
	case *parse.StringNode:
		v = known(constant.MakeString(n.Text))
	case *parse.BoolNode:
		v = known(constant.MakeBool(n.True))
	case *parse.NumberNode:
		if !n.IsInt {
			fail("%s is no integer", n)
		}
		v = known(constant.MakeInt64(n.Int64))
	default:
		fail("%s can't be translated", n)
	}
	return f.chain(v, nil, args)
}

// chain follows names from v. The method that the last one names gets the arguments.
func (f *function) chain(v value, names []string, args []value) value {
	for i, name := range names {
		if i < len(names)-1 {
			v = f.field(v, name, nil)
		} else {
			v = f.field(v, name, args)
		}
	}
	if len(names) == 0 && len(args) > 0 {
		fail("%w", errArguments)
	}
	return v
}

// field is a field of v, or the result of its method.
func (f *function) field(v value, name string, args []value) value {
	if v.record != nil {
		field, ok := v.record[name]
		if !ok || len(args) > 0 {
			fail("there is no %s", name)
		}
		return field
	}
	if v.of == nil || v.constant != nil {
		fail("%s of a value without fields", name)
	}
	object, _, _ := types.LookupFieldOrMethod(v.of, true, f.in, name)
	if object != nil && object.Exported() {
		code := v.code + "." + name
		if method, ok := object.(*types.Func); ok {
			return call(code, method, args)
		}
		return f.chain(value{code: code, of: object.Type()}, nil, args)
	}
	fail("%s has no %s", v.of, name)
	return value{}
}

// call is the result of a function or a method.
func call(code string, of *types.Func, args []value) value {
	s := of.Signature()
	if s.Results().Len() != 1 || s.Params().Len() != len(args) || s.Variadic() {
		fail("%s: %w", of.Name(), errArguments)
	}
	var list []string
	for i, a := range args {
		list = append(list, a.as(s.Params().At(i).Type()))
	}
	return value{code: code + "(" + strings.Join(list, ", ") + ")", of: s.Results().At(0).Type()}
}
