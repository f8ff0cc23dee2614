package main

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

	"toaster.do/lib/config"
	"toaster.do/lib/engine/local"
)

// noRange is where builds have their ids that no file gives to anybody, as lib/dockerfile/zsh/enter.zsh says.
const noRange = 2000000000

// idsFinding says whether each slot has ids of its own, and whether anybody else has them, too.
func idsFinding(cfg *config.Config) finding {
	const what = "isolation: user IDs"
	uids, _ := os.ReadFile(subUIDs)
	gids, _ := os.ReadFile(subGIDs)
	name, firsts := ofUser()
	if taken := overlap(string(uids), string(gids), name, firsts); taken.who != "" {
		return taken.finding(what, name)
	}
	if command := addIDs(cfg.Local.Concurrency); command != nil {
		if len(firsts) == 0 && cfg.Local.Concurrency == 1 && os.Getuid() == 0 && !usual(cfg) {
			return fine(
				what,
				fmt.Sprintf(
					"builds use unassigned IDs from %d; assign a range with toasterctl init --ids",
					noRange,
				),
			)
		}
		return finding{
			What: what,
			Problem: fmt.Sprintf(
				"%s assigns %s IDs for %s at once, but local.concurrency is %d.",
				subUIDs,
				name,
				count(len(firsts), "build"),
				cfg.Local.Concurrency,
			),
			Advice: command[0] + " " + strings.Join(command[1:], " "),
		}
	}
	return fine(
		what,
		fmt.Sprintf(
			"%d for each of %s, assigned to %s only",
			idsOfABuild,
			count(cfg.Local.Concurrency, "build"),
			name,
		),
	)
}

// doubled is a range of ids that two have.
type doubled struct {
	span
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
			for _, s := range spans(line, who) {
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
			if of := meets(span{id, id + 1}, firsts); of != nil {
				return doubled{*of, fields[0]}
			}
		}
	}
	return d
}

// meets returns the range of a build that s has a part of; nil: none.
func meets(s span, firsts []int) *span {
	for _, first := range firsts {
		if s.first < first+idsOfABuild && first < s.end {
			return &span{first, first + idsOfABuild}
		}
	}
	return nil
}

// finding has the command that gives builds other ids. usermod takes none from a user whose processes run.
func (d doubled) finding(what, name string) finding {
	uids, _ := os.ReadFile(subUIDs)
	gids, _ := os.ReadFile(subGIDs)
	var old []string
	lost := 0
	for _, s := range append(spans(string(uids), name), spans(string(gids), name)...) {
		line := fmt.Sprintf("-e '/^%s:%d:%d$/d'", name, s.first, s.end-s.first)
		if s.first < d.end && d.first < s.end && !slices.Contains(old, line) {
			old = append(old, line)
			lost = max(lost, (s.end-s.first)/idsOfABuild*idsOfABuild)
		}
	}
	free := freeSpan(string(uids), string(gids), lost)
	fresh := fmt.Sprintf("%d-%d", free.first, free.end-1)
	return finding{
		What: what,
		Problem: fmt.Sprintf(
			"%s also has some of the IDs %d-%d that builds use, so each can change the other's files. Stop the runner, "+
				"and start it again after builds have other IDs.",
			d.who,
			d.first,
			d.end-1,
		),
		Advice: fmt.Sprintf(
			"sed -i %s %s %s && usermod --add-subuids %s --add-subgids %[4]s %[5]s",
			strings.Join(old, " "),
			subUIDs,
			subGIDs,
			fresh,
			name,
		),
	}
}

// ownersFinding says whose the database, the builds, and the folder are where builds work.
func ownersFinding(cfg *config.Config) finding {
	const what = "isolation: owners"
	data, builds := filepath.Dir(cfg.Paths.Database), cfg.Paths.Builds
	foreign, err := local.ForeignOwner(data)
	if err != nil {
		return unknown(what, err.Error())
	}
	if foreign == nil {
		return fine(
			what,
			fmt.Sprintf("%s runs builds and owns the database: anyone who can change the database can run programs as %[1]s", userName(os.Getuid())),
		)
	}
	fi, err := os.Lstat(builds)
	if err != nil {
		return finding{What: what, Problem: err.Error(), Advice: "toasterctl init"}
	}
	switch st := fi.Sys().(*syscall.Stat_t); {
	case st.Uid == foreign.Uid:
		keeper := "root"
		if a, err := lookUp(keeperName); err == nil && a.uid != 0 {
			keeper = keeperName
		}
		return finding{
			What: what,
			Problem: fmt.Sprintf(
				"%s belongs to %s, like the database, so the web programs can change artifacts.",
				builds,
				userName(int(st.Uid)),
			),
			Advice: command(
				"chown",
				"-R "+keeper+":",
				[]string{builds},
			) + command(
				" && chgrp",
				"-R "+strconv.Itoa(int(foreign.Gid)),
				[]string{builds},
			),
		}
	case fi.Mode().Perm()&0o027 != 0:
		return finding{
			What:    what,
			Problem: builds + " has too permissive permissions.",
			Advice:  command("chmod", "g-w,o=", []string{builds}),
		}
	}
	if err := local.CheckRootOwned(cfg.Local.WorkDir); err != nil {
		return finding{What: what, Problem: err.Error(), Advice: cureOf(err.Error())}
	}
	return fine(
		what,
		fmt.Sprintf(
			"the database belongs to %s, builds to %s, and %s to root",
			userName(int(foreign.Uid)),
			userName(owner(fi)),
			cfg.Local.WorkDir,
		),
	)
}

// namespacesFinding says which switches of the kernel keep user namespaces from a user.
func namespacesFinding() (all []finding) {
	for _, s := range []struct{ name, closed, open string }{
		{"user.max_user_namespaces", "0", "65536"},
		{"kernel.unprivileged_userns_clone", "0", "1"},
		{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
	} {
		text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(s.name, ".", "/"))
		if err == nil && strings.TrimSpace(string(text)) == s.closed {
			all = append(
				all,
				finding{
					What:    "isolation: user namespaces",
					Problem: fmt.Sprintf("%s is %s: the kernel does not allow any.", s.name, s.closed),
					Advice: fmt.Sprintf(
						"echo %s=%s >/etc/sysctl.d/60-toaster.conf && sysctl -p /etc/sysctl.d/60-toaster.conf",
						s.name,
						s.open,
					),
				},
			)
		}
	}
	return all
}

// runnersEnvironment is what the runner hands on to build scripts: from where root's init script has it, and from here.
func runnersEnvironment(cfg *config.Config) (env []string) {
	const file = "/etc/default/toaster-runner"
	all := os.Environ()
	if os.Getuid() == 0 && usual(cfg) && there(file) {
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
