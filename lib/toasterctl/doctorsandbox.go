package main

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
	"toaster.do/lib/config"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/jobs"
	"toaster.do/lib/target"
)

func unknown(what, why string) finding {
	return finding{What: what, OK: true, Unknown: true, Problem: "not checked: " + why}
}

// isolation looks at what keeps the local engine's builds away from this host, as the user that runs them: mostly root.
func (w *world) isolation(cfg *config.Config) (all []finding) {
	const what = "isolation"
	targets, err := target.LoadTargets(cfg.Paths.Targets)
	if err != nil || cfg.Engine != "local" {
		return nil // said elsewhere, or an agent's
	}
	if os.Getuid() != 0 && usual(cfg) {
		f := unknown(what, "builds run as root, so only root can test them.")
		f.Advice = commandAs(0)
		return []finding{f}
	}
	all = append(all, idsFinding(cfg), ownersFinding(cfg))
	if os.Getuid() != 0 {
		all = append(all, namespacesFinding()...)
	}
	if err := app.DiskSpace(cfg); err != nil {
		return append(all, unknown(what, "see “disk space”."))
	}
	dir, err := trialFolder(cfg)
	if err != nil {
		return append(all, unknown(what, err.Error()))
	}
	defer os.RemoveAll(dir)
	env := runnersEnvironment(cfg)
	ways, reach := waysOut(w.ctx, cfg, targets, env)
	all = append(all, ways...)
	all = append(all, triedOut(w.ctx, cfg, dir, reach)...)
	all = append(all, wholeImages(w.ctx, targets, dir))
	return append(all, lacking(w.ctx, targets, dir, env)...)
}

// trialFolder makes a folder where builds work; where it is not made yet, as near as can be.
func trialFolder(cfg *config.Config) (string, error) {
	near := cfg.Local.WorkDir
	for !there(near) {
		near = filepath.Dir(near)
	}
	if foreign, err := local.ForeignOwner(filepath.Dir(cfg.Paths.Database)); err == nil && foreign != nil &&
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
	{
		"files",
		"files",
	}, {"devices", "devices"}, {"processes", "processes"}, {"users", "users"}, {"rights", "system calls"},
	{
		"kernel",
		"kernel interfaces",
	}, {"limits", "limits of a process"}, {"network", "network"}, {"outside", "the way out"},
}

const unsafe = "Builds are not isolated on this host. Stop the runner until this is fixed. Update the kernel, crun, runc and slirp4netns."

// triedOut runs a trial, and says what was found in each row.
func triedOut(ctx context.Context, cfg *config.Config, dir string, reach []string) (all []finding) {
	t := &trial{cfg: cfg, dir: dir, reach: reach}
	if _, ids := ofUser(); os.Getuid() == 0 && len(ids) > 0 {
		t.first = ids[len(ids)-1] // the one that is in use least
	}
	began := time.Now()
	if err := t.run(ctx); err != nil {
		return []finding{sick("isolation: test build", err, "See the lines above.")}
	}
	if len(t.rows) == 0 {
		return []finding{
			{
				What:    "isolation: test build",
				Problem: strings.TrimPrefix(t.why(), "toaster: failed: "),
				Advice:  cureOf(t.why()),
			},
		}
	}
	all = append(
		all,
		fine(
			"isolation: test build",
			fmt.Sprintf("it took %.1f s, with %s", time.Since(began).Seconds(), sandboxPrograms()),
		),
	)
	for _, p := range probed {
		f, ok := t.rows[p.row]
		f.What = "isolation: " + p.what
		switch {
		case !ok:
			f.Problem, f.Advice = "the test build ended early: "+t.why(), "See the other messages."
		case p.row == "network" && t.reached.Load() > 0:
			f.OK, f.Problem, f.Advice = false, "a build reached this host.", unsafe
		case p.row == "outside" && len(reach) == 0:
			f = unknown(f.What, "this host can't reach the package archives of its targets.")
		case p.row == "outside" && !f.OK:
			f.Advice = "Check that a firewall of this host allows outgoing connections of root, and the name servers in /etc/resolv.conf."
		case !f.OK:
			f.Advice = unsafe
		}
		all = append(all, f)
	}
	return append(all, t.diskFinding(), t.cgroupFinding())
}

func (t *trial) diskFinding() finding {
	const what = "isolation: disk"
	if t.code == target.ExitFull && strings.Contains(t.last, "used more than its limit") {
		reserve := ", and this host keeps " + t.cfg.Limits.FreeDisk.String()
		if t.cfg.Limits.FreeDisk == 0 {
			reserve = ", and limits.free_disk keeps nothing"
		}
		return fine(what, "builds that exceed their share are stopped"+reserve)
	}
	if f, ok := t.rows["disk"]; ok {
		return unknown(what, f.Problem+": this file system reports its free space late.")
	}
	return finding{What: what, Problem: "the test build ended unexpectedly: " + t.why(), Advice: "See the other messages."}
}

