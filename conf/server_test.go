package conf_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is a CGI program that says what it was given.
const program = `#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
for name in SCRIPT_NAME PATH_INFO QUERY_STRING REQUEST_URI REMOTE_ADDR HTTPS HTTP_AUTHORIZATION HTTP_PROXY; do
	eval "printf '%s=%s\n' $name \"\$$name\""
done
printf 'program=%s\nbody length=%s\n' "${0##*/}" "$(wc -c)"
`

// A kind of server, and its main configuration: much like Debian's.
type kind struct {
	name, snippet, binary string
	args                  func(config string) []string
	config, tls           string
	lighttpd, fast        bool
	change                []string // in the snippet, from old to new
}

const apacheConfig = `
ServerName localhost
ServerRoot {dir}
DefaultRuntimeDir {dir}
PidFile {dir}/pid
ErrorLog {dir}/log
Mutex file:{dir}
Listen 127.0.0.1:{port}
{modules}
LoadModule alias_module {lib}/mod_alias.so
LoadModule authz_core_module {lib}/mod_authz_core.so
LoadModule dir_module {lib}/mod_dir.so
LoadModule env_module {lib}/mod_env.so
LoadModule headers_module {lib}/mod_headers.so
LoadModule mime_module {lib}/mod_mime.so
LoadModule negotiation_module {lib}/mod_negotiation.so
TypesConfig /dev/null
AddType text/css .css
AddType image/svg+xml .svg
DocumentRoot {dir}/root
<Directory />
	Options FollowSymLinks
	AllowOverride None
	Require all denied
</Directory>
<Directory {dir}/root>
	Options Indexes FollowSymLinks
	Require all granted
</Directory>
Include {dir}/snippet.conf
`

const apacheTLS = `
LoadModule ssl_module {lib}/mod_ssl.so
SSLEngine on
SSLCertificateFile {dir}/pem
`

const lighttpdConfig = `
server.modules = ( "mod_indexfile", "mod_access", "mod_alias", "mod_redirect" )
server.document-root = "{dir}/root"
server.upload-dirs = ( "{dir}" )
server.errorlog = "{dir}/log"
server.bind = "127.0.0.1"
server.port = {port}
server.http-parseopts = (
	"header-strict" => "enable", "host-strict" => "enable", "host-normalize" => "enable",
	"url-normalize-unreserved" => "enable", "url-normalize-required" => "enable", "url-ctrls-reject" => "enable",
	"url-path-2f-decode" => "enable", "url-path-dotseg-remove" => "enable",
)
index-file.names = ( "index.php", "index.html" )
url.access-deny = ( "~", ".inc" )
static-file.exclude-extensions = ( ".php", ".pl", ".fcgi" )
mimetype.assign = ( ".css" => "text/css", ".svg" => "image/svg+xml" )
include "{dir}/snippet.conf"
server.modules += ( "mod_dirlisting", "mod_staticfile" )
`

const lighttpdTLS = `
server.modules += ( "mod_openssl" )
ssl.engine = "enable"
ssl.pemfile = "{dir}/pem"
`

var kinds = []kind{
	apache("mpm_prefork", "cgi"),
	apache("mpm_event", "cgid"),
	{"lighttpd", "lighttpd/50-toaster.conf", "lighttpd",
		func(config string) []string { return []string{"-D", "-f", config} }, lighttpdConfig, lighttpdTLS, true, false, nil},
}

// Servers whose programs stay (FastCGI).
var fastKinds = []kind{
	{"apache-fcgid", "apache/toaster-fastcgi.conf", "apache2", kinds[1].args,
		strings.ReplaceAll(apacheConfig, "{modules}", fcgidModules), apacheTLS, false, true, nil},
	{"lighttpd-fastcgi", "lighttpd/50-toaster-fastcgi.conf", "lighttpd", kinds[2].args, lighttpdConfig, lighttpdTLS, true,
		true, nil},
}

const fcgidModules = `
LoadModule mpm_event_module {lib}/mod_mpm_event.so
LoadModule fcgid_module {lib}/mod_fcgid.so
FcgidIPCDir {dir}
FcgidProcessTableFile {dir}/fcgid_shm
`

func apache(mpm, cgi string) kind {
	modules := fmt.Sprintf("LoadModule %s_module {lib}/mod_%s.so\nLoadModule %s_module {lib}/mod_%s.so\n", mpm, mpm, cgi,
		cgi)
	args := func(config string) []string { return []string{"-D", "FOREGROUND", "-f", config} }
	return kind{"apache-" + cgi, "apache/toaster.conf", "apache2", args,
		strings.ReplaceAll(apacheConfig, "{modules}", modules), apacheTLS, false, false, nil}
}

