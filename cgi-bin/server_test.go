package cgibin

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// measure runs a program that prints at least n bytes, and returns how much memory it has taken at most shortly
// before it has printed them. (The kernel's sum after the end counts the test's own memory.)
func (s *site) measure(program string, env []string, n int64) (peak int) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(programs, program))
	cmd.Env = env
	out, err := cmd.StdoutPipe()
	s.must(err)
	s.must(cmd.Start())
	_, err = io.CopyN(io.Discard, out, n-1<<20) // what is left is more than a pipe holds: the program still runs
	s.must(err)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	s.must(err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	_, err = fmt.Sscanf(rest, "%d kB", &peak)
	s.must(err)
	_, err = io.Copy(io.Discard, out)
	s.must(err)
	s.must(cmd.Wait())
	return peak << 10
}

// fastCGI starts a program with a listening socket as its standard input, as a web server does.
func (s *site) fastCGI(program string) (dial func() net.Conn) {
	s.t.Helper()
	path := filepath.Join(s.dir, program+".sock")
	l, err := net.Listen("unix", path)
	s.must(err)
	s.t.Cleanup(func() { l.Close() })
	file, err := l.(*net.UnixListener).File()
	s.must(err)
	defer file.Close()
	cmd := exec.Command(filepath.Join(programs, program))
	cmd.Env, cmd.Stdin = []string{"TOASTER_CONF=" + s.conf()}, file
	s.must(cmd.Start())
	s.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return func() net.Conn {
		c, err := net.Dial("unix", path)
		s.must(err)
		return c
	}
}

// ask sends one request over FastCGI (specification 1.0, 3.3 and 5) and returns what the program printed.
func (c *client) ask(conn net.Conn, method, path, kind string, body []byte) *answer {
	c.t.Helper()
	defer conn.Close()
	_, env := c.environment(method, path, kind, len(body))
	var params, out bytes.Buffer
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		for _, s := range []string{name, value} {
			binary.Write(&params, binary.BigEndian, uint32(len(s))|1<<31)
		}
		params.WriteString(name + value)
	}
	const begin, end, parameters, stdin, stdout = 1, 3, 4, 5, 6
	send := func(kind byte, content []byte) {
		header := []byte{1, kind, 0, 1, byte(len(content) >> 8), byte(len(content)), 0, 0}
		conn.Write(append(header, content...))
	}
	send(begin, []byte{0, 1, 0, 0, 0, 0, 0, 0})
	send(parameters, params.Bytes())
	send(parameters, nil)
	for len(body) > 0 {
		n := min(len(body), 32<<10)
		send(stdin, body[:n])
		body = body[n:]
	}
	send(stdin, nil)
	for header := make([]byte, 8); ; {
		if _, err := io.ReadFull(conn, header); err != nil {
			c.t.Fatal(err)
		}
		content := make([]byte, int(header[4])<<8|int(header[5])+int(header[6]))
		if _, err := io.ReadFull(conn, content); err != nil {
			c.t.Fatal(err)
		}
		switch header[1] {
		case stdout:
			out.Write(content[:len(content)-int(header[6])])
		case end:
			a := parse(c.t, &out)
			c.keepCookie(a)
			return a
		}
	}
}

func TestTheSameProgramsAnswerAsFastCGI(t *testing.T) {
	for _, prefix := range []string{"", "/x"} {
		s := newSite(t, "[site]", `prefix = "`+prefix+`"`)
		s.prefix = prefix
		index, account, jobs := s.fastCGI("index"), s.fastCGI("account"), s.fastCGI("jobs")
		if a := s.anybody().ask(index(), "GET", "/help", "", nil); a.status != 200 ||
			!strings.Contains(a.body, prefix+"/static/") {
			t.Errorf("%q: %d %.200s", prefix, a.status, a.body)
		}
		c := s.anybody()
		login := "email=" + ada + "&password=correct+horse+battery"
		if a := c.ask(account(), "POST", "/account/login", "application/x-www-form-urlencoded",
			[]byte(login)); a.status != http.StatusSeeOther ||
			a.header.Get("Location") != prefix+"/account/cookie?next=%2Fjobs" {
			t.Errorf("%q: %d %v", prefix, a.status, a.header)
		}
		program := s.program(s.token(ada, "write"))
		id := program.addJob()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				d := *c
				if a := d.ask(jobs(), "GET", "/jobs/"+id, "", nil); a.status != 200 || !strings.Contains(a.body, "COPY") {
					t.Errorf("%q: %d %.200s", prefix, a.status, a.body)
				}
			})
		}
		all.Wait()
		if a := c.ask(jobs(), "GET", "/jobs/missing", "", nil); a.status != 404 {
			t.Errorf("%q: %d", prefix, a.status)
		}
	}
}

func TestAFastCGIProgramRecoversWhenTheSiteIsMended(t *testing.T) {
	s := newSite(t)
	jobs := s.fastCGI("jobs")
	s.must(os.Rename(s.cfg.Paths.Database, s.dir+"/away"))
	if a := s.anybody().ask(jobs(), "GET", "/jobs", "", nil); a.status != 503 {
		t.Error(a.status)
	}
	s.must(os.Rename(s.dir+"/away", s.cfg.Paths.Database))
	if a := s.anybody().ask(jobs(), "GET", "/jobs", "", nil); a.status != http.StatusSeeOther {
		t.Error(a.status, a.body)
	}
}

// inNamespace runs a request's program where a file system was mounted for it alone.
func (c *client) inNamespace(mount, method, path, kind string, body []byte) *answer {
	c.t.Helper()
	program, env := c.environment(method, path, kind, len(body))
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", mount+"\nexec \"$0\"",
		filepath.Join(programs, program))
	cmd.Dir, cmd.Stdin = c.dir, bytes.NewReader(body)
	cmd.Env = append(env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		c.t.Fatalf("%v: %s", err, log.Bytes())
	}
	a := parse(c.t, &out)
	a.log = log.String()
	return a
}

func TestAFullDiskAndAReadOnlyDatabase(t *testing.T) {
	for name, x := range map[string]struct {
		mount  string
		status int
		says   string
	}{
		"full": {"mount -t tmpfs -o size=600k tmpfs work && cp -a db/. work/ && mount --bind work db && dd if=/dev/zero " +
			"of=db/filler bs=1k 2>/dev/null || :",
			http.StatusInsufficientStorage, "disk of the server is full"},
		"read-only": {"mount --bind db db && mount -o remount,bind,ro db", http.StatusServiceUnavailable,
			"can&#39;t be written"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.must(os.Mkdir(s.dir+"/work", 0o700))
			c := s.browser(ada)
			form := "text=FROM+debian:bookworm%0ARUN+true%0A&target=" + target
			a := c.inNamespace(x.mount, "POST", "/jobs", "application/x-www-form-urlencoded", []byte(form))
			if a.status != x.status || !strings.Contains(a.body, x.says) || strings.Contains(a.body, s.dir) {
				t.Errorf("%d %s\n%s", a.status, a.body, a.log)
			}
			if got := s.stored(); got != "0 jobs, 0 revisions, 0 builds" {
				t.Error(got)
			}
			if a := c.inNamespace(x.mount, "GET", "/jobs", "", nil); a.status != 200 {
				t.Errorf("reading: %d %s", a.status, a.log)
			}
		})
	}
}
