package conf_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A FastCGI program that is told to end takes no more requests, and finishes the one that it has begun.
func TestAFastCGIProgramEndsWhenItIsTold(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "site"))
	socket := filepath.Join(s.dir, "socket")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	cmd := s.as(exec.Command(s.root + "/usr/lib/cgi-bin/toaster/account"))
	cmd.Env, cmd.Stdin, cmd.Stderr = []string{"TOASTER_CONF=" + s.config}, stdin, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	// Ours would keep the socket open when the program has closed its own.
	l.SetUnlinkOnClose(false)
	l.Close()

	first := begin(t, socket)
	send(t, first, 5, nil)
	if answer, err := io.ReadAll(first); err != nil || !strings.Contains(string(answer), "Status: ") {
		t.Fatalf("%v: %s", err, answer)
	}
	c := begin(t, socket)
	const body = "email=nobody%40example.org&password=wrong"
	send(t, c, 5, []byte(body[:10]))
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		late, err := net.Dial("unix", socket)
		if err != nil {
			break
		}
		late.Close()
	}
	send(t, c, 5, []byte(body[10:]))
	send(t, c, 5, nil)
	answer, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(answer), "Status: 401") ||
		!strings.Contains(string(answer), `action="/x/account/login"`) {
		t.Errorf("%v: %.2000s", err, answer)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the program: %v", err)
	}
}

// begin connects, and begins a request to log in.
func begin(t *testing.T, socket string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, 1, []byte{0, 1, 0, 0, 0, 0, 0, 0}) // as a responder; the connection ends with the request
	send(t, c, 4, pairs("REQUEST_METHOD", "POST", "REQUEST_URI", "/x/account/login", "SERVER_PROTOCOL", "HTTP/1.1",
		"HTTP_HOST", "localhost",
		"CONTENT_TYPE", "application/x-www-form-urlencoded", "TOASTER_PREFIX", "/x", "REMOTE_ADDR", "192.0.2.1"))
	send(t, c, 4, nil)
	return c
}

// send writes a record of FastCGI 1.0 (3.3).
func send(t *testing.T, w io.Writer, kind byte, content []byte) {
	t.Helper()
	head := []byte{1, kind, 0, 1, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(head[4:], uint16(len(content)))
	if _, err := w.Write(append(head, content...)); err != nil {
		t.Fatal(err)
	}
}

// pairs are names and values, each shorter than 128 bytes, as FastCGI 1.0 writes them (3.4).
func pairs(namesAndValues ...string) []byte {
	var b bytes.Buffer
	for i := 0; i < len(namesAndValues); i += 2 {
		name, value := namesAndValues[i], namesAndValues[i+1]
		b.Write([]byte{byte(len(name)), byte(len(value))})
		b.WriteString(name + value)
	}
	return b.Bytes()
}
