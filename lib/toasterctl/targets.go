package main

import (
	"os"
	"path/filepath"
	"strings"

	"toaster.do/conf"
	"toaster.do/lib/fault"
	"toaster.do/lib/sdk"
)

// builtInTargets returns the targets of a site that changed nothing.
func builtInTargets() (*sdk.Targets, error) {
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
	return sdk.LoadTargets(path)
}

// pick finds a target; where it can't be had, the advice names those that can.
func pick(targets *sdk.Targets, name string) (sdk.Target, error) {
	t, err := targets.Find(name)
	if fault.KindOf(err) != fault.Invalid || err == nil {
		return t, err
	}
	var names []string
	for _, other := range targets.On() {
		names = append(names, other.Name)
	}
	advice := "Pick one of: " + strings.Join(names, ", ") + "."
	if len(names) == 0 {
		advice = "No target is switched on: see targets.toml."
	}
	return t, fault.New(fault.Invalid, fault.Of(err).Message, advice)
}
