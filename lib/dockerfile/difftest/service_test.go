package difftest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const application = `FROM debian:bookworm
ENV GREETING="it's two words" A.B=1
WORKDIR /srv
VOLUME /data
STOPSIGNAL SIGQUIT
HEALTHCHECK --timeout=7s CMD test -e /tmp/alive
CMD ["sh", "-c", "pwd; env | sort; echo \"$0\" \"$@\"", "a b", "it's $HOME"]
`

// TestService: the application becomes a service of the init system that the image has, in the folders that are there.
func TestService(t *testing.T) {
	b := newBuilder(t)
	for name, c := range map[string]struct {
		prepare string
		have    []string
		links   map[string]string
	}{
		"none": {"true", nil, nil},
		"sysv": {"mkdir -p etc/init.d etc/rc0.d etc/rc2.d etc/rc6.d",
			[]string{"etc/init.d/toaster-app", "usr/lib/toaster/supervise", "usr/lib/toaster/run", "usr/lib/toaster/health", "etc/logrotate.d/toaster-app"},
			map[string]string{"etc/rc2.d/S01toaster-app": "../init.d/toaster-app", "etc/rc0.d/K01toaster-app": "../init.d/toaster-app", "etc/rc6.d/K01toaster-app": "../init.d/toaster-app"}},
		"openrc": {"mkdir -p etc/init.d etc/runlevels/default etc/rc2.d && touch sbin/openrc-run",
			[]string{"etc/init.d/toaster-app", "usr/lib/toaster/run", "usr/lib/toaster/health", "etc/logrotate.d/toaster-app"},
			map[string]string{"etc/runlevels/default/toaster-app": "/etc/init.d/toaster-app"}},
		"runit": {"mkdir -p etc/init.d etc/sv etc/service && touch sbin/runit-init && ln -s runit-init sbin/init",
			[]string{"etc/sv/toaster-app/run", "etc/sv/toaster-app/finish", "etc/sv/toaster-app/check", "etc/sv/toaster-app/control/t", "usr/lib/toaster/run", "usr/lib/toaster/health", "etc/logrotate.d/toaster-app"},
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
		if !strings.HasPrefix(name, "etc/toaster/") && !strings.HasPrefix(name, "usr/lib/toaster/") && !strings.Contains(name, "toaster-app") {
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

// TestSupervise: what crashes is run again, what ends well is not, and TERM ends it with the signal that the image wants.
func TestSupervise(t *testing.T) {
	if _, err := exec.LookPath("perl"); err != nil {
		lack(t, "perl is not installed")
	}
	for name, c := range map[string]struct{ run, script, want string }{
		"ends well": {"#!/bin/sh\necho once\n", "./supervise TERM 1", "once\n"},
		"crashes":   {"#!/bin/sh\necho again; [ -e second ] && exit 0; touch second; exit 3\n", "./supervise TERM 1", "again\ntoaster-app: ended with status 3; it starts again in 2 s\nagain\n"},
		"stops":     {"#!/bin/sh\ntrap 'echo told; exit 0' QUIT\necho up\nwhile :; do sleep 0.1; done\n", "./supervise QUIT 5 & sleep 1; kill $!; wait $!", "up\ntold\n"},
		"is killed": {"#!/bin/sh\ntrap '' QUIT\necho up\nwhile :; do sleep 0.1; done\n", "./supervise QUIT 1 & sleep 1; kill $!; wait $!", "up\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			text, err := os.ReadFile("../service/supervise")
			if err != nil {
				t.Fatal(err)
			}
			here := strings.NewReplacer("/usr/lib/toaster/run", dir+"/run", "/var/log/", dir+"/").Replace(string(text))
			os.WriteFile(filepath.Join(dir, "supervise"), []byte(here), 0o755)
			os.WriteFile(filepath.Join(dir, "run"), []byte(c.run), 0o755)
			cmd := exec.Command("sh", "-c", c.script)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); string(out) != c.want {
				t.Errorf("%v, it says %q, want %q", err, out, c.want)
			}
		})
	}
}
