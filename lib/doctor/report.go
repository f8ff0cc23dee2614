package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/auth/session"
	"toaster.do/lib/doctor/check"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
)

// Report is the state of a site at a moment: what its page shows.
type Report struct {
	At       time.Time
	Version  string
	Database int64  // bytes
	Disks    []Disk // where the site writes
	MailOn   bool
	Mail     store.Outbox
	Engine   engine.Health
	Sync     time.Time // when sync ran last; zero: never
	Proxied  time.Time // when a proxy hid last who sends requests; zero: never
	Stats    store.Stats

	site Site
	full error // no build starts for want of disk space
}

// Disk is a file system.
type Disk struct {
	Use         i18n.Key // "database", "builds"
	Path        string
	Free, Total int64 // bytes, for a normal user
}

// siteStore is what a report needs of the database.
type siteStore interface {
	Outbox(ctx context.Context) (store.Outbox, error)
	Setting(ctx context.Context, name string) (string, error)
	Size() (int64, error)
	Stats(ctx context.Context, now time.Time) (store.Stats, error)
}

// Look looks the site over.
func (s Site) Look(ctx context.Context, db siteStore, service *jobs.Service) (*Report, error) {
	r, err := s.look(ctx, db)
	if err != nil {
		return nil, err
	}
	r.At, r.Version, r.Engine = service.Now(), service.Version, service.Health(ctx)
	return r, nil
}

// look is Look without the engine.
func (s Site) look(ctx context.Context, db siteStore) (r *Report, err error) {
	r = &Report{At: time.Now(), MailOn: s.Mail.On(), site: s, full: app.DiskSpace(s.Config)}
	if r.Database, err = db.Size(); err != nil {
		return nil, err
	}
	if r.Mail, err = db.Outbox(ctx); err != nil {
		return nil, err
	}
	if r.Stats, err = db.Stats(ctx, r.At); err != nil {
		return nil, err
	}
	for name, at := range map[string]*time.Time{"sync": &r.Sync, session.ProxyFact: &r.Proxied} {
		text, err := db.Setting(ctx, name)
		if err != nil {
			return nil, err
		}
		*at, _ = time.Parse(time.RFC3339, text)
	}
	r.disk("database", filepath.Dir(s.Paths.Database))
	if s.Config.Engine == "local" {
		r.disk("builds", s.Paths.Builds)
		r.disk("work", s.Local.WorkDir)
	}
	return r, nil
}

// disk adds the file system of a folder. A folder that isn't there yet is passed over: its maker makes it.
func (r *Report) disk(use i18n.Key, path string) {
	var st syscall.Statfs_t
	if syscall.Statfs(path, &st) == nil {
		size := int64(st.Bsize)
		r.Disks = append(r.Disks, Disk{use, path, int64(st.Bavail) * size, int64(st.Blocks-st.Bfree+st.Bavail) * size})
	}
}

// Low tells whether the disk is nearly full: less than a twentieth of it, or 1 GiB, is free.
func (d Disk) Low() bool { return d.Free < 1<<30 || d.Free < d.Total/20 }

// Used is how much of the disk is taken, in percent.
func (d Disk) Used() int {
	if d.Total == 0 {
		return 0
	}
	return int(100 - d.Free*100/d.Total)
}

// How old things may be: cron runs sync each minute, which sends emails; programs note a proxy once an hour.
const (
	syncAge  = 5 * time.Minute
	emailAge = 15 * time.Minute
	proxyAge = 2 * time.Hour
)

// The names of the checks that the page shows.
const (
	cronName     = "cron"
	clientsName  = "client addresses"
	emailsName   = "queued emails"
	accountsName = "accounts"
)

// Finding is the result of a check that the page shows, in its language.
type Finding struct {
	Name         string
	State        check.State
	Message, Fix i18n.Text // what is wrong, or worth knowing; what to do. May be empty
}

// Result is the finding in English.
func (f Finding) Result() check.Result {
	return check.Result{Name: f.Name, State: f.State, Message: f.Message.String(), Fix: f.Fix.String()}
}

func passed(name, note string) Finding {
	return Finding{Name: name, State: check.Passed, Message: i18n.Plain(note)}
}

func moment(t time.Time) i18n.Time { return i18n.Time{At: t.UTC(), Layout: "2 Jan 2006, 15:04 UTC"} }

// Checks are the results of those checks that take no time.
func (r *Report) Checks() []Finding { return append(r.siteChecks(), r.engineCheck()) }

