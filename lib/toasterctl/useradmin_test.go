package main

import (
	"strings"
	"testing"
)

func TestPeopleAreManaged(t *testing.T) {
	config := newSite(t)
	user := func(args ...string) answer {
		t.Helper()
		return ctl(t, "", append([]string{"user", "--config", config}, args...)...)
	}
	user("suspend", email).exits(0).says(email + " is suspended")
	user("list", "--state", "suspended").exits(0).says(email)
	if a := user("list", "--state", "active").exits(0); strings.Contains(a.out, email) {
		t.Error(a.out)
	}
	user("activate", email).exits(0).says("can log in")
	user("role", email, "admin").exits(0)
	user("role", email, "king").exits(2)
	user("suspend", email).exits(1).complains("only administrator")
	user("role", email, "user").exits(1).complains("only administrator", "another user")
	user("factor", email, "--off").exits(0).says("is disabled")
	user("signout", email, "--tokens").exits(0).says("All sessions of")
	user("suspend", "nobody@example.org").exits(1).complains("account does not exist", "user list")

	user("limit", email, "--jobs", "9", "--artifact-bytes", "2 GiB",
		"--builds-per-day=0").exits(0).says(
		"jobs=9 concurrent_builds=default builds_per_day=0 build_minutes=default artifact_bytes=2147483648 keep_days=default")
	user("limit", email, "--jobs", "default").exits(0).says("jobs=default", "builds_per_day=0")
	user("limit", email, "--build-minutes", "90").exits(0).says("build_minutes=90", "builds_per_day=0")
	user("limit", email).exits(0).says("artifact_bytes", "2 GiB", "20 GiB")
	user("limit", email, "--keep-days", "0", "--artifact-bytes", "0", "--jobs", "0", "--concurrent-builds", "0",
		"--build-minutes", "0").exits(0).says(
		"jobs=0 concurrent_builds=0 builds_per_day=0 build_minutes=0 artifact_bytes=0 keep_days=0")
	if a := user("limit", email).exits(0); strings.Count(a.out, "none") != 6 {
		t.Error(a.out)
	}
	user("limit", email, "--artifact-bytes", "much").exits(1).complains("not a size")

	user("remove", email).exits(2)
	user("remove", email, "--yes").exits(1).complains("only administrator")
	ctl(t, secret+"\n", "user", "add", "--config", config, "--email", "bob@example.org", "--admin",
		"--password-stdin").exits(0)
	user("remove", email, "--yes").exits(0).says("is deleted")
	if a := user("list").exits(0).says("bob@example.org"); strings.Contains(a.out, email) {
		t.Error(a.out)
	}
}

func TestMetricsArePrinted(t *testing.T) {
	config := newSite(t)
	ctl(t, "", "metrics", "--config", config).exits(0).says("toaster_people{state=\"active\"} 1\n",
		"toaster_engine_up 1\n", "toaster_disk_free_bytes{use=\"database\"}")
	ctl(t, "", "sync", "--config", config).exits(0)
	ctl(t, "", "metrics", "--config", config).exits(0).says("toaster_sync_timestamp_seconds 1")
}
