package target

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// These tests run the script: two whole builds with the real mmdebstrap and the host's own archive, and many that go
// wrong.

const busybox = `
blend_preinst() { :; }
blend_postinst() {
	print -r -- "TOASTER-STEP 1/2 3 RUN apt-get install busybox"
	cp -L /etc/resolv.conf "$strapdir/etc/resolv.conf"
	mount -t tmpfs -o mode=755 none "$strapdir/dev" && touch "$strapdir/dev/null" && mount --bind /dev/null "$strapdir/dev/null" || return 1
	chroot "$strapdir" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh -ec '
		apt-get update && apt-get install -y --no-install-recommends busybox libcap2-bin && rm -rf /var/lib/apt/lists/*
		date +%s.%N >/root/clock-in-name && mv /root/clock-in-name /root/built && : >/root/built' || return 1
	print -r -- "TOASTER-STEP 2/2 4 RUN setcap"
	chroot "$strapdir" setcap cap_net_raw+ep /usr/bin/busybox || return 1
	umount "$strapdir/dev/null" "$strapdir/dev"
	: >"$strapdir/etc/resolv.conf"
	mkdir -p "$strapdir/etc/ssh" "$strapdir/etc/default" && print SSHD_OPTS= >"$strapdir/etc/default/ssh"
	head -c 32 /dev/urandom >"$strapdir/etc/ssh/ssh_host_ed25519_key" && print x >"$strapdir/etc/ssh/ssh_host_ed25519_key.pub"
` + stamp + `}
`

const stamp = `	mkdir -p "$strapdir/etc/toaster" && print -r -- "$TOASTER_BLEND_SHA256" >"$strapdir/etc/toaster/stamp"
`

func blend(body string) string {
	return "blend_preinst() { :; }\nblend_postinst() {\n" + body + "}\n"
}

