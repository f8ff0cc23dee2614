// Package compiled is the form that pages have in the programs, and what runs it: the instructions of text/template, in which the
// escaping of every value has been worked out already. lib/view/compile makes it, when toaster is built or, without that, at run time.
//
// It says what text/template would say, without its library: the nodes of a template are not made again in each process, and a value's
// fields are looked for once. (The programs' tests compare every page with html/template's.)
package compiled

// Kinds of instructions and of operands. What follows each is said with it: a number is a varint, a text has its length before it,
// and so has a part, which is code again. A pipe is the commands, each a part, of which the last one's result is the pipe's; a command is
// its operands, each a part.
const (
	Text  byte = iota + 1 // text
	Say                   // place, part: a pipe whose result is escaped for the place, and said
	Keep                  // text, part: a pipe whose result gets a name
	If                    // pipe, part, part
	With                  // pipe, part, part
	Range                 // number, names as texts, pipe, part, part
	Call                  // text, pipe: a page's part with the pipe's result as its data

	Dot
	Nil
	Field    // number, texts
	Variable // number, texts: a variable's name, and fields of it
	Function // text
	String   // text
	Number   // number
	Bool     // number
	Pipe     // part
	Chain    // part, number, texts: an operand, and fields of it
)

// Program is a page: number, and for each of its parts, the page itself first, its name as a text and its instructions as a part.
type Program struct {
	page  code
	parts map[string]code
}

// Load reads a page that lib/view/compile has made.
func Load(page string) *Program {
	c := code(page)
	p := &Program{parts: map[string]code{}}
	for i := range c.number() {
		name := c.text()
		p.parts[name] = c.part()
		if i == 0 {
			p.page = p.parts[name]
		}
	}
	return p
}

// code is instructions, taken from the front.
type code string

func (c *code) kind() byte {
	k := (*c)[0]
	*c = (*c)[1:]
	return k
}

func (c *code) number() (n int) {
	for shift := 0; ; shift += 7 {
		b := c.kind()
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
}

func (c *code) text() string {
	n := c.number()
	s := (*c)[:n]
	*c = (*c)[n:]
	return string(s)
}

func (c *code) part() code { return code(c.text()) }

// names reads as many texts as the number before them says.
func (c *code) names() []string {
	list := make([]string, c.number())
	for i := range list {
		list[i] = c.text()
	}
	return list
}
