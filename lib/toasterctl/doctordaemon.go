package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// late is how long cron's sync, which runs every minute, may stay away.
const late = 5 * time.Minute

func cron(ctx context.Context, cfg *config.Config) finding {
	const what = "cron"
	f := finding{What: what, Advice: cronAdvice(cfg)}
	db, err := store.Open(ctx, cfg.Paths.Database)
	if err != nil {
		return sick(what, err, "")
	}
	defer db.Close()
	text, err := db.Setting(ctx, "sync")
	if err != nil {
		return sick(what, err, "")
	}
	last, err := time.Parse(time.RFC3339, text)
	ago := time.Since(last).Round(time.Second)
	switch {
	case err != nil:
		f.Problem = "“toasterctl sync” has never run."
	case ago > late:
		f.Problem = fmt.Sprintf("“toasterctl sync” ran last at %s.", last.Local().Format(time.DateTime))
	default:
		return fine(what, fmt.Sprintf("“toasterctl sync” ran %s ago", max(ago, 0)))
	}
	return f
}

// Where an installation has what cron and the init systems read.
const (
	cronTable   = "/etc/cron.d/toaster"
	systemdUnit = "toaster-runner.service"
	initScript  = "/etc/init.d/toaster-runner"
	runitFolder = "/etc/sv/toaster-runner"
)

// cronAdvice is what lets cron run sync, for root to type.
func cronAdvice(cfg *config.Config) string {
	if usual(cfg) && there(cronTable) {
		return "It is in " + cronTable + ", but cron is not running: service cron start"
	}
	if example := share("cron/toaster"); usual(cfg) && there(example) {
		return "Run it with cron: cp " + shellWord(example) + " /etc/cron.d/"
	}
	who, line := shellWord(userName(os.Geteuid())), "* * * * * "+itself(cfg, "sync")+" >/dev/null"
	return fmt.Sprintf("Run it with cron: (crontab -u %s -l 2>/dev/null; echo %s) | crontab -u %[1]s -", who, shellWord(line))
}

// runnerAdvice is what starts the runner, for root to type.
func runnerAdvice(cfg *config.Config) string {
	switch {
	case !usual(cfg):
	case there("/run/systemd/system") && (there("/etc/systemd/system/"+systemdUnit) || there("/lib/systemd/system/"+systemdUnit)):
		return "systemctl enable --now toaster-runner"
	case there(initScript):
		return initScript + " start"
	case there(runitFolder):
		return "ln -s " + runitFolder + " /etc/service/"
	}
	return "Install an init script of " + shellWord(share("init")) + " (conf/README.md), or start it by hand: " + itself(cfg, "runner")
}

// share is where "make install" has put a file of conf/.
func share(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), "../share/toaster/conf", name)
}

// itself is a command line of this program for the site.
func itself(cfg *config.Config, command string) string {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	line := shellWord(self) + " " + command
	if !usual(cfg) {
		line += " --config " + shellWord(cfg.Path)
	}
	return line
}

// usual tells whether the site is the one that an installation sets up.
func usual(cfg *config.Config) bool { return cfg.Path == "/etc/toaster/toaster.toml" }

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
