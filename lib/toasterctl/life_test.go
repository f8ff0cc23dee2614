package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestInitTwiceChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "site")
	ctl(t, "", "init", "--dir", dir).exits(0).says("toaster.toml", "targets.toml", "keys", "builds", "toaster.db")
	before := contents(t, dir)
	ctl(t, "", "init", "--dir", dir).exits(0).says("Nothing was changed")
	for name, text := range contents(t, dir) {
		if before[name] != text {
			t.Errorf("%s was changed", name)
		}
	}

	if err := os.Remove(filepath.Join(dir, "targets.toml")); err != nil {
		t.Fatal(err)
	}
	again := ctl(t, "", "init", "--dir", dir).exits(0).says("targets.toml")
	if strings.Count(again.out, "\n") != 1 {
		t.Errorf("only targets.toml was missing, but:\n%s", again.out)
	}
}

func TestSiteInADirIsThereAlone(t *testing.T) {
	config := newSite(t)
	dir := filepath.Dir(config)
	moved := dir + "-moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	ctl(t, "", "user", "list", "--config", filepath.Join(moved, "toaster.toml")).exits(0).says(email)
	for name, mode := range map[string]os.FileMode{".": 0o750, "keys": 0o640, "toaster.db": 0o640, "builds": 0o750} {
		fi, err := os.Stat(filepath.Join(moved, name))
		if err != nil || fi.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; not %v", name, fi.Mode(), err, mode)
		}
	}
	if entries, _ := os.ReadDir(filepath.Dir(moved)); len(entries) != 1 {
		t.Errorf("there is more beside the site: %v", entries)
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range []string{"toaster.toml", "targets.toml", "keys", "toaster.db"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}

func TestMigrateASiteThatIsUpToDate(t *testing.T) {
	ctl(t, "", "migrate", "--config", newSite(t)).exits(0).says("No migration was needed")
}

func TestPeople(t *testing.T) {
	config := newSite(t)
	ctl(t, secret, "user", "add", "--config", config, "--email", "bob@example.org", "--admin",
		"--password-stdin").exits(0).says("bob@example.org")
	ctl(t, "", "user", "list", "--config", config).exits(0).says("EMAIL", email, "Ann", "bob@example.org", "admin")
	ctl(t, "another good password\n", "user", "passwd", "--config", config, "--email", email, "--password-stdin").exits(0)

	ctl(t, secret, "user", "add", "--config", config, "--email", email,
		"--password-stdin").exits(1).complains("already exists")
	ctl(t, "toaster2026", "user", "add", "--config", config, "--email", "c@example.org",
		"--password-stdin").exits(1).complains("easy to guess")
	ctl(t, "short", "user", "add", "--config", config, "--email", "c@example.org",
		"--password-stdin").exits(1).complains("password")
	ctl(t, secret, "user", "passwd", "--config", config, "--email", "nobody@example.org",
		"--password-stdin").exits(1).complains("account does not exist", "user list")
	ctl(t, "", "user", "passwd", "--config", config, "--email", email,
		"--password-stdin").exits(2).complains("standard input")
}

func TestTokens(t *testing.T) {
	config := newSite(t)
	token := ctl(t, "", "token", "add", email, "--config", config, "--name", "ci", "--scope", "read", "--expires",
		"90d").exits(0).word()
	if len(token) < 40 {
		t.Errorf("the token %q is short", token)
	}
	list := ctl(t, "", "token", "list", email, "--config", config).exits(0).says("ci", "read")
	if strings.Contains(list.out, token) {
		t.Error("the token is listed")
	}
	id := regexp.MustCompile(`(?m)^(\d+) +ci `).FindStringSubmatch(list.out)
	if id == nil {
		t.Fatalf("no id in the list:\n%s", list.out)
	}
	ctl(t, "", "token", "remove", email, id[1], "--config", config).exits(0)
	ctl(t, "", "token", "remove", email, id[1], "--config", config).exits(1).complains("token list " + email)
	if list := ctl(t, "", "token", "list", email, "--config", config).exits(0); list.out != "" {
		t.Errorf("still listed: %s", list.out)
	}
}

func TestLifeOfAJob(t *testing.T) {
	config := newSite(t)
	dockerfile := write(t, filepath.Join(t.TempDir(), "Dockerfile"), simple)
	job := func(args ...string) answer {
		t.Helper()
		return ctl(t, "", append(append([]string{"job"}, args...), "--config", config)...)
	}

	job("add", "--owner", email, "--target", rootfs, "--dry-run", "--start", dockerfile).exits(0).says("would create",
		email, rootfs)
	if list := job("list").exits(0); list.out != "" {
		t.Fatalf("the dry run added a job:\n%s", list.out)
	}
	id := job("add", "--owner", email, "--target", rootfs, "--name", "greeter", "--build-arg", "WHO=ann",
		dockerfile).exits(0).word()
	job("list").exits(0).says(id, email, rootfs, "new", "greeter")
	job("list", "--owner", email).exits(0).says(id)

	job("start", id, "--dry-run").exits(0).says("would start", id, "new")
	job("start", id).exits(0).complains("build 1", "queued")
	job("start", id).exits(0).complains("build 1", "queued already")
	job("status", id).exits(0).says("greeter", email, "queued")
	var view struct {
		ID, Owner, State string
		Builds           []struct {
			Number int
			State  string
		}
	}
	if err := json.Unmarshal([]byte(job("status", id, "--json").exits(0).out), &view); err != nil {
		t.Fatal(err)
	}
	if view.ID != id || view.Owner != email || len(view.Builds) != 1 || view.Builds[0].Number != 1 {
		t.Errorf("the status is %+v", view)
	}

	job("stop", id).exits(0).says("stopped", id)
	job("disable", id).exits(0).says("disabled", id)
	job("start", id).exits(1).complains("disabled")
	job("enable", id).exits(0).says("enabled", id)
	job("remove", id, "--dry-run").exits(0).says("would delete", id)
	job("list", "--json").exits(0).says(id)
	job("remove", id).exits(0).says("deleted", id)
	job("status", id).exits(1).complains("job does not exist", "job list")
	ctl(t, "", "sync", "--config", config).exits(0)
}

func TestJobWithAContext(t *testing.T) {
	config := newSite(t)
	dir := t.TempDir()
	dockerfile := write(t, filepath.Join(dir, "Dockerfile"), simple+"COPY greeting /\n")
	write(t, filepath.Join(dir, "greeting"), "hello\n")
	archive := filepath.Join(t.TempDir(), "context.tar.gz")
	ended(t, "", exec.Command("tar", "-C", dir, "-czf", archive, ".")).exits(0)
	add := []string{"job", "add", "--config", config, "--owner", email, "--target", rootfs, dockerfile}

	ctl(t, "", add...).exits(1).complains("greeting")
	for _, context := range []string{dir, archive} {
		id := ctl(t, "", append(add, "--context", context)...).exits(0).word()
		ctl(t, "", "job", "status", id, "--config", config).exits(0).says(id)
	}
	ctl(t, "", "job", "list", "--config", config).exits(0).says(filepath.Base(dir), "context")
	ctl(t, "", append(add, "--context", dockerfile)...).exits(1).complains("not a readable archive")
}

func TestJobThatCannotBe(t *testing.T) {
	config := newSite(t)
	dir := t.TempDir()
	good := write(t, filepath.Join(dir, "Dockerfile"), simple)
	bad := write(t, filepath.Join(dir, "Bad"), "FROM debian:bookworm\nRUNN true\n")
	add := func(args ...string) answer {
		t.Helper()
		return ctl(t, "", append([]string{"job", "add", "--config", config}, args...)...)
	}
	add("--owner", email, "--target", rootfs, bad).exits(1).complains(bad+":2: error", "RUN")
	add("--owner", email, "--target", rootfs, "--dry-run", bad).exits(1).complains(bad + ":2: error")
	add("--owner", email, "--target", "vm_amd64_slink", good).exits(1).complains("vm_amd64_slink", "Choose one of", rootfs)
	add("--owner", "who@example.org", "--target", rootfs, good).exits(1).complains("account does not exist", "user list")
	add("--owner", email, "--target", rootfs, filepath.Join(dir, "none")).exits(1).complains("none")
	if list := ctl(t, "", "job", "list", "--config", config).exits(0); list.out != "" {
		t.Errorf("something was stored:\n%s", list.out)
	}
}
