// Package host is about the users of this host, and which user IDs are whose.
package host

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// A build works with user and group ids that are nobody else's: so many, one range for each slot of the runner.
const IDsOfABuild = 65536

// The files that say who may use which ids: subuid(5), subgid(5).
const (
	SubUIDs = "/etc/subuid"
	SubGIDs = "/etc/subgid"
)

// Keeper is the user whose the builds' logs and artifacts are, and whose ids the builds of an installed site use.
const Keeper = "toaster"

// Span is a range of ids, without its end.
type Span struct{ First, End int }

// Spans reads the ranges that a file gives to a user, by name or number; an empty name: to anybody.
func Spans(text string, names ...string) (all []Span) {
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
				all = append(all, Span{first, first + count})
				break
			}
		}
	}
	return all
}

// buildIDs returns the first of each range of IDsOfABuild numbers that both files give to a user.
func buildIDs(uids, gids string, names ...string) (firsts []int) {
	for _, u := range Spans(uids, names...) {
		for _, g := range Spans(gids, names...) {
			for first := max(u.First, g.First); first+IDsOfABuild <= min(u.End, g.End); first += IDsOfABuild {
				firsts = append(firsts, first)
			}
		}
	}
	return firsts
}

// BuildIDs is whose ids the builds use that this process would run: those of the user toaster, else root's; of anybody
// else their own.
func BuildIDs() (name string, firsts []int) {
	uids, _ := os.ReadFile(SubUIDs)
	gids, _ := os.ReadFile(SubGIDs)
	if uid := os.Getuid(); uid != 0 {
		name = UserName(uid)
		return name, buildIDs(string(uids), string(gids), name, strconv.Itoa(uid))
	}
	for _, name := range []string{Keeper, "root"} {
		if firsts = buildIDs(string(uids), string(gids), name); len(firsts) > 0 {
			return name, firsts
		}
	}
	if _, err := user.Lookup(Keeper); err == nil {
		return Keeper, nil
	}
	return "root", nil
}

// lowest is where toaster looks for ids: above those of people and services, which distributions count from below.
const lowest = 1 << 20

// FreeSpan returns a range of so many ids that no file gives to anybody.
func FreeSpan(uids, gids string, count int) Span {
	taken := append(Spans(uids, ""), Spans(gids, "")...)
	for s := (Span{lowest, lowest + count}); ; {
		next := s
		for _, t := range taken {
			if t.First < s.End && s.First < t.End {
				next.First = max(next.First, (t.End+IDsOfABuild-1)/IDsOfABuild*IDsOfABuild)
			}
		}
		if next.First == s.First {
			return s
		}
		s = Span{next.First, next.First + count}
	}
}

// MissingIDs is the command that gives a user the ids that are missing for so many builds at once; nil: none are.
func MissingIDs(concurrency int) []string {
	name, have := BuildIDs()
	missing := concurrency - len(have)
	if missing <= 0 {
		return nil
	}
	uids, _ := os.ReadFile(SubUIDs)
	gids, _ := os.ReadFile(SubGIDs)
	s := FreeSpan(string(uids), string(gids), missing*IDsOfABuild)
	wanted := fmt.Sprintf("%d-%d", s.First, s.End-1)
	return []string{"usermod", "--add-subuids", wanted, "--add-subgids", wanted, name}
}
