//go:build e2e_sdk

package e2e

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// machine is an image that runs in qemu. What it writes to its disk is gone when the test ends.
type machine struct {
	*testing.T
	http, ssh int // the ports here of its 8080 and 22
	console   string
	key       ssh.Signer
	began     time.Time
}

// boot starts an image, and waits for the prompt on the serial console.
func boot(t *testing.T, image string, key ssh.Signer) *machine {
	t.Helper()
	m := &machine{T: t, http: openPort(t), ssh: openPort(t), console: filepath.Join(t.TempDir(), "console"), key: key,
		began: time.Now()}
	args := []string{"-m", "1024", "-display", "none", "-serial", "file:" + m.console, "-snapshot",
		"-netdev", fmt.Sprintf("user,id=net,hostfwd=tcp:127.0.0.1:%d-:8080,hostfwd=tcp:127.0.0.1:%d-:22", m.http, m.ssh),
		"-device", "e1000,netdev=net"}
	if strings.HasSuffix(image, ".iso") {
		args = append(args, "-cdrom", image, "-boot", "d")
	} else {
		args = append(args, "-drive", "file="+image+",format=qcow2")
	}
	qemu := exec.Command("qemu-system-x86_64", args...)
	if err := qemu.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		qemu.Process.Kill()
		qemu.Wait()
		if t.Failed() {
			t.Log("the console's end:\n" + m.said(2000))
		}
	})
	prompt := regexp.MustCompile(`login: *$`)
	m.until("a prompt", func() bool { return prompt.MatchString(m.said(100)) })
	return m
}

// said is the end of what is on the console.
func (m *machine) said(most int) string {
	text, _ := os.ReadFile(m.console)
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-most):])
}

// until waits for something, and logs how long after the start it was there.
func (m *machine) until(what string, done func() bool) {
	m.Helper()
	for began := time.Now(); !done(); time.Sleep(2 * time.Second) {
		if time.Since(began) > 20*time.Minute {
			m.Fatalf("waiting in vain for: %s", what)
		}
	}
	m.Logf("%v: %s", time.Since(m.began).Round(time.Second), what)
}

// page waits until the application answers with a text.
func (m *machine) page(path, want string) {
	m.Helper()
	got := ""
	defer func() {
		if got != want {
			m.Logf("the page was %q", got)
		}
	}()
	m.until(fmt.Sprintf("the page %s with %q", path, want), func() bool {
		resp, err := (&http.Client{Timeout: 10 * time.Second}).Get(fmt.Sprintf("http://127.0.0.1:%d%s", m.http, path))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err == nil && resp.StatusCode == http.StatusOK {
			got = string(body)
		}
		return got == want
	})
}

// run runs a command as root, who has the key, and returns what it says.
func (m *machine) run(command string) string {
	m.Helper()
	out, err := m.session(command, "")
	if err != nil {
		m.Errorf("%s: %v\n%s", command, err, out)
	}
	return out
}

// says is run that knows the answer.
func (m *machine) says(command, want string) {
	m.Helper()
	if got := m.run(command); got != want {
		m.Errorf("%s: %q, want %q", command, got, want)
	}
}

// types runs a shell on a terminal, types a line there, and leaves it. Prompts and echo are around the answer.
func (m *machine) types(shell, line, want string) {
	m.Helper()
	got, err := m.session(shell, line+"\nexit\n")
	if got = strings.ReplaceAll(got, "\r", ""); err != nil || !strings.Contains(got, "\n"+want) {
		m.Errorf("%s: %v, %q, want %q", shell, err, got, want)
	}
}

// session logs in once the server has started. With input there is a terminal.
func (m *machine) session(command, input string) (string, error) {
	m.Helper()
	login := &ssh.ClientConfig{User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(m.key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 2 * time.Minute}
	client, err := ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", m.ssh), login)
	for began := time.Now(); err != nil && time.Since(began) < 10*time.Minute; time.Sleep(5 * time.Second) {
		client, err = ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", m.ssh), login)
	}
	if err != nil {
		m.Fatal(err)
	}
	defer client.Close()
	s, err := client.NewSession()
	if err == nil && input != "" {
		s.Stdin = strings.NewReader(input)
		err = s.RequestPty("dumb", 24, 200, ssh.TerminalModes{})
	}
	if err != nil {
		return "", err
	}
	out, err := s.CombinedOutput(command)
	return string(out), err
}

// reboot returns when the machine is up again.
func (m *machine) reboot() {
	m.Helper()
	const id = "cat /proc/sys/kernel/random/boot_id"
	before := m.run(id)
	m.run("setsid sh -c 'sleep 1; reboot' >/dev/null 2>&1 </dev/null &")
	m.until("it is up again", func() bool {
		now, err := m.session(id, "")
		return err == nil && now != before
	})
}

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func openPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
