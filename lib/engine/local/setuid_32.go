//go:build 386 || arm

package local

import "syscall"

// The call of the plain name takes 16-bit ids on these.
const (
	setresuid = syscall.SYS_SETRESUID32
	setresgid = syscall.SYS_SETRESGID32
)
