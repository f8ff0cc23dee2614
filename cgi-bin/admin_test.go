package cgibin

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/auth"
	"toaster.do/lib/store"
)

const eve = "eve@example.org"

// admin adds an administrator and returns their browser.
func (s *site) admin() *client {
	s.t.Helper()
	_, err := s.accounts.Add(s.t.Context(), auth.NewUser{Email: eve, Name: "Eve", Password: password, Admin: true})
	s.must(err)
	return s.browser(eve)
}

func (s *site) id(email string) int64 {
	s.t.Helper()
	p, err := s.db.UserByEmail(s.t.Context(), email)
	s.must(err)
	return p.ID
}

// done wants a form's answer to lead to a page that says so.
func (c *client) done(a *answer, say string) {
	c.t.Helper()
	if a.status != http.StatusSeeOther {
		c.t.Fatalf("%d %s", a.status, a.body)
	}
	if page := c.get(a.header.Get("Location")); page.status != 200 || !strings.Contains(page.body, say) {
		c.t.Fatalf("%d, without %q: %s", page.status, say, page.body)
	}
}

func TestAnAdministratorFindsPeople(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	s.program(s.token(bob, store.ScopeWrite)).addJob()
	if a := c.get("/admin"); a.header.Get("Location") != "/admin/people" {
		t.Error(a.status, a.header)
	}
	all := c.get("/admin/people")
	for _, want := range []string{ada, bob, eve, "3 accounts", "1 job", `aria-current="page">Admin`} {
		if !strings.Contains(all.body, want) {
			t.Errorf("no %q in %s", want, all.body)
		}
	}
	some := c.get("/admin/people?q=ADA&state=active&role=user")
	if !strings.Contains(some.body, ada) || strings.Contains(some.body, bob) || !strings.Contains(some.body, "1 account") {
		t.Error(some.body)
	}
	if a := s.browser(ada).get("/jobs"); strings.Contains(a.body, "/admin") {
		t.Error("others see the link")
	}
}

func TestManyPeopleHaveSeveralPages(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	for i := range 30 {
		s.must(s.db.AddUser(t.Context(), &store.User{Email: fmt.Sprintf("p%02d@example.com", i), Role: store.RoleUser,
			State: store.Active, MaxJobs: -1, CreatedAt: time.Now()}))
	}
	a := c.get("/admin/people?q=example.com")
	if !strings.Contains(a.body, "p24@") || strings.Contains(a.body, "p25@") ||
		!strings.Contains(a.body, `href="/admin/people?page=2&amp;q=example.com"`) {
		t.Error(a.body)
	}
	if a := c.get("/admin/people?page=2&q=example.com"); strings.Contains(a.body, "p24@") ||
		!strings.Contains(a.body, "p29@") {
		t.Error(a.body)
	}
}

func TestASuspendedPersonIsOutAtOnce(t *testing.T) {
	s := newSite(t)
	c, hers, token := s.admin(), s.browser(ada), s.token(ada, store.ScopeWrite)
	id := s.program(token).addJob("start", "1")
	c.done(c.post(fmt.Sprintf("/admin/people/%d/suspend", s.id(ada))), "The account is suspended")
	if a := hers.get("/jobs"); a.status != http.StatusSeeOther {
		t.Error("her session still works: ", a.status)
	}
	if a := s.program(token).get("/jobs"); a.status != http.StatusUnauthorized {
		t.Error("her token still works: ", a.status)
	}
	if a := s.anybody().post("/account/login", "email", ada, "password", password); a.status != http.StatusForbidden {
		t.Error("she can log in: ", a.status)
	}
	if a := s.anybody().post("/account/login", "email", ada, "password",
		"wrong wrong"); a.status != http.StatusUnauthorized {
		t.Error("a stranger learns that she is suspended: ", a.status)
	}
	if b, err := s.db.Build(t.Context(), s.id(ada), id, 1); err != nil || b.State != store.Aborted {
		t.Errorf("her build goes on: %+v %v", b, err)
	}
	c.done(c.post(fmt.Sprintf("/admin/people/%d/activate", s.id(ada))), "The account is active")
	s.browser(ada)
}

