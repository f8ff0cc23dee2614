package doctor

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"toaster.do/lib/doctor/check"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/host"
)

// noRange is where builds have their ids that no file gives to anybody, as lib/dockerfile/zsh/enter.zsh says.
const noRange = 2000000000

// ids says whether each slot has ids of its own, and whether anybody else has them, too.
func (s Site) ids() check.Result {
	const what = "isolation: user IDs"
	uids, _ := os.ReadFile(host.SubUIDs)
	gids, _ := os.ReadFile(host.SubGIDs)
	name, firsts := host.BuildIDs()
	if taken := overlap(string(uids), string(gids), name, firsts); taken.who != "" {
		return taken.result(what, name)
	}
	if command := host.MissingIDs(s.Local.Concurrency); command != nil {
		if len(firsts) == 0 && s.Local.Concurrency == 1 && os.Getuid() == 0 && !s.installed() {
			return check.OK(what,
				fmt.Sprintf("builds use unassigned IDs from %d; assign a range with toasterctl init --ids", noRange))
		}
		return check.Fail(what,
			fmt.Sprintf("%s assigns %s IDs for %s at once, but local.concurrency is %d.", host.SubUIDs, name,
				count(len(firsts), "build"), s.Local.Concurrency),
			strings.Join(command, " "))
	}
	return check.OK(what, fmt.Sprintf("%d for each of %s, assigned to %s only", host.IDsOfABuild,
		count(s.Local.Concurrency, "build"), name))
}

// doubled is a range of ids that two have.
type doubled struct {
	host.Span
	who string // the other; empty: nobody
}

// overlap finds somebody else who has ids that builds use: in the files, or an account.
func overlap(uids, gids, name string, firsts []int) (d doubled) {
	for _, text := range []string{uids, gids} {
		for line := range strings.Lines(text) {
			who, _, _ := strings.Cut(line, ":")
			if who == name || who == strconv.Itoa(os.Getuid()) {
				continue
			}
			for _, s := range host.Spans(line, who) {
				if of := meets(s, firsts); of != nil {
					return doubled{*of, who}
				}
			}
		}
	}
	accounts, _ := exec.Command("getent", "passwd").Output()
	for line := range strings.Lines(string(accounts)) {
		fields := strings.Split(line, ":")
		if len(fields) < 3 {
			continue
		}
		if id, err := strconv.Atoi(fields[2]); err == nil {
			if of := meets(host.Span{First: id, End: id + 1}, firsts); of != nil {
				return doubled{*of, fields[0]}
			}
		}
	}
	return d
}

// meets returns the range of a build that s has a part of; nil: none.
func meets(s host.Span, firsts []int) *host.Span {
	for _, first := range firsts {
		if s.First < first+host.IDsOfABuild && first < s.End {
			return &host.Span{First: first, End: first + host.IDsOfABuild}
		}
	}
	return nil
}

// result has the command that gives builds other ids. usermod takes none from a user whose processes run.
func (d doubled) result(what, name string) check.Result {
	uids, _ := os.ReadFile(host.SubUIDs)
	gids, _ := os.ReadFile(host.SubGIDs)
	var old []string
	lost := 0
	for _, s := range append(host.Spans(string(uids), name), host.Spans(string(gids), name)...) {
		line := fmt.Sprintf("-e '/^%s:%d:%d$/d'", name, s.First, s.End-s.First)
		if s.First < d.End && d.First < s.End && !slices.Contains(old, line) {
			old = append(old, line)
			lost = max(lost, (s.End-s.First)/host.IDsOfABuild*host.IDsOfABuild)
		}
	}
	free := host.FreeSpan(string(uids), string(gids), lost)
	fresh := fmt.Sprintf("%d-%d", free.First, free.End-1)
	return check.Fail(what,
		fmt.Sprintf("%s also has some of the IDs %d-%d that builds use, so each can change the other's files. "+
			"Stop the runner, and start it again after builds have other IDs.", d.who, d.First, d.End-1),
		fmt.Sprintf("sed -i %s %s %s && usermod --add-subuids %s --add-subgids %[4]s %[5]s", strings.Join(old, " "),
			host.SubUIDs, host.SubGIDs, fresh, name))
}