// server is a running web server with the snippet as it is installed, but for paths and prefix.
type server struct {
	kind         kind
	prefix, base string
	process      *os.Process
}

// start runs a web server with programs that say what they were given.
func start(t testing.TB, k kind, prefix, scheme string) *server {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"index", "account", "admin", "jobs", "build"} {
		write(t, dir, "programs/"+name, program, 0o755)
	}
	write(t, dir, "static/toaster.css", "body {}\n", 0o644)
	write(t, dir, "static/logo.svg", "<svg/>\n", 0o644)
	write(t, dir, "static/run.sh", program, 0o755)
	tooLarge, err := os.ReadFile("../static/error-413.html")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "static/error-413.html", string(tooLarge), 0o644)
	return launch(t, k, prefix, scheme, dir, dir+"/programs", dir+"/static", "")
}

// launch runs a web server with the snippet, on the given folders.
func launch(t testing.TB, k kind, prefix, scheme, dir, programs, static, more string) *server {
	t.Helper()
	binary := look(t, k.binary)
	port, config := freePort(t), k.config+more
	if scheme == "https" {
		config += k.tls
	}
	fill := strings.NewReplacer("{dir}", dir, "{lib}", "/usr/lib/apache2/modules", "{port}", port)
	write(t, dir, "config", fill.Replace(config), 0o644)
	write(t, dir, "snippet.conf", snippet(t, k, dir, programs, static, prefix), 0o644)
	write(t, dir, "pem", certificate(t), 0o644)
	write(t, dir, "root/index.html", "not toaster\n", 0o644)

	cmd := exec.Command(binary, k.args(filepath.Join(dir, "config"))...)
	output := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = output, output
	// A process group of its own: Apache ends its whole group when it ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		unprivileged(t, cmd, dir)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		<-ended
		if log, _ := os.ReadFile(filepath.Join(dir, "log")); t.Failed() {
			t.Logf("%s\n%s", output, log)
		}
	})
	await(t, port, ended)
	return &server{k, prefix, scheme + "://127.0.0.1:" + port, cmd.Process}
}

// snippet is the file as it is installed, with this test's paths and prefix.
func snippet(t testing.TB, k kind, dir, programs, static, prefix string) string {
	t.Helper()
	data, err := os.ReadFile(k.snippet)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for from, to := range map[string]string{
		"/usr/lib/cgi-bin/toaster": programs, "/usr/share/toaster/static": static,
		"\n" + mounted[k.lighttpd] + `"/toaster/"` + "\n": "\n" + mounted[k.lighttpd] + `"` + prefix + `/"` + "\n",
	} {
		if !strings.Contains(text, from) {
			t.Fatalf("%s has no %q", k.snippet, from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	return strings.NewReplacer(append(k.change, `"/run/lighttpd"`, `"`+dir+`"`)...).Replace(text)
}

// mounted begins the line that says where the site is mounted.
var mounted = map[bool]string{false: "Define TOASTER ", true: "var.toaster = "}

const nobody = 65534

// unprivileged makes a server that root starts run as nobody: it needs no more.
func unprivileged(t testing.TB, cmd *exec.Cmd, dir string) {
	t.Helper()

	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
}

// look finds a program or a module of one. Where the project is checked it must be there.
func look(t testing.TB, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
		if fi, err := os.Stat(path); err == nil && filepath.IsAbs(path) && fi.Mode().IsRegular() {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func write(t testing.TB, dir, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// await returns when somebody listens on the port.
func await(t testing.TB, port string, ended <-chan struct{}) {
	t.Helper()
	for {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			return
		}
		select {
		case <-ended:
			t.Fatal("the server ended")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// certificate is one for this test alone, with its key, PEM.
func certificate(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{{127, 0, 0, 1}}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// get asks for a URL below the prefix, sent as it is written, with headers: name, value, name, value …
func (s *server) get(t *testing.T, url string, headers ...string) map[string]string {
	t.Helper()
	req, err := http.NewRequest("GET", s.base+s.prefix+url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return s.send(t, req)
}

// send returns the program's lines by their names, and "status", "location", "type", "nosniff", "cache" and "body" of
// the answer.
func (s *server) send(t *testing.T, req *http.Request) map[string]string {
	t.Helper()
	// What it talks to is this machine, with a certificate of the test's own.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	answer := map[string]string{
		"status": fmt.Sprint(resp.StatusCode), "location": resp.Header.Get("Location"), "type": kind,
		"nosniff": resp.Header.Get("X-Content-Type-Options"), "cache": resp.Header.Get("Cache-Control"),
	}
	if !strings.HasPrefix(string(body), "SCRIPT_NAME=") {
		answer["body"] = string(body)
		return answer
	}
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		answer[name] = value
	}
	return answer
}