func TestLimitsOfAPersonAreSet(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	path := fmt.Sprintf("/admin/people/%d", s.id(ada))
	c.done(c.post(path+"/limits", "jobs", "7", "concurrent_builds", "", "builds_per_day", "0", "build_minutes", "77",
		"artifact_bytes", "2 GiB",
		"keep_days", "9"), "The limits are saved")
	p, err := s.db.UserByEmail(t.Context(), ada)
	s.must(err)
	if p.MaxJobs != 7 || p.MaxRunning != -1 || p.MaxDaily != 0 || p.MaxBytes != 2<<30 || p.KeepDays != 9 {
		t.Errorf("%+v", p)
	}
	page := c.get(path)
	for _, want := range []string{`value="2 GiB"`, `value="7"`, `placeholder="3"`,
		"jobs=7 concurrent_builds=default builds_per_day=0 build_minutes=77 artifact_bytes=2147483648 keep_days=9"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("no %s in %s", want, page.body)
		}
	}
	for _, wrong := range [][]string{{"jobs", "-1"}, {"artifact_bytes", "much"}, {"keep_days", "-1"},
		{"builds_per_day", "99999999999"}} {
		a := c.post(path+"/limits", wrong...)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `class="fault"`) ||
			!strings.Contains(a.body, `value="`+wrong[1]+`"`) {
			t.Errorf("%v: %d %s", wrong, a.status, a.body)
		}
	}
}

func TestRolesChange(t *testing.T) {
	s := newSite(t)
	c, hers := s.admin(), s.browser(ada)
	path := fmt.Sprintf("/admin/people/%d", s.id(ada))
	c.done(c.post(path+"/role", "role", "admin"), "The role is changed")
	if a := hers.get("/jobs"); a.status != http.StatusSeeOther {
		t.Error("rights changed without a log-in")
	}
	hers.logIn(ada)
	if a := hers.get("/admin/people"); a.status != 200 {
		t.Error(a.status)
	}
	if a := c.post(path+"/role", "role", "king"); a.status != http.StatusUnprocessableEntity {
		t.Error(a.status)
	}
	c.done(c.post(path+"/role", "role", "user"), "The role is changed")
}

func TestAnAdministratorCantShutThemselvesOut(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	path := fmt.Sprintf("/admin/people/%d", s.id(eve))
	for _, what := range []string{"/suspend", "/remove"} {
		if a := c.post(path + what); a.status != http.StatusConflict {
			t.Errorf("%s: %d", what, a.status)
		}
	}
	if a := c.post(path+"/role", "role", "user"); a.status != http.StatusConflict {
		t.Error(a.status)
	}
	if err := s.db.Suspend(t.Context(), s.id(eve), store.AuditEntry{At: time.Now(), Means: "toasterctl"}); err == nil {
		t.Error("the only administrator was suspended")
	}
}

func TestSigningSomebodyOut(t *testing.T) {
	s := newSite(t)
	c, hers, token := s.admin(), s.browser(ada), s.token(ada, store.ScopeRead)
	path := fmt.Sprintf("/admin/people/%d/signout", s.id(ada))
	c.done(c.post(path), "All sessions of the user have ended")
	if a := hers.get("/jobs"); a.status != http.StatusSeeOther {
		t.Error(a.status)
	}
	if a := s.program(token).get("/jobs"); a.status != 200 {
		t.Error("the token went as well: ", a.status)
	}
	c.done(c.post(path, "tokens", "1"), "All sessions")
	if a := s.program(token).get("/jobs"); a.status != http.StatusUnauthorized {
		t.Error(a.status)
	}
}

func TestAnAdministratorRemovesAPerson(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	path := fmt.Sprintf("/admin/people/%d/remove", s.id(ada))
	s.program(s.token(ada, store.ScopeWrite)).addJob()
	if a := c.get(path); a.status != 200 || !strings.Contains(a.body, "Delete "+ada+"?") {
		t.Error(a.status, a.body)
	}
	c.done(c.post(path), "The account and its data are deleted")
	if a := c.get("/admin/people"); strings.Contains(a.body, ada) {
		t.Error("still listed")
	}
	if a := c.get("/admin/jobs"); !strings.Contains(a.body, "0 jobs") {
		t.Error("the job is still there")
	}
	if a := c.get("/admin/audit?action=user"); !strings.Contains(a.body, "user.remove") || !strings.Contains(a.body, ada) {
		t.Error(a.body)
	}
}

