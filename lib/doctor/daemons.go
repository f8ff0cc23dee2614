package doctor

import (
	"fmt"

	"toaster.do/lib/host"
	"toaster.do/lib/i18n"
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
func (s Site) cronFix() i18n.Text {
	if s.installed() && host.Exists(cronTable) {
		return i18n.T("It is in %s, but cron is not running: %s", cronTable, "service cron start")
	}
	command := "cp " + shell.Quote(s.share("cron/toaster")) + " /etc/cron.d/"
	if !s.installed() || !host.Exists(s.share("cron/toaster")) {
		line := "* * * * * " + s.itself("sync") + " >/dev/null"
		command = fmt.Sprintf("(crontab -u %s -l 2>/dev/null; echo %s) | crontab -u %[1]s -", shell.Quote(me()),
			shell.Quote(line))
	}
	return i18n.T("Run it with cron: %s", command)
}

// runnerFix is what starts the runner, for root to type.
func (s Site) runnerFix() i18n.Text {
	switch {
	case !s.installed():
	case host.Exists("/run/systemd/system") &&
		(host.Exists("/etc/systemd/system/"+systemdUnit) || host.Exists("/lib/systemd/system/"+systemdUnit)):
		return i18n.Plain("systemctl enable --now toaster-runner")
	case host.Exists(initScript):
		return i18n.Plain(initScript + " start")
	case host.Exists(runitFolder):
		return i18n.Plain("ln -s " + runitFolder + " /etc/service/")
	}
	return i18n.T("Install an init script of %s (conf/README.md), or start it by hand: %s",
		shell.Quote(s.share("init")), s.itself("runner"))
}
