package dockerfile

import (
	"strings"
	"testing"
)

// TestCmdIsInit: an image boots its own init, so a CMD that is one becomes no service, and a note says so.
func TestCmdIsInit(t *testing.T) {
	for command, init := range map[string]bool{
		`CMD ["/sbin/init"]`: true, `CMD /sbin/init`: true, `CMD exec /usr/sbin/init 3`: true, `CMD ["init"]`: true,
		`ENTRYPOINT ["/lib/systemd/systemd"]`: true, `CMD ["/bin/systemd", "--system"]`: true,
		`CMD ["bash", "-c", "exec /sbin/init --log-level=info"]`: true,
		"ENTRYPOINT [\"/sbin/runit-init\"]\nCMD [\"x\"]":         true, `CMD ["openrc-init"]`: true,
		`CMD ["busybox", "init"]`:           true,
		`CMD ["/usr/bin/dumb-init", "app"]`: false, `CMD ["/app/init"]`: false, `CMD ["/init"]`: false,
		`CMD service x start; /sbin/init-app`: false,
		`CMD app && exec /sbin/init`:          false, `CMD ["app", "/sbin/init"]`: false, `CMD /sbin/init & app`: false,
		`CMD ["sh", "-c", "/sbin/init\nx"]`: false, `CMD ["sh", "-c", ""]`: false,
	} {
		blend, findings := Translate(Source{Dockerfile: []byte("FROM devuan/devuan:daedalus\n" + command + "\n")})
		noted := false
		for _, f := range findings {
			noted = noted || f.Rule == "CmdIsInit" && f.Level == Note && f.Line == 2
		}
		if service := strings.Contains(string(blend.Text), "\nservice_text run "); noted != init || service == init {
			t.Errorf("%s: noted %v, a service %v", command, noted, service)
		}
	}
}