// cgroupFinding says which limits of a whole build the kernel has taken.
func (t *trial) cgroupFinding() finding {
	f := finding{What: "isolation: memory, processes and processors", OK: true}
	memory, pids, cpus := t.holds()
	var not []string
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
		f.OK = f.OK && (l.held || !l.set)
	}
	if len(not) == 0 {
		f.Problem = "the cgroups of this host enforce the limits of builds"
		return f
	}
	f.Problem = "no cgroup enforces " + strings.Join(
		not,
		", ",
	) + " of [sandbox] on this host (processes are limited per user)."
	switch v2, v1 := there("/sys/fs/cgroup/cgroup.controllers"), there("/sys/fs/cgroup/memory"); {
	case os.Getuid() != 0:
		f.Advice = "Only builds of root have cgroups: start the runner as root, or remove memory and cpus from [sandbox]."
	case !v1 && !v2:
		f.Advice = "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
	default:
		f.Advice = "Give the container of the runner writable cgroups. On hardware, boot with cgroup_enable=memory."
	}
	return f
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
func wholeImages(ctx context.Context, targets *target.Targets, dir string) finding {
	const what = "isolation: file systems of vm, live and arm"
	wanted := false
	for _, t := range targets.On() {
		wanted = wanted || t.SDK != "rootfs"
	}
	switch {
	case !wanted:
		return fine(what, "no such target is enabled")
	case os.Getuid() != 0:
		return unknown(what, "only root can check this.")
	}
	blend := filepath.Join(dir, "app.blend")
	work, tree := filepath.Join(dir, "enter"), filepath.Join(dir, "tree")
	if err := os.WriteFile(blend, blendOf("true").Text, 0o644); err != nil {
		return unknown(what, err.Error())
	}
	for _, d := range []string{work, tree} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return unknown(what, err.Error())
		}
	}
	cmd := exec.CommandContext(
		ctx,
		"/bin/sh",
		"-c",
		enterTree,
		"sh",
		blend,
		work,
		tree,
	)
	cmd.Env, cmd.WaitDelay = []string{"PATH=" + runnersPath}, time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return fine(what, "they can be mapped to the IDs of builds")
	}
	text := strings.TrimSpace(string(out))
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "toaster: "); ok {
			text = strings.TrimSpace(rest)
		}
	}
	return finding{
		What:    what,
		Problem: text,
		Advice:  "Check that local.work_dir has free space and supports owners and extended attributes. Or disable these targets: on = false in targets.toml.",
	}
}

// lacking says which targets can't be built here for want of a program or the like.
func lacking(ctx context.Context, targets *target.Targets, dir string, env []string) (all []finding) {
	names, order := map[string][]string{}, []string{}
	blend := blendOf("true")
	path := filepath.Join(dir, "check")
	for _, t := range targets.On() {
		script, err := jobs.Script(t, blend, target.Access{}, app.Version)
		if err == nil {
			err = os.WriteFile(path, script, 0o644)
		}
		if err != nil {
			all = append(all, sick("target "+t.Name, err, ""))
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
		advice := cureOf(why)
		if advice == "" {
			advice = "Or disable them: on = false in targets.toml."
		}
		what := "target " + names[why][0]
		if others := len(names[why]) - 1; others > 0 {
			what += fmt.Sprintf(" and %s more", count(others, "target"))
		}
		all = append(all, finding{What: what, Problem: why, Advice: advice})
	}
	if len(all) == 0 {
		all = append(
			all,
			fine("targets", "this host meets the requirements of all "+count(len(targets.On()), "target")),
		)
	}
	return all
}

// why is what the script said at last, or before that, where it only names the line of the Dockerfile.
func (t *trial) why() string {
	if t.cause != "" && (strings.Contains(t.last, " of the Dockerfile failed") || strings.Contains(t.last, "the blend failed")) {
		return t.cause
	}
	return t.last
}

var rootCommand = regexp.MustCompile(`[Aa]s root(?:, [^:]+)?: (.+)`)

// cureOf finds in words of a script the command that they end in.
func cureOf(words string) string {
	if m := rootCommand.FindStringSubmatch(words); m != nil {
		return m[1]
	}
	if strings.Contains(words, "namespace") {
		for _, f := range namespacesFinding() {
			if !f.OK {
				return f.Advice
			}
		}
	}
	return ""
}
