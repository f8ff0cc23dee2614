// Toaster is the user's command, for their own machine: it sends a project to a site, follows the build, and downloads
// what it left.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alecthomas/kong"
)

// version is set when the program is linked.
var version = "devel"

// commands are all commands, in the order of their help.
type commands struct {
	Site    string           `placeholder:"URL" help:"The site. Default: $$TOASTER_URL, or the one that you logged in to last."`
	Retry   time.Duration    `default:"10m" placeholder:"10m" help:"How long to try again when the connection is lost or the site restarts."`
	Version kong.VersionFlag `help:"Print the version."`

	Login    loginCommand    `cmd:"" help:"Log in to a site with an API token."`
	Build    buildCommand    `cmd:"" help:"Build an image from the Dockerfile of a folder, and download it."`
	Targets  targetsCommand  `cmd:"" help:"List what can be built."`
	Jobs     jobsCommand     `cmd:"" help:"List your jobs."`
	Logs     logsCommand     `cmd:"" help:"Print the log of a build."`
	Download downloadCommand `cmd:"" help:"Download what a build left, and verify it."`
	Stop     stopCommand     `cmd:"" help:"Stop the build of a job."`
	Verify   verifyCommand   `cmd:"" help:"Verify the checksums and the signature of a folder that was downloaded."`

	Completion completionCommand `cmd:"" help:"Print the completion for a shell."`
	Help       helpCommand       `cmd:"" help:"Show the usage of a command, like --help."`
	Man        manCommand        `cmd:"" hidden:"" help:"Print the manual page, for make install."`
}

// world is what a command works with.
type world struct {
	ctx      context.Context
	site     string        // --site
	retry    time.Duration // --retry
	stdin    io.Reader
	out, err io.Writer
	json     bool // events for programs on out, and no words for people
	program  *kong.Application
	first    os.Signal      // see interrupts
	again    chan os.Signal // that come later
	follows  atomic.Bool    // it looks at them itself
}

func main() {
	w := &world{ctx: context.Background(), stdin: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(w.run(os.Args[1:]))
}

// run runs the command that args name, and returns the exit status of design.md § Commands.
func (w *world) run(args []string) int {
	var c commands
	parser, err := kong.New(&c,
		kong.Name("toaster"),
		kong.Description("Builds images for virtual machines, boards and live systems from the Dockerfile of a folder, on a "+
			"toaster site."),
		kong.Writers(w.out, w.err),
		kong.Vars{"version": "toaster " + version},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
	)
	if err != nil {
		panic(err) // the tags above are wrong
	}
	w.program = parser.Model
	command, err := parser.Parse(asksForHelp(args))
	if err == nil {
		w.site, w.retry = c.Site, c.Retry
		err = command.Run(w)
	}
	return w.report(err)
}

// note says something to a person, on standard error. A text among args, which may be a site's, is a part of a line.
func (w *world) note(format string, args ...any) {
	for i, a := range args {
		if text, ok := a.(string); ok {
			args[i] = printableLine(text)
		}
	}
	if !w.json {
		fmt.Fprintln(w.err, strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
	}
}
