package doctor

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

func TestProblemsAreNamed(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	well := Report{site: Site{Config: config.Default()}, At: now, Sync: now.Add(-time.Minute),
		Engine: engine.Health{Reachable: true}, Disks: []Disk{{"builds", "/b", 50 << 30, 100 << 30}}}
	if p := well.Problems(); len(p) != 0 {
		t.Error(p)
	}
	for want, spoil := range map[string]func(*Report){
		"has never run":          func(r *Report) { r.Sync = time.Time{} },
		"ran last on 2 Jan":      func(r *Report) { r.Sync = now.Add(-6 * time.Minute) },
		"can't be reached":       func(r *Report) { r.Engine = engine.Health{Message: i18n.T("It is away.")} },
		"No agent is online":     func(r *Report) { r.Engine.Message = i18n.T("No agent is online.") },
		"(/b) is nearly full":    func(r *Report) { r.Disks = []Disk{{"builds", "/b", 4 << 30, 100 << 30}} },
		"1 of 3 have failed":     func(r *Report) { r.Mail = store.Outbox{Waiting: 3, Failing: 1, Problem: "No route."} },
		"2 accounts are waiting": func(r *Report) { r.Stats.Users = map[store.UserState]int{store.Pending: 2} },
		"No more builds start": func(r *Report) {
			r.full = apperr.Wrap(apperr.StorageFull, errors.New("/b has 1 MiB left"), "Full.", "")
		},
		"A proxy hides":         func(r *Report) { r.Proxied = now.Add(-time.Hour) },
		"1 are queued":          func(r *Report) { r.Mail = store.Outbox{Waiting: 1, Oldest: now} },
		"disk with the builds ": func(r *Report) { r.Disks = []Disk{{"builds", "/b", 500 << 20, 1 << 30}} },
	} {
		r := well
		spoil(&r)
		if p := r.Problems(); len(p) != 1 || !strings.Contains(p[0].Message.String(), want) {
			t.Errorf("%q is not the one problem: %+v", want, p)
		}
	}
}

func TestMetricsAreInPrometheusFormat(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := Report{site: Site{Config: config.Default()}, At: now, Version: "a\"b\\c\nd", Sync: now.Add(-time.Minute),
		Engine: engine.Health{Reachable: true, Slots: []engine.Slots{{Label: "vm", Online: 1, Total: 2, Busy: 1}}},
		Stats:  store.Stats{Builds: map[store.BuildState]int{store.Failed: 3}, Waiting: now.Add(-90 * time.Second)},
		Disks:  []Disk{{"builds", "/b", 1, 2}}}
	text := string(r.Metrics())
	for _, want := range []string{
		`toaster_info{version="a\"b\\c\nd"} 1` + "\n", "toaster_builds{state=\"failed\"} 3\n",
		"toaster_builds{state=\"lost\"} 0\n",
		"toaster_queue_oldest_seconds 90\n", `toaster_engine_slots{label="vm",kind="total"} 2` + "\n",
		"toaster_sync_timestamp_seconds 1799999940\n",
		"toaster_check_ok{check=\"cron\"} 1\n", "toaster_check_ok{check=\"disk space\"} 1\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "# ") && !regexp.MustCompile(`^[a-z_]+({[^}]*})? [0-9.e+-]+\n$`).MatchString(line) {
			t.Errorf("%q is no sample", line)
		}
	}
}
