package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAJobIsStartedWithSecrets(t *testing.T) {
	const value = "a-value-that-is-found-again"
	config := newSite(t)
	dir := t.TempDir()
	dockerfile := write(t, filepath.Join(dir, "Dockerfile"),
		"FROM debian:bookworm\nRUN --mount=type=secret,id=npmrc,required --mount=type=ssh,id=git true\nCMD [\"x\"]\n")
	file := write(t, filepath.Join(dir, "npmrc"), value)
	key := filepath.Join(dir, "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	id := strings.TrimSpace(ctl(t, "", "job", "add", "--config", config, "--owner", email, "--target",
		"rootfs_amd64_bookworm", dockerfile).exits(0).out)
	start := []string{"job", "start", "--config", config, id}
	ctl(t, "", start...).exits(1).complains("npmrc", "--secret")
	ctl(t, "", append(start, "--secret", "id=npmrc,src="+file, "--secret", "id=none,src="+file)...).exits(1)
	for _, wrong := range []string{"npmrc", "id=npmrc", "id=../x,src=" + file, "id=npmrc,src=" + file + ",env=HOME",
		"id=npmrc,env=NOT_SET_AT_ALL", "id=npmrc,src=" + file + ",mode=1"} {
		ctl(t, "", append(start, "--secret", wrong)...).exits(2)
	}
	ctl(t, "", append(start, "--ssh", key)...).exits(2)
	ctl(t, "", append(start, "--secret", "id=npmrc,src="+file, "--ssh", "git="+file)...).exits(1).complains("private key")
	t.Setenv("VALUE", value)
	ctl(t, "", append(start, "--secret", "id=npmrc,env=VALUE", "--ssh", "git="+key)...).exits(0).complains("queued")
	backup := filepath.Join(dir, "backup.tar")
	ctl(t, "", "backup", "--config", config, backup).exits(0)
	files, _ := filepath.Glob(filepath.Dir(config) + "/*")
	for _, file := range append(files, backup) {
		if data, _ := os.ReadFile(file); strings.Contains(string(data), value) {
			t.Errorf("%s has the secret", file)
		}
	}
	said := ctl(t, "", "script", "--target", "rootfs_amd64_bookworm", dockerfile).exits(0).out
	if !strings.Contains(said, "\n#   ssh.git (optional)\n#   npmrc (required)\n") {
		t.Error("the script does not say what it takes")
	}
}
