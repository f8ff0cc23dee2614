package target

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// machine is a qemu of the tests' own: it looks around, writes to the console, answers at the forwarded port, and takes
// the monitor's commands.
const machine = `#!/bin/sh
{
	echo "user $(id -u) $(id -G)"
	grep -E '^(CapPrm|CapEff|NoNewPrivs)' /proc/self/status
	for one in /etc /home /root /srv /var /sys /dev/loop-control /dev/mem; do [ ! -e $one ] || echo "it sees $one"; done
	for one in /image /machine /new /usr/bin/new /dev/new; do (: >>$one) 2>/dev/null && echo "it writes $one"; done
	mknod loop b 7 0 2>/dev/null && echo "it makes devices"
	[ -r /image ] && head -c 3 /image && echo
	[ $(ls -d /proc/[0-9]* | wc -l) -lt 9 ] || echo "it sees processes"
	echo "args $*"
} >look
cat look >console
printf 'kernel: \033]0;hello\a\r\n' >>console
case " $* " in *tcp:127.0.0.1:7777-:8080*)
perl -e 'use IO::Socket::INET; my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1:7777", Listen => 5, ReuseAddr => 1) or die;
	while (my $c = $l->accept) { my $line = <$c>; print $c "HTTP/1.1 200 \"OK\"\\\r\n\r\n"; close $c }' & ;;
esac
server=$!
printf 'devuan login: ' >>console
while read -r command file _; do
	case $command in
	screendump) echo picture >"$file" ;;
	quit) kill $server; exit ;;
	esac
done
`

// powerless is what a machine says of itself that runs as an id of the build's, and can never become more.
var powerless = regexp.MustCompile(
	`^user 234565534 234565534( [0-9]+)?\nCapPrm:\t0{16}\nCapEff:\t0{16}\nNoNewPrivs:\t1$`)

func TestBootCheck(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	for name, c := range map[string]struct {
		qemu, dockerfile, says, answer string
		prompt                         bool
	}{
		"a service": {machine, page, "toaster: boot test: port 8080: \"HTTP/1.1 200 OK\"\n", "HTTP/1.1 200 OK", true},
		"no port": {machine, "FROM devuan/devuan:daedalus\nEXPOSE 53/udp\n", "toaster: boot test: a prompt after ",
			"", true},
		"it does not run": {"#!/bin/sh\necho no machine; exit 1\n", page, "toaster: boot test: no prompt after ", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			tools := t.TempDir()
			write(t, filepath.Join(tools, "qemu-system-x86_64"), c.qemu, 0o755)
			t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
			r := sdkRecipe(t, "vm", c.dockerfile)
			r.Target.BootCheck = true
			b := image(t, miniSDK(t, "vm", "new"), r)
			b.env = append(b.env, "TOASTER_IDS=234500000")
			b.start(t)
			b.end()
			b.wants(t, 0, "toaster: done: dist/vm_amd64_daedalus.qcow2")
			b.isClean(t)
			if !strings.Contains(b.log.String(), c.says) {
				t.Errorf("%q is not in the log:\n%s", c.says, b.log.String())
			}
			var p struct {
				Boot struct {
					Seconds *int    `json:"seconds_to_prompt"`
					Answer  *string `json:"answer"`
				} `json:"boot_check"`
			}
			text := b.file(t, "provenance.json")
			if err := json.Unmarshal(text, &p); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			if (p.Boot.Seconds != nil) != c.prompt || (p.Boot.Answer != nil) != (c.answer != "") || c.answer != "" &&
				*p.Boot.Answer != c.answer {
				t.Errorf("provenance.json: %s", text)
			}
			if !c.prompt {
				return
			}
			log := string(b.file(t, "boot.log"))
			user, said, _ := strings.Cut(log, "\nQFI\n")
			if !powerless.MatchString(user) || strings.Contains(log, "it ") ||
				!strings.Contains(said,
					" -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny ") ||
				!strings.HasSuffix(said, "\nkernel: ]0;hello\ndevuan login: ") ||
				string(b.file(t, "boot.png")) != "picture\n" {
				t.Errorf("boot.log is %q", log)
			}
		})
	}
}

// The check is not made where it was not asked for, or has no qemu: the image is kept all the same.
func TestNoBootCheck(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	r := sdkRecipe(t, "live", page)
	r.Target.BootCheck = true
	b := image(t, miniSDK(t, "live", "new"), r)
	b.env = append(b.env, "TOASTER_BOOT_CHECK=0")
	b.start(t)
	b.end()
	b.wants(t, 0, "toaster: done: dist/live_amd64_daedalus.iso")
	if strings.Contains(b.log.String(), "boot test") {
		t.Error(b.log.String())
	}
}
