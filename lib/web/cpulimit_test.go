package web

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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

// TestMain lets the test's own program be a CGI program that is busy.
func TestMain(m *testing.M) {
	if kind := os.Getenv("TOASTER_TEST_BUSY"); kind != "" {
		l := cpuLimit{processor: 1, more: 1, quiet: 50 * time.Millisecond, grace: 200 * time.Millisecond}
		_ = l.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { busy(kind, w, r) }))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func busy(kind string, w http.ResponseWriter, r *http.Request) {
	switch kind {
	case "polite": // it looks at its context, as a translation does
		for r.Context().Err() == nil {
		}
		http.Error(w, ended(r.Context(), errors.New("broken off")).Error(), Status(ended(r.Context(), nil)))
	case "waiting":
		<-r.Context().Done()
		_ = os.WriteFile(os.Getenv("TOASTER_TEST_FILE"), []byte(ended(r.Context(), errors.New("x")).Error()), 0o600)
		select {}
	default:
		for n := uint64(1); n > 0; n++ { // for centuries
		}
	}
}

func busyProgram(t *testing.T, kind, file string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "TOASTER_TEST_BUSY="+kind, "TOASTER_TEST_FILE="+file, "REQUEST_METHOD=GET",
		"SERVER_PROTOCOL=HTTP/1.1", "HTTP_HOST=x", "SCRIPT_NAME=/jobs", "REQUEST_URI=/jobs")
	return c
}

func TestABusyCGIProgramAnswersThatItTookTooLong(t *testing.T) {
	out, err := busyProgram(t, "polite", "").Output()
	if err != nil || !strings.HasPrefix(string(out), "Status: 503") || !strings.Contains(string(out), "CPU time") {
		t.Errorf("%v: %q", err, out)
	}
}

func TestACGIProgramThatDoesntListenIsEndedByTheKernel(t *testing.T) {
	c := busyProgram(t, "deaf", "")
	err := c.Run()
	if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); err == nil || !ok ||
		status.Signal() != syscall.SIGKILL {
		t.Error(err)
	}
	if took := c.ProcessState.UserTime() + c.ProcessState.SystemTime(); took > 4*time.Second {
		t.Error(took)
	}
}

func TestACGIProgramEndsWhenItsClientHasGone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "why")
	c := busyProgram(t, "waiting", file)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close() // as lighttpd does
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		c.Process.Kill()
		t.Fatal("it goes on")
	}
	if why, _ := os.ReadFile(file); !strings.Contains(string(why), "canceled") {
		t.Errorf("%q", why)
	}
}

// record is one of FastCGI's.
func record(kind byte, content string) []byte {
	var b bytes.Buffer
	b.Write([]byte{1, kind, 0, 1})
	_ = binary.Write(&b, binary.BigEndian, uint16(len(content)))
	b.Write([]byte{0, 0})
	b.WriteString(content)
	return b.Bytes()
}

func TestAFastCGIRequestEndsWhenTheWebServerHasGone(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	begun, why := make(chan bool), make(chan error, 1)
	go serveConnection(server, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		why <- ended(r.Context(), errors.New("x"))
	}))
	parameters := ""
	for _, kv := range [][2]string{{"REQUEST_METHOD", "GET"}, {"SERVER_PROTOCOL", "HTTP/1.1"}, {"HTTP_HOST", "x"},
		{"REQUEST_URI", "/jobs"}} {
		parameters += fmt.Sprintf("%c%c%s%s", len(kv[0]), len(kv[1]), kv[0], kv[1])
	}
	for _, r := range [][]byte{record(1, "\x00\x01\x00\x00\x00\x00\x00\x00"), record(4, parameters), record(4, ""),
		record(5, "")} {
		if _, err := client.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	<-begun
	select {
	case err := <-why:
		t.Fatal("it ended while the server waited: ", err)
	case <-time.After(100 * time.Millisecond):
	}
	client.Close()
	select {
	case err := <-why:
		if !strings.Contains(err.Error(), "canceled") {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it goes on")
	}
}
