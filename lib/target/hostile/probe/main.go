// Probe is the hostile program of the suite: probe CASE TRY [ARGUMENT]… tries something and prints "verdict
// CASE held" or "verdict CASE BROKEN: …". Under any other name it is a program of the image that was
// replaced, a trap.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"toaster.do/lib/target/hostile"
)

var facts hostile.Facts

// trial is one case: what was tried, and what should not have worked.
type trial struct {
	name   string
	tried  int
	broken []string
}

// must notes an attack, and that it worked where ok is false.
func (t *trial) must(ok bool, format string, args ...any) {
	t.tried++
	if !ok {
		t.broken = append(t.broken, fmt.Sprintf(format, args...))
	}
}

// refused notes an attack whose success is no error.
func (t *trial) refused(err error, format string, args ...any) { t.must(err != nil, format, args...) }

func (t *trial) end() {
	switch {
	case t.tried == 0:
		fmt.Printf("\nverdict %s BROKEN: nothing was tried\n", t.name)
	case len(t.broken) > 15:
		fmt.Printf("\nverdict %s BROKEN: %s; and %d more\n", t.name, strings.Join(t.broken[:15], "; "), len(t.broken)-15)
	case len(t.broken) > 0:
		fmt.Printf("\nverdict %s BROKEN: %s\n", t.name, strings.Join(t.broken, "; "))
	default:
		fmt.Printf("\nverdict %s held (%d tried)\n", t.name, t.tried)
	}
}

var tries = map[string]func(*trial, []string){
	"abstract": abstract, "capabilities": capabilities, "daemon": daemon, "descriptors": descriptors, "device": device,
	"escape": escape, "fails": fails, "files": files, "forks": forks, "gone": gone, "ids": ids, "ioctl": terminal,
	"ipc": ipc, "keys": keys, "masked": masked, "mounts": mounts, "namespaces": namespaces, "network": network,
	"newuser": newUser, "none": networkNone, "processes": processes, "readonly": readOnly, "seccomp": seccomp,
	"secrets":    secrets,
	"privileged": privileged, "sniff": sniff, "syscalls": syscalls, "times": times, "works": works,
}

// helpers are what the suite itself runs on the host, and what the tries start.
var helpers = map[string]func([]string){
	"reap": reap, "serve": serve, "handle": handle, "key": key, "segment": segment, "linger": linger, "whoami": whoami,
	"flood": flood, "eat": eat, "deep": deep, "misname": misname, "nothing": func([]string) {},
}

func main() {
	name := filepath.Base(os.Args[0])
	if name == "privileged-canary" {
		whoami(nil)
		return
	}
	if name != "probe" && name != "probe32" {
		trap(name)
		return
	}
	if len(os.Args) > 1 {
		if helper := helpers[os.Args[1]]; helper != nil {
			helper(os.Args[2:])
			return
		}
	}
	if len(os.Args) < 3 || tries[os.Args[2]] == nil {
		fmt.Fprintln(os.Stderr, "usage: probe CASE TRY [ARGUMENT]...")
		os.Exit(2)
	}
	readFacts()
	t := &trial{name: os.Args[1]}
	tries[os.Args[2]](t, os.Args[3:])
	t.end()
}

func readFacts() {
	text, err := os.ReadFile("/probe.json")
	if err == nil {
		err = json.Unmarshal(text, &facts)
	}
	if err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "probe:", err)
	os.Exit(1)
}
