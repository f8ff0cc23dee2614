//go:build !386 && !arm

package local

import "syscall"

const (
	setresuid = syscall.SYS_SETRESUID
	setresgid = syscall.SYS_SETRESGID
)
