// Package health looks over a site for its administrator: as sentences for a page, and as metrics for Prometheus.
package health

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/engine"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
)

// Report is the state of a site at a moment.
type Report struct {
	At       time.Time
	Version  string
	Database int64  // bytes
	Disks    []Disk // where the site writes
	MailOn   bool
	Mail     store.Outbox
	Engine   engine.Health
	Sync     time.Time // when sync ran last; zero: never
	Stats    store.Stats
}

// Disk is a file system.
type Disk struct {
	Use         string // "database", "builds"
	Path        string
	Free, Total int64 // bytes, for a normal user
}

// late is how old the last sync may be: cron runs it every minute.
const late = 5 * time.Minute

// siteStore is what a report needs of the database.
type siteStore interface {
	Outbox(ctx context.Context) (o store.Outbox, err error)
	Setting(ctx context.Context, name string) (value string, err error)
	Size() (n int64, err error)
	Stats(ctx context.Context, now time.Time) (c store.Stats, err error)
}

// Look looks the site over.
func Look(ctx context.Context, cfg *config.Config, db siteStore, s *jobs.Service) (*Report, error) {
	r := &Report{At: s.Now(), Version: s.Version, MailOn: cfg.Mail.On(), Engine: s.Health(ctx)}
	var err error
	if r.Database, err = db.Size(); err != nil {
		return nil, err
	}
	if r.Mail, err = db.Outbox(ctx); err != nil {
		return nil, err
	}
	if r.Stats, err = db.Stats(ctx, r.At); err != nil {
		return nil, err
	}
	last, err := db.Setting(ctx, "sync")
	if err != nil {
		return nil, err
	}
	r.Sync, _ = time.Parse(time.RFC3339, last)
	r.disk("database", filepath.Dir(cfg.Paths.Database))
	if cfg.Engine == "local" {
		r.disk("builds", cfg.Paths.Builds)
		r.disk("work", cfg.Local.WorkDir)
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

// Users tells how many accounts are in a state.
func (r *Report) Users(state string) int { return r.Stats.Users[store.UserState(state)] }

// Late tells whether sync should have run meanwhile.
func (r *Report) Late() bool { return r.At.Sub(r.Sync) > late }

// Problems says what an administrator should see to, and how; nothing: all is well.
func (r *Report) Problems() (list []string) {
	add := func(bad bool, format string, args ...any) {
		if bad {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	add(r.Sync.IsZero(), "“toasterctl sync” has never run: emails are not sent, and states are not updated. Run it with cron every minute.")
	add(!r.Sync.IsZero() && r.Late(), "“toasterctl sync” ran last on %s. Check that cron runs it, and its output.", r.Sync.Format("2 Jan 2006, 15:04 UTC"))
	add(!r.Engine.Reachable, "The build service can't be reached, so builds wait. %s", r.Engine.Message)
	add(r.Engine.Reachable && r.Engine.Message != "", "%s", r.Engine.Message)
	for _, d := range r.Disks {
		add(d.Low(), "The disk with the %s (%s) is nearly full.", d.Use, d.Path)
	}
	add(r.Mail.Failing > 0, "Emails can't be sent: %d of %d have failed at least once. %s", r.Mail.Failing, r.Mail.Waiting, r.Mail.Problem)
	add(r.Stats.Users[store.Pending] > 0, "%d accounts are waiting for activation.", r.Stats.Users[store.Pending])
	return list
}
