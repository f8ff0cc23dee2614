package main

import (
	"toaster.do/lib/app"
	"toaster.do/lib/config"
	"toaster.do/lib/image/registry"
)

// registryFinding says whether the logins at registries can be read.
func registryFinding(cfg *config.Config) finding {
	const what = "registry logins"
	n, err := registry.New(cfg.Registry, app.Version).CheckAccounts()
	switch {
	case err != nil:
		return finding{What: what, Problem: err.Error(), Advice: "Write the file with docker login or podman login, then: chmod 0640 " +
			shellWord(cfg.Registry.AuthFile)}
	case n == 0:
		return finding{What: what, Problem: cfg.Registry.AuthFile + " contains no logins: credential helpers are not run.",
			Advice: "Log in without a credential helper, such as with podman login --authfile " + shellWord(cfg.Registry.AuthFile)}
	}
	return fine(what, count(n, "login"))
}
