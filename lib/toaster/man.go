package main

import (
	"strings"

	"toaster.do/lib/manpage"
)

type manCommand struct{}

// Run prints toaster(1), from what --help prints.
func (c *manCommand) Run(w *world) error {
	var m manpage.Page
	m.Head("toaster", "1", "build images from Dockerfiles on a toaster site", version)
	m.Line(".SH SYNOPSIS\n.B toaster\n.I command\n.RI [ arguments ]")
	m.Line(".SH DESCRIPTION")
	m.Prose(w.program.Help + "\n\n" + overview)
	m.Line(".SH COMMANDS")
	for _, command := range w.program.Leaves(true) {
		m.Command(command)
	}
	m.Line(".SH OPTIONS OF ALL COMMANDS")
	for _, flag := range w.program.Flags {
		m.Flag(flag)
	}
	m.Line(".SH EVENTS")
	m.Prose(eventsHelp)
	for _, list := range []struct {
		title string
		terms [][2]string
	}{{"EXIT STATUS", statuses}, {"ENVIRONMENT", variables}, {"FILES", files}} {
		m.Line(".SH %s", list.title)
		for _, t := range list.terms {
			m.Line(".TP\n.B %s", t[0])
			m.Line("%s", t[1])
		}
	}
	_, err := w.out.Write([]byte(m.String()))
	return err
}

const overview = `
    toaster login https://example.org/toaster
    cd project
    toaster build -t vm_amd64_daedalus

A lost connection, a restart of the site, and a computer that sleeps do not end a command: it tries again, for
as long as --retry says.`

var eventsHelp = strings.TrimSpace(`
With --json, standard output has a JSON object a line, whose member “event” is one of: context (files, bytes,
digest), upload (files, bytes), job (id, name, target, url, created), root_password (password), build (number,
state, url), finding (line, level, rule, message, advice), state (state, queue_place), log (offset, text; text64
in Base64 where it is no UTF-8), phase (name, at), step (step, of, line, instruction), waiting (reason),
repeated (number), done (state, job, number), artifact (path, bytes, sha256, file), verified (files, signed,
dir), interrupted, stopping (job, number), largest (files), and error (detail, advice, exit). Others may be
added.`)

var statuses = [][2]string{
	{"0", "The image is built, downloaded and verified; other commands: done."},
	{"1", "The build has failed or was stopped, or what was downloaded is not right."},
	{"2", "The site refuses it, or the usage is wrong."},
	{"3", "The site can't be reached."},
	{"130", "Interrupted. A build that has begun goes on."},
}

var variables = [][2]string{
	{"TOASTER_URL", "The site. It overrides the default of the configuration."},
	{"TOASTER_TOKEN", "The API token. It overrides that of the configuration, for CI jobs."},
	{"TOASTER_KEY", "The site's public key (minisign)."},
	{"NO_COLOR", "If it is set, the log has no colours."},
	{"HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "As for most programs."},
}

var files = [][2]string{
	{"~/.config/toaster/config.toml", "The sites that you are logged in to, with their tokens. Only you can read it."},
	{"~/.cache/toaster/", "Checksums of files, which make the next build faster. It can be deleted at any time."},
	{".toaster.json", "In a folder that was downloaded: which build it is from. Such a folder is no part of a context."},
}