func (r *Report) siteChecks() []Finding {
	return []Finding{r.diskCheck(), r.cronCheck(), r.clientsCheck(), r.emailsCheck(), r.accountsCheck()}
}

// Problems are the checks that an administrator should see to; nothing: all is well.
func (r *Report) Problems() (list []Finding) {
	for _, c := range r.Checks() {
		if c.State == check.Failed || c.State == check.Warning {
			list = append(list, c)
		}
	}
	return list
}

func (r *Report) diskCheck() Finding {
	const name = "disk space"
	if apperr.KindOf(r.full) == apperr.StorageFull {
		return Finding{name, check.Failed, i18n.T("No more builds start: %s.", apperr.Of(r.full).Err),
			i18n.T("Free some space, or lower limits.free_disk.")}
	}
	if r.full != nil {
		return Finding{name, check.Failed, apperr.Of(r.full).Message, i18n.T("Check the permissions.")}
	}
	for _, d := range r.Disks {
		if d.Low() {
			return Finding{name, check.Warning, i18n.T("The disk with the %s (%s) is nearly full.", d.Use, d.Path), i18n.Text{}}
		}
	}
	return passed(name, "")
}

func (r *Report) cronCheck() Finding {
	ago := r.At.Sub(r.Sync).Round(time.Second)
	switch {
	case r.Sync.IsZero():
		return Finding{cronName, check.Failed,
			i18n.T("“toasterctl sync” has never run: emails are not sent, and states are not updated."), r.site.cronFix()}
	case ago > syncAge:
		return Finding{cronName, check.Failed, i18n.T("“toasterctl sync” ran last on %s.", moment(r.Sync)), r.site.cronFix()}
	}
	return passed(cronName, fmt.Sprintf("“toasterctl sync” ran %s ago", max(ago, 0)))
}

// clientsCheck says whether requests come through a proxy that the web server doesn't know of: all users have one
// address then.
func (r *Report) clientsCheck() Finding {
	if r.At.Sub(r.Proxied) > proxyAge {
		return passed(clientsName, "")
	}
	return Finding{clientsName, check.Failed,
		i18n.T("A proxy hides the addresses of clients, last on %s: login attempts can't be limited per client.",
			moment(r.Proxied)),
		i18n.T("Configure the web server for the proxy. Apache: a2enmod remoteip, with RemoteIPHeader X-Forwarded-For and " +
			"RemoteIPInternalProxy ADDRESS; lighttpd: mod_extforward, with extforward.forwarder = " +
			"( \"ADDRESS\" => \"trust\" ). This message disappears after two hours.")}
}

// emailsCheck says whether emails are sent.
func (r *Report) emailsCheck() Finding {
	fix := i18n.T("Check that “toasterctl sync” runs, and its output; and [mail] in %s.", r.site.Path)
	switch {
	case r.Mail.Failing > 0:
		return Finding{emailsName, check.Failed, i18n.T("Emails can't be sent: %d of %d have failed at least once. %s",
			r.Mail.Failing, r.Mail.Waiting, r.Mail.Problem), fix}
	case r.Mail.Waiting > 0 && (!r.MailOn || r.At.Sub(r.Mail.Oldest) > emailAge):
		return Finding{emailsName, check.Failed, i18n.T("Emails are not sent: %d are queued, the oldest since %s.",
			r.Mail.Waiting,
			moment(r.Mail.Oldest)), fix}
	}
	return passed(emailsName, fmt.Sprint(r.Mail.Waiting))
}

func (r *Report) accountsCheck() Finding {
	if n := r.Stats.Users[store.Pending]; n > 0 {
		return Finding{accountsName, check.Warning, i18n.T("%d accounts are waiting for activation.", n), i18n.Text{}}
	}
	return passed(accountsName, "")
}

// engineCheck says whether somebody runs the builds.
func (r *Report) engineCheck() Finding {
	name, fix := "build service", i18n.Text{}
	if r.site.Config.Engine == "local" {
		name, fix = "runner of the local engine", r.site.runnerFix()
	}
	slots := 0
	for _, s := range r.Engine.Slots {
		slots += s.Online
	}
	switch {
	case !r.Engine.Reachable:
		return Finding{name, check.Failed, i18n.T("The build service can't be reached, so builds wait. %s", r.Engine.Message),
			fix}
	case !r.Engine.Message.IsZero():
		return Finding{name, check.Failed, r.Engine.Message, fix}
	}
	return passed(name, count(slots, "build")+" at once")
}

// Users tells how many accounts are in a state.
func (r *Report) Users(state string) int { return r.Stats.Users[store.UserState(state)] }