func TestAnAdministratorStopsAndRemovesJobs(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.program(s.token(bob, store.ScopeWrite)).addJob("start", "1", "name", "Bob's image")
	list := c.get("/admin/jobs?q=BOB@&state=queued")
	if !strings.Contains(list.body, "/admin/jobs/"+id) || !strings.Contains(list.body, "1 job") {
		t.Error(list.body)
	}
	if a := c.get("/admin/jobs?state=failed"); !strings.Contains(a.body, "No jobs match") {
		t.Error(a.body)
	}
	c.done(c.post("/admin/jobs/"+id+"/stop"), "are being stopped")
	if b, err := s.db.Build(t.Context(), s.id(bob), id, 1); err != nil || b.State != store.Aborted {
		t.Errorf("%+v %v", b, err)
	}
	if a := c.get("/admin/jobs/" + id + "/remove"); !strings.Contains(a.body, "of "+bob+"?") {
		t.Error(a.body)
	}
	c.done(c.post("/admin/jobs/"+id+"/remove"), "The job is deleted")
	if a := c.get("/admin/jobs/" + id); a.status != http.StatusNotFound {
		t.Error(a.status)
	}
	trail := c.get("/admin/audit?object=job+" + id)
	if !strings.Contains(trail.body, "job.stop") || !strings.Contains(trail.body, "job.remove") ||
		!strings.Contains(trail.body, fmt.Sprintf("user %d", s.id(eve))) {
		t.Error(trail.body)
	}
}

func TestHealth(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	a := c.get("/admin/health")
	if a.status != 200 || !strings.Contains(a.body, "has never run") || !strings.Contains(a.body, "No runner is running") {
		t.Error(a.body)
	}
	s.must(s.db.SetSetting(t.Context(), "sync", time.Now().UTC().Format(time.RFC3339)))
	a = c.get("/admin/health?check=1")
	if strings.Contains(a.body, "toasterctl sync”") || !strings.Contains(a.body, "checked: no damage") {
		t.Error(a.body)
	}
}

func TestMetrics(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	s.program(s.token(ada, store.ScopeWrite)).addJob("start", "1")
	token := s.token(eve, store.ScopeMetrics)
	a := s.program(token).get("/admin/metrics")
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatal(a.status, a.header, a.body)
	}
	for _, want := range []string{"toaster_people{state=\"active\"} 3\n", "toaster_builds{state=\"queued\"} 1\n",
		"toaster_engine_up 1\n", "# TYPE toaster_jobs gauge\ntoaster_jobs 1\n"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
	for _, path := range []string{"/jobs", "/account", "/admin/people"} {
		if a := s.program(token).get(path); a.status != http.StatusForbidden {
			t.Errorf("%s with a token for metrics: %d", path, a.status)
		}
	}
	if a := c.get("/admin/metrics"); a.status != 200 {
		t.Error("in a browser: ", a.status)
	}
	if _, err := s.accounts.AddToken(t.Context(), ada, "x", "metrics", 0, store.AuditEntry{}); err == nil {
		t.Error("everybody can have a token for metrics")
	}
	s.sql("UPDATE user SET role = 'user' WHERE email = ?", eve)
	if a := s.program(token).get("/admin/metrics"); a.status != http.StatusForbidden {
		t.Error("of somebody who is no administrator any more: ", a.status)
	}
}

func TestEveryLinkOfTheAdministrationStaysBelowThePrefix(t *testing.T) {
	s := newSite(t)
	s.prefix = "/x/y"
	c := s.admin()
	id := s.program(s.token(ada, store.ScopeWrite)).addJob("start", "1")
	for i := range 60 {
		s.must(s.db.AddUser(t.Context(), &store.User{Email: fmt.Sprintf("p%02d@example.com", i), Role: store.RoleUser,
			State: store.Active, MaxJobs: -1, CreatedAt: time.Now()}))
		s.must(s.db.Audit(t.Context(), store.AuditEntry{At: time.Now(), Means: "web", Action: "login", Object: "user 1",
			Detail: "<b>&"}))
	}
	person := fmt.Sprintf("/admin/people/%d", s.id(ada))
	for _, path := range []string{"/admin/people?page=2", person, person + "/remove", "/admin/jobs", "/admin/jobs/" + id,
		"/admin/jobs/" + id + "/remove", "/admin/health", "/admin/audit?action=login"} {
		a := c.get(path)
		if a.status != 200 || strings.Contains(a.body, "<b>") {
			t.Errorf("%s: %d", path, a.status)
		}
		links := regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(a.body, -1)
		for _, l := range links {
			if l[1][0] != '#' && !strings.HasPrefix(l[1], "/x/y/") {
				t.Errorf("%s links to %s", path, l[1])
			}
		}
		for _, l := range links {
			if inside, ok := strings.CutPrefix(html.UnescapeString(l[1]), "/x/y/admin"); ok &&
				strings.Contains(a.body, `href="`+l[1]+`"`) {
				if b := c.get("/admin" + inside); b.status != 200 && b.status != http.StatusSeeOther {
					t.Errorf("%s links to %s, which is a %d", path, l[1], b.status)
				}
			}
		}
	}
}
