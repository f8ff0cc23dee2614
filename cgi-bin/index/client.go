package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"toaster.do/lib/buildcontext"
)

// program is the command toaster for a system, as it can be downloaded.
type program struct {
	File, System, SHA256 string
	Version              string // of the address, which caches keep
	Size                 int64
}

// systems are what users call the systems of toaster-OS-ARCH.
var systems = map[string]string{
	"toaster-linux-amd64": "Linux, amd64", "toaster-linux-arm64": "Linux, arm64",
	"toaster-darwin-arm64": "macOS, Apple silicon", "toaster-darwin-amd64": "macOS, Intel",
	"toaster-windows-amd64.exe": "Windows",
}

// clientPrograms are those that are in a folder, and in its SHA256SUMS; none where that can't be read.
func clientPrograms(folder string) (list []program) {
	f, err := os.Open(filepath.Join(folder, "SHA256SUMS"))
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		system := systems[name]
		if system == "" || !buildcontext.IsSHA256(sum) {
			continue
		}
		if info, err := os.Stat(filepath.Join(folder, name)); err == nil {
			list = append(list, program{name, system, sum, sum[:8], info.Size()})
		}
	}
	return list
}
