package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"

	"toaster.do/lib/apperr"
)

// A build works with user and group ids that are nobody else's: so many, one range for each slot of the runner.
const idsOfABuild = 65536

// The files that say who may use which ids: subuid(5), subgid(5).
const (
	subUIDs = "/etc/subuid"
	subGIDs = "/etc/subgid"
)

// keeperName is the user whose the builds' logs and artifacts are, and whose ids the builds of an installed site use.
const keeperName = "toaster"

// span is a range of ids, without its end.
type span struct{ first, end int }

// spans reads the ranges that a file gives to a user, by name or number; an empty name: to anybody.
func spans(text string, names ...string) (all []span) {
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 {
			continue
		}
		first, err1 := strconv.Atoi(fields[1])
		count, err2 := strconv.Atoi(fields[2])
		if err1 != nil || err2 != nil || first < 0 || first > 1<<32 || count < 0 || count > 1<<32 {
			continue
		}
		for _, name := range names {
			if name == "" || name == fields[0] {
				all = append(all, span{first, first + count})
				break
			}
		}
	}
	return all
}

// buildIDs returns the first of each range of idsOfABuild numbers that both files give to a user.
func buildIDs(uids, gids string, names ...string) (firsts []int) {
	for _, u := range spans(uids, names...) {
		for _, g := range spans(gids, names...) {
			for first := max(u.first, g.first); first+idsOfABuild <= min(u.end, g.end); first += idsOfABuild {
				firsts = append(firsts, first)
			}
		}
	}
	return firsts
}

// ofUser is whose ids the builds use that this process would run: those of the user toaster, else root's; of anybody
// else their own.
func ofUser() (name string, firsts []int) {
	uids, _ := os.ReadFile(subUIDs)
	gids, _ := os.ReadFile(subGIDs)
	if uid := os.Getuid(); uid != 0 {
		name = userName(uid)
		return name, buildIDs(string(uids), string(gids), name, strconv.Itoa(uid))
	}
	for _, name := range []string{keeperName, "root"} {
		if firsts = buildIDs(string(uids), string(gids), name); len(firsts) > 0 {
			return name, firsts
		}
	}
	if _, err := user.Lookup(keeperName); err == nil {
		return keeperName, nil
	}
	return "root", nil
}

// lowest is where toaster looks for ids: above those of people and services, which distributions count from below.
const lowest = 1 << 20

// freeSpan returns a range of so many ids that no file gives to anybody.
func freeSpan(uids, gids string, count int) span {
	taken := append(spans(uids, ""), spans(gids, "")...)
	for s := (span{lowest, lowest + count}); ; {
		next := s
		for _, t := range taken {
			if t.first < s.end && s.first < t.end {
				next.first = max(next.first, (t.end+idsOfABuild-1)/idsOfABuild*idsOfABuild)
			}
		}
		if next.first == s.first {
			return s
		}
		s = span{next.first, next.first + count}
	}
}

// addIDs is the command that gives a user the ids that are missing for so many slots; nil: none are.
func addIDs(concurrency int) []string {
	name, have := ofUser()
	missing := concurrency - len(have)
	if missing <= 0 {
		return nil
	}
	uids, _ := os.ReadFile(subUIDs)
	gids, _ := os.ReadFile(subGIDs)
	s := freeSpan(string(uids), string(gids), missing*idsOfABuild)
	wanted := fmt.Sprintf("%d-%d", s.first, s.end-1)
	return []string{"usermod", "--add-subuids", wanted, "--add-subgids", wanted, name}
}

// ids gives the builds of a site's slots ids of their own.
func (s *setup) ids(concurrency int) error {
	command := addIDs(concurrency)
	if command == nil {
		return nil
	}
	for _, path := range []string{subUIDs, subGIDs} { // usermod makes none
		if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o644); err == nil {
			f.Close()
		}
	}
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		_, err = fmt.Fprintf(s.err,
			"User IDs for builds can't be assigned, and builds fail without them: %s%v\nAs root: %s\n",
			out, err, strings.Join(command, " "))
		return err
	}
	return s.say("%d user and group IDs for builds, in %s and %s", concurrency*idsOfABuild, subUIDs, subGIDs)
}

// keeper returns who the logs and artifacts of a site belong to, whose database is the owner's: a user of their own,
// so that the web programs can read them and no more. It makes that user for an installed site.
func (s *setup) keeper(owner identity, installed bool) (identity, error) {
	if os.Getuid() != 0 || owner.uid == 0 {
		return owner, nil
	}
	a, err := lookUp(keeperName)
	if err != nil && installed {
		out, err := exec.Command("useradd", "--system", "--user-group", "--no-create-home",
			"--home-dir", "/nonexistent",
			"--shell", "/usr/sbin/nologin", "--comment", "builds of toaster", keeperName).CombinedOutput()
		if err != nil {
			return a, apperr.Wrap(apperr.Unavailable, fmt.Errorf("%w: %s", err, out),
				fmt.Sprintf("The user %s can't be created: %s %v.", keeperName, bytes.TrimSpace(out), err),
				"Create it by hand as a system user without login, then run this again.")
		}
		if err := s.say("the user %s, who owns the builds", keeperName); err != nil {
			return a, err
		}
		if a, err = lookUp(keeperName); err != nil {
			return a, err
		}
	} else if err != nil {
		a.uid = 0
	}
	return identity{a.uid, owner.gid}, nil
}
