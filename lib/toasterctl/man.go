package main

import (
	"strings"

	"github.com/alecthomas/kong"

	"toaster.do/conf"
	"toaster.do/lib/app"
	"toaster.do/lib/manpage"
)

type manCommand struct {
	Page string `arg:"" enum:"toasterctl.8,toaster.toml.5,targets.toml.5" help:"The page to print."`
}

func (c *manCommand) Run(w *world, program *kong.Kong) error {
	var m roff
	if c.Page == "toasterctl.8" {
		m.manual(program.Model)
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

// roff is a manual page that is being written.
type roff struct{ manpage.Page }

// manual writes toasterctl(8) from what --help prints.
func (m *roff) manual(program *kong.Application) {
	m.Head("toasterctl", "8", "the administrator's command of toaster", app.Version)
	m.Line(".SH SYNOPSIS\n.B toasterctl\n.I command\n.RI [ arguments ]")
	m.Line(".SH DESCRIPTION")
	m.Prose(program.Help)
	group := ""
	for _, command := range program.Leaves(true) {
		if g := command.ClosestGroup(); g != nil && g.Title != group {
			group = g.Title
			m.Line(".SH %s", strings.ToUpper(strings.TrimSuffix(group, ":")))
		}
		m.Command(command)
	}
	m.Line(".SH OPTIONS OF ALL COMMANDS")
	for _, flag := range program.Flags {
		m.Flag(flag)
	}
	m.end()
}

func (m *roff) end() {
	m.Line(".SH EXIT STATUS\n0: done. 1: failed. 2: wrong usage.")
	m.Line(".SH ENVIRONMENT\n.TP\n.B TOASTER_CONF\nThe configuration, where %s does not say.", "--config")
	m.Line(".SH FILES")
	for _, f := range [][2]string{
		{"/etc/toaster/toaster.toml", "the configuration"}, {"/etc/toaster/targets.toml", "what images can be built"},
		{"/etc/toaster/keys", "secret keys"}, {"/var/lib/toaster/", "the database, and what the local engine has built"},
	} {
		m.Line(".TP\n.I %s", f[0])
		m.Line("%s", f[1])
	}
	m.Line(".SH SEE ALSO\n.BR toaster.toml (5),\n.BR targets.toml (5)")
}
