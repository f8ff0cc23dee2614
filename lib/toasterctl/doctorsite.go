package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/auth"
	"toaster.do/lib/config"
	"toaster.do/lib/engine/jenkins"
	"toaster.do/lib/store"
)

// finding is what doctor says of one thing.
type finding = jenkins.Finding

func fine(what, note string) finding { return finding{What: what, OK: true, Problem: note} }

func sick(what string, err error, advice string) finding {
	message, own := explain(err)
	if own != "" {
		advice = own
	}
	return finding{What: what, Problem: message, Advice: advice}
}

// examineSite looks at all but the engine. It runs as the owner of the database, who the web server should be.
func (w *world) examineSite(cfg *config.Config) []finding {
	all := []finding{database(w.ctx, cfg), rights(cfg), keysFinding(w.ctx, cfg), room(cfg)}
	for _, path := range cfg.Files() {
		if f, ok := reach(path); !ok && path != cfg.Paths.Keys {
			all = append(all, f)
		}
	}
	if all[0].OK {
		all = append(all, cron(w.ctx, cfg), proxyFinding(w.ctx, cfg), outboxFinding(w.ctx, cfg))
	} else {
		for _, what := range []string{"cron", "client addresses", "queued emails"} {
			all = append(all, unknown(what, "the database can't be opened."))
		}
	}
	all = append(all, signupFinding(cfg))
	if cfg.Signup.Breached != "" {
		all = append(all, breachedFinding(cfg))
	}
	if cfg.Registry.AuthFile != "" {
		all = append(all, registryFinding(cfg))
	}
	return append(append(all, mailFinding(w.ctx, cfg)), address(w.ctx, cfg)...)
}

// database looks at the schema, and whether the file is whole.
func database(ctx context.Context, cfg *config.Config) finding {
	const what = "the database"
	path := cfg.Paths.Database
	have, want, err := store.Schema(ctx, path)
	switch {
	case err != nil && apperr.KindOf(err) != apperr.Internal:
		return sick(what, err, "")
	case err == nil && have < want:
		return finding{What: what, Problem: fmt.Sprintf("has schema version %d, but this version of toaster needs %d.", have, want), Advice: "toasterctl migrate"}
	case err == nil:
		_, err = store.Check(ctx, path)
	}
	if err != nil {
		problem, _ := explain(err)
		return finding{What: what, Problem: problem, Advice: "Restore a backup: toasterctl restore --force FILE"}
	}
	return fine(what, fmt.Sprintf("schema version %d, intact, owned by %s", have, userName(os.Geteuid())))
}

func breachedFinding(cfg *config.Config) finding {
	const what = "breached passwords"
	if err := auth.New(cfg, nil).CheckBreached(); err != nil {
		return sick(what, err, "Install the list, readable by "+userName(os.Geteuid())+", or clear signup.breached_passwords. Until then, no password can be set.")
	}
	return fine(what, cfg.Signup.Breached)
}

func room(cfg *config.Config) finding {
	if err := app.DiskSpace(cfg); err != nil {
		advice := "Free some space, or lower limits.free_disk."
		if errors.Is(err, fs.ErrPermission) {
			advice = "Check the permissions."
		}
		return sick("disk space", err, advice)
	}
	return fine("disk space", "")
}
