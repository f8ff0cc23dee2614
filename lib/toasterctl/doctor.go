package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"toaster.do/lib/app"
	"toaster.do/lib/doctor"
	"toaster.do/lib/doctor/check"
	"toaster.do/lib/image/registry"
	"toaster.do/lib/printable"
)

type doctorCommand struct {
	Quick bool `help:"Skip checks that take more than a second: the test build of the local engine, and the requirements of its targets."`
}

func (doctorCommand) Help() string {
	return "Checks the installation and suggests fixes: the database with its permissions and schema, the keys, the " +
		"disk, cron, email, the address and static files, " +
		"and whether the engine can build all enabled targets. For the local engine, it checks that a runner is running, " +
		"and runs a test build to verify its isolation from this host. For Jenkins, it checks that the controller " +
		"can be reached, its release, the permissions of the account, the view, and that an agent is online for each " +
		"label. To check the " +
		"permissions, it creates a job in Jenkins and deletes it again.\n\n" +
		"Checks that can't run are reported as “not checked”, with the reason. Exit code 1: problems found; 3: no problems " +
		"found, " +
		"but some checks did not run."
}

func (c doctorCommand) Run(w *world) error {
	cfg, err := w.load()
	if err != nil {
		return err
	}
	mayLook := asOwner
	if os.Geteuid() == 0 {
		mayLook = twoOwners
	}
	if err := mayLook(cfg.Paths.Database); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	site := doctor.Site{Config: cfg, Program: program, Logins: registry.New(cfg.Registry, app.Version).CheckAccounts}
	var isolation []check.Result
	switch {
	case !c.Quick:
		isolation = site.CheckIsolation(w.ctx) // as root, who builds
	case cfg.Engine == "local":
		isolation = []check.Result{check.Skip("isolation", "--quick skips the test build.")}
	}
	if err := actAsOwner(cfg.Paths.Database); err != nil {
		return err
	}
	ended := map[check.State]int{}
	for _, r := range slices.Concat(site.Check(w.ctx), site.CheckEngine(w.ctx, w.logger()), isolation) {
		ended[r.State]++
		if err := w.tell(r); err != nil {
			return err
		}
	}
	bad, open := ended[check.Failed], ended[check.NotChecked]
	var said []string
	if bad > 0 {
		said = append(said, count(bad, "problem"))
	}
	if open > 0 {
		said = append(said, count(open, "check")+" skipped")
	}
	if len(said) > 0 {
		fmt.Fprintf(w.err, "toasterctl: %s.\n", strings.Join(said, ", "))
	}
	switch {
	case bad > 0:
		return errSaid
	case open > 0:
		return errUnchecked
	}
	return nil
}

// tell prints a result: what it is about, what is the matter, what to do.
func (w *world) tell(r check.Result) error {
	line := map[check.State]string{
		check.Passed: "ok      ", check.Warning: "warning ", check.Failed: "problem ", check.NotChecked: "unknown ",
	}[r.State] + r.Name
	switch {
	case r.State == check.NotChecked:
		line += ": not checked: " + r.Message
	case r.Message != "":
		line += ": " + r.Message
	}
	if _, err := fmt.Fprintln(w.out, printable.Line(line)); err != nil || r.Fix == "" {
		return err
	}
	_, err := fmt.Fprintln(w.out, "        "+printable.Line(r.Fix))
	return err
}

// probeCommand is what doctor runs in a build.
type probeCommand struct{ doctor.Probe }

func (c probeCommand) Run(w *world) error { return c.Try(w.out) }
