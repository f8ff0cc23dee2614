package difftest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/dockerfile"
)

const application = `FROM debian:bookworm
ENV GREETING="it's two words" A.B=1
WORKDIR /srv
VOLUME /data
STOPSIGNAL SIGQUIT
HEALTHCHECK --timeout=7s CMD test -e /tmp/alive
CMD ["sh", "-c", "pwd; env | sort; echo \"$0\" \"$@\"", "a b", "it's $HOME"]
`

// serviceFiles are those of every init system.
var serviceFiles = []string{"usr/lib/toaster/supervise", "usr/lib/toaster/run", "usr/lib/toaster/health",
	"etc/logrotate.d/toaster-app", "etc/default/toaster-app", "etc/toaster/service"}

// TestService: the application becomes a service of the init system that the image has, in the folders that are there.
func TestService(t *testing.T) {
	b := newRoot(t)
	for name, c := range map[string]struct {
		prepare string
		have    []string
		links   map[string]string
	}{
		"none": {"true", nil, nil},
		"sysv": {"mkdir -p etc/init.d etc/rc0.d etc/rc2.d etc/rc6.d",
			append([]string{"etc/init.d/toaster-app"}, serviceFiles...),
			map[string]string{"etc/rc2.d/S01toaster-app": "../init.d/toaster-app",
				"etc/rc0.d/K01toaster-app": "../init.d/toaster-app", "etc/rc6.d/K01toaster-app": "../init.d/toaster-app"}},
		"openrc": {"mkdir -p etc/init.d etc/runlevels/default etc/rc2.d && touch sbin/openrc-run",
			append([]string{"etc/init.d/toaster-app"}, serviceFiles...),
			map[string]string{"etc/runlevels/default/toaster-app": "/etc/init.d/toaster-app"}},
		"runit": {"mkdir -p etc/init.d etc/sv etc/service && touch sbin/runit-init && ln -s runit-init sbin/init",
			append([]string{"etc/init.d/toaster-app", "etc/sv/toaster-app/run", "etc/sv/toaster-app/finish",
				"etc/sv/toaster-app/check"}, serviceFiles...),
			map[string]string{"etc/service/toaster-app": "/etc/sv/toaster-app"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, dir := translateText(t, b, application)
			root := filepath.Join(dir, "root")
			run(t, "sh", "-c", "cd "+root+" && "+c.prepare)
			before := everyFile(t, root)
			if out, err := zsh(dir, `strapdir=$PWD/root; source ./app.blend && blend_postinst`); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, f := range append(c.have, "etc/toaster/stamp", "etc/toaster/image.json") {
				if info, err := os.Stat(filepath.Join(root, f)); err != nil || info.Size() == 0 {
					t.Errorf("%s: %v", f, err)
				}
			}
			for l, to := range c.links {
				if got, _ := os.Readlink(filepath.Join(root, l)); got != to {
					t.Errorf("%s leads to %q, want %q", l, got, to)
				}
			}
			checkAdded(t, before, everyFile(t, root), len(c.have)+len(c.links)+2)
			if name != "none" {
				checkRunner(t, root)
			}
		})
	}
}

func everyFile(t *testing.T, root string) map[string]bool {
	all := map[string]bool{}
	filepath.Walk(root, func(p string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			all[strings.TrimPrefix(p, root+"/")] = true
		}
		return err
	})
	return all
}

// checkAdded: the blend adds nothing of its own but what the design lists.
func checkAdded(t *testing.T, before, after map[string]bool, want int) {
	n := 0
	for name := range after {
		if before[name] {
			continue
		}
		n++
		if !strings.HasPrefix(name, "etc/toaster/") && !strings.HasPrefix(name, "usr/lib/toaster/") &&
			!strings.Contains(name, "toaster-app") {
			t.Errorf("%s is added", name)
		}
	}
	if n != want {
		t.Errorf("%d files are added, want %d", n, want)
	}
}

// checkRunner runs the application as the init system would.
func checkRunner(t *testing.T, root string) {
	out, err := exec.Command("chroot", root, "/usr/lib/toaster/run").CombinedOutput()
	text := string(out)
	for _, want := range []string{"/srv\n", "GREETING=it's two words\n", "HOME=/root\n", "a b it's $HOME\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing (%v) in\n%s", want, err, text)
		}
	}
	if strings.Contains(text, "USER=") || strings.Contains(text, "GOPATH=") {
		t.Errorf("variables of the host are there\n%s", text)
	}
	if err := exec.Command("chroot", root, "/usr/lib/toaster/health").Run(); err == nil {
		t.Error("it is healthy before it should be")
	}
	os.WriteFile(filepath.Join(root, "tmp/alive"), nil, 0o644)
	if err := exec.Command("chroot", root, "/usr/lib/toaster/health").Run(); err != nil {
		t.Error("it is not healthy:", err)
	}
}

