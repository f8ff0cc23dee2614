// Toasterctl is the administrator's command: it sets a site up, runs it for trying out, runs its builds, keeps
// accounts and jobs, and checks and translates Dockerfiles without any site at all.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"toaster.do/lib/app"
)

// commands are all commands, in the order of their help.
type commands struct {
	Config  string           `placeholder:"FILE" help:"The site's configuration: $TOASTER_CONF or /etc/toaster/toaster.toml where this is left out."`
	Version kong.VersionFlag `help:"Print the version."`

	Lint   lintCommand   `cmd:"" group:"dockerfile" help:"Say what is wrong with a Dockerfile, line by line."`
	Blend  blendCommand  `cmd:"" group:"dockerfile" help:"Print the blend that a Dockerfile becomes."`
	Script scriptCommand `cmd:"" group:"dockerfile" help:"Print the build script that a Dockerfile becomes for a target."`

	Init    initCommand    `cmd:"" group:"site" help:"Set a site up: make what is missing, leave what is there."`
	Migrate migrateCommand `cmd:"" group:"site" help:"Bring the database to the schema of this version."`
	Keys    keysCommand    `cmd:"" group:"site" help:"Make new keys for cookies and second factors; the old ones are good until the next time."`
	Backup  backupCommand  `cmd:"" group:"site" help:"Put configuration, keys and database into one file, while everything runs."`
	Restore restoreCommand `cmd:"" group:"site" help:"Make the site what it was when a backup was made."`
	Serve   serveCommand   `cmd:"" group:"site" help:"Run a web server, for trying out and developing."`
	Runner  runnerCommand  `cmd:"" group:"site" help:"Run the builds of the local engine, until a signal ends it."`
	Sync    syncCommand    `cmd:"" group:"site" help:"Bring database and engine together again: for cron, every minute."`
	Metrics metricsCommand `cmd:"" group:"site" help:"Print metrics of the site, for Prometheus."`
	Doctor  doctorCommand  `cmd:"" group:"site" help:"Look at the whole site, and say what mends what is wrong."`

	Help helpCommand `cmd:"" group:"site" help:"Say how a command is used, as --help does."`

	Probe probeCommand `cmd:"" hidden:"" help:"Try what a hostile build would; doctor runs it in a build."`

	Man manCommand `cmd:"" hidden:"" help:"Print a manual page, for make install."`

	User  userCommands  `cmd:"" group:"people" help:"Keep accounts."`
	Token tokenCommands `cmd:"" group:"people" help:"Keep API tokens."`
	Job   jobCommands   `cmd:"" group:"people" help:"Keep anybody's jobs."`
}

// world is what a command works with.
type world struct {
	ctx      context.Context
	config   string // --config
	stdin    io.Reader
	out, err io.Writer
}

func main() {
	w := &world{ctx: context.Background(), stdin: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(w.run(os.Args[1:]))
}

// untilSignal makes SIGINT and SIGTERM end the context, and nothing else: Ctrl-C in a shell script's terminal
// is followed by what the script sends, and that must not cut the ending short.
func (w *world) untilSignal() (stop func()) {
	w.ctx, stop = signal.NotifyContext(w.ctx, os.Interrupt, syscall.SIGTERM)
	return stop
}

// run runs the command that args name and returns the exit status: 0 done, 1 failed, 2 wrong usage.
func (w *world) run(args []string) int {
	var c commands
	parser, err := kong.New(&c,
		kong.Name("toasterctl"),
		kong.Description("Devuan images from Dockerfiles: the administrator's command."),
		kong.Writers(w.out, w.err),
		kong.Vars{"version": "toaster " + app.Version},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "dockerfile", Title: "Dockerfiles (these need no site):"},
			{Key: "site", Title: "The site:"},
			{Key: "people", Title: "People and jobs:"},
		}),
	)
	if err != nil {
		panic(err) // the tags above are wrong
	}
	command, err := parser.Parse(asksForHelp(args))
	if err == nil {
		w.config = c.Config
		err = command.Run(w)
	}
	return w.report(err)
}

// usage is a wrong usage that only the command itself can see.
type usage struct{ message string }

func (u usage) Error() string { return u.message }

func misused(format string, args ...any) error { return usage{fmt.Sprintf(format, args...)} }

// errUnchecked ends doctor where nothing is to be changed, as far as it could look.
var errUnchecked = errors.New("not all was checked")

// errSaid ends a command that has said already why it failed.
var errSaid = errors.New("said already")
