package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

// The package's whole life on a clean system with both web servers: installed, used, upgraded, removed, purged.
func TestDebianPackage(t *testing.T) {
	asRoot(t)
	for _, tool := range []string{"mmdebstrap", "lintian", "dpkg-deb", "objdump", "apt-get"} {
		look(t, tool)
	}
	dir := t.TempDir()
	clean := make(chan *chroot)
	go func() {
		clean <- newChroot(t, filepath.Join(dir, "chroot"), "apache2", "cron", "crun", "iproute2", "lighttpd",
			"mmdebstrap", "procps", "slirp4netns", "sysvinit-core", "uidmap", "zsh")
	}()
	deb := makePackage(t, dir)
	c := <-clean
	if t.Failed() {
		t.FailNow()
	}
	for _, step := range []struct {
		what string
		do   func(*chroot, string)
	}{
		{"lintian", func(c *chroot, deb string) { sh(c, nil, "lintian", "--allow-root", "--fail-on", "error", deb) }},
		{"install", (*chroot).install}, {"lighttpd", (*chroot).lighttpd}, {"apache", (*chroot).apache},
		{"runner", (*chroot).runner},
		{"upgrade", (*chroot).upgrade}, {"remove", (*chroot).remove}, {"again", (*chroot).again}, {"purge", (*chroot).purge},
	} {
		ok := t.Run(step.what, func(t *testing.T) {
			c.T = t
			step.do(c, deb)
		})
		if !ok {
			break
		}
	}
}

// Packages of two commits: the newer one is an upgrade, and so is a release.
func TestPackagesOfCommitsAreInOrder(t *testing.T) {
	look(t, "dpkg")
	dir := t.TempDir()
	script, err := filepath.Abs("../../conf/debian/version")
	if err != nil {
		t.Fatal(err)
	}
	sh(t, nil, "git", "-C", dir, "init", "-q")
	var names []string
	for _, date := range []string{"2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"} {
		sh(t, nil, "env", "GIT_COMMITTER_DATE="+date, "git", "-C", dir, "-c", "user.name=Ann", "-c",
			"user.email=ann@example.org", "commit", "-q", "--allow-empty", "-m", date)
		cmd := exec.Command("sh", "-c", `"$0" "$(git describe --always)"`, script)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimSpace(string(out)))
	}
	names = append(names, strings.TrimSpace(sh(t, nil, script, "1.0-2-gabc")))
	for i := 1; i < len(names); i++ {
		sh(t, nil, "dpkg", "--compare-versions", names[i-1], "lt", names[i])
	}
	sh(t, nil, "dpkg", "--validate-version", names[0])
}

func makePackage(t *testing.T, dir string) string {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// As "make deb" has it by itself: below the sources' folder.
	build, err := filepath.Rel(top, dir+"/build")
	if err != nil {
		t.Fatal(err)
	}
	sh(t, nil, "make", "-C", top, "deb", "BUILD="+build, "VERSION=1.0", "DEB_LZMA2=preset=0",
		"MAINTAINER=Ann <ann@toaster.do>")
	files, _ := filepath.Glob(dir + "/build/toaster_1.0_*.deb")
	if len(files) != 1 {
		t.Fatalf("make deb left %v", files)
	}
	return files[0]
}

// chroot is a system of Debian's release that this host has, from the archive that it uses.
type chroot struct {
	*testing.T
	dir string
}

func newChroot(t *testing.T, dir string, packages ...string) *chroot {
	script := `. /etc/os-release
apt-get indextargets --format 'deb $(SITE) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' | sort -u |
	mmdebstrap --quiet --mode=root --variant=apt --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' \
		--include="$2" "$VERSION_CODENAME" "$1" -`
	out, err := exec.Command("sh", "-c", script, "sh", dir, strings.Join(packages, ",")).CombinedOutput()
	if err != nil {
		t.Errorf("mmdebstrap: %v\n%s", err, out)
		return nil
	}
	if err := os.WriteFile(dir+"/usr/sbin/policy-rc.d", []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
		t.Error(err)
	}
	return &chroot{t, dir}
}

// command is one that runs in the chroot, with /proc, in a name space that takes its mounts along when it ends.
func (c *chroot) command(args ...string) *exec.Cmd {
	const enter = `mount -t proc proc "$0/proc" && exec chroot "$0" "$@"`
	cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-c", enter, c.dir}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	return cmd
}

