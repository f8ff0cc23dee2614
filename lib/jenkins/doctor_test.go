package jenkins_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/jenkins"
	"toaster.do/lib/jenkins/standin"
)

// wrong returns what a doctor would change, a line each.
func wrong(findings []jenkins.Finding) (all []string) {
	for _, f := range findings {
		if !f.OK {
			all = append(all, f.What+": "+f.Problem+" "+f.Advice)
		}
	}
	return all
}

func TestDoctorFindsNothingWrong(t *testing.T) {
	s := standin.Start(t, standin.Options{View: "web-sdk-builds", Agents: []standin.Agent{{Name: "a1", Labels: []string{"amd64"}, Executors: 2}}})
	e := engineOn(t, s)
	findings := e.Doctor(t.Context(), []string{"amd64", "", "amd64"})
	if got := wrong(findings); len(got) > 0 {
		t.Errorf("it would change %q", got)
	}
	var what []string
	for _, f := range findings {
		what = append(what, f.What)
	}
	want := []string{
		"Jenkins at " + s.URL, "Jenkins's release", "permission to create a job", "permission to see a job", "permission to change a job",
		"permission to start a build", "permission to cancel a build", "permission to delete a job", "view web-sdk-builds",
		"an agent for targets without a label", "an agent with label amd64",
	}
	if !slices.Equal(what, want) {
		t.Errorf("it looked at %q", what)
	}
	if text := admin(t, s, "GET", "/api/json?tree=jobs[name]", "") + admin(t, s, "GET", "/queue/api/json?tree=items[id]", ""); strings.Contains(text, "name") || strings.Contains(text, `"id"`) {
		t.Errorf("it leaves %s", text)
	}
}

func TestDoctorSaysWhatToChange(t *testing.T) {
	for name, c := range map[string]struct {
		opt     standin.Options
		sick    func(*standin.Server)
		account func(*jenkins.Options)
		want    []string // of each finding
	}{
		"down":           {sick: (*standin.Server).Down, want: []string{"See whether Jenkins runs, and url"}},
		"restarting":     {sick: func(s *standin.Server) { s.Pause(standin.Starting) }, want: []string{"Wait until Jenkins has started"}},
		"somebody else":  {sick: (*standin.Server).HTML, want: []string{"url in [jenkins]"}},
		"a login page":   {sick: (*standin.Server).LoginRedirect, want: []string{"url in [jenkins]"}},
		"a wrong token":  {account: func(o *jenkins.Options) { o.Token = "x" }, want: []string{`user "toaster" has no such token or password`}},
		"no authority":   {opt: standin.Options{TLS: true}, account: func(o *jenkins.Options) { o.CA = "" }, want: []string{"Set ca in [jenkins]"}},
		"no view":        {opt: standin.Options{View: "other"}, want: []string{"Make it from conf/jenkins/view.xml"}},
		"no Create":      {sick: without(standin.JobCreate), want: []string{"Give it the permission Job/Create"}},
		"no Configure":   {sick: without(standin.JobConfigure), want: []string{"Give it the permission Job/Configure"}},
		"no Build":       {sick: without(standin.JobBuild), want: []string{"Give it the permission Job/Build"}},
		"no Cancel":      {sick: without(standin.JobCancel), want: []string{"Give it the permission Job/Cancel"}},
		"no Delete":      {sick: without(standin.JobDelete), want: []string{"Give it the permission Job/Delete. Delete the job toaster-doctor-"}},
		"no agent":       {want: []string{"an agent with label arm64: is not there. Prepare one"}, opt: standin.Options{View: "web-sdk-builds"}},
		"agent is away":  {opt: standin.Options{View: "web-sdk-builds", Agents: []standin.Agent{{Name: "a1", Labels: []string{"arm64"}, Offline: true}}}, want: []string{"is offline: a1. Bring it online."}},
		"password alone": {account: func(o *jenkins.Options) { o.Token, o.Password = "", "toaster-password" }, want: nil},
	} {
		t.Run(name, func(t *testing.T) {
			if c.opt.View == "" {
				c.opt.View = "web-sdk-builds"
			}
			s := standin.Start(t, c.opt)
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

func without(permission string) func(*standin.Server) {
	return func(s *standin.Server) { s.Permit("toaster", permission, false) }
}

// What conf/jenkins holds is what the engine relies on.
func TestTheInstalledView(t *testing.T) {
	text, err := os.ReadFile("../../conf/jenkins/view.xml")
	must(t, err)
	s := standin.Start(t, standin.Options{})
	admin(t, s, "POST", "/createView?name=web-sdk-builds", string(text))
	for _, f := range engineOn(t, s).Doctor(t.Context(), nil) {
		if f.What == "view web-sdk-builds" && (!f.OK || f.Problem != "takes the jobs that match "+jenkins.Pattern) {
			t.Errorf("%+v", f)
		}
	}
}
