package local

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// Status tells what is known of the named jobs. See engine.Engine.
func (e *Engine) Status(ctx context.Context, names ...string) (map[string]engine.Status, error) {
	known, err := e.db.LocalStatuses(ctx, names, engine.RecentBuilds)
	if err != nil {
		return nil, err
	}
	alive := liveRunners{dir: e.dir}
	all := make(map[string]engine.Status, len(known))
	var reason i18n.Text
	for name, k := range known {
		s := engine.Status{Enabled: k.Enabled}
		for _, b := range k.Builds {
			s.Builds = append(s.Builds, e.status(b, k.Expected, &alive))
		}
		if k.Waiting != nil {
			if reason.IsZero() {
				reason = e.waitingReason(ctx)
			}
			s.Waiting = waiting(k, s.Builds, reason)
		}
		all[name] = s
	}
	return all, nil
}

// status is what is known of a build. One whose runner is dead is lost, also before another runner says so.
func (e *Engine) status(b store.LocalBuild, expected time.Duration, alive *liveRunners) engine.BuildStatus {
	s := engine.BuildStatus{
		Number: b.Number, Ticket: ticketOf(b.Ticket), State: b.State, Reason: b.Reason,
		StartedAt: b.StartedAt, EndedAt: b.EndedAt, Expected: expected,
	}
	if s.State == engine.Running && !alive.has(b.Runner) {
		s.State, s.Reason, s.EndedAt = engine.Lost, i18n.T(lostReason), lastActivity(e.dir, b)
	}
	return s
}

const lostReason i18n.Key = "The runner crashed during this build."

// lastActivity is when a build whose runner died last wrote to its log, or when that runner was last seen.
func lastActivity(dir string, b store.LocalBuild) time.Time {
	last := b.StartedAt
	for _, file := range []string{filepath.Join(folder(b.Job, b.Number), "log"),
		filepath.Join(runnersFolder, b.Runner)} {
		if fi, err := os.Lstat(filepath.Join(dir, file)); err == nil && fi.ModTime().After(last) {
			last = fi.ModTime().Truncate(time.Millisecond).UTC()
		}
	}
	return last
}

func waiting(k *store.LocalStatus, builds []engine.BuildStatus, reason i18n.Text) *engine.Waiting {
	w := &engine.Waiting{
		Ticket: ticketOf(k.Waiting.Ticket), Since: k.Waiting.QueuedAt, Position: k.Position, Reason: reason,
	}
	for _, b := range builds {
		if b.State == engine.Running {
			w.Reason = i18n.T("waits for build %d of this job", b.Number)
		}
	}
	return w
}

// waitingReason is why any start waits.
func (e *Engine) waitingReason(ctx context.Context) i18n.Text {
	h := e.Health(ctx)
	switch s := h.Slots; {
	case len(s) == 0:
		return i18n.T("waits for the build service")
	case s[0].Total == 0:
		return i18n.T("no runner is running: start “toasterctl runner”")
	case s[0].Online == 0:
		return i18n.T("the runner does not respond: restart “toasterctl runner”")
	case e.allDraining(ctx):
		return i18n.T("waits for the runner to restart")
	case s[0].Busy >= s[0].Online:
		return i18n.T("waits for a runner")
	}
	return i18n.T("starts soon")
}

// allDraining tells whether all runners that live take no more builds.
func (e *Engine) allDraining(ctx context.Context) bool {
	draining, err := e.db.LocalDraining(ctx)
	return err == nil && !slices.ContainsFunc(liveRunnerIDs(e.dir), func(id string) bool {
		return !slices.Contains(draining, id)
	})
}
