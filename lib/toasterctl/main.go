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
	Config  string           `placeholder:"FILE" help:"The configuration of the site. Default: $TOASTER_CONF, or /etc/toaster/toaster.toml."`
	Version kong.VersionFlag `help:"Print the version."`

	Lint   lintCommand   `cmd:"" group:"dockerfile" help:"Check a Dockerfile, and print the findings."`
	Blend  blendCommand  `cmd:"" group:"dockerfile" help:"Translate a Dockerfile to a blend, and print it."`
	Script scriptCommand `cmd:"" group:"dockerfile" help:"Print the build script of a Dockerfile for a target."`

	Lock lockCommand `cmd:"" group:"dockerfile" help:"Look up the images that a Dockerfile names, and print their digests."`

	Init    initCommand    `cmd:"" group:"site" help:"Set up a site."`
	Migrate migrateCommand `cmd:"" group:"site" help:"Migrate the database to the schema of this version."`
	Keys    keysCommand    `cmd:"" group:"site" help:"Create new keys for session cookies and two-factor authentication. The previous keys stay valid until the next time."`
	Backup  backupCommand  `cmd:"" group:"site" help:"Back up the configuration, keys and database."`
	Restore restoreCommand `cmd:"" group:"site" help:"Restore a backup."`
	Serve   serveCommand   `cmd:"" group:"site" help:"Run a web server for testing and development."`
	Runner  runnerCommand  `cmd:"" group:"site" help:"Run the builds of the local engine."`
	Sync    syncCommand    `cmd:"" group:"site" help:"Synchronize with the engine, send emails, and delete old builds. For cron, every minute."`
	Fetch   fetchCommand   `cmd:"" group:"site" help:"Fetch the Git repositories that builds wait for. “sync” and “runner” do so."`
	Metrics metricsCommand `cmd:"" group:"site" help:"Print the metrics of the site for Prometheus."`
	Doctor  doctorCommand  `cmd:"" group:"site" help:"Check the installation and suggest fixes."`

	Help helpCommand `cmd:"" group:"site" help:"Show the usage of a command, like --help."`

	Probe probeCommand `cmd:"" hidden:"" help:"Internal: the isolation tests that doctor runs in a build."`

	Man manCommand `cmd:"" hidden:"" help:"Print a manual page, for make install."`

	User  userCommands  `cmd:"" group:"users" help:"Manage users."`
	Token tokenCommands `cmd:"" group:"users" help:"Manage API tokens."`
	Job   jobCommands   `cmd:"" group:"users" help:"Manage the jobs of all users."`
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
		kong.Description("Builds Devuan images from Dockerfiles. Command for administrators."),
		kong.Writers(w.out, w.err),
		kong.Vars{"version": "toaster " + app.Version},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "dockerfile", Title: "Dockerfiles (no site needed):"},
			{Key: "site", Title: "Site:"},
			{Key: "users", Title: "Users and jobs:"},
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
var errUnchecked = errors.New("some checks did not run")

// errSaid ends a command that has said already why it failed.
var errSaid = errors.New("said already")
