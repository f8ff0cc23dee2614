package cgibin

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/app"
	"toaster.do/lib/auth"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
)

// scheduler is the use cases of jobs, at a time of its own.
func (s *site) scheduler(now *time.Time) *jobs.Service {
	s.t.Helper()
	service, err := app.Service(s.cfg, s.db, slog.New(slog.DiscardHandler))
	s.must(err)
	service.Now = func() time.Time { return *now }
	return service
}

// TestSchedule: a job is built again every week, at a time of its own, until builds of the schedule fail in a row.
func TestSchedule(t *testing.T) {
	s := newSite(t)
	program, c := s.program(s.token(ada, "write")), s.browser(ada)
	id := program.addJob("schedule", "week")
	schedule := func() map[string]any {
		t.Helper()
		m, _ := program.get("/jobs/" + id).json(t)["schedule"].(map[string]any)
		return m
	}
	next := func() time.Time {
		t.Helper()
		at, err := time.Parse(time.RFC3339, schedule()["next_at"].(string))
		s.must(err)
		return at
	}
	first := next()
	if left := time.Until(first); left < 3*24*time.Hour || left > 11*24*time.Hour {
		t.Errorf("it is built in %s", left)
	}
	builds := func() []any { return program.get("/jobs/" + id).json(t)["builds"].([]any) }
	now := first.Add(-time.Minute)
	service := s.scheduler(&now)
	s.must(service.StartDue(t.Context()))
	if len(builds()) != 0 {
		t.Fatal("it is built too early")
	}
	now = first
	for range 2 {
		s.must(service.StartDue(t.Context()))
	}
	if list := builds(); len(list) != 1 || list[0].(map[string]any)["scheduled"] != true {
		t.Fatalf("%v", list)
	}
	if second := next(); second.Sub(first) != 7*24*time.Hour {
		t.Errorf("the next one is %s later", second.Sub(first))
	}
	for n := range 3 {
		s.sql("UPDATE build SET state = 'failed', finalized = 1, ended_at = queued_at WHERE state = 'queued'")
		now = next()
		s.must(service.StartDue(t.Context()))
		if want := min(n+2, 3); len(builds()) != want {
			t.Errorf("after %d failures there are %d builds", n+1, len(builds()))
		}
	}
	if problem, _ := schedule()["problem"].(string); !strings.Contains(problem, "The last 3 scheduled builds failed") {
		t.Errorf("%v", schedule())
	}
	if page := c.get("/jobs/" + id).body; !strings.Contains(page, "The last 3 scheduled builds failed") {
		t.Error("the page doesn't say why it is not built")
	}
	// A program that says nothing of the schedule leaves it; an empty one ends it.
	program.post("/jobs/"+id+"/update", "text", good+"\n")
	if schedule()["every"] != "week" {
		t.Error("the schedule is gone")
	}
	program.post("/jobs/"+id+"/update", "text", good, "schedule", "")
	if schedule() != nil {
		t.Errorf("the schedule stays: %v", schedule())
	}
}

// TestEmailsAboutScheduledBuilds tell the packages that changed, and nothing where none has.
func TestEmailsAboutScheduledBuilds(t *testing.T) {
	s := newSite(t, "[site]", `url = "https://www.example.org"`, "[mail]", `from = "toaster@example.org"`,
		`sendmail = "/usr/sbin/sendmail"`)
	s.sql("UPDATE user SET notify = 'always'")
	program := s.program(s.token(ada, "write"))
	id := program.addJob("start", "1", "schedule", "day")
	s.run(program, id, 1, image("one", `apt\t2.6.1\tamd64\ngone\t1\tall\n`, "1.0"))
	s.sql("UPDATE build SET notified = 1")
	service := s.scheduler(new(time.Time))
	service.Now = time.Now
	s.accounts.Changes = func(ctx context.Context, j *store.Job, number int) (list []auth.PackageChange, since int,
		err error) {
		changes, since, err := service.PackageChanges(ctx, j.UserID, j.ID, number)
		for _, c := range changes {
			list = append(list, auth.PackageChange(c))
		}
		return list, since, err
	}
	for n, c := range []struct{ packages, mail string }{
		{`apt\t2.6.1\tamd64\ngone\t1\tall\n`, ""},
		{`apt\t2.6.2\tamd64\nnew\t1\tall\n`, "Packages that changed since build 2:\n    apt 2.6.1 -> 2.6.2\n" +
			"    gone 1 -> (removed)\n    new (none) -> 1"},
	} {
		s.sql("DELETE FROM outbox")
		program.post("/jobs/" + id + "/start")
		s.sql("UPDATE build SET scheduled = 1")
		s.run(program, id, n+2, image("two", c.packages, "1.0"))
		s.sql("UPDATE build SET notified = 0 WHERE number = ?", n+2)
		s.must(s.accounts.NotifyEnds(t.Context()))
		var said string
		db := s.open()
		s.must(db.QueryRow("SELECT coalesce(group_concat(body), '') FROM outbox").Scan(&said))
		db.Close()
		if c.mail == "" && said != "" || !strings.Contains(said, c.mail) {
			t.Errorf("build %d: the email says %q", n+2, said)
		}
	}
}
