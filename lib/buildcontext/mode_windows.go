package buildcontext

import "io/fs"

// inode is a file whatever its names are: package os does not tell here.
type inode struct{ names uint64 }

func inodeOf(fs.FileInfo) inode { return inode{} }

func stampOf(info fs.FileInfo) Stamp {
	return Stamp{Size: info.Size(), Modified: info.ModTime().UnixNano()}
}

// modeOf is what Docker sends of files of Windows, which have no such permissions.
func modeOf(fs.FileInfo) int64 { return 0o755 }

// Attributes returns none: Windows has no such.
func Attributes(string) map[string]string { return nil }
