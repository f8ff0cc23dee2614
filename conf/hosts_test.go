package conf_test

import (
	"crypto/tls"
	"fmt"
	"io"
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
)

// The clock's zone, the language and the place of programs are not for the site's user to have set: pages are the same,
// with times in UTC. The user may be any, without a home, and files may be made for it alone.
func TestAnyUserAnyTimeZoneAnyLocale(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this has to be run by root")
		}
		t.Skip("only root can be any user")
	}
	root, err := root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for d := filepath.Dir(dir); d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	os.Chown(dir, 12345, 12345)
	// run is a program as that user's, with umask 077 and nothing else in its environment.
	run := func(in string, env []string, program string, args ...string) string {
		t.Helper()
		cmd := exec.Command("/bin/sh", append([]string{"-c", `umask 077; unset PWD OLDPWD PATH; exec "$0" "$@"`,
			root + program}, args...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
		cmd.Dir, cmd.Env, cmd.Stdin = "/", append(env, "TOASTER_CONF="+dir+"/site/toaster.toml"), strings.NewReader(in)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %v: %v %s%s", program, args, err, out, stderr.String())
		}
		return string(out)
	}
	run("", nil, "/usr/bin/toasterctl", "init", "--dir", dir+"/site")
	run(password+"\n", nil, "/usr/bin/toasterctl", "user", "add", "--email", email, "--password-stdin")
	token := strings.TrimSpace(run("", nil, "/usr/bin/toasterctl", "token", "add", "--name", "test", email))
	run("", nil, "/usr/bin/toasterctl", "sync")
	ask := func(method, program, path, kind, body string, env ...string) string {
		return run(body, append(env, "REQUEST_METHOD="+method, "SERVER_PROTOCOL=HTTP/1.1", "HTTP_HOST=localhost",
			"SCRIPT_NAME=/"+program, "PATH_INFO="+path,
			"REQUEST_URI=/"+program+path, "REMOTE_ADDR=192.0.2.1", "HTTP_AUTHORIZATION=Bearer "+token, "HTTP_ACCEPT=text/html",
			"CONTENT_TYPE="+kind,
			fmt.Sprintf("CONTENT_LENGTH=%d", len(body))), "/usr/lib/cgi-bin/toaster/"+program)
	}
	kind, body := form("größer", "FROM debian:bookworm\nRUN echo ä\n")
	text, _ := io.ReadAll(body)
	added := ask("POST", "jobs", "", kind, string(text))
	_, after, _ := strings.Cut(added, "Location: ")
	job := strings.TrimPrefix(strings.Fields(after + " none")[0], "/jobs")
	job, _, _ = strings.Cut(job, "?")
	own := regexp.MustCompile(`[0-9a-f]{16}|name="once" value="[^"]+"|<time[^>]*>[^<]*ago</time>`)
	for _, page := range [][2]string{{"jobs", ""}, {"jobs", job}, {"account", ""}, {"index", "/help"}} {
		want := own.ReplaceAllString(ask("GET", page[0], page[1], "", ""), "")
		if !strings.Contains(want, "Status: 200") {
			t.Fatalf("%v: %.300s", page, want)
		}
		for _, env := range [][]string{{"TZ=America/St_Johns", "LC_ALL=C"},
			{"TZ=Nowhere/At_All", "LANG=tr_TR.UTF-8", "HOME=/nonexistent"}, {"TZ=:/etc/passwd", "PATH="}} {
			if got := own.ReplaceAllString(ask("GET", page[0], page[1], "", "", env...), ""); got != want {
				t.Errorf("with %v, %v is\n%s\nand not\n%s", env, page, got, want)
			}
		}
	}
	for _, name := range []string{"toaster.db", "keys", "toaster.toml"} {
		if fi, err := os.Stat(dir + "/site/" + name); err != nil || fi.Mode().Perm()&0o600 != 0o600 ||
			fi.Sys().(*syscall.Stat_t).Uid != 12345 {
			t.Errorf("%s: %v %v", name, fi, err)
		}
	}
}

