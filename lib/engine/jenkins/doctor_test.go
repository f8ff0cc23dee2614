package jenkins_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/doctor/check"
	"toaster.do/lib/engine/jenkins"
	"toaster.do/lib/engine/jenkins/jenkinstest"
)

// wrong returns what a doctor would change, a line each.
func wrong(findings []check.Result) (all []string) {
	for _, f := range findings {
		if !f.OK() {
			all = append(all, f.Name+": "+f.Message+" "+f.Fix)
		}
	}
	return all
}

func TestDoctorFindsNothingWrong(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{View: "web-sdk-builds",
		Agents: []jenkinstest.Agent{{Name: "a1", Labels: []string{"amd64"}, Executors: 2}}})
	e := engineOn(t, s)
	findings := e.Doctor(t.Context(), []string{"amd64", "", "amd64"})
	if got := wrong(findings); len(got) > 0 {
		t.Errorf("it would change %q", got)
	}
	var what []string
	for _, f := range findings {
		what = append(what, f.Name)
	}
	want := []string{
		"Jenkins at " + s.URL, "Jenkins's release", "permission to create a job", "permission to see a job",
		"permission to change a job",
		"permission to start a build", "permission to cancel a build", "a build on an agent for targets without a label",
		"permission to keep a build", "permission to delete a build", "a build on an agent with label amd64",
		"permission to delete a job", "view web-sdk-builds",
		"an agent for targets without a label", "an agent with label amd64",
	}
	if !slices.Equal(what, want) {
		t.Errorf("it looked at %q", what)
	}
	if text := admin(t, s, "GET", "/api/json?tree=jobs[name]", "") + admin(t, s, "GET", "/queue/api/json?tree=items[id]",
		""); strings.Contains(text, "name") || strings.Contains(text, `"id"`) {
		t.Errorf("it leaves %s", text)
	}
}

func TestDoctorSaysWhatToChange(t *testing.T) {
	for name, c := range map[string]struct {
		opt     jenkinstest.Options
		sick    func(*jenkinstest.Server)
		account func(*jenkins.Options)
		want    []string // of each finding
	}{
		"down": {sick: (*jenkinstest.Server).Down, want: []string{"Check that Jenkins is running, and url"}},
		"restarting": {sick: func(s *jenkinstest.Server) { s.Pause(jenkinstest.Starting) },
			want: []string{"Wait until Jenkins has started"}},
		"somebody else": {sick: (*jenkinstest.Server).HTML, want: []string{"url in [jenkins]"}},
		"a login page":  {sick: (*jenkinstest.Server).LoginRedirect, want: []string{"url in [jenkins]"}},
		"a wrong token": {account: func(o *jenkins.Options) { o.Token = "x" },
			want: []string{`user "toaster" has no such token or password`}},
		"no authority": {opt: jenkinstest.Options{TLS: true}, account: func(o *jenkins.Options) { o.CA = "" },
			want: []string{"Set ca in [jenkins]"}},
		"no view":      {opt: jenkinstest.Options{View: "other"}, want: []string{"Create it from conf/jenkins/view.xml"}},
		"no Create":    {sick: without(jenkinstest.JobCreate), want: []string{"Give it the permission Job/Create"}},
		"no Configure": {sick: without(jenkinstest.JobConfigure), want: []string{"Give it the permission Job/Configure"}},
		"no Build":     {sick: without(jenkinstest.JobBuild), want: []string{"Give it the permission Job/Build"}},
		"no Cancel":    {sick: without(jenkinstest.JobCancel), want: []string{"Give it the permission Job/Cancel"}},
		"no Delete": {sick: without(jenkinstest.JobDelete),
			want: []string{"Give it the permission Job/Delete. The job toaster-doctor stays until the next"}},
		"no Read": {sick: without(jenkinstest.JobRead),
			want: []string{"Give it the permission Job/Read. The job toaster-doctor stays until the next"}},
		"no Run/Delete": {sick: without(jenkinstest.RunDelete), want: []string{"Give it the permission Run/Delete."}},
		"no Run/Update": {sick: without(jenkinstest.RunUpdate), want: []string{"Give it the permission Run/Update."}},
		"no View/Read":  {sick: func(s *jenkinstest.Server) { without(jenkinstest.ViewRead)(s); without(jenkinstest.ViewConfigure)(s) }, want: []string{"give the account View/Read"}},
		"a reserved one": {want: []string{"an agent for targets without a label: does not exist: a1 only take jobs with " +
			"their label."},
			opt: jenkinstest.Options{Executors: -1, Agents: []jenkinstest.Agent{{Name: "a1", Labels: []string{"arm64"},
				Exclusive: true}}}},
		"no agent": {want: []string{"an agent with label arm64: does not exist. Prepare one"},
			opt: jenkinstest.Options{View: "web-sdk-builds"}},
		"agent is away": {opt: jenkinstest.Options{View: "web-sdk-builds",
			Agents: []jenkinstest.Agent{{Name: "a1", Labels: []string{"arm64"}, Offline: true}}},
			want: []string{"is offline: a1. Bring it online."}},
		"password alone": {account: func(o *jenkins.Options) { o.Token, o.Password = "", "toaster-password" }, want: nil},
	} {
		t.Run(name, func(t *testing.T) {
			if c.opt.View == "" {
				c.opt.View = "web-sdk-builds"
			}
			s := jenkinstest.Start(t, c.opt)
			e := engineOn(t, s, func(o *jenkins.Options) {
				if c.account != nil {
					c.account(o)
				}
			})
			if c.sick != nil {
				c.sick(s)
			}
			labels := []string{""}
			if strings.Contains(name, "agent") {
				labels = []string{"arm64"}
			}
			got := wrong(e.Doctor(t.Context(), labels))
			if len(got) != len(c.want) {
				t.Fatalf("it would change %q", got)
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("it would change %q, want %q", got[i], want)
				}
			}
		})
	}
}

