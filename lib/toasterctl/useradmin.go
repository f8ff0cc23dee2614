package main

import (
	"fmt"
	"time"

	"toaster.do/lib/auth"
	"toaster.do/lib/config"
	"toaster.do/lib/printable"
	"toaster.do/lib/store"
)

// userArg names the user of a command.
type userArg struct {
	Email string `arg:"" help:"The email address of the user."`
}

// auditEntry is a line for the audit trail about what the command does.
func auditEntry(action, object, detail string) store.AuditEntry {
	return store.AuditEntry{At: time.Now(), Means: "toasterctl", Action: action, Object: object, Detail: detail}
}

// do finds the person, does something to them, and says so.
func (s userArg) do(w *world, done string, act func(*config.Config, *site, *store.User) error) error {
	return w.withService(func(cfg *config.Config, service *site) error {
		p, err := service.DB.UserByEmail(w.ctx, s.Email)
		if err == nil {
			err = act(cfg, service, p)
		}
		if err != nil {
			return orSee(err, "user list")
		}
		_, err = fmt.Fprintf(w.out, done+"\n", printable.Line(p.Email))
		return err
	})
}

type userActivate struct{ userArg }

func (c *userActivate) Run(w *world) error {
	return c.do(w, "%s can log in now.", func(cfg *config.Config, s *site, p *store.User) error {
		return auth.New(cfg, s.DB).Approve(w.ctx, p, auditEntry("", "", ""))
	})
}

type userSuspend struct{ userArg }

func (c *userSuspend) Run(w *world) error {
	return c.do(w, "%s is suspended.", func(_ *config.Config, s *site, p *store.User) error {
		return s.Suspend(w.ctx, p.ID, auditEntry("", "", ""))
	})
}

type userRole struct {
	userArg
	Role store.Role `arg:"" enum:"user,admin" help:"user or admin."`
}

func (c *userRole) Run(w *world) error {
	return c.do(w, "%s is now: "+string(c.Role)+".", func(_ *config.Config, s *site, p *store.User) error {
		return s.DB.SetRole(w.ctx, p.ID, c.Role, auditEntry("", "", ""))
	})
}

type userSignout struct {
	userArg
	Tokens bool `help:"Also revoke the API tokens."`
}

func (c *userSignout) Run(w *world) error {
	return c.do(w, "All sessions of %s have ended.", func(_ *config.Config, s *site, p *store.User) error {
		return s.DB.LogOut(w.ctx, p.ID, c.Tokens, auditEntry("", "", ""))
	})
}

type userFactor struct {
	userArg
	Off bool `required:"" help:"Disable it."`
}

func (c *userFactor) Run(w *world) error {
	return c.do(w, "Two-factor authentication of %s is disabled.", func(cfg *config.Config, s *site, p *store.User) error {
		return auth.New(cfg, s.DB).ResetFactor(w.ctx, p, auditEntry("user.factor", "", "off"))
	})
}

type userRemove struct {
	userArg
	Yes bool `required:"" help:"Confirm the deletion. Jobs, builds and artifacts are also deleted. This can't be undone."`
}

func (c *userRemove) Run(w *world) error {
	return c.do(w, "%s is deleted.", func(cfg *config.Config, s *site, p *store.User) error {
		return auth.New(cfg, s.DB).Remove(w.ctx, p, auditEntry("user.remove", "", ""))
	})
}

type userLimit struct {
	userArg
	Jobs             *string `placeholder:"N" help:"Maximum number of jobs."`
	ConcurrentBuilds *string `placeholder:"N" help:"Maximum number of concurrent builds, queued or running."`
	BuildsPerDay     *string `placeholder:"N" help:"Maximum number of builds per day."`
	Minutes          *string `name:"build-minutes" placeholder:"N" help:"Maximum build minutes per day."`
	ArtifactBytes    *string `placeholder:"SIZE" help:"Maximum size of all artifacts: “20 GiB”."`
	KeepDays         *string `placeholder:"N" help:"Days until the log and artifacts of a build are deleted. 0: never."`
}

func (userLimit) Help() string {
	return "0 means unlimited, and is shown as “none”. “default” resets a limit to the configuration's. Other limits " +
		"are not changed. Without options, the limits are printed."
}

func (c *userLimit) Run(w *world) error {
	return w.withService(func(cfg *config.Config, s *site) error {
		p, err := s.DB.UserByEmail(w.ctx, c.Email)
		if err != nil {
			return orSee(err, "user list")
		}
		now := auth.LimitsOf(p)
		asked := map[string]*string{"jobs": c.Jobs, "concurrent_builds": c.ConcurrentBuilds, "builds_per_day": c.BuildsPerDay,
			"build_minutes":  c.Minutes,
			"artifact_bytes": c.ArtifactBytes, "keep_days": c.KeepDays}
		changed := false
		for name, value := range asked {
			if value != nil {
				changed, now[name] = true, *value
			}
			if now[name] == "default" {
				now[name] = ""
			}
		}
		if !changed {
			return c.show(w, cfg, s, p, now)
		}
		own, err := auth.ParseLimits(func(name string) string { return now[name] })
		if err != nil {
			return err
		}
		if err := s.DB.SetLimits(w.ctx, p.ID, own, auditEntry("", "", "")); err != nil {
			return err
		}
		_, err = fmt.Fprintf(w.out, "The limits of %s are set: %s\n", printable.Line(p.Email), own)
		return err
	})
}

// show prints the limits beside what is taken of them.
func (c *userLimit) show(w *world, cfg *config.Config, s *site, p *store.User, own map[string]string) error {
	used, err := s.DB.Usage(w.ctx, p.ID, time.Now())
	if err != nil {
		return err
	}
	l := cfg.Limits
	rows := [][]string{{"LIMIT", "OVERRIDE", "DEFAULT", "TAKEN"}}
	for _, r := range []struct {
		name        string
		site, taken any
	}{
		{"jobs", l.Jobs, used.Jobs}, {"concurrent_builds", l.ConcurrentBuilds, used.Running},
		{"builds_per_day", l.BuildsPerDay, used.Daily},
		{"build_minutes", l.Minutes, used.Minutes},
		{"artifact_bytes", l.ArtifactBytes, config.Size(used.Bytes)}, {"keep_days", l.KeepDays, ""},
	} {
		rows = append(rows, []string{r.name, unlimited(own[r.name]), unlimited(fmt.Sprint(r.site)), fmt.Sprint(r.taken)})
	}
	return w.table(rows)
}

// unlimited shows the limit 0, which is none.
func unlimited(limit string) string {
	if limit == "0" || limit == "0 B" {
		return "none"
	}
	return limit
}
