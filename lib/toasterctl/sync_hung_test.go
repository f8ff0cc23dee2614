package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/mail/mailtest"
)

// silent is a server that accepts connections and never answers. It counts the requests.
func silent(t *testing.T) (address string, asked *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	asked = new(atomic.Int32)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 4096)
				for {
					if _, err := c.Read(b); err != nil {
						return
					}
					asked.Add(1)
				}
			}()
		}
	}()
	return l.Addr().String(), asked
}

func TestSyncSendsMailFirstAndAsksAHungJenkinsOnce(t *testing.T) {
	path := newSite(t)
	for range 3 {
		ctl(t, simple, "job", "add", "--config", path, "--owner", email, "--target", rootfs, "-").exits(0)
	}
	changeSite(t, path, "UPDATE job SET engine_revision = 0")
	address, asked := silent(t)
	server := mailtest.New(t)
	server.Start()
	token := write(t, filepath.Join(filepath.Dir(path), "token"), "secret")
	if err := os.Chmod(token, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, jenkins, _ := strings.Cut(string(text), "\n[jenkins]\n")
	jenkins, after, _ := strings.Cut(jenkins, "\n[limits]\n")
	before = strings.NewReplacer(`url = ""`, `url = "https://www.example.org"`, `engine = "local"`,
		`engine = "jenkins"`).Replace(before)
	jenkins = strings.NewReplacer(`url = ""`, `url = "http://`+address+`/"`, `user = ""`, `user = "toaster"`,
		`token_file = ""`, `token_file = "`+token+`"`,
		`call_timeout = "10s"`, `call_timeout = "3s"`).Replace(jenkins)
	after = strings.NewReplacer(`from = ""`, `from = "toaster@example.org"`, `host = ""`, `host = "127.0.0.1"`,
		"port = 587", fmt.Sprint("port = ", server.Port()), `tls = "starttls"`, `tls = "none"`).Replace(after)
	write(t, path, before+"\n[jenkins]\n"+jenkins+"\n[limits]\n"+after)
	signUp(t, path, "eve@example.org")
	begin := time.Now()
	ctl(t, "", "sync", "--config", path).exits(1)
	if n := asked.Load(); n != 1 {
		t.Errorf("a Jenkins that doesn't answer was asked %d times", n)
	}
	if emails := server.Mails(); len(emails) != 1 {
		t.Errorf("%d emails came", len(emails))
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("it took %s: cron has begun the next one", took)
	}
}

func TestOneSyncAtATime(t *testing.T) {
	path := newSite(t)
	lock, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	second := ctl(t, "", "sync", "--config", path).exits(0).says("Another sync is running")
	if second.err != "" {
		t.Errorf("cron would send mail: %s", second.err)
	}
	lock.Close()
	if next := ctl(t, "", "sync", "--config", path).exits(0); next.out != "" {
		t.Error(next.out)
	}
}
