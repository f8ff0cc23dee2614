package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// flood writes so many megabytes without a newline.
func flood(args []string) {
	n, _ := strconv.Atoi(args[0])
	block := []byte(strings.Repeat("x", 1<<20))
	for range n {
		if _, err := os.Stdout.Write(block); err != nil {
			fatal(err)
		}
	}
}

// eat takes so many megabytes of memory, and says so.
func eat(args []string) {
	n, _ := strconv.Atoi(args[0])
	kept := make([][]byte, 0, n)
	for range n {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		kept = append(kept, block)
	}
	fmt.Println("ate", len(kept), "MiB")
}

// deep makes folders in folders, until no path can name the last one.
func deep(args []string) {
	n, _ := strconv.Atoi(args[0])
	name := strings.Repeat("d", 200)
	for range n {
		if unix.Mkdir(name, 0o700) != nil || unix.Chdir(name) != nil {
			break
		}
	}
	_ = os.WriteFile("last", []byte("x"), 0o600)
}

// misname makes files that a program which reads lists of names line by line, or takes a name for an option,
// mistakes for others.
func misname([]string) {
	for _, dir := range strings.Fields("/ /etc /etc/toaster /boot /var/lib/dpkg /etc/apt/apt.conf.d") {
		_ = os.MkdirAll(dir, 0o755)
		for _, name := range []string{"-rf", "--help", "--checkpoint-action=exec=sh", "a\nb", "\n..\n", "$(id)", "`id`", "'",
			"\"", "\\", "\xff\xfe", "\x1b]0;x\a", "*", " ", "~", strings.Repeat("n", 255)} {
			if err := os.WriteFile(dir+"/"+name, []byte("x\n"), 0o600); err != nil {
				fmt.Println(err)
			}
		}
	}
}
