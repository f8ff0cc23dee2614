package buildcontext

import (
	"io/fs"
	"strings"
	"syscall"
)

// Attributes returns the extended attributes of a file or folder that a build context keeps, as records of an archive;
// nil: it has none.
func Attributes(path string) map[string]string {
	n, err := syscall.Listxattr(path, nil)
	if err != nil || n <= 0 {
		return nil
	}
	list := make([]byte, n)
	if n, err = syscall.Listxattr(path, list); err != nil {
		return nil
	}
	records := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		if KeptAttributes(map[string]string{paxAttribute + name: ""}) == nil {
			continue
		}
		value := make([]byte, 64<<10) // none is larger
		if n, err := syscall.Getxattr(path, name, value); err == nil {
			records[paxAttribute+name] = string(value[:n])
		}
	}
	return KeptAttributes(records)
}

func changed(info fs.FileInfo) int64 { return info.Sys().(*syscall.Stat_t).Ctim.Nano() }
