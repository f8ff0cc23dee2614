package compiled

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// member is a name of a type, and access where it is found: a field's place or a method's number.
type member struct {
	of   reflect.Type
	name string
}

type access struct {
	field  []int
	method int
}

// known is what pages have found so far. A map that is in it stays as it is.
var known atomic.Pointer[map[member]access]

// remember adds what this page has found. Of two pages at once, one may be forgotten.
func (m *machine) remember() {
	if len(m.found) > 0 {
		maps.Copy(m.found, m.known)
		known.Store(&m.found)
	}
}

// look finds a name that text/template would find: a method, or an exported field.
func (m *machine) look(of reflect.Type, name string) (access, bool) {
	it := member{of, name}
	a, ok := m.known[it]
	if !ok {
		a, ok = m.found[it]
	}
	if !ok {
		a = search(of, name)
		if m.found == nil {
			m.found = map[member]access{}
		}
		m.found[it] = a
	}
	return a, a.field != nil || a.method >= 0
}

func search(of reflect.Type, name string) access {
	a := access{method: -1}
	structure := of
	if of.Kind() == reflect.Pointer {
		structure = of.Elem()
	}
	if method, ok := of.MethodByName(name); ok {
		a.method = method.Index
	} else if structure.Kind() == reflect.Struct {
		if f, ok := structure.FieldByName(name); ok && f.IsExported() {
			a.field = f.Index
		}
	}
	return a
}

// field is the field, the map's element or the method's result of a name.
func (m *machine) field(v reflect.Value, name string, args *arguments) reflect.Value {
	if !v.IsValid() {
		return v
	}
	v, null := indirect(v)
	if null {
		fail("%s of nothing", name)
	}
	of := v
	if v.CanAddr() {
		of = v.Addr()
	}
	a, ok := m.look(of.Type(), name)
	switch {
	case ok && a.method >= 0:
		return method(of, a.method, name, args)
	case ok:
		args.none()
		f, err := v.FieldByIndexErr(a.field)
		if err != nil {
			fail("%s: %v", name, err)
		}
		return f
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		args.none()
		return v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key()))
	}
	fail("%s has no %s", v.Type(), name)
	return v
}

// method calls a method. Times have most of the calls in a list, and reflection takes long.
func method(of reflect.Value, number int, name string, args *arguments) reflect.Value {
	if name == "IsZero" && !args.more() {
		switch t := of.Interface().(type) {
		case time.Time:
			return reflect.ValueOf(t.IsZero())
		case *time.Time:
			return reflect.ValueOf(t.IsZero())
		}
	}
	return called(name, of.Method(number), args)
}

// function calls one of text/template's functions or of the page's.
func (m *machine) function(name string, args *arguments) reflect.Value {
	switch name {
	case "and", "or":
		v := args.next()
		for args.more() && truth(v) == (name == "and") {
			v = args.next()
		}
		return v
	case "not":
		v := reflect.ValueOf(!truth(args.next()))
		args.none()
		return v
	case "len":
		v, _ := indirect(args.next())
		args.none()
		switch v.Kind() {
		case reflect.Slice, reflect.Array, reflect.Map, reflect.String:
			return reflect.ValueOf(v.Len())
		}
		fail("len: %v has no length", v)
	case "index":
		v := args.next()
		if !v.IsValid() {
			fail("index: nothing has no elements")
		}
		for args.more() {
			v = index(v, args.next())
		}
		return v
	case "eq":
		return equal(args)
	case "ne":
		v := reflect.ValueOf(!alike(args.next(), args.next()))
		args.none()
		return v
	case "lt", "le", "gt", "ge":
		a, b := args.next(), args.next()
		args.none()
		return ordered(name, compare(a, b))
	}
	f, ok := m.funcs[name]
	if !ok {
		fail("there is no function %s", name)
	}
	var said string
	switch f := f.(type) {
	case func(any) string:
		said = f(value(args.next()))
	case func(string) string:
		said = f(text(args.next()))
	case func(time.Time) string:
		said = f(as[time.Time](name, args.next()))
	case func(time.Duration) string:
		said = f(as[time.Duration](name, args.next()))
	case func(int64) string:
		said = f(as[int64](name, args.next()))
	default:
		return called(name, reflect.ValueOf(f), args)
	}
	args.none()
	return reflect.ValueOf(said)
}

// as is a value that has to be a T.
func as[T any](name string, v reflect.Value) T {
	return fitting(name, v, reflect.TypeFor[T]()).Interface().(T)
}

// called calls f with all the arguments. Of two results, the second one is an error.
func called(name string, f reflect.Value, args *arguments) reflect.Value {
	var in []reflect.Value
	for t := f.Type(); args.more(); {
		v, i := args.next(), len(in)
		var want reflect.Type
		switch {
		case t.IsVariadic() && i >= t.NumIn()-1:
			want = t.In(t.NumIn() - 1).Elem()
		case i < t.NumIn():
			want = t.In(i)
		default:
			fail("%s: too many arguments", name)
		}
		in = append(in, fitting(name, v, want))
	}
	if t := f.Type(); len(in) < t.NumIn() && !(t.IsVariadic() && len(in) == t.NumIn()-1) {
		fail("%s: an argument is missing", name)
	}
	out := f.Call(in)
	if len(out) == 2 && !out[1].IsNil() {
		fail("%s: %v", name, out[1].Interface())
	}
	return out[0]
}

