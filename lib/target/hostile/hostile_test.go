package hostile

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestInside: nothing that a RUN tries reaches the host, whatever kind of image it is for.
func TestInside(t *testing.T) {
	h := onHost(t)
	cases := readCases(t, "inside.txt")
	for _, kind := range []string{"rootfs", "vm", "live", "vm old"} {
		t.Run(kind, func(t *testing.T) {
			b := h.build(t, kind)
			b.addProgram(t, func(folder string) error {
				if runtime.GOARCH != "amd64" {
					return nil
				}
				return program(folder+"/probe32", "./probe", "GOARCH=386")
			})
			b.env = append(b.env, "http_proxy=http://user:"+string(h.facts.Password)+"@10.9.9.9:3128")
			others := make(chan string, 1)
			b.watch = whenSaid("privileged programs are there", func() { others <- b.asNobody() })
			b.tryAll(t, cases)
			select {
			case out := <-others:
				if out != "" {
					t.Errorf("another user of the host became, by a program in the tree: %s", out)
				}
			default:
				t.Error("no privileged program was there")
			}
		})
	}
}

// TestNetwork: the internet can be reached, and what is near the host can't.
func TestNetwork(t *testing.T) {
	h := onHost(t)
	for _, try := range []struct{ kind, file string }{
		{"rootfs", "network.txt"}, {"vm", "network.txt"}, {"rootfs", "nonetwork.txt"},
	} {
		t.Run(try.kind+" "+try.file, func(t *testing.T) {
			h.network.take()
			h.build(t, try.kind).tryAll(t, readCases(t, try.file))
			if heard := h.network.take(); len(heard) > 0 {
				t.Errorf("a build came to closed addresses: %q", heard)
			}
		})
	}
}

// tryAll builds one Dockerfile of all cases.
func (b *build) tryAll(t *testing.T, cases []testCase) {
	t.Helper()
	lines := ""
	for _, c := range cases {
		lines += c.lines
	}
	b.script(t, b.host.fill(stages+"FROM devuan/devuan:daedalus\n"+lines, b.host.facts.Canary))
	b.run(t)
	if b.code != 0 {
		t.Errorf("exit %d: %s", b.code, b.end())
	}
	b.checkVerdicts(t, lines)
	b.checkHost(t)
}

// end is the end of the log, for a message.
func (b *build) end() string {
	log := b.log.Bytes()
	return string(log[max(0, len(log)-3000):])
}

// checkHost sees that all on the host is as it was.
func (b *build) checkHost(t *testing.T) {
	t.Helper()
	b.isClean(t)
	b.keepsSecrets(t)
	for _, line := range changes(b.host.before, b.host.state()) {
		t.Errorf("on the host, %s", line)
		b.host.before = b.host.state()
	}
}

// whenSaid calls f once, when words are in the log.
func whenSaid(words string, f func()) func([]byte) {
	once := sync.OnceFunc(func() { go f() })
	return func(log []byte) {
		if bytes.Contains(log, []byte("\n"+words)) {
			once()
		}
	}
}

// asNobody runs what the build has left for other users of the host, and returns what they have become.
func (b *build) asNobody() (gained string) {
	find := exec.Command("find", b.dir, "-name", "privileged-canary", "-exec", "{}", ";")
	find.Dir = "/"
	find.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, _ := find.Output()
	for line := range strings.Lines(string(out)) {
		var uid int
		var caps uint64
		if _, err := fmt.Sscanf(line, "uid %d caps %x", &uid, &caps); err != nil || uid < 65534 || caps != 0 {
			gained += line
		}
	}
	return gained
}

// TestLinks: no link that a RUN has planted leads another instruction out of the tree.
func TestLinks(t *testing.T) { tryEach(t, readCases(t, "links.txt")) }

// TestTrees: neither does a tree that leads everywhere cheat whoever works in it from outside.
func TestTrees(t *testing.T) { tryEach(t, readCases(t, "trees.txt")) }

// tryEach builds each case for itself, with a canary of its own, and then one that is good, in the same place.
func tryEach(t *testing.T, cases []testCase) {
	h := onHost(t)
	for _, c := range cases {
		for _, kind := range c.kinds {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				b := h.build(t, kind)
				b.finishing, b.canary = c.finishing, b.dir+".canary"
				if err := makeCanary(b.canary, h.secret); err != nil {
					t.Fatal(err)
				}
				before := fingerprint(b.canary)
				b.script(t, h.fill(stages+"FROM devuan/devuan:daedalus\n"+c.lines, b.canary))
				b.run(t)
				if !regexp.MustCompile("^" + c.ends).MatchString(b.last()) {
					t.Errorf("exit %d: %s", b.code, b.end())
				}
				if strings.Contains(c.lines, "echo planted") && !strings.Contains(b.log.String(), "\nplanted") {
					t.Errorf("the attack was not set up: %s", b.end())
				}
				if strings.Contains(b.log.String(), "BROKEN") {
					t.Errorf("%q", verdicts.FindAllString(b.log.String(), -1))
				}
				for _, line := range changes(before, fingerprint(b.canary)) {
					t.Errorf("on the host, %s", line)
				}
				b.isClean(t)
				b.keepsSecrets(t)
				if b.kind == "rootfs" || b.code != 0 {
					b.next(t)
				}
			})
		}
	}
	t.Cleanup(func() { (&build{host: h}).checkShared(t) })
}

// checkShared is checkHost for builds that run side by side.
func (b *build) checkShared(t *testing.T) {
	t.Helper()
	now := b.host.state()
	for _, line := range changes(b.host.before, now) {
		t.Errorf("on the host, %s", line)
	}
	b.host.before = now
}

// next builds a good Dockerfile where the hostile one was built: it must succeed.
func (b *build) next(t *testing.T) {
	t.Helper()
	next := &build{host: b.host, kind: b.kind, age: b.age, dir: b.dir, root: b.root, canary: b.canary, env: b.env}
	if err := os.RemoveAll(filepath.Join(b.dir, "..", filepath.Base(b.dir)+".sdk")); err != nil {
		t.Fatal(err)
	}
	next.script(t, "FROM devuan/devuan:daedalus\nRUN echo good >/good\n")
	next.run(t)
	if next.code != 0 {
		t.Errorf("the next build fails: %s", next.end())
	}
	next.isClean(t)
}