// owners says whose the database, the builds, and the folder are where builds work.
func (s Site) owners() check.Result {
	const what = "isolation: owners"
	data, builds := filepath.Dir(s.Paths.Database), s.Paths.Builds
	foreign, err := local.ForeignOwner(data)
	if err != nil {
		return check.Skip(what, err.Error())
	}
	if foreign == nil {
		return check.Warn(what, fmt.Sprintf("%s runs builds and owns the database: anyone who can change the database can "+
			"run programs as %[1]s.", host.UserName(os.Getuid())), "")
	}
	fi, err := os.Lstat(builds)
	if err != nil {
		return check.Fail(what, err.Error(), "toasterctl init")
	}
	switch st := fi.Sys().(*syscall.Stat_t); {
	case st.Uid == foreign.Uid:
		keeper := "root"
		if a, err := host.LookUp(host.Keeper); err == nil && a.UID != 0 {
			keeper = host.Keeper
		}
		return check.Fail(what,
			fmt.Sprintf("%s belongs to %s, like the database, so the web programs can change artifacts.", builds,
				host.UserName(int(st.Uid))),
			command("chown", "-R "+keeper+":", builds)+command(" && chgrp", "-R "+strconv.Itoa(int(foreign.Gid)), builds))
	case fi.Mode().Perm()&0o027 != 0:
		return check.Fail(what, builds+" has too permissive permissions.", command("chmod", "g-w,o=", builds))
	}
	if err := local.CheckRootOwned(s.Local.WorkDir); err != nil {
		return check.Fail(what, err.Error(), fixIn(err.Error()))
	}
	return check.OK(what, fmt.Sprintf("the database belongs to %s, builds to %s, and %s to root",
		host.UserName(int(foreign.Uid)), host.UserName(host.Owner(fi)), s.Local.WorkDir))
}

// namespaces says which switches of the kernel keep user namespaces from a user.
func namespaces() (all []check.Result) {
	for _, s := range []struct{ name, closed, open string }{
		{"user.max_user_namespaces", "0", "65536"},
		{"kernel.unprivileged_userns_clone", "0", "1"},
		{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
	} {
		text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(s.name, ".", "/"))
		if err == nil && strings.TrimSpace(string(text)) == s.closed {
			all = append(all, check.Fail("isolation: user namespaces",
				fmt.Sprintf("%s is %s: the kernel does not allow any.", s.name, s.closed),
				fmt.Sprintf("echo %s=%s >%s && sysctl -p %[3]s", s.name, s.open, "/etc/sysctl.d/60-toaster.conf")))
		}
	}
	return all
}

// runnersEnvironment is what the runner hands on to build scripts: from where root's init script has it, and from here.
func (s Site) runnersEnvironment() (env []string) {
	const file = "/etc/default/toaster-runner"
	all := os.Environ()
	if os.Getuid() == 0 && s.installed() && host.Exists(file) {
		if out, err := exec.Command("/bin/sh", "-c", "set -a; . "+file+"; env").Output(); err == nil {
			all = append(all, strings.Split(string(out), "\n")...)
		}
	}
	for _, v := range all {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "TOASTER_") ||
			slices.Contains([]string{"http_proxy", "https_proxy", "no_proxy"}, strings.ToLower(name)) {
			env = append(env, v)
		}
	}
	return env
}

// valueOf returns the last value of a variable, in lower or upper case.
func valueOf(env []string, name string) (value string) {
	for _, v := range env {
		if n, text, _ := strings.Cut(v, "="); strings.EqualFold(n, name) {
			value = cmp.Or(text, value)
		}
	}
	return value
}
