package main

import (
	"encoding/base64"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	machine = "vm_amd64_daedalus"
	sshKey  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada"
)

var shown = regexp.MustCompile(`(?m)^Root password of this image \(not shown again\): ([a-z2-9]{20})$`)

func TestAScriptForRootsKey(t *testing.T) {
	key := write(t, filepath.Join(t.TempDir(), "id.pub"), sshKey+"\n")
	locked := ctl(t, simple, "script", "--target", machine, "-").exits(0)
	if !strings.Contains(locked.out, "\nROOT_KEYS=''\nROOT_HASH=''\n") || shown.MatchString(locked.err) {
		t.Errorf("%s%.2000s", locked.err, locked.out)
	}
	with := ctl(t, simple, "script", "--target", machine, "--root-key", key, "-").exits(0)
	if !strings.Contains(with.out,
		"\nROOT_KEYS="+base64.StdEncoding.EncodeToString([]byte(sshKey+"\n"))+"\nROOT_HASH=''\n") {
		t.Errorf("%.2000s", with.out)
	}
	made := ctl(t, simple, "script", "--target", machine, "--root-password", "-").exits(0)
	password := shown.FindStringSubmatch(made.err)
	if password == nil || strings.Contains(made.out, password[1]) || !strings.Contains(made.out, "\nROOT_HASH='$6$") {
		t.Errorf("%s%.2000s", made.err, made.out)
	}
	ctl(t, simple, "script", "--target", rootfs, "--root-key",
		write(t, filepath.Join(t.TempDir(), "id"), "-----BEGIN OPENSSH PRIVATE KEY-----\n"), "-").
		exits(1).complains("private key", ".pub")
	ctl(t, simple, "script", "--target", rootfs, "--root-key", key, "--root-password",
		"-").exits(2).complains("together with --root-key")
	ctl(t, simple, "script", "--target", rootfs, "--root-password", "-").exits(2).complains("--root-password")
}

func TestAJobForRootsKey(t *testing.T) {
	config := newSite(t)
	dir := t.TempDir()
	dockerfile := write(t, filepath.Join(dir, "Dockerfile"), "FROM devuan/devuan:daedalus\nRUN true\n")
	key := write(t, filepath.Join(dir, "id.pub"), sshKey+"\n")
	add := func(args ...string) answer {
		return ctl(t, "", append([]string{"job", "add", "--config", config, "--owner", email, "--target", machine,
			dockerfile}, args...)...)
	}
	made := add().exits(0)
	if password := shown.FindStringSubmatch(made.err); password == nil || strings.Contains(made.out, password[1]) ||
		len(made.word()) != 12 {
		t.Errorf("%s%s", made.err, made.out)
	}
	if with := add("--root-key", key).exits(0); shown.MatchString(with.err) {
		t.Error(with.err)
	}
	if dry := add("--dry-run").exits(0); shown.MatchString(dry.err) {
		t.Error(dry.err)
	}
	add("--root-key", dockerfile).exits(1).complains("Line 1 of the SSH keys")
}
