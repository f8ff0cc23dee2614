// Package cgibin tests the CGI programs as a web server runs them: the real executables, each request a process
// with an environment made by hand.
package cgibin

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"toaster.do/conf"
	"toaster.do/lib/auth"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

var programs string // the folder with the executables

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "toaster-cgi-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programs = dir
	code := 1
	tags := "pages,judge" // every page of every test is compared with html/template's
	for flag := range strings.FieldsSeq(os.Getenv("GOFLAGS")) {
		if more, ok := strings.CutPrefix(flag, "-tags="); ok {
			tags += "," + more
		}
	}
	out, err := exec.Command("go", "run", "../lib/view/generate", dir+"/pages").CombinedOutput()
	if err == nil {
		out, err = exec.Command("go", "build", "-tags", tags, "-overlay", dir+"/pages/overlay.json", "-o", dir+"/",
			"./index", "./account", "./admin", "./jobs", "./build", "./strength").CombinedOutput()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

const (
	ada, bob = "ada@example.org", "bob@example.org"
	password = "correct horse battery"
	target   = "rootfs_amd64_bookworm"
)

// site is an instance in a folder of its own, with two people.
type site struct {
	t        *testing.T
	dir      string
	prefix   string
	db       *store.DB
	cfg      *config.Config
	accounts *auth.Accounts
}

func newSite(t *testing.T, settings ...string) *site {
	s := &site{t: t, dir: t.TempDir()}
	s.must(os.Mkdir(s.dir+"/db", 0o700))
	targets, err := conf.Files.ReadFile("targets.toml")
	s.must(err)
	s.must(os.WriteFile(s.dir+"/targets.toml", targets, 0o600))
	text := "[paths]\ndatabase = \"db/toaster.db\"\nkeys = \"keys\"\ntargets = \"targets.toml\"\nbuilds = \"builds\"\ncontexts = \"contexts\"\n"
	s.must(os.WriteFile(s.conf(), []byte(text+strings.Join(settings, "\n")+"\n"), 0o600))
	s.cfg, err = config.Load(s.conf())
	s.must(err)
	s.must(config.NewKeys(s.cfg.Paths.Keys))
	_, _, err = store.Migrate(t.Context(), s.cfg.Paths.Database)
	s.must(err)
	s.db, err = store.Open(t.Context(), s.cfg.Paths.Database)
	s.must(err)
	t.Cleanup(func() { s.db.Close() })
	s.accounts = auth.New(s.cfg, s.db)
	for _, email := range []string{ada, bob} {
		_, err := s.accounts.Add(t.Context(), auth.NewUser{Email: email, Name: email[:3], Password: password})
		s.must(err)
	}
	return s
}

func (s *site) conf() string { return s.dir + "/toaster.toml" }

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) token(email string, scope store.Scope) string {
	s.t.Helper()
	plain, err := s.accounts.AddToken(s.t.Context(), email, "test", scope, 0, store.AuditEntry{})
	s.must(err)
	return plain
}

// sql changes the database behind everybody's back.
func (s *site) sql(statement string, args ...any) {
	s.t.Helper()
	db := s.open()
	defer db.Close()
	_, err := db.Exec(statement, args...)
	s.must(err)
}

func (s *site) open() *sql.DB {
	s.t.Helper()
	db, err := sql.Open("sqlite3", s.cfg.Paths.Database+"?_busy_timeout=5000")
	s.must(err)
	return db
}

// stored counts the rows of what requests may leave behind.
func (s *site) stored() string {
	s.t.Helper()
	db := s.open()
	defer db.Close()
	var jobs, revisions, builds int
	s.must(db.QueryRow("SELECT (SELECT count(*) FROM job WHERE removed_at IS NULL), (SELECT count(*) FROM revision), "+
		"(SELECT count(*) FROM build)").Scan(&jobs, &revisions, &builds))
	return fmt.Sprintf("%d jobs, %d revisions, %d builds", jobs, revisions, builds)
}

// client is a browser, or a program with a token.
type client struct {
	*site
	cookie string
	header http.Header
	from   string // its network address
}

// at is somebody whose requests come from an address.
func (s *site) at(address string) *client {
	c := s.anybody()
	c.from = address
	return c
}

func (s *site) anybody() *client { return &client{site: s, header: http.Header{}} }

func (s *site) browser(email string) *client {
	s.t.Helper()
	c := s.anybody()
	c.logIn(email)
	return c
}

func (c *client) logIn(email string) {
	c.t.Helper()
	if a := c.post("/account/login", "email", email, "password", password); a.status != http.StatusSeeOther {
		c.t.Fatalf("log-in: %d %s", a.status, a.body)
	}
}

func (s *site) program(token string) *client {
	c := s.anybody()
	c.header.Set("Authorization", "Bearer "+token)
	return c
}

func (c *client) with(name, value string) *client {
	d := *c
	d.header = c.header.Clone()
	d.header.Set(name, value)
	return &d
}

// answer is what a CGI program printed.
type answer struct {
	status int
	header http.Header
	body   string
	log    string
}

func (a *answer) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return v
}

func (c *client) get(path string) *answer { return c.do("GET", path, "", nil) }