// TestVolatile: what the instructions put into folders that are empty after boot is copied, for the service and for
// tmpfiles.d, and nothing that the base had there.
func TestVolatile(t *testing.T) {
	b := newRoot(t)
	_, dir := translateText(t, b, "FROM debian:bookworm\nRUN --network=none mkdir -m 711 /run/app && chown 33:33 "+
		"/run/app && "+
		"echo x >/run/app/f && chmod 600 /run/app/f && ln -s f /run/app/l && mkdir '/run/a b' && echo t >/tmp/t\n"+
		"COPY <<E /run/lock/copied\nc\nE\nCMD [\"x\"]\n")
	root := filepath.Join(dir, "root")
	run(t, "sh", "-c", "cd "+root+" && mkdir -p etc/init.d usr/bin run/lock run/base && : >usr/bin/systemd-tmpfiles && "+
		"echo b >run/base/f && chmod 1777 run/lock")
	if out, err := zsh(dir, `strapdir=$PWD/root; source ./app.blend && blend_postinst`); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command("sh", "-c",
		"cd "+root+`/usr/lib/toaster/volatile && find . -mindepth 2 -printf '%P %y %m %U:%G %l\n' | LC_ALL=C sort`).Output()
	const want = "run/a b d 755 0:0 \nrun/app d 711 33:33 \nrun/app/f f 600 0:0 \nrun/app/l l 777 0:0 f\nrun/lock d " +
		"1777 0:0 \n" +
		"run/lock/copied f 644 0:0 \ntmp/t f 644 0:0 \n"
	if got := strings.ReplaceAll(strings.ReplaceAll(string(out), "run d 755 0:0 \n", ""), "tmp d 755 0:0 \n",
		""); err != nil || got != want {
		t.Errorf("%v, kept is\n%s, want\n%s", err, got, want)
	}
	conf, _ := os.ReadFile(filepath.Join(root, "etc/tmpfiles.d/toaster-app.conf"))
	for _, line := range []string{"d /run/app 0711 33 33 -\n",
		"C /run/app/f 0600 0 0 - /usr/lib/toaster/volatile/run/app/f\n", "L /run/app/l - - - - f\n"} {
		if !strings.Contains(string(conf), line) {
			t.Errorf("%q is not in tmpfiles.d:\n%s", line, conf)
		}
	}
	if strings.Contains(string(conf), "base") || strings.Contains(string(conf), "a b") {
		t.Errorf("tmpfiles.d has\n%s", conf)
	}
}

// service is a RUN that leaves what a package with a daemon leaves.
func service(name, daemon string) string {
	return "RUN --network=none printf '#!/bin/sh\\nDAEMON=" + daemon + "\\n' >/etc/init.d/" + name +
		" && for l in 2 3 4 5; do ln -s ../init.d/" + name +
		" /etc/rc$l.d/S03" + name + "; done; ! [ -d /etc/runlevels ] || ln -s /etc/init.d/" + name +
		" /etc/runlevels/default; " +
		"! [ -d /etc/service ] || ln -s /etc/sv/" + name + " /etc/service\n"
}

