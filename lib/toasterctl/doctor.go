package main

import (
	"fmt"

	"toaster.do/lib/build"
	"toaster.do/lib/config"
	"toaster.do/lib/jenkins"
	"toaster.do/lib/local"
	"toaster.do/lib/sdk"
	"toaster.do/lib/site"
)

type doctorCommand struct{}

func (doctorCommand) Help() string {
	return "Looks whether mail can be sent, and whether the engine can build what is offered: of the local one, whether a runner runs; of a Jenkins, whether it " +
		"answers, its release, the account's permissions, the view, and for each target's label an agent that is online. For the " +
		"permissions it makes a job there and deletes it again.\n\nExit status 1: something is to be changed."
}

func (doctorCommand) Run(w *world) error {
	cfg, err := w.load()
	if err != nil {
		return err
	}
	targets, err := sdk.LoadTargets(cfg.Paths.Targets)
	if err != nil {
		return err
	}
	findings, err := w.examine(cfg, targets)
	if err != nil {
		return err
	}
	findings = append(findings, mailFinding(w.ctx, cfg))
	sick := 0
	for _, f := range findings {
		if !f.OK {
			sick++
		}
		if err := w.tell(f); err != nil {
			return err
		}
	}
	if sick > 0 {
		fmt.Fprintf(w.err, "toasterctl: %s to change.\n", count(sick, "thing"))
		return errSaid
	}
	return nil
}

// examine looks at the engine that the configuration names.
func (w *world) examine(cfg *config.Config, targets *sdk.Targets) ([]jenkins.Finding, error) {
	if cfg.Engine == "jenkins" {
		e, err := site.Jenkins(cfg, w.logger())
		if err != nil {
			return nil, err
		}
		return e.Doctor(w.ctx, labels(targets)), nil
	}
	db, err := openDatabase(w, cfg)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return []jenkins.Finding{runnerFinding(local.New(db, cfg.Paths.Builds).Health(w.ctx))}, nil
}

// labels are those of the targets that are offered.
func labels(targets *sdk.Targets) (all []string) {
	for _, t := range targets.On() {
		all = append(all, t.Label)
	}
	return all
}

// runnerFinding says whether somebody runs the local engine's builds.
func runnerFinding(h build.Health) jenkins.Finding {
	f := jenkins.Finding{What: "the local engine's runner", OK: h.Message == "", Problem: h.Message}
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
func (w *world) tell(f jenkins.Finding) error {
	sign := "ok      "
	if !f.OK {
		sign = "change  "
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
