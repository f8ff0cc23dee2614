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

// TestCmdDaemonises: of a script, the command counts that is left when the others have ended.
func TestCmdDaemonises(t *testing.T) {
	for command, want := range map[string]bool{
		"/etc/init.d/mongodb start && lein ring server": false, "service x start; exec app": false,
		"service x start; tail -f /var/log/x": false, "nginx -g 'daemon off;'": false, "nginx && sleep inf": false,
		"while true; do service x status; sleep 9; done": false, "app --service x": false, "; ": false,
		"/etc/init.d/x start": true, "service x start;": true, "cd / && nginx": true, "exec cron": true,
		"service apache2 start && bash": true, "app; service x start": true, "app --daemon ": true,
	} {
		if got := !daemonises([]string{"/bin/sh", "-c", command}).IsZero(); got != want {
			t.Errorf("%q: %v", command, got)
		}
	}
	if daemonises([]string{"/etc/init.d/x", "start"}).IsZero() || daemonises([]string{"service", "x", "start"}).IsZero() {
		t.Error("an init script by itself")
	}
}

// TestAnApplianceStartsNothingElse: where the tree does not boot, its services are no reason for an init as CMD.
func TestAnApplianceStartsNothingElse(t *testing.T) {
	for text, want := range map[string]string{
		"FROM centos:7\nCMD [\"/usr/sbin/init\"]\n":               "nothing of the image starts",
		"FROM alpine:3\nCMD [\"sh\"]\n":                           "look into " + applianceRoot,
		"FROM devuan/devuan:daedalus\nCMD [\"/usr/sbin/init\"]\n": "services of the packages",
		"FROM devuan/devuan:daedalus\nCMD [\"sh\"]\n":             "log in to the image",
	} {
		said := ""
		for _, f := range Check(Source{Dockerfile: []byte(text)}) {
			if f.Rule == "CmdIsInit" || f.Rule == "CmdIsShell" {
				said += f.Message.String() + " " + f.Advice.String()
			}
		}
		if !strings.Contains(said, want) {
			t.Errorf("%q: %s", text, said)
		}
	}
}
