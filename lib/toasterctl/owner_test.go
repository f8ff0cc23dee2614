package main

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"toaster.do/lib/host"
	"toaster.do/lib/shell"
)

// asRoot skips a test that has to be root, except where all has to be tested.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("this has to be run by root")
	}
	t.Skip("only root can make files of another user")
}

// foreignSite makes a site whose data belong to the user nobody.
func foreignSite(t *testing.T) string {
	t.Helper()
	asRoot(t)
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ctl(t, "", "init", "--dir", filepath.Join(dir, "site"), "--owner", "nobody").exits(0)
	return filepath.Join(dir, "site", "toaster.toml")
}

func TestRootMakesASiteForTheWebServersUser(t *testing.T) {
	dir := filepath.Dir(foreignSite(t))
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".", "toaster.db"} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil || host.UserName(host.Owner(fi)) != "nobody" {
			t.Errorf("%s belongs to %s, %v", name, host.UserName(host.Owner(fi)), err)
		}
	}
	// The builds can be read by the web server's group, and written by somebody else.
	builds, err := os.Stat(filepath.Join(dir, "builds"))
	if err != nil {
		t.Fatal(err)
	}
	if st := builds.Sys().(*syscall.Stat_t); host.UserName(int(st.Uid)) == "nobody" ||
		strconv.Itoa(int(st.Gid)) != nobody.Gid || builds.Mode().Perm() != 0o750 {
		t.Errorf("the builds belong to %d:%d, with the rights %v", st.Uid, st.Gid, builds.Mode())
	}
	fi, err := os.Stat(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	st := fi.Sys().(*syscall.Stat_t)
	if st.Uid != 0 || strconv.Itoa(int(st.Gid)) != nobody.Gid {
		t.Errorf("the keys belong to %d:%d, not to 0:%s", st.Uid, st.Gid, nobody.Gid)
	}
	ctl(t, "", "init", "--dir", dir, "--owner", "nobody").exits(0).says("Nothing was changed")
	ctl(t, "", "init", "--dir", dir, "--owner", "root").exits(1).complains("belongs to nobody", "chown")
}

func TestWrongUserIsToldTheExactCommand(t *testing.T) {
	config := foreignSite(t)
	before, err := os.ReadDir(filepath.Dir(config))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"user", "list"}, {"job", "list"}, {"sync"}, {"serve", "--listen", "127.0.0.1:0"}} {
		refused := ctl(t, "", append(args, "--config", config)...).exits(1).complains("belongs to nobody, and you are root")
		if after, err := os.ReadDir(filepath.Dir(config)); err != nil || len(after) != len(before) {
			t.Errorf("%v left something: %v, %v", args, after, err)
		}
		if args[0] == "serve" {
			continue
		}
		command := regexp.MustCompile(`Run the command as the owner: (.*)\n`).FindStringSubmatch(refused.err)
		if command == nil {
			t.Fatalf("no command in %q", refused.err)
		}
		ended(t, "", exec.Command("sh", "-c", command[1])).exits(0)
	}
}

func TestSomebodyElseIsToldToo(t *testing.T) {
	config := foreignSite(t)
	if err := os.Chmod(config, 0o600); err != nil {
		t.Fatal(err)
	}
	ended(t, "", as(1, "user", "list", "--config", config)).exits(1).complains("belongs to nobody, and you are daemon",
		"sudo -u nobody "+bin+"/toasterctl user list --config "+config)
}

// as is a command that another user runs.
func as(uid uint32, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, "toasterctl"), args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd
}

func TestShellWord(t *testing.T) {
	for _, word := range []string{"", "a b", "it's", "$HOME `id`", "--config=/x", "é", "a\nb", "*"} {
		got := ended(t, "", exec.Command("sh", "-c", "printf %s "+shell.Quote(word))).exits(0)
		if got.out != word {
			t.Errorf("%q arrives as %q", word, got.out)
		}
	}
	if quoted := shell.Quote("plain-word"); strings.Contains(quoted, "'") {
		t.Errorf("needless quotes: %s", quoted)
	}
}
