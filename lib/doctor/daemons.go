package doctor

import (
	"fmt"

	"toaster.do/lib/host"
	"toaster.do/lib/shell"
)

// Where an installation has what cron and the init systems read.
const (
	cronTable   = "/etc/cron.d/toaster"
	systemdUnit = "toaster-runner.service"
	initScript  = "/etc/init.d/toaster-runner"
	runitFolder = "/etc/sv/toaster-runner"
)

// cronFix is what lets cron run sync, for root to type.
func (s Site) cronFix() string {
	if s.installed() && host.Exists(cronTable) {
		return say("It is in %s, but cron is not running: %s", cronTable, "service cron start")
	}
	command := "cp " + shell.Quote(s.share("cron/toaster")) + " /etc/cron.d/"
	if !s.installed() || !host.Exists(s.share("cron/toaster")) {
		line := "* * * * * " + s.itself("sync") + " >/dev/null"
		command = fmt.Sprintf("(crontab -u %s -l 2>/dev/null; echo %s) | crontab -u %[1]s -", shell.Quote(me()),
			shell.Quote(line))
	}
	return say("Run it with cron: %s", command)
}

// runnerFix is what starts the runner, for root to type.
func (s Site) runnerFix() string {
	switch {
	case !s.installed():
	case host.Exists("/run/systemd/system") &&
		(host.Exists("/etc/systemd/system/"+systemdUnit) || host.Exists("/lib/systemd/system/"+systemdUnit)):
		return "systemctl enable --now toaster-runner"
	case host.Exists(initScript):
		return initScript + " start"
	case host.Exists(runitFolder):
		return "ln -s " + runitFolder + " /etc/service/"
	}
	return say("Install an init script of %s (conf/README.md), or start it by hand: %s",
		shell.Quote(s.share("init")), s.itself("runner"))
}