// A host whose file systems are read-only but for /var/lib/toaster, with the log in syslog; root made the site with
// umask 077.
func TestAReadOnlyHostThatLogsToSyslog(t *testing.T) {
	look(t, "busybox")
	inACopy(t, `
rm -rf /etc/toaster /var/lib/toaster
mkdir /var/lib/toaster
mount -t tmpfs data /var/lib/toaster
chown www-data:www-data /var/lib/toaster
umask 077
toasterctl init
[ "$(stat -c %U:%G:%a /etc/toaster/keys)" = root:www-data:640 ]
[ "$(stat -c %U:%a /var/lib/toaster/toaster.db)" = www-data:600 ]
[ "$(stat -c %a /etc/toaster /etc/toaster/toaster.toml | tr '\n' ' ')" = '755 644 ' ]
mount -t tmpfs dev /dev
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/urandom c 1 9
mkdir /run/log
busybox syslogd -O /run/log/messages
await [ -S /dev/log ]
chmod 666 /dev/log
sed -i 's/^to = .*/to = "syslog"/' /etc/toaster/toaster.toml
umount /tmp
mount -o remount,ro /
if touch /usr/x /tmp/x; then exit 1; fi
as() { setpriv --reuid www-data --regid www-data --clear-groups env -i "$@"; }
echo 'correct horse battery staple' | as /usr/bin/toasterctl user add --email ann@example.org --password-stdin
token=$(as /usr/bin/toasterctl token add --name test ann@example.org)
as /usr/bin/toasterctl sync
ask() {
	as REQUEST_METHOD="$1" SERVER_PROTOCOL=HTTP/1.1 HTTP_HOST=localhost SCRIPT_NAME=/jobs PATH_INFO="$2" REQUEST_URI="/jobs$2" REMOTE_ADDR=192.0.2.1 \
		HTTP_AUTHORIZATION="Bearer $token" CONTENT_TYPE=application/x-www-form-urlencoded CONTENT_LENGTH="${#3}" "$programs/jobs"
}
programs=/usr/lib/cgi-bin/toaster
ask GET '' '' | grep 'Status: 200'
body='name=x&target=rootfs_amd64_bookworm&text=FROM+debian:bookworm%0ARUN+true'
printf %s "$body" | ask POST '' "$body" | grep 'Status: 201'
printf %s "$body" | ask POST /check "$body" | grep 'Status: 200'
await grep 'toaster.*msg=request.*status=201' /run/log/messages
grep -c daemon.info /run/log/messages
`)
}

// A proxy does HTTPS, passes the client's address, and calls the site by another name: cookies are for HTTPS alone,
// forms of the public address are taken, others refused, and links lead to the public address.
func TestBehindAProxyThatDoesHTTPS(t *testing.T) {
	look(t, "/usr/lib/lighttpd/mod_openssl.so")
	look(t, "/usr/lib/apache2/modules/mod_proxy_http.so")
	front := freePort(t)
	public := "https://127.0.0.1:" + front + "/toaster"
	s := newSite(t, filepath.Join(t.TempDir(), "site"), "from it.\nurl = \"\"", "\nurl = \""+public+"\"",
		`secure = "auto"`, `secure = "always"`)
	behind := s.serveMore(t, kinds[2], "/toaster",
		"server.modules += ( \"mod_extforward\" )\nextforward.forwarder = ( \"127.0.0.1\" => \"trust\" )\n")

	dir := t.TempDir()
	target, _ := url.Parse(behind.base)
	config := strings.NewReplacer("{modules}", "LoadModule mpm_event_module {lib}/mod_mpm_event.so\nLoadModule "+
		"proxy_module {lib}/mod_proxy.so\nLoadModule proxy_http_module {lib}/mod_proxy_http.so\n",
		"Include {dir}/snippet.conf\n",
		"ProxyPass / http://"+target.Host+"/\nProxyPassReverse / http://"+target.Host+"/\n").Replace(apacheConfig) + apacheTLS
	config = strings.NewReplacer("{dir}", dir, "{lib}", "/usr/lib/apache2/modules", "{port}", front).Replace(config)
	write(t, dir, "config", config, 0o644)
	write(t, dir, "pem", certificate(t), 0o644)
	write(t, dir, "root/index.html", "", 0o644)
	cmd := exec.Command(look(t, "apache2"), "-D", "FOREGROUND", "-f", filepath.Join(dir, "config"))
	cmd.Stderr, cmd.SysProcAttr = os.Stderr, &syscall.SysProcAttr{Setpgid: true}
	unprivileged(t, cmd, dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	defer func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); <-ended }()
	await(t, front, ended)

	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	login := func(origin string) *http.Response {
		t.Helper()
		req, _ := http.NewRequest("POST", public+"/account/login",
			strings.NewReader(url.Values{"email": {email}, "password": {password}}.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", origin)
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	if resp := login("https://evil.example"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site: %s", resp.Status)
	}
	resp := login("https://127.0.0.1:" + front)
	if text := shown(resp); resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Request.URL.String(), public) {
		t.Fatalf("the log-in: %s at %s\n%.500s", resp.Status, resp.Request.URL, text)
	}
	// The answers that led to this page.
	var cookies []*http.Cookie
	for r := resp.Request.Response; r != nil; r = r.Request.Response {
		cookies = append(cookies, r.Cookies()...)
	}
	for _, c := range cookies {
		if !c.Secure || !strings.HasPrefix(c.Name, "__Secure-") {
			t.Errorf("a cookie goes by plain HTTP, too: %v", c)
		}
	}
	if len(cookies) == 0 {
		t.Error("no cookie")
	}
	resp, err := browser.Get(public + "/account/sessions")
	if text := shown(resp); err != nil || !strings.Contains(text, "127.0.0.1") {
		t.Errorf("%v: %s", err, text)
	}
	if resp, err = browser.Get(public + "/help"); err != nil || !strings.Contains(shown(resp), public) {
		t.Errorf("the help does not name %s: %v", public, err)
	}
}
