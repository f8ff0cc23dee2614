package doctor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"toaster.do/lib/app"
	"toaster.do/lib/doctor/check"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/host"
	"toaster.do/lib/jobs"
	"toaster.do/lib/target"
)

// CheckIsolation looks at what keeps the local engine's builds away from this host, as the user that runs them: mostly
// root.
func (s Site) CheckIsolation(ctx context.Context) (all []check.Result) {
	const what = "isolation"
	targets, err := target.LoadTargets(s.Paths.Targets)
	if err != nil || s.Config.Engine != "local" {
		return nil // said elsewhere, or an agent's
	}
	if os.Getuid() != 0 && s.installed() {
		f := check.Skip(what, "builds run as root, so only root can test them.")
		f.Fix = host.CommandAs(0)
		return []check.Result{f}
	}
	all = append(all, s.ids(), s.owners())
	if os.Getuid() != 0 {
		all = append(all, namespaces()...)
	}
	if err := app.DiskSpace(s.Config); err != nil {
		return append(all, check.Skip(what, "see “disk space”."))
	}
	dir, err := s.trialFolder()
	if err != nil {
		return append(all, check.Skip(what, err.Error()))
	}
	defer os.RemoveAll(dir)
	env := s.runnersEnvironment()
	ways, reach := s.waysOut(ctx, targets, env)
	all = append(all, ways...)
	all = append(all, s.triedOut(ctx, dir, reach)...)
	all = append(all, wholeImages(ctx, targets, dir))
	return append(all, lacking(ctx, targets, dir, env)...)
}

// trialFolder makes a folder where builds work; where it is not made yet, as near as can be.
func (s Site) trialFolder() (string, error) {
	near := s.Local.WorkDir
	for !host.Exists(near) {
		near = filepath.Dir(near)
	}
	if foreign, err := local.ForeignOwner(filepath.Dir(s.Paths.Database)); err == nil && foreign != nil &&
		local.CheckRootOwned(near) != nil {
		return "", fmt.Errorf("see “owners”")
	}
	near, err := filepath.EvalSymlinks(near)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(near, "doctor-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// probed are the rows that a probe tells of, and what each is called.
var probed = []struct{ row, what string }{
	{"files", "files"}, {"devices", "devices"}, {"processes", "processes"}, {"users", "users"},
	{"rights", "system calls"}, {"kernel", "kernel interfaces"}, {"limits", "limits of a process"},
	{"network", "network"}, {"outside", "the way out"},
}

const unsafe = "Builds are not isolated on this host. Stop the runner until this is fixed. " +
	"Update the kernel, crun, runc and slirp4netns."

// triedOut runs a trial, and says what was found in each row.
func (s Site) triedOut(ctx context.Context, dir string, reach []string) (all []check.Result) {
	t := &trial{cfg: s.Config, dir: dir, reach: reach}
	if _, ids := host.BuildIDs(); os.Getuid() == 0 && len(ids) > 0 {
		t.first = ids[len(ids)-1] // the one that is in use least
	}
	began := time.Now()
	if err := t.run(ctx); err != nil {
		return []check.Result{failed("isolation: test build", err, "See the lines above.")}
	}
	if len(t.rows) == 0 {
		why := t.why()
		return []check.Result{check.Fail("isolation: test build", strings.TrimPrefix(why, "toaster: failed: "), fixIn(why))}
	}
	all = append(all, check.OK("isolation: test build",
		fmt.Sprintf("it took %.1f s, with %s", time.Since(began).Seconds(), sandboxPrograms())))
	for _, p := range probed {
		f, ok := t.rows[p.row]
		f.Name = "isolation: " + p.what
		switch {
		case !ok:
			f = check.Fail(f.Name, "the test build ended early: "+t.why(), "See the other messages.")
		case p.row == "network" && t.reached.Load() > 0:
			f = check.Fail(f.Name, "a build reached this host.", unsafe)
		case p.row == "outside" && len(reach) == 0:
			f = check.Skip(f.Name, "this host can't reach the package archives of its targets.")
		case p.row == "outside" && !f.OK():
			f.Fix = "Check that a firewall of this host allows outgoing connections of root, " +
				"and the name servers in /etc/resolv.conf."
		case !f.OK():
			f.Fix = unsafe
		}
		all = append(all, f)
	}
	return append(all, t.disk(), t.cgroups())
}

func (t *trial) disk() check.Result {
	const what = "isolation: disk"
	if t.code == target.ExitFull && strings.Contains(t.last, "used more than its limit") {
		reserve := ", and this host keeps " + t.cfg.Limits.FreeDisk.String()
		if t.cfg.Limits.FreeDisk == 0 {
			reserve = ", and limits.free_disk keeps nothing"
		}
		return check.OK(what, "builds that exceed their share are stopped"+reserve)
	}
	if f, ok := t.rows["disk"]; ok {
		return check.Skip(what, f.Message+": this file system reports its free space late.")
	}
	return check.Fail(what, "the test build ended unexpectedly: "+t.why(), "See the other messages.")
}

// cgroups says which limits of a whole build the kernel has taken.
func (t *trial) cgroups() check.Result {
	const what = "isolation: memory, processes and processors"
	memory, pids, cpus := t.holds()
	var not []string
	wanting := false
	for _, l := range []struct {
		name      string
		set, held bool
	}{
		{"memory", t.cfg.Sandbox.Memory > 0, memory}, {"cpus", t.cfg.Sandbox.CPUs > 0, cpus},
		{"processes", false, pids},
	} {
		if !l.held {
			not = append(not, l.name)
		}
		wanting = wanting || l.set && !l.held
	}
	if len(not) == 0 {
		return check.OK(what, "the cgroups of this host enforce the limits of builds")
	}
	lack := "no cgroup enforces " + strings.Join(not, ", ") +
		" of [sandbox] on this host (processes are limited per user)."
	fix := "Give the container of the runner writable cgroups. On hardware, boot with cgroup_enable=memory."
	switch v2, v1 := host.Exists("/sys/fs/cgroup/cgroup.controllers"), host.Exists("/sys/fs/cgroup/memory"); {
	case os.Getuid() != 0:
		fix = "Only builds of root have cgroups: start the runner as root, or remove memory and cpus from [sandbox]."
	case !v1 && !v2:
		fix = "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
	}
	if wanting {
		return check.Fail(what, lack, fix)
	}
	return check.Warn(what, lack, fix)
}

// sandboxPrograms names what the sandbox is made of here.
func sandboxPrograms() string {
	var all []string
	for _, name := range []string{"crun", "runc", "slirp4netns"} {
		for dir := range strings.SplitSeq(runnersPath, ":") {
			if fi, err := os.Stat(filepath.Join(dir, name)); err == nil && fi.Mode()&0o111 != 0 {
				all = append(all, name)
				break
			}
		}
	}
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		all = append(all, "Linux "+string(bytes.TrimRight(uts.Release[:], "\x00")))
	}
	return strings.Join(all, ", ")
}

const enterTree = `zsh -f -c 'source $1 && toaster_tools $2' toaster "$1" "$2" && exec zsh -f "$2/enter" "$3" "$2" true`

// wholeImages tries what images with a kernel need: a tree whose ids the kernel maps.
func wholeImages(ctx context.Context, targets *target.Targets, dir string) check.Result {
	const what = "isolation: file systems of vm, live and arm"
	wanted := false
	for _, t := range targets.On() {
		wanted = wanted || t.SDK != "rootfs"
	}
	switch {
	case !wanted:
		return check.OK(what, "no such target is enabled")
	case os.Getuid() != 0:
		return check.Skip(what, "only root can check this.")
	}
	blend := filepath.Join(dir, "app.blend")
	work, tree := filepath.Join(dir, "enter"), filepath.Join(dir, "tree")
	if err := os.WriteFile(blend, blendOf("true").Text, 0o644); err != nil {
		return check.Skip(what, err.Error())
	}
	for _, d := range []string{work, tree} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return check.Skip(what, err.Error())
		}
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", enterTree, "sh", blend, work, tree)
	cmd.Env, cmd.WaitDelay = []string{"PATH=" + runnersPath}, time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return check.OK(what, "they can be mapped to the IDs of builds")
	}
	text := strings.TrimSpace(string(out))
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "toaster: "); ok {
			text = strings.TrimSpace(rest)
		}
	}
	return check.Fail(what, text, "Check that local.work_dir has free space and supports owners and extended attributes. "+
		"Or disable these targets: on = false in targets.toml.")
}

