//go:build linux || darwin

package buildcontext

import (
	"io/fs"
	"syscall"
)

// inode is a file whatever its names are, and how many they are.
type inode struct{ device, number, names uint64 }

func inodeOf(info fs.FileInfo) inode {
	st := info.Sys().(*syscall.Stat_t)
	return inode{uint64(st.Dev), st.Ino, uint64(st.Nlink)}
}

func stampOf(info fs.FileInfo) Stamp {
	return Stamp{info.Size(), info.ModTime().UnixNano(), changed(info), info.Sys().(*syscall.Stat_t).Ino}
}

func modeOf(info fs.FileInfo) int64 { return UnixMode(info.Mode()) }