func (c *chroot) run(args ...string) string {
	c.Helper()
	return c.feed("", args...)
}

func (c *chroot) feed(in string, args ...string) string {
	c.Helper()
	cmd := c.command(args...)
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (c *chroot) dpkg(deb string, args ...string) {
	c.Helper()
	sh(c, nil, "cp", deb, c.dir+"/root/toaster.deb")
	c.run(append([]string{"dpkg"}, args...)...)
}

func (c *chroot) is(path, want string) {
	c.Helper()
	if got := strings.TrimSpace(c.run("stat", "-c", "%U:%G %a", path)); got != want {
		c.Errorf("%s is %s, not %s", path, got, want)
	}
}

// install does so on a system like Devuan: with sysvinit, and no systemd.
func (c *chroot) install(deb string) {
	c.run("sh", "-c", "! dpkg-query -W -f '${db:Status-Status}' systemd | grep -x installed")
	c.dpkg(deb, "-i", "/root/toaster.deb")
	c.is("/var/lib/toaster", "www-data:www-data 750")
	c.is("/var/lib/toaster/toaster.db", "www-data:www-data 640")
	c.is("/var/lib/toaster/builds", "toaster:www-data 750")
	c.is("/var/lib/toaster-runner", "root:root 711")
	c.is("/etc/toaster/keys", "root:www-data 640")
	c.run("runuser", "-u", "www-data", "--", "sh", "-c", "! touch /var/lib/toaster/builds/x 2>/dev/null")
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		if ids := lineOf(c, file, "toaster:"); !strings.HasSuffix(ids, ":65536") {
			c.Errorf("%s: %s", file, ids)
		}
	}
	before := c.run("cat", "/etc/passwd", "/etc/subuid", "/etc/subgid")
	c.run("toasterctl", "init")
	if after := c.run("cat", "/etc/passwd", "/etc/subuid", "/etc/subgid"); after != before {
		c.Errorf("a second init has changed the users:\n%s", after)
	}
	for _, path := range []string{
		"/etc/apache2/conf-enabled/toaster.conf", "/etc/lighttpd/conf-enabled/50-toaster.conf",
		"/etc/cron.d/toaster", "/usr/share/man/man8/toasterctl.8.gz", "/usr/share/doc/toaster/copyright",
	} {
		c.run("test", "-e", path)
	}
	c.run("sh", "-c", "ls /etc/rc2.d/S*toaster-runner")
	c.feed(password+"\n", "runuser", "-u", "www-data", "--", "toasterctl", "user", "add", "--email", email, "--admin",
		"--password-stdin")
	c.run("runuser", "-u", "www-data", "--", "sh", "-c",
		strings.SplitN(lineOf(c, "/etc/cron.d/toaster", "* * * * * "), "www-data ", 2)[1])
	c.run("dpkg", "--verify", "toaster")
}

func lineOf(c *chroot, path, begin string) string {
	c.Helper()
	for _, line := range strings.Split(c.run("cat", path), "\n") {
		if strings.HasPrefix(line, begin) {
			return line
		}
	}
	c.Fatalf("%s has no line %q", path, begin)
	return ""
}

func (c *chroot) lighttpd(string) {
	port := freePort(c.T)
	c.run("sed", "-i", "s/^server.port .*/server.port = "+port+"/", "/etc/lighttpd/lighttpd.conf")
	c.serves(port, c.downloads, "lighttpd", "-D", "-f", "/etc/lighttpd/lighttpd.conf")
}

func (c *chroot) apache(string) {
	port := freePort(c.T)
	c.run("sed", "-i", "s/^Listen 80/Listen 127.0.0.1:"+port+"/", "/etc/apache2/ports.conf")
	c.run("sh", "-c", "echo 'ServerName localhost' >/etc/apache2/conf-enabled/name.conf")
	c.serves(port, nil, "apache2ctl", "-D", "FOREGROUND")
}

