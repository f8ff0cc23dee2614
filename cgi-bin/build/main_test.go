package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/hooks"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

func TestEveryRouteAsksWhoIsThereAndEveryChangeWhetherTheyMayWrite(t *testing.T) {
	// A feed's address is its secret, and a build context's; a badge is seen when its job's owner says so.
	open := map[string]bool{"/feed/{name}": true, "/{id}/badge.svg": true, "/contexts/{mac}/{id}/{archive}": true}
	// Who calls a start hook proves to know its secret.
	calls := map[string]bool{"/push/{secret}": true, "/{id}/push": true}
	for _, r := range routes() {
		if r.Call != calls[r.Path] {
			t.Errorf("%s %s lets its handler find out who sends it: %v", r.Method, r.Path, r.Call)
		}
		if r.Call {
			continue
		}
		if r.Access == web.Anyone && !open[r.Path] {
			t.Errorf("%s %s is open to anyone", r.Method, r.Path)
		}
		if r.Method == "POST" && r.Access != web.Writer && r.Path != "/check" {
			t.Errorf("%s %s needs no right to write", r.Method, r.Path)
		}
		if r.Method == "POST" && r.Again == "" {
			t.Errorf("after %s %s, a log-in leads nowhere", r.Method, r.Path)
		}
	}
}

// A push starts a build of the branch that the job is built from, and of no other.
func TestPushesOfOtherBranchesAreIgnored(t *testing.T) {
	const github = `{"ref":"refs/heads/main","repository":{"default_branch":"main"}}`
	for _, c := range []struct {
		built, pushed string
		want          bool
	}{
		{"", github, true},
		{"main", github, true},
		{"refs/heads/main", github, true},
		{"stable", github, false},
		{"", `{"ref":"refs/heads/topic","repository":{"default_branch":"main"}}`, false},
		{"", `{"ref":"refs/heads/topic","project":{"default_branch":"main"}}`, false},
		{"", `{"ref":"refs/heads/topic"}`, true},
		{"topic", `{"ref":"refs/heads/topic","project":{"default_branch":"main"}}`, true},
		{"v1.2", `{"ref":"refs/tags/v1.2"}`, true},
		{"v1.2", `{"ref":"refs/tags/v1.3"}`, false},
		{"main", `{}`, true},
		{"main", `{"ref":7,"repository":{"default_branch":7}}`, true},
		{"main", "no JSON", true},
	} {
		call, _, err := hooks.Read("", "", http.Header{"X-Github-Event": {"push"}}, strings.NewReader(c.pushed), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got := wantsPush(&store.GitSource{Ref: c.built}, call); got != c.want {
			t.Errorf("%q, %s: %v", c.built, c.pushed, got)
		}
		if !wantsPush(nil, call) {
			t.Errorf("%s: ignored by a job without a repository", c.pushed)
		}
	}
}
