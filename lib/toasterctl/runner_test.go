package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/host"
)

// runUntilReady starts a runner, returns when it has said so, and ends it with the test.
func runUntilReady(t *testing.T, config string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "toasterctl"), "runner", "--config", config)
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the runner says %q, %v", line, err)
		}
		if strings.Contains(line, "runner starts") {
			go io.Copy(io.Discard, lines)
			return cmd
		}
	}
}

func TestSignalsEndRunner(t *testing.T) {
	for _, signals := range [][]os.Signal{{syscall.SIGTERM}, {syscall.SIGINT}, {syscall.SIGINT, syscall.SIGTERM}} {
		cmd := runUntilReady(t, newSite(t))
		for _, signal := range signals {
			cmd.Process.Signal(signal) // it may have ended with the first one
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", signals, err)
		}
	}
}

// A drained runner ends by itself, also where it is two processes, and its exit status asks no init system for another.
func TestDrain(t *testing.T) {
	sites := map[string]string{"one process": newSite(t)}
	if os.Geteuid() == 0 {
		sites["two processes"] = foreignSite(t)
		ofRoot(t, sites["two processes"])
	}
	for name, config := range sites {
		t.Run(name, func(t *testing.T) {
			if said := ctl(t, "", "runner", "--drain", "--config", config).exits(0).out; said != "No runner is running.\n" {
				t.Errorf("without a runner: %q", said)
			}
			cmd := runUntilReady(t, config)
			// One that can't end now.
			if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			late := ctl(t, "", "runner", "--drain", "--limit", "1s", "--config", config).exits(1)
			if !strings.Contains(late.err, "has not ended yet") || !strings.Contains(late.err, "queued again once") {
				t.Error(late.err)
			}
			if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if said := ctl(t, "", "runner", "--drain", "--limit", "1m", "--config",
				config).exits(0).out; !strings.HasSuffix(said, "no build was interrupted.\n") &&
				said != "No runner is running.\n" {
				t.Errorf("%q", said)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("the runner ends with %v", err)
			}
		})
	}
	ctl(t, "", "runner", "--limit", "1m", "--config", sites["one process"]).exits(2)
}

func TestRootsRunnerLeavesTheDatabaseToItsOwner(t *testing.T) {
	config := foreignSite(t)
	ofRoot(t, config)
	cmd := runUntilReady(t, config)
	queue := halves(t, cmd.Process.Pid)
	if len(queue) != 1 {
		t.Fatalf("the runner has the children %v", queue)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", queue[0]))
	if err != nil || !strings.Contains(string(status), "\nUid:\t65534\t65534\t65534\t65534\n") ||
		!strings.Contains(string(status), "\nCapPrm:\t0000000000000000\n") {
		t.Errorf("what works with the database is\n%s%v", status, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	names, err := fs.Glob(os.DirFS(filepath.Dir(config)), "toaster.db*")
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		fi, err := os.Stat(filepath.Join(filepath.Dir(config), name))
		if err != nil || host.UserName(host.Owner(fi)) != "nobody" {
			t.Errorf("%s belongs to %s, %v", name, host.UserName(host.Owner(fi)), err)
		}
	}
}

// ofRoot gives a site's builds a folder to work in that is root's.
func ofRoot(t *testing.T, config string) {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(t.TempDir(), "work")
	if err := os.WriteFile(config,
		bytes.Replace(text, []byte(`"/var/lib/toaster-runner"`), []byte(strconv.Quote(work)), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

// halves are the children of a process.
func halves(t *testing.T, pid int) (pids []int) {
	t.Helper()
	var text []byte
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		more, _ := os.ReadFile(path)
		text = append(text, more...)
	}
	for _, word := range strings.Fields(string(text)) {
		child, _ := strconv.Atoi(word)
		pids = append(pids, child)
	}
	return pids
}

// Without either half the other ends, and an init system starts both anew.
func TestARunnerWithoutItsOtherHalfEnds(t *testing.T) {
	config := foreignSite(t)
	ofRoot(t, config)
	cmd := runUntilReady(t, config)
	queue := halves(t, cmd.Process.Pid)
	if len(queue) != 1 {
		t.Fatalf("the runner has the children %v", queue)
	}
	if err := syscall.Kill(queue[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the runner ends as if all was well")
	}
	cmd = runUntilReady(t, config)
	queue = halves(t, cmd.Process.Pid)
	cmd.Process.Kill()
	cmd.Wait()
	for end := time.Now().Add(10 * time.Second); syscall.Kill(queue[0], 0) == nil; time.Sleep(20 * time.Millisecond) {
		if status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status",
			queue[0])); strings.Contains(string(status), "State:\tZ") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the half that knows the database lives on")
		}
	}
}

// A database that is another's than its folder is nobody's to work with.
func TestTheRunnerRefusesADatabaseOfSomebodyElse(t *testing.T) {
	config := foreignSite(t)
	ofRoot(t, config)
	if err := os.Chown(filepath.Join(filepath.Dir(config), "toaster.db"), 1, 1); err != nil {
		t.Fatal(err)
	}
	refused := ctl(t, "", "runner", "--config", config).exits(1)
	if !strings.Contains(refused.err, "toaster.db belongs to daemon, and its folder to nobody") ||
		!strings.Contains(refused.err, "chown nobody:") {
		t.Error(refused.err)
	}
}

func TestTheRunnerRefusesFoldersThatOthersCanReplace(t *testing.T) {
	config := foreignSite(t)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, bytes.Replace(text, []byte(`"/var/lib/toaster-runner"`), []byte(`"work"`), 1),
		0o644); err != nil {
		t.Fatal(err)
	}
	refused := ctl(t, "", "runner", "--config", config).exits(1)
	if !strings.Contains(refused.err, "only root may write to the parent folders of local.work_dir, but others can "+
		"write to "+
		filepath.Dir(config)) {
		t.Error(refused.err)
	}
	ofRoot(t, config)
	builds := filepath.Join(filepath.Dir(config), "builds")
	if err := errors.Join(os.Rename(builds, builds+".away"), os.Symlink("/etc", builds)); err != nil {
		t.Fatal(err)
	}
	if refused := ctl(t, "", "runner", "--config", config).exits(1); !strings.Contains(refused.err,
		"a link it may not be") {
		t.Error(refused.err)
	}
}