// serves runs a web server, looks at the front page, and logs in; more is what somebody does then.
func (c *chroot) serves(port string, more func(base string, client *http.Client), server ...string) {
	c.Helper()
	cmd := c.command(server...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	defer func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		cmd.Wait()
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) {
			c.Fatalf("%s does not listen: %s", server[0], said.Bytes())
		}
	}
	base := "http://127.0.0.1:" + port + "/toaster"
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar}
	for _, page := range []struct{ path, want string }{{"/", "</html>"}, {"/static/toaster.css", "{"},
		{"/help", "Dockerfile"}} {
		resp, err := client.Get(base + page.path)
		c.shows(resp, err, page.want)
	}
	resp, err := client.PostForm(base+"/account/login", url.Values{"email": {email}, "password": {password}})
	c.shows(resp, err, email)
	if resp, err = client.Get(base + "/jobs/new"); true {
		c.shows(resp, err, "dockerfile")
	}
	if more != nil {
		more(base, client)
	}
}

func (c *chroot) shows(resp *http.Response, err error, want string) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(text, []byte(want)) {
		c.Errorf("%s: %s, %v, without %q:\n%.600s", resp.Request.URL, resp.Status, err, want, text)
	}
}

// runner starts and stops it, all in one name space: start-stop-daemon knows a program by its path.
func (c *chroot) runner(string) {
	// policy-rc.d binds maintainers' scripts, not the administrator.
	users := c.run("sh", "-euc", `
script=/etc/init.d/toaster-runner
{
	$script start
	n=0
	until grep 'runner starts' /var/log/toaster/runner.log; do n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1; done
	$script status
	$script restart
	$script status
} >&2
pid=$(cat /run/toaster-runner.pid)
n=0
until [ "$(ps -o user= -p $pid --ppid $pid | sort | xargs)" = "toaster www-data" ]; do
	n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1
done
ps -o user= -p $pid --ppid $pid | sort
{
	$script stop
	! $script status
} >&2
`)
	if !strings.Contains(users, "\ntoaster\nwww-data\n") {
		c.Errorf("the runner is processes of %s", users)
	}
}

// upgrade has a user there, and a configuration that was changed, before the next version comes, whose schema is newer.
func (c *chroot) upgrade(deb string) {
	c.run("sed", "-i", `s/^name = .*/name = "our own"/`, "/etc/toaster/toaster.toml")
	c.oldUser()
	next := filepath.Join(filepath.Dir(deb), "next")
	sh(c, nil, "dpkg-deb", "-R", deb, next)
	sh(c, nil, "sed", "-i", "s/^Version: .*/Version: 1.1/; s/^\tversion=1.0/\tversion=1.1/", next+"/DEBIAN/control",
		next+"/DEBIAN/postinst")
	newerSchema(c.T, filepath.Join(next, "usr/bin/toasterctl"))
	sh(c, nil, "dpkg-deb", "-Znone", "-b", next, next+".deb")
	c.dpkg(next+".deb", "-i", "/root/toaster.deb")
	if name := lineOf(c, "/etc/toaster/toaster.toml", "name = "); name != `name = "our own"` {
		c.Errorf("the configuration was changed: %s", name)
	}
	if people := c.run("runuser", "-u", "www-data", "--", "toasterctl", "user", "list"); !strings.Contains(people,
		"old@example.org") {
		c.Errorf("the people are gone: %s", people)
	}
	c.is("/var/backups/toaster/before-1.1.tar.gz", "root:root 600")
	c.is("/var/lib/toaster/toaster.db.schema-1", "www-data:www-data 600")
	c.is("/var/lib/toaster/toaster.db", "www-data:www-data 640")
}

// newerSchema builds a toasterctl that has one migration more.
func newerSchema(t *testing.T, program string) {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	store, dir := filepath.Join(top, "lib/store"), t.TempDir()
	source, err := os.ReadFile(filepath.Join(store, "migrate.go"))
	if err != nil {
		t.Fatal(err)
	}
	more, migrate, overlay := filepath.Join(dir, "more.sql"), filepath.Join(dir, "migrate.go"),
		filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(store, "migrations/0002_more.sql"): more, filepath.Join(store, "migrate.go"): migrate}})
	if err != nil {
		t.Fatal(err)
	}
	newer := regexp.MustCompile(`schemaVersion( +)= 1\n`).ReplaceAllString(string(source), "schemaVersion$1= 2\n")
	for path, content := range map[string]string{more: "ALTER TABLE user ADD COLUMN more TEXT;\n", migrate: newer,
		overlay: string(text)} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sh(t, nil, "go", "build", "-overlay", overlay, "-ldflags", "-extldflags -static", "-o", program, "../toasterctl")
}

