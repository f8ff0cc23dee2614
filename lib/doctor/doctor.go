// Package doctor has every check of an installation: for the command toasterctl doctor, the administrator's page, and
// metrics.
package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/doctor/check"
	"toaster.do/lib/host"
	"toaster.do/lib/shell"
	"toaster.do/lib/store"
)

// Site is an installation.
type Site struct {
	*config.Config
	Program string // toasterctl, as a fix names it

	Logins func() (int, error) // counts the logins at registries; CGI programs, which don't need them, have none
}

// Check looks at all but the engine. It runs as the owner of the database, who the web server should be.
func (s Site) Check(ctx context.Context) []check.Result {
	all := []check.Result{s.database(ctx), s.permissions(), s.keys(ctx)}
	for _, path := range s.Files() {
		if f, ok := readable(path); !ok && path != s.Paths.Keys {
			all = append(all, f)
		}
	}
	all = append(all, s.glance(ctx, all[0].OK())...)
	all = append(all, s.signup())
	if s.Signup.Breached != "" {
		all = append(all, s.breached())
	}
	if s.Registry.AuthFile != "" && s.Logins != nil {
		all = append(all, s.registry())
	}
	return append(append(all, s.email(ctx)), s.address(ctx)...)
}

// glance has the checks that the page shows, too.
func (s Site) glance(ctx context.Context, opens bool) (all []check.Result) {
	if opens {
		if db, err := store.Open(ctx, s.Paths.Database); err == nil {
			defer db.Close()
			if r, err := s.look(ctx, db); err == nil {
				for _, f := range r.siteChecks() {
					all = append(all, f.Result())
				}
				return all
			}
		}
	}
	all = append(all, (&Report{site: s, full: app.DiskSpace(s.Config)}).diskCheck().Result())
	for _, name := range []string{cronName, clientsName, emailsName, accountsName} {
		all = append(all, check.Skip(name, "the database can't be opened."))
	}
	return all
}

// failed is a check that an error has ended, whose own advice counts for more than fix.
func failed(name string, err error, fix string) check.Result {
	message, advice := apperr.Explain(err)
	if advice != "" {
		fix = advice
	}
	return check.Fail(name, message, fix)
}

// command is one for root to type.
func command(name, how string, paths ...string) string {
	line := name + " " + how
	for _, path := range paths {
		line += " " + shell.Quote(path)
	}
	return line
}

// itself is a command line of toasterctl for the site.
func (s Site) itself(command string) string {
	line := shell.Quote(s.Program) + " " + command
	if !s.installed() {
		line += " --config " + shell.Quote(s.Path)
	}
	return line
}

// share is where "make install" has put a file of conf/.
func (s Site) share(name string) string {
	if !filepath.IsAbs(s.Program) {
		return "conf/" + name
	}
	return filepath.Join(filepath.Dir(s.Program), "../share/toaster/conf", name)
}

// installed tells whether the site is the one that an installation sets up.
func (s Site) installed() bool { return s.Path == "/etc/toaster/toaster.toml" }

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// me is the user that this process acts as.
func me() string { return host.UserName(os.Geteuid()) }
