package target

import (
	"strings"
	"testing"

	"toaster.do/lib/dockerfile"
)

// noHostKeys: a root filesystem has no keys and no name that two machines would share, also where the Dockerfile
// installs an SSH server; and each machine makes its own. The cache has the base.
func noHostKeys(t *testing.T, cache string) {
	made, findings := dockerfile.Translate(dockerfile.Source{Dockerfile: []byte("FROM debian:bookworm\n" +
		"RUN mkdir -p /etc/ssh /etc/default /usr/sbin && : >/usr/sbin/sshd && : >/etc/default/ssh\n" +
		"RUN echo mine >/etc/ssh/ssh_host_rsa_key && echo mine >/etc/machine-id\n")})
	if made == nil {
		t.Fatal(findings)
	}
	r := recipe("")
	r.Blend, r.BlendSHA256 = made.Text, made.SHA256
	script, err := Script(r)
	if err != nil {
		t.Fatal(err)
	}
	b := prepare(t, script)
	b.env = []string{"TOASTER_CACHE_DIR=" + cache}
	b.start(t)
	b.end()
	b.wants(t, 0, "toaster: done")
	files := contents(t, b.file(t, "rootfs_amd64_bookworm.tar.gz"))
	for name, e := range files {
		if strings.Contains(name, "ssh_host_") || strings.HasSuffix(name, "/99toaster-build") ||
			strings.HasSuffix(name, "/machine-id") && e.body != "" {
			t.Errorf("%s is in the image", name)
		}
	}
	if got := files["./etc/default/ssh"].body; got !=
		"[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -A >/dev/null\n" {
		t.Errorf("/etc/default/ssh is %q", got)
	}
}