func (c *chroot) oldUser() {
	c.Helper()
	db, err := sql.Open("sqlite3", c.dir+"/var/lib/toaster/toaster.db")
	if err != nil {
		c.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec("INSERT INTO user (email, name, password, created_at) VALUES ('old@example.org', '', '', 0)")
	if err != nil {
		c.Fatal(err)
	}
}

// remove takes place while programs that stay are running, which the administrator has chosen: the web server goes on
// without them.
func (c *chroot) remove(string) {
	c.run("cp", "/usr/share/toaster/conf/lighttpd/50-toaster-fastcgi.conf", "/etc/lighttpd/conf-available/")
	c.run("lighty-disable-mod", "toaster")
	c.run("lighty-enable-mod", "toaster-fastcgi")
	c.run("lighttpd", "-tt", "-f", "/etc/lighttpd/lighttpd.conf")
	// What the web server's user plants in its folder leads nobody anywhere.
	c.run("cp", "/etc/passwd", "/root/before")
	for _, name := range []string{"lighttpd-switched-off", "lighttpd-switched-off.tmp"} {
		c.run("runuser", "-u", "www-data", "--", "ln", "-s", "/etc/passwd", "/var/lib/toaster/"+name)
	}
	defer c.run("cmp", "/etc/passwd", "/root/before")
	c.run("dpkg", "-r", "toaster")
	for _, gone := range []string{"/usr/bin/toasterctl", "/usr/lib/cgi-bin/toaster",
		"/etc/apache2/conf-enabled/toaster.conf", "/etc/lighttpd/conf-enabled/50-toaster-fastcgi.conf"} {
		c.run("sh", "-c", `! [ -e "$0" ] && ! [ -L "$0" ]`, gone)
	}
	for _, there := range []string{"/var/lib/toaster/toaster.db", "/etc/toaster/keys", "/etc/toaster/toaster.toml",
		"/etc/apache2/conf-available/toaster.conf"} {
		c.run("test", "-e", there)
	}
	c.run("apache2ctl", "configtest")
	c.run("lighttpd", "-tt", "-f", "/etc/lighttpd/lighttpd.conf")
}

// again installs it once more, after which the site is where it was, but not where the administrator has switched it
// off.
func (c *chroot) again(string) {
	c.run("dpkg", "-i", "/root/toaster.deb")
	for _, on := range []string{"/etc/apache2/conf-enabled/toaster.conf",
		"/etc/lighttpd/conf-enabled/50-toaster-fastcgi.conf"} {
		c.run("test", "-e", on)
	}
	c.run("a2disconf", "toaster")
	c.run("lighty-disable-mod", "toaster-fastcgi")
	c.run("rm", "/etc/lighttpd/conf-available/50-toaster-fastcgi.conf")
	c.run("dpkg", "-i", "/root/toaster.deb")
	for _, off := range []string{"/etc/apache2/conf-enabled/toaster.conf", "/etc/lighttpd/conf-enabled/50-toaster.conf",
		"/etc/lighttpd/conf-enabled/50-toaster-fastcgi.conf"} {
		c.run("sh", "-c", `! [ -e "$0" ] && ! [ -L "$0" ]`, off)
	}
}

func (c *chroot) purge(string) {
	c.run("runuser", "-u", "www-data", "--", "ln", "-s", "/root/canary", "/var/lib/toaster/linked")
	c.run("sh", "-c", "mkdir /root/canary && touch /root/canary/file")
	c.run("dpkg", "-P", "toaster")
	c.run("test", "-e", "/root/canary/file")
	c.run("sh", "-c", "! grep toaster /etc/passwd /etc/group /etc/subuid /etc/subgid")
	if left := c.run("sh", "-c", "find / -xdev -path /proc -prune -o -path /root/toaster.deb -prune -o -name "+
		"'*toaster*' -print"); left != "" {
		c.Errorf("left: %s", left)
	}
}

// asRoot skips what root alone can do, except where all has to be tested.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		lacking(t, "root's rights")
	}
}

func look(t *testing.T, program string) string {
	t.Helper()
	for _, name := range []string{program, "/usr/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	lacking(t, program)
	return ""
}

func lacking(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this needs %s", what)
	}
	t.Skipf("this needs %s", what)
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}
