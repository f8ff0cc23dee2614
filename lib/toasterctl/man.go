package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"toaster.do/conf"
	"toaster.do/lib/app"
)

type manCommand struct {
	Page string `arg:"" enum:"toasterctl.8,toaster.toml.5,targets.toml.5" help:"The page to print."`
}

func (c *manCommand) Run(w *world, app *kong.Kong) error {
	var m roff
	if c.Page == "toasterctl.8" {
		m.manual(app.Model)
	} else {
		name := strings.TrimSuffix(c.Page, ".5")
		text, err := conf.Files.ReadFile(name)
		if err != nil {
			return err
		}
		m.file(name, string(text))
	}
	_, err := w.out.Write([]byte(m.String()))
	return err
}

// roff is a manual page (man(7) of groff) that is being written.
type roff struct{ strings.Builder }

// escape keeps a text from being read as requests, and makes characters that a plain terminal lacks portable.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '\'':
			b.WriteString(`\(aq`)
		case r == '`' || r == '^' || r == '~' || r == '"':
			fmt.Fprintf(&b, `\(%s`, map[rune]string{'`': "ga", '^': "ha", '~': "ti", '"': "dq"}[r])
		case r > '~':
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	if s := b.String(); !strings.HasPrefix(s, ".") {
		return s
	}
	return `\&` + b.String()
}

func (m *roff) line(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = escape(s)
		}
	}
	fmt.Fprintf(m, format+"\n", args...)
}

func (m *roff) head(name, section, about string) {
	m.line(`.TH %s %s "" "%s" "toaster"`, strings.ToUpper(name), section, "toaster "+app.Version)
	m.line(".SH NAME")
	m.line(`%s \- %s`, name, about)
}

// prose writes paragraphs; indented ones are examples.
func (m *roff) prose(text string) {
	for _, p := range strings.Split(strings.TrimSpace(text), "\n\n") {
		m.line(".PP")
		if strings.HasPrefix(p, "    ") {
			m.example(p)
		} else {
			m.line("%s", strings.Join(strings.Fields(p), " "))
		}
	}
}

func (m *roff) example(text string) {
	m.line(".RS 4\n.EX")
	for _, line := range strings.Split(text, "\n") {
		m.line("%s", strings.TrimPrefix(line, "    "))
	}
	m.line(".EE\n.RE")
}

// manual writes toasterctl(8) from what --help prints.
func (m *roff) manual(app *kong.Application) {
	m.head("toasterctl", "8", "the administrator's command of toaster")
	m.line(".SH SYNOPSIS\n.B toasterctl\n.I command\n.RI [ arguments ]")
	m.line(".SH DESCRIPTION")
	m.prose(app.Help)
	group := ""
	for _, command := range app.Leaves(true) {
		if g := command.ClosestGroup(); g != nil && g.Title != group {
			group = g.Title
			m.line(".SH %s", strings.ToUpper(strings.TrimSuffix(group, ":")))
		}
		m.command(command)
	}
	m.line(".SH OPTIONS OF ALL COMMANDS")
	for _, flag := range app.Flags {
		m.flag(flag)
	}
	m.end()
}

func (m *roff) command(c *kong.Node) {
	m.line(".SS %s", c.FullPath())
	m.line(".B %s", c.FullPath())
	m.line("%s", strings.TrimSpace(strings.TrimPrefix(c.Summary(), strings.TrimPrefix(c.FullPath(), "toasterctl "))))
	m.prose(c.Help)
	if c.Detail != "" {
		m.prose(c.Detail)
	}
	for _, p := range c.Positional {
		m.line(".TP\n.I %s", p.Name)
		m.line("%s", p.Help)
	}
	for _, flag := range c.Flags {
		m.flag(flag)
	}
}

func (m *roff) flag(f *kong.Flag) {
	m.line(".TP\n.B %s", f.String())
	m.line("%s", f.Help)
}

func (m *roff) end() {
	m.line(".SH EXIT STATUS\n0: done. 1: failed. 2: wrong usage.")
	m.line(".SH ENVIRONMENT\n.TP\n.B TOASTER_CONF\nThe configuration, where %s does not say.", "--config")
	m.line(".SH FILES")
	for _, f := range [][2]string{
		{"/etc/toaster/toaster.toml", "the configuration"}, {"/etc/toaster/targets.toml", "what images can be built"},
		{"/etc/toaster/keys", "secret keys"}, {"/var/lib/toaster/", "the database, and what the local engine has built"},
	} {
		m.line(".TP\n.I %s", f[0])
		m.line("%s", f[1])
	}
	m.line(".SH SEE ALSO\n.BR toaster.toml (5),\n.BR targets.toml (5)")
}
