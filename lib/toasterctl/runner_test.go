package main

import (
	"bufio"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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
	line, err := bufio.NewReader(log).ReadString('\n')
	if err != nil || !strings.Contains(line, "runner starts") {
		t.Fatalf("the runner says %q, %v", line, err)
	}
	return cmd
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

func TestRootsRunnerLeavesTheDatabaseToItsOwner(t *testing.T) {
	config := foreignSite(t)
	cmd := runUntilReady(t, config)
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
		if err != nil || userName(owner(fi)) != "nobody" {
			t.Errorf("%s belongs to %s, %v", name, userName(owner(fi)), err)
		}
	}
}