// lacking says which targets can't be built here for want of a program or the like.
func lacking(ctx context.Context, targets *target.Targets, dir string, env []string) (all []check.Result) {
	names, order := map[string][]string{}, []string{}
	blend := blendOf("true")
	path := filepath.Join(dir, "check")
	for _, t := range targets.On() {
		script, err := jobs.Script(t, blend, target.Access{}, app.Version)
		if err == nil {
			err = os.WriteFile(path, script, 0o644)
		}
		if err != nil {
			all = append(all, failed("target "+t.Name, err, ""))
			continue
		}
		cmd := exec.CommandContext(ctx, "/bin/sh", path, "check")
		cmd.Dir, cmd.Env, cmd.WaitDelay = dir, append(env, "PATH="+runnersPath, "HOME="+dir), time.Second
		out, err := cmd.CombinedOutput()
		if err == nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		why := strings.TrimPrefix(lines[len(lines)-1], "toaster: failed: ")
		if names[why] == nil {
			order = append(order, why)
		}
		names[why] = append(names[why], t.Name)
	}
	for _, why := range order {
		fix := fixIn(why)
		if fix == "" {
			fix = "Or disable them: on = false in targets.toml."
		}
		what := "target " + names[why][0]
		if others := len(names[why]) - 1; others > 0 {
			what += fmt.Sprintf(" and %s more", count(others, "target"))
		}
		all = append(all, check.Fail(what, why, fix))
	}
	if len(all) == 0 {
		all = append(all, check.OK("targets",
			"this host meets the requirements of all "+count(len(targets.On()), "target")))
	}
	return all
}

// why is what the script said at last, or before that, where it only names the line of the Dockerfile.
func (t *trial) why() string {
	if t.cause != "" &&
		(strings.Contains(t.last, " of the Dockerfile failed") || strings.Contains(t.last, "the blend failed")) {
		return t.cause
	}
	return t.last
}

// fixIn finds in words of a script the command that they end in.
func fixIn(words string) string {
	if m := regexp.MustCompile(`[Aa]s root(?:, [^:]+)?: (.+)`).FindStringSubmatch(words); m != nil {
		return m[1]
	}
	if strings.Contains(words, "namespace") {
		for _, f := range namespaces() {
			return f.Fix
		}
	}
	return ""
}