// fitting is v as an argument of a type.
func fitting(name string, v reflect.Value, want reflect.Type) reflect.Value {
	if !v.IsValid() {
		switch want.Kind() {
		case reflect.Interface, reflect.Pointer, reflect.Map, reflect.Slice:
			return reflect.Zero(want)
		}
		fail("%s: a value is missing", name)
	}
	if v.Kind() == reflect.Interface && !v.IsNil() && !v.Type().AssignableTo(want) {
		v = v.Elem()
	}
	if v.Kind() == reflect.Pointer && !v.IsNil() && v.Type().Elem().AssignableTo(want) {
		v = v.Elem()
	}
	if !v.Type().AssignableTo(want) {
		fail("%s: %s is no %s", name, v.Type(), want)
	}
	return v
}

func index(v, at reflect.Value) reflect.Value {
	v, _ = indirect(v)
	switch v.Kind() {
	case reflect.Map:
		if element := v.MapIndex(fitting("index", at, v.Type().Key())); element.IsValid() {
			return element
		}
		return reflect.Zero(v.Type().Elem())
	case reflect.Slice, reflect.Array, reflect.String:
		if i := int(number("index", at)); i >= 0 && i < v.Len() {
			return v.Index(i)
		}
		fail("index: there is no element %v", value(at))
	}
	fail("index: %v has no elements", v)
	return v
}

// equal tells whether the first argument is one of the others.
func equal(args *arguments) reflect.Value {
	a, same := args.next(), false
	for b := args.next(); ; b = args.next() {
		same = same || alike(a, b)
		if !args.more() {
			return reflect.ValueOf(same)
		}
	}
}

func alike(a, b reflect.Value) bool {
	a, b = inside(a), inside(b)
	switch {
	case !a.IsValid() || !b.IsValid():
		return !a.IsValid() && !b.IsValid()
	case a.Type() == b.Type() && a.Comparable():
		return a.Interface() == b.Interface()
	}
	return compare(a, b) == 0
}

// compare is negative where a is less than b: two numbers, two texts, or two truths, of which one isn't less.
func compare(a, b reflect.Value) int {
	a, b = inside(a), inside(b)
	switch {
	case a.Kind() == reflect.String && b.Kind() == reflect.String:
		return cmp.Compare(a.String(), b.String())
	case a.Kind() == reflect.Bool && b.Kind() == reflect.Bool:
		if a.Bool() == b.Bool() {
			return 0
		}
		return 1
	}
	return cmp.Compare(number("compare", a), number("compare", b))
}

func ordered(name string, n int) reflect.Value {
	switch name {
	case "lt":
		return reflect.ValueOf(n < 0)
	case "le":
		return reflect.ValueOf(n <= 0)
	case "gt":
		return reflect.ValueOf(n > 0)
	}
	return reflect.ValueOf(n >= 0)
}

func number(name string, v reflect.Value) int64 {
	if !v.CanInt() {
		fail("%s: %v is no number", name, value(v))
	}
	return v.Int()
}

// truth tells whether a value is not the empty one of its type (text/template, "Actions").
func truth(v reflect.Value) bool {
	v = inside(v)
	switch v.Kind() {
	case reflect.Invalid:
		return false
	case reflect.Slice, reflect.Map, reflect.Array, reflect.String:
		return v.Len() > 0
	case reflect.Struct:
		return true
	}
	return !v.IsZero()
}

// inside is what an interface holds.
func inside(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Interface {
		return v.Elem()
	}
	return v
}

// indirect follows pointers and interfaces to what they lead to; null tells that they lead nowhere.
func indirect(v reflect.Value) (to reflect.Value, null bool) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return v, true
		}
		v = v.Elem()
	}
	return v, false
}

// sorted are a map's keys, which are texts or numbers, in their order.
func sorted(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, compare)
	return keys
}

func value(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	return v.Interface()
}

// text is a value that has to be a text.
func text(v reflect.Value) string {
	v = inside(v)
	if v.Kind() != reflect.String {
		fail("%v is no text", value(v))
	}
	return v.String()
}

var (
	words  = reflect.TypeFor[string]()
	counts = reflect.TypeFor[int]()
)

// say adds a value to the page, escaped for its place.
func (m *machine) say(place byte, v reflect.Value) {
	if !v.IsValid() {
		return
	}
	switch v.Type() {
	case words:
		m.out = append(m.out, Escape[place](v.String())...)
	case counts:
		m.out = strconv.AppendInt(m.out, v.Int(), 10)
	default:
		m.out = append(m.out, Escaped(place, v.Interface())...)
	}
}