// TestPackageServices: Docker starts the command and nothing else; what the base starts, what makes a machine, and what
// the Dockerfile names are started all the same, unless the command is just that.
func TestPackageServices(t *testing.T) {
	b := newRoot(t)
	base := "mkdir -p etc/init.d etc/rc0.d etc/rc2.d etc/rc3.d etc/rc4.d etc/rc5.d && cd etc && for s in ssh:sshd " +
		"cron:cron; do " +
		"printf '#!/bin/sh\\nDAEMON=/usr/sbin/%s\\n' ${s#*:} >init.d/${s%:*}; for l in 2 3 4 5; do ln -s ../init.d/${s%:*} " +
		"rc$l.d/S02${s%:*}; done; done"
	nginx, manager := service("nginx", "/usr/sbin/nginx"), service("network-manager", "/usr/sbin/NetworkManager")
	for name, c := range map[string]struct{ prepare, text, starts string }{
		"the command's own":        {"", nginx + "CMD [\"nginx\", \"-g\", \"daemon off;\"]", "cron ssh toaster-app"},
		"another package's":        {"", nginx + "CMD [\"python3\", \"app.py\"]", "cron ssh toaster-app"},
		"the machine's":            {"", nginx + manager + "CMD [\"nginx\"]", "cron network-manager ssh toaster-app"},
		"the machine's as command": {"", manager + "CMD [\"NetworkManager\", \"-n\"]", "cron ssh toaster-app"},
		"the base's as command":    {"", "CMD [\"/usr/sbin/sshd\", \"-D\"]", "cron toaster-app"},
		"in a shell's words":       {"", "CMD cron && exec python3 app.py", "ssh toaster-app"},
		"in a script": {"", "COPY --chmod=755 <<E /usr/local/bin/start\n#!/bin/sh\n# sshd is not for us\nservice cron " +
			"start\nexec \"$@\"\nE\n" +
			"ENTRYPOINT [\"start\"]\nCMD [\"x\"]", "ssh toaster-app"},
		"in a supervisor's settings": {"", "COPY <<E /etc/all.conf\n[program:ssh]\ncommand=/usr/sbin/sshd -D\nE\nCMD " +
			"[\"supervisord\", \"-c\", \"/etc/all.conf\"]", "cron toaster-app"},
		"a mention is no start": {"", "CMD [\"sh\", \"-c\", \"ssh host; cat /etc/cron.d/x; echo cron\"]",
			"cron ssh toaster-app"},
		"kept by label": {"", nginx + "LABEL toaster.services=\"nginx, php\"\nCMD [\"x\"]",
			"cron nginx ssh toaster-app"},
		"all kept": {"", nginx + "LABEL toaster.services=all\nCMD [\"nginx\"]",
			"cron nginx ssh toaster-app"},
		"enabled by a RUN": {"", nginx + "RUN : update-rc.d nginx defaults\nCMD [\"x\"]",
			"cron nginx ssh toaster-app"},
		"no command":         {"", nginx, "cron nginx ssh"},
		"an init as command": {"", nginx + "CMD [\"/sbin/init\"]", "cron nginx ssh"},
		"openrc": {"mkdir -p etc/runlevels/default; : >sbin/openrc-run", nginx + "CMD [\"x\"]",
			"cron ssh | toaster-app"},
		"runit": {"mkdir -p etc/sv etc/runit/runsvdir/default; ln -s runit/runsvdir/default etc/service; : " +
			">sbin/runit-init; ln -s runit-init sbin/init",
			nginx + "CMD [\"x\"]", "cron ssh | toaster-app"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dir := translateText(t, b, "FROM debian:bookworm\n"+c.text+"\n")
			root := filepath.Join(dir, "root")
			run(t, "sh", "-c", "cd "+root+" && "+base+"; cd "+root+"; "+c.prepare)
			said, err := zsh(dir, `strapdir=$PWD/root; source ./app.blend && blend_postinst`)
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			out, _ := exec.Command("sh", "-c", "cd "+root+"/etc; echo $(ls rc2.d | sed -n 's/^S..//p' | sort) $(ls "+
				"runlevels/default service/ 2>/dev/null | grep -v ':$' | sed '1s/^/| /')").Output()
			if got := strings.TrimSpace(string(out)); got != c.starts {
				t.Errorf("boot starts %q, want %q\n%s", got, c.starts, said)
			}
			off, _ := os.ReadFile(filepath.Join(root, "etc/toaster/not-started"))
			if gone := !strings.Contains(c.starts, "nginx") &&
				strings.Contains(c.text, "nginx"); gone != strings.Contains(string(off), "nginx\n") ||
				gone != strings.Contains(said, "nothing but the command: nginx\n") {
				t.Errorf("not started: %q; the log says\n%s", off, said)
			}
		})
	}
}

// TestDefaultEnvironment: the variables of docker run -e are in a file that no shell reads, which overrides ENV, and
// which a second blend leaves as it is, but for what the job sets.
func TestDefaultEnvironment(t *testing.T) {
	b := newRoot(t)
	text := []byte("FROM debian:bookworm\nENV A=image KEPT=image\nCMD [\"env\"]\n")
	blendWith := func(environment ...string) []byte {
		blend, findings := dockerfile.Translate(dockerfile.Source{Dockerfile: text, Environment: environment})
		if blend == nil {
			t.Fatal(findings)
		}
		return blend.Text
	}
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	run(t, "cp", "-a", b.root, root)
	run(t, "mkdir", "-p", filepath.Join(root, "etc/init.d"))
	apply := func(text []byte) {
		os.WriteFile(filepath.Join(dir, "app.blend"), text, 0o644)
		if out, err := zsh(dir, `strapdir=$PWD/root; source ./app.blend && blend_postinst`); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	apply(blendWith("A=it's \"$HOME\" `id` \\n # x ", "EMPTY=", "NAME.1=ü"))
	file := filepath.Join(root, "etc/default/toaster-app")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	wants := func(want ...string) {
		t.Helper()
		out, err := exec.Command("chroot", root, "/usr/lib/toaster/run").CombinedOutput()
		for _, w := range want {
			if !strings.Contains("\n"+string(out), "\n"+w+"\n") {
				t.Errorf("%q is missing (%v) in\n%s", w, err, out)
			}
		}
	}
	wants("A=it's \"$HOME\" `id` \\n # x ", "EMPTY=", "NAME.1=ü", "KEPT=image")
	f, _ := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	f.WriteString("# mine\n\n  MINE=1\r\nA=$(touch /pwned)\nno value\n=x\nLAST=no newline")
	f.Close()
	wants("MINE=1", "A=$(touch /pwned)", "LAST=no newline",
		"toaster-app: /etc/default/toaster-app: line 13 is not NAME=VALUE",
		"toaster-app: /etc/default/toaster-app: line 14 is not NAME=VALUE")
	apply(blendWith())
	wants("MINE=1", "A=$(touch /pwned)")
	apply(blendWith("MINE=2"))
	wants("MINE=2", "A=$(touch /pwned)", "LAST=no newline")
	if text, _ := os.ReadFile(file); strings.Contains(string(text), "MINE=1") ||
		!strings.Contains(string(text), "# mine\n\n") {
		t.Errorf("the file is\n%s", text)
	}
	if _, err := os.Stat(filepath.Join(root, "pwned")); err == nil {
		t.Error("a shell has read the file")
	}
}
