package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"toaster.do/lib/app"
	"toaster.do/lib/config"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/target"
)

type doctorCommand struct {
	Quick bool `help:"Skip checks that take more than a second: the test build of the local engine, and the requirements of its targets."`
}

func (doctorCommand) Help() string {
	return "Checks the installation and suggests fixes: the database with its permissions and schema, the keys, the disk, cron, email, the address and static files, " +
		"and whether the engine can build all enabled targets. For the local engine, it checks that a runner is running, " +
		"and runs a test build to verify its isolation from this host. For Jenkins, it checks that the controller " +
		"can be reached, its release, the permissions of the account, the view, and that an agent is online for each label. To check the " +
		"permissions, it creates a job in Jenkins and deletes it again.\n\n" +
		"Checks that can't run are reported as “not checked”, with the reason. Exit code 1: problems found; 3: no problems found, " +
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
	var isolation []finding
	switch {
	case !c.Quick:
		isolation = w.isolation(cfg) // as root, who builds
	case cfg.Engine == "local":
		isolation = []finding{unknown("isolation", "--quick skips the test build.")}
	}
	if err := actAsOwner(cfg.Paths.Database); err != nil {
		return err
	}
	bad, open := 0, 0
	for _, f := range slices.Concat(w.examineSite(cfg), w.examine(cfg), isolation) {
		switch {
		case !f.OK:
			bad++
		case f.Unknown:
			open++
		}
		if err := w.tell(f); err != nil {
			return err
		}
	}
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

// examine looks at the engine that the configuration names, and at what it is to build.
func (w *world) examine(cfg *config.Config) []finding {
	targets, err := target.LoadTargets(cfg.Paths.Targets)
	if err != nil {
		advice := "Correct " + cfg.Paths.Targets + "."
		switch {
		case errors.Is(err, fs.ErrNotExist):
			advice = "toasterctl init"
		case errors.Is(err, fs.ErrPermission):
			advice = "Check the permissions."
		}
		return []finding{sick("targets", err, advice)}
	}
	if cfg.Engine == "jenkins" {
		e, err := app.Jenkins(cfg, w.logger(), nil)
		if err != nil {
			return []finding{sick("Jenkins", err, "See [jenkins] in "+cfg.Path+".")}
		}
		return e.Doctor(w.ctx, labels(targets))
	}
	db, err := openDatabase(w, cfg)
	if err != nil {
		return []finding{unknown("runner of the local engine", "the database can't be opened.")}
	}
	defer db.Close()
	f := runnerFinding(local.New(db, cfg.Paths.Builds).Health(w.ctx))
	if !f.OK {
		f.Advice = runnerAdvice(cfg)
	}
	return []finding{f}
}

// labels are those of the targets that are offered.
func labels(targets *target.Targets) (all []string) {
	for _, t := range targets.On() {
		all = append(all, t.Label)
	}
	return all
}

// runnerFinding says whether somebody runs the local engine's builds.
func runnerFinding(h engine.Health) finding {
	f := finding{What: "runner of the local engine", OK: h.Message.IsZero(), Problem: h.Message.String()}
	if f.OK {
		slots := 0
		for _, s := range h.Slots {
			slots += s.Online
		}
		f.Problem = count(slots, "build") + " at once"
	}
	return f
}

// tell prints a finding: what it is about, what is the matter, what to do.
func (w *world) tell(f finding) error {
	sign := "ok      "
	switch {
	case !f.OK:
		sign = "problem "
	case f.Unknown:
		sign = "unknown "
	}
	line := sign + f.What
	if f.Problem != "" {
		line += ": " + f.Problem
	}
	if _, err := fmt.Fprintln(w.out, printable(line)); err != nil || f.Advice == "" {
		return err
	}
	_, err := fmt.Fprintln(w.out, "        "+printable(f.Advice))
	return err
}
