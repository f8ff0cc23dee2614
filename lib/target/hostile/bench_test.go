package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkRuns builds Dockerfiles of so many RUNs that do nothing, from the same small base: with the whole
// build script, packing included, and with buildah, in a chroot and with an OCI runtime. They take turns.
//
// For an older commit: put this folder into a checkout of it, and go test -run '^$' -bench Runs ./lib/sdk/hostile
func BenchmarkRuns(b *testing.B) {
	if os.Getuid() != 0 {
		b.Skip("not root")
	}
	makeHost.Do(func() { hostError = newHost() })
	if hostError != nil {
		b.Skip(hostError)
	}
	h := theHost
	store := h.dir + "/store"
	buildah := func(args ...string) *exec.Cmd {
		of := []string{"--root", store, "--runroot", store + ".run", "--storage-driver", "vfs"}
		return exec.Command("buildah", append(of, args...)...)
	}
	for _, args := range [][]string{{"from", "--name", "base", "scratch"}, {"copy", "--quiet", "base", h.base, "/"},
		{"config", "--env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "base"},
		{"commit", "--quiet", "base", "devuan/devuan:daedalus"}} {
		if out, err := buildah(args...).CombinedOutput(); err != nil {
			b.Fatalf("buildah %v: %v\n%s", args, err, out)
		}
	}
	for _, runs := range []int{1, 11, 21, 120} {
		b.Run(fmt.Sprint(runs), func(b *testing.B) {
			text := "FROM devuan/devuan:daedalus\n" + strings.Repeat("RUN true\n", runs)
			dir := b.TempDir()
			if err := write(filepath.Join(dir, "Dockerfile"), text, 0o644); err != nil {
				b.Fatal(err)
			}
			var took [3]time.Duration
			for b.Loop() {
				took[0] += h.timeScript(b, text)
				for i, isolation := range []string{"chroot", "oci"} {
					cmd := buildah("bud", "--isolation", isolation, "--runtime", "runc", "--network", "host", "--pull-never",
						"--layers=false", "--format", "docker", "-t", isolation, dir)
					began := time.Now()
					if out, err := cmd.CombinedOutput(); err != nil {
						b.Fatalf("buildah with %s: %v\n%s", isolation, err, out)
					}
					took[i+1] += time.Since(began)
				}
			}
			for i, name := range []string{"toaster", "buildah, chroot", "buildah, oci"} {
				mean := took[i] / time.Duration(b.N)
				ratio := float64(took[i]) / float64(took[1])
				fmt.Printf("%4d RUNs  %-16s %7.2f s  %5.2f × chroot\n", runs, name, mean.Seconds(), ratio)
			}
		})
	}
}

func (h *host) timeScript(b *testing.B, text string) time.Duration {
	build := h.build(b, "rootfs")
	defer os.RemoveAll(build.dir)
	build.script(b, text)
	build.run(b)
	if build.code != 0 {
		b.Fatal(build.end())
	}
	return build.took
}