// post sends a form as a browser does: names and values in turn, "name:file" for an upload.
func (c *client) post(path string, fields ...string) *answer {
	c.t.Helper()
	var b bytes.Buffer
	for _, name := range fields {
		if strings.Contains(name, ":") {
			m := multipart.NewWriter(&b)
			writeParts(m, fields)
			return c.do("POST", path, m.FormDataContentType(), b.Bytes())
		}
	}
	v := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		v.Add(fields[i], fields[i+1])
	}
	return c.do("POST", path, "application/x-www-form-urlencoded", []byte(v.Encode()))
}

func writeParts(m *multipart.Writer, fields []string) {
	for i := 0; i < len(fields); i += 2 {
		if name, file, ok := strings.Cut(fields[i], ":"); ok {
			w, _ := m.CreateFormFile(name, file)
			io.WriteString(w, fields[i+1])
		} else {
			m.WriteField(fields[i], fields[i+1])
		}
	}
	m.Close()
}

// environment is what the web servers give, with the snippets in conf/ (RFC 3875, 4.1).
func (c *client) environment(method, path, kind string, length int) (program string, env []string) {
	path, query, _ := strings.Cut(path, "?")
	program, script, info := "index", c.prefix, path
	for _, p := range []string{"account", "admin", "jobs"} {
		if rest, ok := strings.CutPrefix(path, "/"+p); ok && (rest == "" || rest[0] == '/') {
			program, script, info = p, c.prefix+"/"+p, rest
		}
	}
	info, err := url.PathUnescape(info)
	c.must(err)
	env = []string{
		"GATEWAY_INTERFACE=CGI/1.1", "SERVER_PROTOCOL=HTTP/1.1", "SERVER_NAME=www.example.org", "SERVER_PORT=80",
		"REQUEST_METHOD=" + method, "SCRIPT_NAME=" + script, "PATH_INFO=" + info, "QUERY_STRING=" + query,
		"REQUEST_URI=" + c.prefix + path + "?" + query, "HTTP_HOST=www.example.org",
		"REMOTE_ADDR=" + cmp.Or(c.from, "192.0.2.7"), "REMOTE_PORT=4711",
		"TOASTER_CONF=" + c.conf(),
	}
	if kind != "" {
		env = append(env, "CONTENT_TYPE="+kind, "CONTENT_LENGTH="+strconv.Itoa(length))
	}
	if c.cookie != "" {
		env = append(env, "HTTP_COOKIE="+c.cookie)
	}
	for name, v := range c.header {
		env = append(env, "HTTP_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"="+v[0])
	}
	return program, env
}

func (c *client) do(method, path, kind string, body []byte) *answer {
	c.t.Helper()
	program, env := c.environment(method, path, kind, len(body))
	cmd := exec.Command(filepath.Join(programs, program))
	cmd.Env, cmd.Stdin = env, bytes.NewReader(body)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		c.t.Fatalf("%s %s: %v\n%s", method, path, err, log.Bytes())
	}
	a := parse(c.t, &out)
	a.log = log.String()
	c.keepCookie(a)
	return a
}

// follow goes where an answer redirects to, as a browser does.
func (c *client) follow(a *answer) *answer {
	c.t.Helper()
	for n := 0; ; n++ {
		to := a.header.Get("Location")
		switch {
		case n > 0 && a.status != http.StatusSeeOther:
			return a
		case a.status != http.StatusSeeOther || to == "" || n == 5:
			c.t.Fatalf("no redirect, or too many: %d %s", a.status, a.body)
		}
		a = c.get(strings.TrimPrefix(to, c.prefix))
	}
}

func parse(t *testing.T, out io.Reader) *answer {
	t.Helper()
	r := bufio.NewReader(out)
	h, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		t.Fatal("no CGI header: ", err)
	}
	a := &answer{header: http.Header(h)}
	if a.status, err = strconv.Atoi(strings.Fields(a.header.Get("Status") + " ?")[0]); err != nil {
		t.Fatal("no status: ", h)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	a.body = string(b)
	return a
}

func (c *client) keepCookie(a *answer) {
	for _, set := range a.header.Values("Set-Cookie") {
		set, _, _ = strings.Cut(set, ";")
		name, _, _ := strings.Cut(set, "=")
		kept := []string{set}
		if set == name+"=" { // deleted
			kept = nil
		}
		for _, old := range strings.Split(c.cookie, "; ") {
			if old != "" && !strings.HasPrefix(old, name+"=") {
				kept = append(kept, old)
			}
		}
		c.cookie = strings.Join(kept, "; ")
	}
}

// archive is a build context: names and contents in turn.
func archive(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(files); i += 2 {
		h := &tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, files[i+1])
	}
	w.Close()
	z.Close()
	return b.String()
}

const good = "FROM debian:bookworm\nCOPY hello.txt /srv/\nRUN echo hello\n"

// addJob adds a job by the API and returns its id.
func (c *client) addJob(fields ...string) string {
	c.t.Helper()
	fields = append(fields, "dockerfile:Dockerfile", good, "context:c.tar.gz", archive(c.t, "hello.txt", "hi"), "target",
		target)
	a := c.post("/jobs", fields...)
	if a.status != http.StatusCreated {
		c.t.Fatalf("%d %s", a.status, a.body)
	}
	return a.json(c.t)["id"].(string)
}
