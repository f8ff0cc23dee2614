package difftest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/dockerfile"
)

const appliance = `FROM @REGISTRY@/alpine
RUN mkdir /data && echo kept >/data/old && chown -R app /data
VOLUME /data
WORKDIR /srv/app
USER app
ENV GREETING="two words"
HEALTHCHECK --interval=1s CMD test -e /tmp/alive
CMD ["sh", "-c", "id -u; id -G; pwd; cat /etc/alpine-release; echo me $$ $GREETING $MORE; cat /data/old; echo new >/data/new; ls /proc/1/cwd/ /dev/null; echo up >/dev/stdout; trap 'echo told; exit 0' TERM; while :; do sleep 0.1; done"]
`

// TestAppliance: an image that stands on something else than Debian or Devuan runs beside the system that boots.
func TestAppliance(t *testing.T) {
	b := newBuilder(t)
	b.startRegistry(t, "alpine")
	source := dockerfile.Source{Dockerfile: []byte(strings.ReplaceAll(appliance, "@REGISTRY@", b.registry)),
		Codename:    "daedalus",
		Environment: []string{"MORE=of it"}}
	source.Lock = b.lock(t, dockerfile.Images(source))
	blend, findings := dockerfile.Translate(source)
	if blend == nil {
		t.Fatal(findings)
	}
	run(t, "sh", "-ec", "cd "+b.root+"; mkdir -p etc/init.d etc/rc2.d usr/sbin; ln -s /bin/true usr/bin/perl")
	root, said, err := b.run(blend, t.TempDir(), "")
	if err != nil {
		t.Fatal(said)
	}
	for _, name := range []string{"etc/init.d/toaster-app", "etc/rc2.d/S01toaster-app", "usr/sbin/toaster-app",
		"usr/lib/toaster/shell"} {
		if !exists(filepath.Join(root, name)) {
			t.Errorf("%s is missing\n%s", name, said)
		}
	}
	if exists(filepath.Join(root, "etc/alpine-release")) {
		t.Error("the tree of the Dockerfile is the system's")
	}
	apart := filepath.Join(root, "var/lib/toaster-app")
	if info, err := os.Stat(apart); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s is open to the system's users: %v %v", apart, info.Mode(), err)
	}

	s := supervise(t, "", "", "")
	paths := strings.NewReplacer("/var/lib/toaster-app", apart, "/etc/default/toaster-app",
		filepath.Join(root, "etc/default/toaster-app"))
	for _, name := range []string{"run", "health", "shell"} {
		text, err := os.ReadFile(filepath.Join(root, "usr/lib/toaster", name))
		if err != nil {
			t.Fatal(err)
		}
		s.write(name, paths.Replace(string(text)))
	}
	settings, err := os.ReadFile(filepath.Join(root, "etc/toaster/service"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("settings", string(settings))
	s.start()
	s.logs("up\n")
	if want := "1000\n1001 4 2000\n/srv/app\n3.20.0\nme 1 two words of it\nkept\n"; !strings.Contains(s.log(), want) {
		t.Errorf("%q is missing in\n%s", want, s.log())
	}
	if text, err := os.ReadFile(filepath.Join(apart, "volumes/data/new")); err != nil || string(text) != "new\n" {
		t.Errorf("the volume is not apart: %q, %v", text, err)
	}
	s.status(150, "is running")
	if err := os.WriteFile(filepath.Join(apart, "rootfs/tmp/alive"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s.until("it is healthy", func() bool {
		said,
			code := s.do("status")
		return code == 0 && strings.HasSuffix(said, "healthy")
	})
	for _, when := range []string{"running", "stopped"} {
		cmd := exec.Command("perl", s.program, "shell")
		cmd.Stdin = strings.NewReader("cat /etc/alpine-release; pwd; cat /data/old; ls /proc/self/exe")
		out, err := cmd.CombinedOutput()
		if want := "3.20.0\n/srv/app\nkept\n/proc/self/exe\n"; string(out) != want {
			t.Errorf("a shell while it is %s: %q, want %q: %v", when, out, want, err)
		}
		if when == "running" {
			s.do("stop")
			s.logs("told\n")
		}
	}
	if text, _ := os.ReadFile("/proc/mounts"); strings.Contains(string(text), apart) {
		t.Error("mounts of it are left on the host")
	}
}
