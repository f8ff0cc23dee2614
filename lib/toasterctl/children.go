package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// How long a CGI program may run on after its connection was closed, and how long to wait for one that was killed.
const (
	afterClose = time.Second
	afterKill  = 2 * time.Second
)

// endChildren waits until this process has no children, and kills those that don't notice that their reader
// has gone.
func endChildren(stderr io.Writer) error {
	begun, killed := time.Now(), map[int]bool{}
	for {
		pids := children()
		waited := time.Since(begun)
		if len(pids) == 0 || waited > afterClose+afterKill {
			break
		}
		for _, pid := range pids {
			if waited > afterClose && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed[pid] = true
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	if len(killed) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(stderr, "%s did not exit and was killed\n", count(len(killed), "CGI program"))
	return err
}

// children returns this process's children: package cgi doesn't tell which it has started.
func children() (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, _ := os.ReadFile(file) // it may have ended meanwhile
		// proc_pid_stat(5): pid (comm) state ppid …; comm may hold anything, also spaces and parentheses.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) < 2 || string(fields[1]) != strconv.Itoa(os.Getpid()) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
