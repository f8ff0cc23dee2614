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
	Use         string // "database", "builds"
	Path        string
	Free, Total int64 // bytes, for a normal user
}

// Look looks the site over.
func (s Site) Look(ctx context.Context, service *jobs.Service) (*Report, error) {
	r, err := s.look(ctx, service.Store)
	if err != nil {
		return nil, err
	}
	r.At, r.Version, r.Engine = service.Now(), service.Version, service.Health(ctx)
	return r, nil
}

// look is Look without the engine.
func (s Site) look(ctx context.Context, db *store.DB) (r *Report, err error) {
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
func (r *Report) disk(use, path string) {
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

// say is a sentence that the page shows: it is translated there.
func say(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func moment(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// Checks are the results of those checks that take no time.
func (r *Report) Checks() []check.Result { return append(r.siteChecks(), r.engineCheck()) }

func (r *Report) siteChecks() []check.Result {
	return []check.Result{r.diskCheck(), r.cronCheck(), r.clientsCheck(), r.emailsCheck(), r.accountsCheck()}
}

// Problems are the checks that an administrator should see to; nothing: all is well.
func (r *Report) Problems() (list []check.Result) {
	for _, c := range r.Checks() {
		if c.State == check.Failed || c.State == check.Warning {
			list = append(list, c)
		}
	}
	return list
}

func (r *Report) diskCheck() check.Result {
	const name = "disk space"
	if apperr.KindOf(r.full) == apperr.StorageFull {
		return check.Fail(name, say("No more builds start: %s.", apperr.Of(r.full).Err),
			say("Free some space, or lower limits.free_disk."))
	}
	if r.full != nil {
		return failed(name, r.full, "Check the permissions.")
	}
	for _, d := range r.Disks {
		if d.Low() {
			return check.Warn(name, say("The disk with the %s (%s) is nearly full.", d.Use, d.Path), "")
		}
	}
	return check.OK(name, "")
}

func (r *Report) cronCheck() check.Result {
	ago := r.At.Sub(r.Sync).Round(time.Second)
	switch {
	case r.Sync.IsZero():
		return check.Fail(cronName,
			say("“toasterctl sync” has never run: emails are not sent, and states are not updated."), r.site.cronFix())
	case ago > syncAge:
		return check.Fail(cronName, say("“toasterctl sync” ran last on %s.", moment(r.Sync)), r.site.cronFix())
	}
	return check.OK(cronName, fmt.Sprintf("“toasterctl sync” ran %s ago", max(ago, 0)))
}

// clientsCheck says whether requests come through a proxy that the web server doesn't know of: all users have one
// address then.
func (r *Report) clientsCheck() check.Result {
	if r.At.Sub(r.Proxied) > proxyAge {
		return check.OK(clientsName, "")
	}
	return check.Fail(clientsName,
		say("A proxy hides the addresses of clients, last on %s: login attempts can't be limited per client.",
			moment(r.Proxied)),
		say("Configure the web server for the proxy. Apache: a2enmod remoteip, with RemoteIPHeader X-Forwarded-For and "+
			"RemoteIPInternalProxy ADDRESS; lighttpd: mod_extforward, with extforward.forwarder = "+
			"( \"ADDRESS\" => \"trust\" ). This message disappears after two hours."))
}

// emailsCheck says whether emails are sent.
func (r *Report) emailsCheck() check.Result {
	fix := say("Check that “toasterctl sync” runs, and its output; and [mail] in %s.", r.site.Path)
	switch {
	case r.Mail.Failing > 0:
		return check.Fail(emailsName, say("Emails can't be sent: %d of %d have failed at least once. %s",
			r.Mail.Failing, r.Mail.Waiting, r.Mail.Problem), fix)
	case r.Mail.Waiting > 0 && (!r.MailOn || r.At.Sub(r.Mail.Oldest) > emailAge):
		return check.Fail(emailsName, say("Emails are not sent: %d are queued, the oldest since %s.", r.Mail.Waiting,
			moment(r.Mail.Oldest)), fix)
	}
	return check.OK(emailsName, fmt.Sprint(r.Mail.Waiting))
}

func (r *Report) accountsCheck() check.Result {
	if n := r.Stats.Users[store.Pending]; n > 0 {
		return check.Warn(accountsName, say("%d accounts are waiting for activation.", n), "")
	}
	return check.OK(accountsName, "")
}

// engineCheck says whether somebody runs the builds.
func (r *Report) engineCheck() check.Result {
	name, fix := "build service", ""
	if r.site.Config.Engine == "local" {
		name, fix = "runner of the local engine", r.site.runnerFix()
	}
	slots := 0
	for _, s := range r.Engine.Slots {
		slots += s.Online
	}
	switch {
	case !r.Engine.Reachable:
		return check.Fail(name, say("The build service can't be reached, so builds wait. %s", r.Engine.Message), fix)
	case r.Engine.Message != "":
		return check.Fail(name, r.Engine.Message, fix)
	}
	return check.OK(name, count(slots, "build")+" at once")
}

// Users tells how many accounts are in a state.
func (r *Report) Users(state string) int { return r.Stats.Users[store.UserState(state)] }
