//go:build amd64 || 386

package main

import "golang.org/x/sys/unix"

// ports: system calls that only this architecture has.
var ports = []call{{"ioperm", unix.SYS_IOPERM, [5]uintptr{0, 1, 1}}, {"iopl", unix.SYS_IOPL, [5]uintptr{3}}}