// What stays of a doctor that may not delete its job goes with the next one that may.
func TestDoctorsLeaveOneJobAtMost(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{View: "web-sdk-builds"})
	e := engineOn(t, s)
	s.Permit("toaster", jenkinstest.JobDelete, false)
	for range 2 {
		e.Doctor(t.Context(), nil)
		if text := admin(t, s, "GET", "/api/json?tree=jobs[name]", ""); strings.Count(text, `"name"`) != 1 {
			t.Errorf("it leaves %s", text)
		}
	}
	s.Permit("toaster", jenkinstest.JobDelete, true)
	if got := wrong(e.Doctor(t.Context(), nil)); len(got) > 0 {
		t.Errorf("it would change %q", got)
	}
	if text := admin(t, s, "GET", "/api/json?tree=jobs[name]", ""); strings.Contains(text, `"name"`) {
		t.Errorf("it leaves %s", text)
	}
}

// An agent that lacks what builds need, or breaks them, is found by a build.
func TestDoctorLetsABuildRun(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(s *jenkinstest.Server)
		want  string
	}{
		{"can't reach the site", func(*jenkinstest.Server) {},
			"It failed: it can't reach http://127.0.0.1:1/x/, from where it gets build contexts of over 1 MiB. curl: (7)"},
		{"can't fetch", func(*jenkinstest.Server) {
			t.Setenv("PATH", withPrograms(t, "sh rm find timeout perl cat mktemp mkfifo date tar zsh ip unshare tr grep slirp4netns crun"))
		},
			"It failed: missing: curl."},
		{"lacks a program", func(*jenkinstest.Server) {
			t.Setenv("PATH", withPrograms(t, "sh rm find timeout perl cat mktemp mkfifo date tar zsh ip unshare tr grep"))
		},
			"It failed: missing: slirp4netns crun."},
		{"all are busy", func(s *jenkinstest.Server) {
			admin(t, s, "POST", "/createItem?name=long",
				"<project><builders><hudson.tasks.Shell><command>sleep 600</command></hudson.tasks.Shell></builders></project>")
			admin(t, s, "POST", "/job/long/build", "")
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := quick()
			opt.View, opt.Executors = "web-sdk-builds", 1
			s := jenkinstest.Start(t, opt)
			c.spoil(s)
			e := engineOn(t, s, func(o *jenkins.Options) {
				if strings.HasPrefix(c.name, "can't") {
					o.Site = "http://127.0.0.1:1/x"
				}
			})
			if c.want == "" {
				until(t, func() bool {
					return strings.Contains(admin(t, s, "GET", "/computer/api/json?tree=busyExecutors", ""), ":1")
				})
			}
			findings := e.Doctor(t.Context(), []string{""})
			got := strings.Join(wrong(findings), "\n")
			if c.want != "" && !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("it would change %q", got)
			}
			if c.want == "" && !slices.ContainsFunc(findings, func(f check.Result) bool { return f.State == check.NotChecked }) {
				t.Errorf("it says nothing of what it didn't check: %+v", findings)
			}
		})
	}
}

// withPrograms is a folder with links to these programs alone.
func withPrograms(t *testing.T, names string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range strings.Fields(names) {
		at, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(at, filepath.Join(dir, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func without(permission string) func(*jenkinstest.Server) {
	return func(s *jenkinstest.Server) { s.Permit("toaster", permission, false) }
}

// What conf/jenkins holds is what the engine relies on.
func TestTheInstalledView(t *testing.T) {
	text, err := os.ReadFile("../../../conf/jenkins/view.xml")
	must(t, err)
	s := jenkinstest.Start(t, jenkinstest.Options{})
	admin(t, s, "POST", "/createView?name=web-sdk-builds", string(text))
	for _, f := range engineOn(t, s).Doctor(t.Context(), nil) {
		if f.Name == "view web-sdk-builds" && (!f.OK() || f.Message != "includes jobs that match "+jenkins.Pattern) {
			t.Errorf("%+v", f)
		}
	}
}

// What conf/jenkins/permissions.txt gives is what toaster needs, and no more: all of it goes into the matrix as it is.
func TestTheInstalledPermissions(t *testing.T) {
	text, err := os.ReadFile("../../../conf/jenkins/permissions.txt")
	must(t, err)
	s := jenkinstest.Start(t, jenkinstest.Options{View: "web-sdk-builds",
		Users: []jenkinstest.User{jenkinstest.NewUser("admin", jenkinstest.Administer), jenkinstest.NewUser("toaster")}})
	for line := range strings.Lines(string(text)) {
		// PermissionEntry of matrix-auth 3: the type, the permission's class and name, the name.
		m := regexp.MustCompile(`^USER:hudson\.model\.(Hudson|Item|Run|View)\.([A-Z][a-z]+):toaster\n$`).FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%q", line)
		}
		s.Permit("toaster", map[string]string{"Hudson": "Overall",
			"Item": "Job"}[m[1]]+map[bool]string{true: m[1]}[m[1] == "Run" || m[1] == "View"]+"/"+m[2], true)
	}
	if got := wrong(engineOn(t, s).Doctor(t.Context(), []string{""})); len(got) > 0 {
		t.Errorf("it would change %q", got)
	}
}
