package main

import (
	"os"
	"path/filepath"
	"strings"

	"toaster.do/conf"
	"toaster.do/lib/apperr"
	"toaster.do/lib/target"
)

// builtInTargets returns the targets of a site that changed nothing.
func builtInTargets() (*target.Targets, error) {
	text, err := conf.Files.ReadFile("targets.toml")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "toasterctl-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "targets.toml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, err
	}
	return target.LoadTargets(path)
}

// pick finds a target; where it can't be had, the advice names those that can.
func pick(targets *target.Targets, name string) (target.Target, error) {
	t, err := targets.Find(name)
	if apperr.KindOf(err) != apperr.InvalidArgument || err == nil {
		return t, err
	}
	var names []string
	for _, other := range targets.On() {
		names = append(names, other.Name)
	}
	advice := "Choose one of: " + strings.Join(names, ", ") + "."
	if len(names) == 0 {
		advice = "No target is enabled: see targets.toml."
	}
	return t, apperr.New(apperr.InvalidArgument, "%s", "%s", apperr.Of(err).Message, advice)
}
