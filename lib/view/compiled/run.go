package compiled

import (
	"fmt"
	"reflect"
)

// Run returns what the page says of data. Funcs are what it can call besides text/template's own.
func (p *Program) Run(data any, funcs map[string]any) (page []byte, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			page, err = nil, p
		default:
			panic(p)
		}
	}()
	m := &machine{program: p, funcs: funcs, out: make([]byte, 0, 16<<10)}
	if all := known.Load(); all != nil {
		m.known = *all
	}
	m.part(p.page, reflect.ValueOf(data))
	m.remember()
	return m.out, nil
}

// failure is why a page could not be made. It is thrown where it happens and caught by Run.
type failure string

func (f failure) Error() string { return "page: " + string(f) }

func fail(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

type machine struct {
	program   *Program
	funcs     map[string]any
	out       []byte
	variables []named
	known     map[member]access // what other pages have found
	found     map[member]access
}

type named struct {
	name  string
	value reflect.Value
}

// part runs the instructions of a page or a part of one, which see their own data and variables only.
func (m *machine) part(c code, data reflect.Value) {
	outer := m.variables
	m.variables = []named{{"$", data}}
	m.run(c, data)
	m.variables = outer
}

func (m *machine) run(c code, dot reflect.Value) {
	for len(c) > 0 {
		switch kind := c.kind(); kind {
		case Text:
			m.out = append(m.out, c.text()...)
		case Say:
			place := c.kind()
			m.say(place, m.pipe(c.part(), dot))
		case Keep:
			name := c.text()
			m.keep(name, m.pipe(c.part(), dot))
		case If, With:
			value, yes, no := m.pipe(c.part(), dot), c.part(), c.part()
			within := dot
			if kind == With {
				within = value
			}
			outer := len(m.variables)
			if truth(value) {
				m.run(yes, within)
			} else {
				m.run(no, dot)
			}
			m.variables = m.variables[:outer]
		case Range:
			names := c.names()
			m.each(names, m.pipe(c.part(), dot), c.part(), c.part(), dot)
		case Call:
			name := c.text()
			body, ok := m.program.parts[name]
			if !ok {
				fail("there is no part %q", name)
			}
			m.part(body, m.pipe(c.part(), dot))
		default:
			fail("there is no instruction %d", kind)
		}
	}
}

func (m *machine) keep(name string, value reflect.Value) {
	m.variables = append(m.variables, named{name, value})
}

// each runs body for each element of list, or else otherwise, with dot.
func (m *machine) each(names []string, list reflect.Value, body, otherwise code, dot reflect.Value) {
	list, _ = indirect(list)
	outer := len(m.variables)
	one := func(key, element reflect.Value) {
		switch len(names) {
		case 1:
			m.keep(names[0], element)
		case 2:
			m.keep(names[0], key)
			m.keep(names[1], element)
		}
		m.run(body, element)
		m.variables = m.variables[:outer]
	}
	n := 0
	switch list.Kind() {
	case reflect.Slice, reflect.Array:
		for n = 0; n < list.Len(); n++ {
			one(reflect.ValueOf(n), list.Index(n))
		}
	case reflect.Map:
		for _, key := range sorted(list) {
			one(key, list.MapIndex(key))
			n++
		}
	case reflect.Int:
		for n = 0; int64(n) < list.Int() && len(names) < 2; n++ {
			one(reflect.Value{}, reflect.ValueOf(n))
		}
	case reflect.Invalid:
	default:
		fail("%s can't be ranged over", list.Type())
	}
	if n == 0 {
		m.run(otherwise, dot)
		m.variables = m.variables[:outer]
	}
}

// pipe gives each command's result to the next one as its last argument.
func (m *machine) pipe(c code, dot reflect.Value) reflect.Value {
	value, piped := reflect.Value{}, false
	for len(c) > 0 {
		args := arguments{m: m, code: c.part(), dot: dot, last: value, piped: piped}
		value, piped = m.command(args.code.part(), &args), true
	}
	// What an interface holds is the value, as in text/template.
	if value.Kind() == reflect.Interface && value.Type().NumMethod() == 0 {
		value = value.Elem()
	}
	return value
}

// arguments are the operands behind a command's first, and what the command before it gives.
type arguments struct {
	m     *machine
	code  code
	dot   reflect.Value
	last  reflect.Value
	piped bool
}

func (a *arguments) more() bool { return len(a.code) > 0 || a.piped }

// next is the value of the next argument. Those that nobody asks for are not looked at.
func (a *arguments) next() reflect.Value {
	if len(a.code) > 0 {
		return a.m.command(a.code.part(), &arguments{m: a.m, dot: a.dot})
	}
	if !a.piped {
		fail("an argument is missing")
	}
	a.piped = false
	return a.last
}

func (a *arguments) none() {
	if a.more() {
		fail("arguments for what takes none")
	}
}

// command is the value of an operand, which takes the arguments if it can be called.
func (m *machine) command(c code, args *arguments) (v reflect.Value) {
	switch kind := c.kind(); kind {
	case Field:
		return m.fields(args.dot, &c, args)
	case Variable:
		n := c.number()
		return m.chain(m.variable(c.text()), n-1, &c, args)
	case Chain:
		return m.fields(m.command(c.part(), &arguments{m: m, dot: args.dot}), &c, args)
	case Function:
		return m.function(c.text(), args)
	case Pipe:
		v = m.pipe(c.part(), args.dot)
	case Dot:
		v = args.dot
	case Nil:
	case String:
		v = reflect.ValueOf(c.text())
	case Number:
		v = reflect.ValueOf(c.number())
	case Bool:
		v = reflect.ValueOf(c.number() == 1)
	default:
		fail("there is no operand %d", kind)
	}
	args.none()
	return v
}

func (m *machine) variable(name string) reflect.Value {
	for i := len(m.variables) - 1; i >= 0; i-- {
		if m.variables[i].name == name {
			return m.variables[i].value
		}
	}
	fail("there is no variable %s", name)
	return reflect.Value{}
}

func (m *machine) fields(v reflect.Value, c *code, args *arguments) reflect.Value {
	return m.chain(v, c.number(), c, args)
}

// chain goes from v along n names. The last one's method gets the arguments.
func (m *machine) chain(v reflect.Value, n int, c *code, args *arguments) reflect.Value {
	none := &arguments{m: m}
	for ; n > 1; n-- {
		v = m.field(v, c.text(), none)
	}
	if n == 1 {
		return m.field(v, c.text(), args)
	}
	args.none()
	return v
}