func TestTwoBuildsGiveTheSameBytes(t *testing.T) {
	canBuild(t)
	script := scriptOf(t, busybox)
	cache := t.TempDir()
	runs := []*run{prepare(t, script), prepare(t, script)}
	runs[1].env = []string{"TOASTER_CACHE_DIR=" + cache}
	var wait sync.WaitGroup
	for _, r := range runs {
		r.start(t)
		wait.Go(r.end)
	}
	wait.Wait()
	cached := prepare(t, script)
	cached.env = runs[1].env
	cached.start(t)
	cached.end()
	if !strings.Contains(cached.log.String(), "base: from the cache") {
		t.Error("the base was not taken from the cache")
	}
	for _, r := range append(runs, cached) {
		r.wants(t, 0, "toaster: done: dist/rootfs_amd64_bookworm.tar.gz")
		r.isClean(t)
	}
	const name, archive = "rootfs_amd64_bookworm.tar.gz", "rootfs_amd64_bookworm.oci.tar"
	first := runs[0].file(t, name)
	for _, r := range []*run{runs[1], cached} {
		if again := r.file(t, name); !bytes.Equal(first, again) {
			t.Errorf("two builds of the same differ: %s, %s", sum(first), sum(again))
		}
		if !bytes.Equal(runs[0].file(t, archive), r.file(t, archive)) {
			t.Error("the OCI archives of two builds of the same differ")
		}
	}
	if !strings.Contains(runs[0].log.String(), "\nTOASTER-STEP 2/2 4 RUN setcap\n") {
		t.Error("the blend's steps are not in the log")
	}
	t.Run("image", func(t *testing.T) { checkImage(t, first) })
	t.Run("keys and names", func(t *testing.T) { noHostKeys(t, cache) })
	t.Run("packages", func(t *testing.T) { checkPackages(t, string(runs[0].file(t, "packages.txt"))) })
	t.Run("provenance", func(t *testing.T) { checkProvenance(t, runs[0].file(t, "provenance.json"), script, first) })
	t.Run("container", func(t *testing.T) {
		p := newPodman(t)
		p.buildah(t, "pull", "oci-archive:"+filepath.Join(runs[0].dir, "dist", archive))
		p.buildah(t, "from", "--name", "container", "rootfs_amd64_bookworm")
		if said := p.buildah(t, "run", "--isolation", "chroot", "container", "sh", "-c",
			`echo "$A"; getcap /usr/bin/busybox`); !strings.HasPrefix(said, "it's $(id)\n") ||
			!strings.Contains(said, "cap_net_raw") {
			t.Errorf("in a container, a command says %q", said)
		}
	})
	t.Run("SHA256SUMS", func(t *testing.T) {
		check := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
		check.Dir = filepath.Join(runs[0].dir, "dist")
		if out, err := check.CombinedOutput(); err != nil || bytes.Count(out, []byte(": OK")) != 4 {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func checkImage(t *testing.T, image []byte) {
	files := contents(t, image)
	for name, want := range map[string]string{
		"./etc/hostname":         "debian\n",
		"./etc/resolv.conf":      "",
		"./etc/toaster/stamp":    sum(recipe(busybox).Blend) + "\n",
		"./var/log/dpkg.log":     "",
		"./var/log/apt/term.log": "",
		"./etc/default/ssh":      "SSHD_OPTS=\n[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -A >/dev/null\n",
	} {
		if f, ok := files[name]; !ok || f.body != want {
			t.Errorf("%s is %q, want %q", name, f.body, want)
		}
	}
	for name := range files {
		switch {
		case strings.HasPrefix(name, "./dev/") && name != "./dev/",
			strings.HasPrefix(name, "./proc/") && name != "./proc/",
			strings.HasPrefix(name, "./var/lib/apt/lists/deb"),
			strings.HasSuffix(name, ".deb"), name == "./var/cache/apt/pkgcache.bin",
			strings.Contains(name, "apt.conf.d/99"), strings.Contains(name, "ssh_host_"):
			t.Error("the image should not have " + name)
		}
	}
	if files["./usr/sbin/init"].Size == 0 {
		t.Error("the image has no init")
	}
	if files["./usr/bin/busybox"].PAXRecords["SCHILY.xattr.security.capability"] == "" {
		t.Error("busybox has lost its capability")
	}
	if built := files["./root/built"].ModTime; built.After(time.Now().Add(-time.Minute)) {
		t.Errorf("the time of a file made by the build is in the image: %v", built)
	}
	if !strings.Contains(files["./etc/apt/sources.list"].body, " bookworm main") {
		t.Errorf("sources.list is %q", files["./etc/apt/sources.list"].body)
	}
}

func checkPackages(t *testing.T, list string) {
	for _, name := range []string{"apt", "busybox", "sysvinit-core"} {
		if !strings.Contains("\n"+list, "\n"+name+"\t") {
			t.Error("packages.txt has no " + name)
		}
	}
	for line := range strings.Lines(list) {
		if strings.Count(line, "\t") != 2 {
			t.Errorf("%q is not name, version, architecture", line)
		}
	}
}

func checkProvenance(t *testing.T, text, script, image []byte) {
	var p struct {
		Target, Release, SDK, Builder      string
		Script, Blend, Dockerfile, Context string
		Base                               string    `json:"base_image"`
		Version                            string    `json:"toaster_version"`
		ScriptSHA256                       string    `json:"script_sha256"`
		BlendSHA256                        string    `json:"blend_sha256"`
		ContextSHA256                      *string   `json:"context_sha256"`
		BuildNumber                        int       `json:"build_number"`
		StartedAt                          time.Time `json:"started_at"`
		EndedAt                            time.Time `json:"ended_at"`
		Sources                            []string
		Releases                           []struct{ Codename, Date string }
		Image                              struct{ Path, SHA256 string }
		Archive                            struct{ Path, SHA256, Manifest string } `json:"oci_archive"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if p.Target != "rootfs_amd64_bookworm" || p.Release != "bookworm" || !strings.HasPrefix(p.Builder, "mmdebstrap ") ||
		p.BuildNumber != 7 {
		t.Errorf("provenance.json: %s", text)
	}
	if p.ScriptSHA256 != sum(script) || p.BlendSHA256 != sum(recipe(busybox).Blend) || p.Image.SHA256 != sum(image) {
		t.Errorf("a checksum in provenance.json is wrong: %s", text)
	}
	if p.Archive.Path != "rootfs_amd64_bookworm.oci.tar" || len(p.Archive.SHA256) != 64 || len(p.Archive.Manifest) != 71 {
		t.Errorf("the OCI archive is %+v", p.Archive)
	}
	if p.Base != hostile || p.ContextSHA256 != nil {
		t.Errorf("base_image is %q, context %v", p.Base, p.ContextSHA256)
	}
	if p.StartedAt.IsZero() || p.EndedAt.Before(p.StartedAt) || len(p.Releases) == 0 || p.Releases[0].Date == "" ||
		len(p.Sources) == 0 {
		t.Errorf("provenance.json: %s", text)
	}
}

// Builds that go wrong, each on a base that is made of a few files, as only mmdebstrap takes long.
func TestBrokenBuilds(t *testing.T) {
	canBuild(t)
	quickBase(t)
	for _, c := range []struct {
		name, body string
		code       int
		last       string
	}{
		{"an instruction fails", `
			print -r -- "TOASTER-STEP 1/2 3 RUN true"
			print -r -- "TOASTER-STEP 2/2 12 RUN exit 3; \"quoted\""
			mount -t tmpfs none "$strapdir/mnt"
			(exec sleep 987654) &
			print -r -- "TOASTER-FAILED 2/2 12 exit 3"
			return 1
		`, ExitBlend, `toaster: failed: line 12 of the Dockerfile failed (exit code 3): RUN exit 3; "quoted"`},
		{"an instruction says much of what is known as a trouble", `
			print -r -- "TOASTER-STEP 1/1 4 RUN many"
			repeat 40 print "Connection refused"
			repeat 20000 print -rn -- "one long line without an end, and more of it than anybody wants to keep in memory; "
			print "\nTOASTER-FAILED 1/1 4 exit 9"
			return 1
		`, ExitBlend, `toaster: failed: line 4 of the Dockerfile failed (exit code 9): RUN many`},
		{"before the first instruction", "return 1\n", ExitBlend, "toaster: failed: the blend failed."},
		{"nothing ran", "", ExitStamp, "toaster: failed: the image has no stamp: the instructions of the Dockerfile did " +
			"not all run."},
		{"another blend's stamp", "mkdir $strapdir/etc/toaster; print 0 >$strapdir/etc/toaster/stamp\n", ExitStamp,
			"toaster: failed: the stamp in the image belongs to another blend: the instructions of the Dockerfile did not run."},
		{"a stamp of the host", "print $TOASTER_BLEND_SHA256 >$workdir/stamp; ln -s $workdir $strapdir/etc/toaster\n",
			ExitStamp,
			"toaster: failed: the image has no stamp: the instructions of the Dockerfile did not all run."},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, scriptOf(t, blend(c.body)))
			r.end()
			r.wants(t, c.code, c.last)
			r.isClean(t)
		})
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) { stoppedBuild(t, signal) })
	}
}

// openDir is a folder that a build's own ids can read, as a test's folder is not.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tools")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// quickBase puts a mmdebstrap in the way that makes a tree without packages.
func quickBase(t *testing.T) {
	t.Helper()
	tools := openDir(t)
	write(t, filepath.Join(tools, "mmdebstrap"), `#!/bin/sh
[ "$1" != --version ] || exec echo "mmdebstrap 0"
for root; do case $root in */rootfs) break ;; esac; done
mkdir -p "$root/dev" "$root/etc/apt/apt.conf.d" "$root/var/lib/dpkg/info" "$root/mnt"
echo "deb http://mirror.example/debian bookworm main" >"$root/etc/apt/sources.list"
`, 0o755)
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
}

// A disk of 8 MiB is full while the Dockerfile is worked on, or while the image is packed.
func TestFullDisk(t *testing.T) {
	canBuild(t)
	quickBase(t)
	for name, c := range map[string]struct{ body, last, env string }{
		"customising": {"dd if=/dev/zero of=$strapdir/fill bs=1M\n" + stamp, "toaster: failed: the disk is full: ",
			"TOASTER_FREE_DISK=0"},
		"packing": {"dd if=/dev/urandom of=$strapdir/fill bs=1M count=5 || return 1\n" + stamp,
			"toaster: failed: the image can't be packed", "TOASTER_FREE_DISK=0"},
		"the host's reserve": {"dd if=/dev/zero of=$strapdir/fill bs=1M count=5; sleep 30\n" + stamp,
			"toaster: failed: the disk is full: only 4 MiB would remain free in ", "TOASTER_FREE_DISK=4194304"},
		"the build's share": {"dd if=/dev/zero of=$strapdir/fill bs=1M count=5; sleep 30\n" + stamp,
			"toaster: failed: the disk is full: the build used more than its limit of 4 MiB in ",
			"TOASTER_FREE_DISK=0 TOASTER_DISK=4194304"},
	} {
		t.Run(name, func(t *testing.T) {
			script := bytes.Replace(scriptOf(t, blend(c.body)), []byte("\nNEED_MIB=1024\n"), []byte("\nNEED_MIB=1\n"), 1)
			r := prepare(t, script)
			r.env = strings.Fields(c.env)
			disk := []string{"unshare", "--mount"}
			if os.Getuid() != 0 {
				disk = append(disk, "--map-root-user", "--map-auto")
			}
			r.start(t, append(disk, "sh", "-c", "mkdir disk && mount -t tmpfs -o size=8m none disk && cd disk && sh "+
				"../build.sh; code=$?; ls; exit $code")...)
			r.end()
			// The folder's listing follows the script's last line, and must be empty.
			r.wants(t, ExitFull, c.last)
		})
	}
}

func stoppedBuild(t *testing.T, signal syscall.Signal) {
	r := start(t, scriptOf(t, blend(`
		mount -t tmpfs none "$strapdir/mnt"
		setsid sleep 987654 &
		print -r -- "TOASTER-STEP 1/1 2 RUN sleep infinity"
		sleep 987654
	`)))
	<-r.stepped
	if err := r.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	r.end()
	if signal == syscall.SIGKILL { // the folder stays, for the next build to remove; all that ran in it ends
		r.hasNoProcess(t)
		return
	}
	r.wants(t, ExitStopped, "toaster: failed: the build was stopped.")
	r.isClean(t)
}

func TestMirrorAway(t *testing.T) {
	canBuild(t)
	r := recipe(blend(stamp))
	r.Target.Mirror = "http://127.0.0.1:1/debian"
	script, err := Script(r)
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, script)
	b.end()
	b.wants(t, ExitMirror, "toaster: failed: the package archive can't be reached, or is being updated. See its answer "+
		"above, and try again later.")
	b.isClean(t)
}

func TestHost(t *testing.T) {
	script := scriptOf(t, blend(stamp))
	t.Run("read from standard input", func(t *testing.T) {
		cmd := exec.Command("sh", "-s")
		cmd.Stdin, cmd.Dir = bytes.NewReader(script), t.TempDir()
		out, err := cmd.CombinedOutput()
		if exitCode(err) != ExitUsage || !strings.Contains(string(out), "save it to a file") {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("a time that is none", func(t *testing.T) {
		t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
		r := start(t, script)
		r.end()
		r.wants(t, ExitUsage, "toaster: failed: SOURCE_DATE_EPOCH must be a number")
	})
	t.Run("programs missing", func(t *testing.T) {
		bare := t.TempDir()
		for _, tool := range []string{"sh", "sha256sum", "cut", "date", "id", "cat", "tar", "gzip", "find", "unshare",
			"mkfifo"} {
			where, err := exec.LookPath(tool)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(where, filepath.Join(bare, tool)); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", bare)
		r := start(t, script)
		r.end()
		r.wants(t, ExitHost, "toaster: failed: programs are missing on this host. As root, install them: apt-get install ")
		for _, want := range []string{" mmdebstrap", " zsh", " dpkg"} {
			if !strings.Contains(r.log.String(), want) {
				t.Errorf("%s is not named: %s", want, r.log.String())
			}
		}
	})
	t.Run("asked beforehand", func(t *testing.T) {
		canBuild(t)
		r := prepare(t, script)
		r.start(t, "sh", "build.sh", "check")
		r.end()
		r.wants(t, 0, "toaster: this host has what "+recipe(blend(stamp)).Target.Name+" needs")
		r.isClean(t)
		t.Setenv("PATH", t.TempDir())
		sh := exec.Command("/bin/sh", filepath.Join(r.dir, "build.sh"), "check")
		sh.Dir = r.dir
		if out, err := sh.CombinedOutput(); err == nil {
			t.Errorf("without programs: %s", out)
		}
	})
	t.Run("a dist of somebody else", func(t *testing.T) {
		canBuild(t)
		r := prepare(t, script)
		write(t, filepath.Join(r.dir, "dist", "mine"), "", 0o600)
		r.start(t)
		r.end()
		r.wants(t, ExitUsage, "toaster: failed: ")
		if _, err := os.Stat(filepath.Join(r.dir, "dist", "mine")); err != nil {
			t.Error(err)
		}
	})
}
