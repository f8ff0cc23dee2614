package hostile

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestSecrets: each kind of image has the secrets where they are mounted, and nowhere else; nothing is left of them.
func TestSecrets(t *testing.T) {
	h := onHost(t)
	const value, other = "the-value-of-a-secret-4711", "another-one-that-nobody-mounts"
	const quoted = "the-value-of-'a-secret-4711'" // for the log, which has the Dockerfile's lines
	for _, kind := range []string{"rootfs", "vm", "live", "vm old"} {
		t.Run(kind, func(t *testing.T) {
			b := h.build(t, kind)
			folder := b.dir + ".secrets"
			for name, text := range map[string]string{"file": value + "\n", "variable": value, "unused": other} {
				if err := write(filepath.Join(folder, name), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := sh("/", `chmod 700 "$1" && ssh-keygen -q -t ed25519 -N '' -f "$1/ssh.default"`, folder); err != nil {
				t.Fatal(err)
			}
			b.env = append(b.env, "TOASTER_SECRETS="+folder)
			b.script(t, `FROM devuan/devuan:daedalus
RUN --mount=type=secret,id=file,required test "$(cat /run/secrets/file)" = `+quoted+` && ! echo x > /run/secrets/file && cat /run/secrets/file
RUN --mount=type=secret,id=variable,env=V,required test "$V" = `+quoted+` && echo "<$V>"
RUN --mount=type=ssh,required test -S "$SSH_AUTH_SOCK"
RUN test ! -e /run/secrets -a ! -e /run/buildkit -a -z "$V$SSH_AUTH_SOCK"
RUN ! grep -rlsaF -e 4711 -e nobody-mounts /proc/1/environ /proc/self/mountinfo /run /tmp /var /dev/shm /etc
RUN --mount=type=ssh ls -ln /run/buildkit; test "$(ls /run/buildkit | wc -l)" = 1
RUN ln -s /run/secrets/file /link && mkdir -p /run/secrets && ln -s /etc/shadow /run/secrets/file
RUN --mount=type=secret,id=file test "$(cat /link)" = `+quoted+`; rm -f /link /run/secrets/file
`)
			b.run(t)
			if b.code != 0 {
				t.Fatalf("exit %d: %s", b.code, b.end())
			}
			if !bytes.Contains(b.log.Bytes(), []byte("\n***\n")) || !bytes.Contains(b.log.Bytes(), []byte("\n<***>\n")) {
				t.Errorf("the log does not hide them: %s", b.end())
			}
			for _, secret := range []string{value, other} {
				was := h.secret
				h.secret = secret
				b.keepsSecrets(t)
				h.secret = was
			}
			left, err := os.ReadDir(folder)
			if err != nil || len(left) != 5 {
				t.Errorf("what was given is not there any more: %v, %v", left, err)
			}
			b.checkHost(t)
		})
	}
}
