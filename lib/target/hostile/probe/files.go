package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// device: device files in the folders that are named open nothing of the host's. They are of its memory, log,
// console, /dev/fuse, kvm and loop-control, of a loop device with the secret, and of its disk.
func device(t *trial, folders []string) {
	type one struct {
		kind         uint32
		major, minor int
	}
	devices := []one{{unix.S_IFBLK, 7, facts.Loop}, {unix.S_IFBLK, facts.Disk[0], facts.Disk[1]}, {unix.S_IFCHR, 1, 1},
		{unix.S_IFCHR, 1, 11}, {unix.S_IFCHR, 4, 0}, {unix.S_IFCHR, 5, 1}, {unix.S_IFCHR, 10, 200}, {unix.S_IFCHR, 10, 229},
		{unix.S_IFCHR, 10, 232}, {unix.S_IFCHR, 10, 237}}
	for _, folder := range folders {
		for _, d := range devices {
			path := fmt.Sprintf("%s/device-%o-%d-%d", folder, d.kind, d.major, d.minor)
			err := unix.Mknod(path, d.kind|0o666, int(unix.Mkdev(uint32(d.major), uint32(d.minor))))
			if err == nil {
				err = openDevice(path, d.major == 7)
				os.Remove(path)
			}
			t.refused(err, "%s opens a device of the host", path)
		}
	}
}

// openDevice writes to the loop device alone, which is there to be looked at afterwards.
func openDevice(path string, damage bool) error {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		if fd, err = unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
	}
	if damage {
		unix.Pwrite(fd, []byte("overwritten by a RUN"), 0)
		unix.Fsync(fd)
	}
	return unix.Close(fd)
}

// escape: no path leads to the host's canary.
func escape(t *trial, more []string) {
	up := strings.Repeat("../", 64)
	paths := append(more, "", up, "/proc/1/root", "/proc/self/root", "/proc/1/cwd/"+up, "/dev/fd/"+up)
	for _, pattern := range strings.Fields("/proc/[0-9]*/root /proc/[0-9]*/cwd /proc/[0-9]*/fd/*") {
		found, _ := filepath.Glob(pattern)
		for _, one := range found {
			paths = append(paths, one, one+"/"+up)
		}
	}
	for _, path := range paths {
		t.must(!canaryAt(path+facts.Canary), "%s is the host's", path+facts.Canary)
		t.must(!canaryAt(path), "%s is the host's", path)
	}
	byHandle(t)
	climb(t)
}

// canaryAt looks for the secret, and tries to leave a file.
func canaryAt(folder string) bool {
	if fd, err := unix.Open(folder+"/secret", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0); err == nil {
		file := os.NewFile(uintptr(fd), "secret")
		defer file.Close()
		text, _ := io.ReadAll(io.LimitReader(file, 4096))
		return bytes.Contains(text, facts.Secret)
	}
	return false
}

// byHandle is how containers were left in 2014: a handle opens a file by its number, whatever / is.
func byHandle(t *trial) {
	for _, mount := range []string{"/", "/etc/resolv.conf", "/etc/hosts", "/dev", "/proc"} {
		at, err := unix.Open(mount, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		fd, err := unix.OpenByHandleAt(at, unix.NewFileHandle(facts.HandleType, facts.Handle), unix.O_RDONLY)
		t.refused(err, "open_by_handle_at from %s opens a file of the host", mount)
		if err == nil {
			unix.Close(fd)
		}
		unix.Close(at)
	}
}

// climb leaves a chroot by making another one, with the current folder outside of it.
func climb(t *trial) {
	dir, err := os.MkdirTemp("/tmp", "climb")
	if err != nil {
		fatal(err)
	}
	defer os.RemoveAll(dir)
	t.must(true, "")
	if unix.Chroot(dir) != nil {
		return
	}
	for range 64 {
		unix.Chdir("..")
	}
	if unix.Chroot(".") == nil {
		t.must(!canaryAt(facts.Canary), "a chroot in a chroot leads to the host")
	}
}

// masked: what Docker hides of /proc and /sys is empty.
func masked(t *trial, _ []string) {
	for _, path := range strings.Fields(`/proc/asound /proc/acpi /proc/kcore /proc/keys /proc/latency_stats
		/proc/timer_list /proc/timer_stats /proc/sched_debug /proc/scsi /sys/firmware /sys/devices/virtual/powercap`) {
		file, err := os.Open(path)
		if err != nil {
			t.must(true, "")
			continue
		}
		names, _ := file.Readdirnames(1)
		n, _ := file.Read(make([]byte, 1))
		t.must(len(names) == 0 && n == 0, "%s can be read", path)
		file.Close()
	}
}

// readOnly: nothing of the kernel's can be set. Files are opened for writing, and nothing is written.
func readOnly(t *trial, roots []string) {
	for _, root := range roots {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
			t.refused(err, "%s can be written", path)
			if err == nil {
				unix.Close(fd)
			}
			return nil
		})
	}
	err := os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0)
	t.refused(err, "a process can make itself the last one to be killed")
}

// secrets: the proxy's password is nowhere that a RUN can read.
func secrets(t *trial, _ []string) {
	look := func(path string) {
		text, err := os.ReadFile(path)
		t.must(err != nil || !bytes.Contains(text, facts.Password), "%s has the proxy's password", path)
	}
	for _, pattern := range strings.Fields("/proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/self/mountinfo /* /dev/*/*") {
		found, _ := filepath.Glob(pattern)
		for _, path := range found {
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				look(path)
			}
		}
	}
	for _, root := range []string{"/etc", "/run", "/tmp", "/var", "/root", "/mnt"} {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				look(path)
			}
			return nil
		})
	}
}

// descriptors: nothing that the builder has open is left to a RUN, and no input.
func descriptors(t *trial, _ []string) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		fatal(err)
	}
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || strings.HasPrefix(to, "anon_inode:") || strings.HasSuffix(to, "/fd") { // of this process itself
			continue
		}
		switch e.Name() {
		case "0":
			t.must(to == "/dev/null", "input comes from %s", to)
		case "1", "2":
			t.must(strings.HasPrefix(to, "pipe:") || to == "/dev/null", "output goes to %s", to)
		default:
			t.must(false, "descriptor %s is %s", e.Name(), to)
		}
	}
}
