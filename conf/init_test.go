package conf_test

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// throwaway runs a shell script as root of a copy of this system that is forgotten, with all its processes, when the
// script ends. toaster is installed in it, and has a site.
const throwaway = `set -eu
dir=$(mktemp -d)
mount -t tmpfs copy "$dir"
mkdir "$dir/upper" "$dir/work" "$dir/root"
mount -t overlay copy -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
cd "$dir/root"
mkdir -p usr/share/toaster usr/lib/cgi-bin/toaster
cp -a "$1/usr/bin/toasterctl" usr/bin/
cp -a "$1/usr/lib/cgi-bin/toaster/." usr/lib/cgi-bin/toaster/
cp -a "$1/usr/share/toaster/." usr/share/toaster/
rm -rf etc/toaster var/lib/toaster var/log/toaster etc/cron.d/*
printf '%s\n' "$2" >usr/toaster-test
mount -t proc proc proc
mount --rbind /dev dev
for own in run tmp; do mount -t tmpfs own "$own"; done
exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -eux /usr/toaster-test
`

// Every script begins with this. "await COMMAND" waits for it.
const preamble = `
await() { n=0; while ! "$@" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 1200 ] || { echo "in vain: $*"; cat /var/log/toaster/* || true; exit 1; }; sleep 0.1; done; }
runs() { pgrep -x toasterctl; }
gone() { ! pgrep -x toasterctl; }
share=/usr/share/toaster/conf
toasterctl init >/dev/null
cp $share/init/default /etc/default/toaster-runner
echo 'TOASTER_CACHE_DIR=/var/cache/seen' >/etc/default/toaster-runner
seen() { tr '\0' '\n' </proc/$(pgrep -xo toasterctl)/environ | grep -x TOASTER_CACHE_DIR=/var/cache/seen; }
starts() { [ "$(cat /var/log/toaster/runner.log /var/log/toaster/runner/current 2>/dev/null | grep -c 'runner starts')" = "$1" ]; }
`

func inACopy(t *testing.T, script string) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this has to be run by root")
		}
		t.Skip("only root can run a copy of this system")
	}
	root, err := root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", throwaway, "sh", root,
		preamble+script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// The runner under each init system, none of which is process 1 here: started, asked, restarted, stopped; where
// something watches over it, it comes back when it is killed.
func TestTheRunnerUnderEachInitSystem(t *testing.T) {
	for name, init := range map[string]struct{ tool, script string }{
		"sysvinit": {"/sbin/start-stop-daemon", `
script=/etc/init.d/toaster-runner
cp $share/init/sysvinit/toaster-runner $script
if $script status; then exit 1; else [ $? = 3 ]; fi
$script start
await starts 1
await seen
$script status
$script start
[ "$(pgrep -xc toasterctl)" = 1 ]
$script restart
await starts 2
$script stop
await gone
$script stop
$script try-restart
await gone
if $script nonsense; then exit 1; else [ $? = 2 ]; fi
`},
		"OpenRC": {"/sbin/openrc-run", `
# What OpenRC makes when it boots.
for state in daemons exclusive failed hotplugged inactive options scheduled started starting stopping wasinactive; do
	mkdir -p /run/openrc/$state
done
touch /run/openrc/softlevel
cp $share/init/openrc/toaster-runner /etc/init.d/
script="rc-service toaster-runner"
if $script status; then exit 1; fi
$script start
await starts 1
await seen
$script status
$script restart
await starts 2
$script status
$script stop
await gone
sed -i 's/respawn_delay=10/respawn_delay=1/' /etc/init.d/toaster-runner
$script start
await starts 3
pkill -9 -x toasterctl
await starts 4
$script stop
await gone
`},
		"runit": {"/usr/bin/runsvdir", `
cp -R $share/init/runit/toaster-runner /etc/sv/
rm -rf /etc/service
mkdir /etc/service
ln -s /etc/sv/toaster-runner /etc/service/
runsvdir /etc/service &
await starts 1
await seen
sv status toaster-runner
sv -w 30 restart toaster-runner
await starts 2
pkill -9 -x toasterctl
await starts 3
sv -w 30 down toaster-runner
await gone
`},
		"systemd": {"/usr/bin/systemd-analyze", `
cp $share/init/systemd/toaster-runner.service /etc/systemd/system/
systemd-analyze --man=no verify /etc/systemd/system/toaster-runner.service 2>&1 | tee /tmp/said
! grep toaster-runner /tmp/said
`},
	} {
		t.Run(name, func(t *testing.T) {
			if text, err := os.ReadFile("/etc/os-release"); name == "systemd" && err == nil &&
				bytes.Contains(text, []byte("\nID=devuan")) {
				t.Skip("Devuan does not use systemd")
			}
			look(t, init.tool)
			inACopy(t, init.script)
		})
	}
}

// cron reads the entry, and does what it says within the minute; logrotate reads its file.
func TestCronAndLogrotate(t *testing.T) {
	look(t, "/usr/sbin/cron")
	look(t, "/usr/sbin/logrotate")
	inACopy(t, `
cp $share/cron/toaster /etc/cron.d/
chown root:root /etc/cron.d/toaster
synced() { toasterctl doctor 2>&1 | grep '^ok .*cron'; }
! synced
cron
await synced
mkdir -p /var/log/toaster
echo a line >/var/log/toaster/runner.log
cp $share/logrotate/toaster /etc/logrotate.d/
logrotate --force /etc/logrotate.d/toaster
[ "$(cat /var/log/toaster/runner.log.1)" = 'a line' ]
[ ! -s /var/log/toaster/runner.log ]
`)
}
