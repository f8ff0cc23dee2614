package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/host"
	"toaster.do/lib/target"
)

// apart runs a program of sh in mounts of its own, where a host can be broken. It finds toasterctl as $ctl, the site's
// configuration as $config, and a folder as $dir; "fix NAME" runs what doctor advised for the finding.
func apart(t *testing.T, config, program string) answer {
	t.Helper()
	asRoot(t)
	const helpers = `
set -eu
doctor() { "$ctl" doctor --config "$config" >"$dir/said" 2>&1 || :; cat "$dir/said"; }
fix() {
	sed -n "/^problem $1/{n;s/^ *//p;q}" "$dir/said" >"$dir/fix"
	test -s "$dir/fix" && sh -e "$dir/fix"
}
hide() {
	for p; do
		for d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin; do [ ! -e $d/$p ] || mount --bind /dev/null $d/$p; done
	done
}
`
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", helpers+program)
	cmd.Env = append(os.Environ(), "ctl="+filepath.Join(bin, "toasterctl"), "config="+config, "dir="+t.TempDir())
	return ended(t, "", cmd).exits(0)
}

// lackNot lets a site offer nothing that this host can't build for want of Devuan's keys.
func lackNot(t *testing.T, config string) {
	t.Helper()
	path := filepath.Join(filepath.Dir(config), "targets.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	off := strings.ReplaceAll(string(text), "on = true", "on = false")
	head, tail, found := strings.Cut(off, `release = ["bookworm"]`)
	if !found {
		t.Fatal("targets.toml has no bookworm")
	}
	write(t, path, head+`release = ["bookworm"]`+strings.Replace(tail, "on = false", "on = true", 1))
	targets, err := target.LoadTargets(path)
	if err != nil || len(targets.On()) == 0 {
		t.Fatal(err)
	}
}

// What the chapter "Isolation" says of a build, doctor sees a build of this host have.
func TestDoctorTriesWhatABuildCanDo(t *testing.T) {
	config := newSite(t)
	asRoot(t)
	lackNot(t, config)
	adjusted(
		t,
		config,
		`memory = "0"`,
		`memory = "512 MiB"`,
		"cpus = 0",
		"cpus = 1.5",
		"processes = 4096",
		"processes = 1000",
	)
	said := ctl(
		t,
		"",
		"doctor",
		"--config",
		config,
	).says("warning isolation: owners", "limits of a process: 65536 open files, 1000 processes",
		"ok      isolation: disk: builds that exceed their share are stopped, and this host keeps 1 GiB",
		"ok      targets: this host meets the requirements")
	for _, what := range []string{"files", "devices", "processes", "users", "system calls", "kernel interfaces",
		"network"} {
		if !strings.Contains(said.out, "isolation: "+what+": ") ||
			strings.Contains(said.out, "problem isolation: "+what) {
			t.Errorf("%s:\n%s", what, said.out)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(config), "*doctor-*")); left != nil {
		t.Errorf("it left %v", left)
	}
	if host.Exists("/sys/fs/cgroup/memory") || host.Exists("/sys/fs/cgroup/cgroup.controllers") {
		said.says("ok      isolation: memory, processes and processors: the cgroups of this host enforce")
	}
}

func TestDoctorFindsWhatTheSandboxLacks(t *testing.T) {
	config := newSite(t)
	lackNot(t, config)
	adjusted(t, config, `memory = "0"`, `memory = "512 MiB"`)
	apart(
		t,
		config,
		"hide crun runc; doctor",
	).says("problem isolation: test build: programs are missing on this host", "\n        apt-get install crun\n",
		"problem target rootfs_")
	apart(
		t,
		config,
		"hide slirp4netns mmdebstrap; doctor",
	).says("problem isolation: test build", "\n        apt-get install slirp4netns\n",
		"apt-get install slirp4netns mmdebstrap")
	apart(
		t,
		config,
		"mount -t tmpfs none /sys/fs/cgroup; doctor",
	).says("problem isolation: memory, processes and processors: no cgroup enforces memory, cpus, processes",
		"\n        mount -t cgroup2 cgroup2 /sys/fs/cgroup\n")
}

// The sandbox of a host can be broken in ways that only a build sees.
func TestDoctorSeesASandboxThatLeaks(t *testing.T) {
	config := newSite(t)
	lackNot(t, config)
	for what, c := range map[string][2]string{
		"a runtime that filters nothing": {`
for name in crun runc; do
	cp "/usr/bin/$name" "$dir/real-$name"
	cat >"$dir/$name" <<END
#!/bin/sh
for a; do
	[ "\$last" != --bundle ] || sed -i 's/"annotations":{[^}]*}/"annotations":{}/; s/"seccomp":{.*/"x":{}}}/' "\$a/config.json"
	last=\$a
done
exec $dir/real-$name "\$@"
END
	chmod -R a+rx "$dir"; d=$dir; while [ "$d" != / ]; do chmod a+x "$d"; d=$(dirname "$d"); done
	mount --bind "$dir/$name" "/usr/bin/$name"
done
doctor`, "problem isolation: system calls: no seccomp filter"},
	} {
		t.Run(what, func(t *testing.T) { apart(t, config, c[0]).says(c[1], "Stop the runner until this is fixed") })
	}
}

// Ids that two have, and the command that gives builds others.
func TestDoctorFindsIDsThatTwoHave(t *testing.T) {
	config := newSite(t)
	lackNot(t, config)
	said := apart(t, config, `
cp -a /etc "$dir/etc" && mount --bind "$dir/etc" /etc
for f in subuid subgid; do printf 'root:1048576:65536\nann:1100000:65536\n' >/etc/$f; done
hide crun runc # they are others' tests
doctor; fix 'isolation: user IDs'; doctor; cat /etc/subuid`)
	said.says(
		"problem isolation: user IDs: ann also has some of the IDs 1048576-1114111",
		"ok      isolation: user IDs: 65536 for each of 1 build, assigned to root only",
		"root:1179648:65536",
	)
	adjusted(t, config, "concurrency = 1", "concurrency = 2")
	apart(t, config, `
cp -a /etc "$dir/etc" && mount --bind "$dir/etc" /etc
for f in subuid subgid; do printf 'root:1048576:65536\n' >/etc/$f; done
hide crun runc
doctor; fix 'isolation: user IDs'; doctor`).says(
		"problem isolation: user IDs: /etc/subuid assigns root IDs for 1 build at once, but local.concurrency is 2",
		"ok      isolation: user IDs: 65536 for each of 2 builds")
}

func TestDoctorFindsBuildsOfTheWebServersUser(t *testing.T) {
	config := foreignSite(t)
	lackNot(t, config)
	builds := filepath.Join(filepath.Dir(config), "builds")
	apart(t, config, `hide crun runc; chown -R nobody: '`+builds+`'; doctor; fix 'isolation: owners'; doctor`).says(
		"problem isolation: owners: "+builds+" belongs to nobody, like the database",
		"ok      isolation: owners: the database belongs to nobody")
	work := filepath.Join(t.TempDir(), "work")
	if err := os.Mkdir(work, 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chmod(work, 0o777)
	adjusted(t, config, `work_dir = "/var/lib/toaster-runner"`, `work_dir = "`+work+`"`)
	apart(t, config, `hide crun runc; doctor; fix 'isolation: owners'; doctor`).says(
		"problem isolation: owners: "+work+": only root may write to the parent folders of local.work_dir",
		"ok      isolation: owners: the database belongs to nobody")
}

// A user without ids is told how to get some, and root's installation is root's to try.
func TestDoctorOfAUserWithoutIDs(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	if err := os.Chown(dir, 1, 1); err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(dir, "site")
	ended(t, "", as(1, "init", "--dir", site)).exits(0)
	ended(
		t,
		"",
		as(1, "doctor", "--config", filepath.Join(site, "toaster.toml")),
	).exits(1).
		says("problem isolation: user IDs: /etc/subuid assigns daemon IDs for 0 builds at once",
			"        usermod --add-subuids ", " daemon\n")
}

func TestDoctorFindsAProxyThatBuildsCantReach(t *testing.T) {
	config := newSite(t)
	lackNot(t, config)
	apart(
		t,
		config,
		`hide crun runc; http_proxy=http://10.1.2.3:3128 doctor`,
	).says("problem isolation: the proxy 10.1.2.3:3128: it is at 10.1.2.3:3128, in a network that builds can't reach.",
		"In "+config+`, below [sandbox]: allow = ["10.1.2.3:3128"]`)
	apart(
		t,
		config,
		`hide crun runc; http_proxy=http://127.0.0.1:3128 doctor`,
	).says("problem isolation: the proxy 127.0.0.1:3128: it listens on the loopback interface")
	adjusted(t, config, "allow = []", `allow = ["10.1.2.3:3128"]`)
	if out := apart(t, config, `hide crun runc; http_proxy=http://10.1.2.3:3128 doctor`).out; strings.Contains(
		out,
		"problem isolation: the proxy",
	) {
		t.Error(out)
	}
}
