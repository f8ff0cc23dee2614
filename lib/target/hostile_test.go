package target

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// canaries is a folder of the host with files by the names that a build looks for in a tree.
func canaries(t *testing.T) (dir string, unharmed func()) {
	t.Helper()
	dir = t.TempDir()
	env, err := os.ReadFile("/usr/bin/env") // the qemu of the tests' board
	if err != nil {
		t.Fatal(err)
	}
	const secret = "a secret of the host\n"
	files := map[string]string{"env": string(env)}
	for _, name := range []string{
		"vmlinuz-9", "initrd.img-9", "99toaster-build", "machine-id", "resolv.conf", "random-seed",
		"ssh_host_rsa_key", "ssh_host_rsa_key.pub", "ssh", "status", "stamp", "image.json", "inittab", "shadow",
		"debootstrap.log", "thirdstage.log",
	} {
		files[name] = secret
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text, 0o644)
	}
	return dir, func() {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if want, ok := files[e.Name()]; !ok || err != nil || string(text) != want {
				t.Errorf("%s on the host: %.100q, %v", e.Name(), text, err)
			}
			delete(files, e.Name())
		}
		for name := range files {
			t.Errorf("%s of the host is gone", name)
		}
	}
}

// hostileTrees are instructions that leave links to HOST, a folder of the host, where the build goes afterwards.
var hostileTrees = map[string]struct {
	kinds, run, last string
	code             int
}{
	"what is read and cleared": {"live vm", `mkdir -p /var/lib/systemd /var/lib/urandom &&
		rm -rf /etc/apt/apt.conf.d /etc/ssh /etc/default /var/lib/dbus /etc/inittab /etc/shadow &&
		for one in /etc/apt/apt.conf.d /etc/ssh /etc/default /var/lib/dbus; do ln -s HOST $one; done &&
		for one in /etc/machine-id /etc/inittab /etc/shadow /var/lib/systemd/random-seed /var/lib/urandom/random-seed; do
			ln -s HOST/${one##*/} $one
		done &&
		mkdir -p /debootstrap && ln -s HOST/debootstrap.log /debootstrap/debootstrap.log &&
		ln -s HOST/thirdstage.log /thirdstage.log &&
		for one in vmlinuz initrd.img; do ln -s HOST/$one-9 /boot/$one-9; done`, "toaster: done", 0},
	"the folder above": {"live vm", `rm -rf /etc/apt /var/lib/dpkg &&
		ln -s HOST /etc/apt && ln -s HOST /var/lib/dpkg`, "toaster: done", 0},
	"/boot": {"live", `rm -rf /boot && ln -s HOST /boot`,
		"toaster: failed: the SDK failed after", ExitFailed},
	"/etc":           {"live", linkedEtc, "toaster: failed: the image has no stamp", ExitStamp},
	"/etc on a disk": {"vm", linkedEtc, "toaster: done", 0}, // it leads to the stamp in the image
	"the stamp's folder": {"live", `ln -s HOST /etc/toaster`,
		"toaster: failed: the image has no stamp", ExitStamp},
	"the folder of this qemu": {"arm", `rm -rf /usr/bin && ln -s HOST /usr/bin`, "toaster: done", 0},
}

const linkedEtc = `mv /etc /elsewhere && ln -s HOST /etc`

// No path of a tree is followed on the host after the Dockerfile's instructions, whatever kind of link is in it.
func TestLinksOfAHostileTree(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	for name, c := range hostileTrees {
		for _, kind := range strings.Fields(c.kinds) {
			for how, prefix := range map[string]string{
				"as it is": "", "by process 1": "/proc/1/root", "upwards": strings.Repeat("/..", 12)[1:],
			} {
				t.Run(strings.TrimPrefix(name, "/")+" "+kind+" "+how, func(t *testing.T) {
					t.Parallel()
					host, unharmed := canaries(t)
					run := strings.ReplaceAll(c.run, "HOST", prefix+host)
					dockerfile := "FROM devuan/devuan:daedalus\nRUN <<E\nset -e\n" + run + "\nE\n"
					b := image(t, miniSDK(t, kind, "new"), sdkRecipe(t, kind, dockerfile))
					b.start(t)
					b.end()
					b.wants(t, c.code, c.last)
					b.isClean(t)
					unharmed()
					if strings.Contains(b.log.String(), "a secret of the host") {
						t.Error("a file of the host is in the log")
					}
					if c.code == 0 && kind == "live" &&
						b.inImage(t, "iso/live/vmlinuz")+b.inImage(t, "iso/live/initrd.img") != "kernel 1\nram 1\n" {
						t.Error("the ISO boots a file of the host")
					}
					if c.code == 0 && strings.Contains(string(b.file(t, "packages.txt")), "secret") {
						t.Error("a file of the host is in packages.txt")
					}
				})
			}
		}
	}
}

// What a Dockerfile puts in the place of the programs that images are finished with is never run by the host's root.
func TestReplacedProgramsOfATree(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	for _, kind := range []string{"live", "vm", "arm"} {
		t.Run(kind, func(t *testing.T) {
			host, unharmed := canaries(t)
			b := image(t, miniSDK(t, kind, "new"), sdkRecipe(t, kind, `FROM devuan/devuan:daedalus
SHELL ["/bin/busybox", "sh", "-ec"]
RUN <<E
for one in /usr/sbin/grub-install /usr/sbin/grub-mkconfig /usr/sbin/grub-probe /usr/bin/grub-mkimage \
	/usr/sbin/update-initramfs /usr/sbin/update-grub /usr/bin/dpkg /usr/bin/dpkg-query /usr/bin/apt-get /usr/sbin/chpasswd \
	/usr/bin/tar /usr/bin/cpio /usr/bin/mksquashfs /usr/bin/ssh-keygen /usr/sbin/policy-rc.d \
	/bin/chroot /bin/sync /bin/grep /bin/rm /bin/sed /bin/sh; do
	busybox rm -f $one
	printf '#!/bin/busybox sh\nfor root in / /proc/1/root/; do echo "$0" >>$root'`+host+`'/ran; done\nexit 0\n' >$one
	busybox chmod 755 $one
done
E
`))
			b.start(t)
			b.end()
			b.wants(t, 0, "toaster: done")
			b.isClean(t)
			unharmed()
		})
	}
}

// What no two machines may share is in no image: keys of the SSH server, the machine's name for itself, the seed of its
// random numbers.
func TestNothingThatMachinesMayNotShare(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	for _, kind := range []string{"live", "vm"} {
		b := image(t, miniSDK(t, kind, "new"), sdkRecipe(t, kind, `FROM devuan/devuan:daedalus
RUN mkdir -p /var/lib/dbus /var/lib/urandom /lib/systemd && : >/lib/systemd/systemd && \
	for one in /etc/machine-id /var/lib/dbus/machine-id /var/lib/urandom/random-seed /etc/ssh/ssh_host_rsa_key \
		/etc/ssh/ssh_host_rsa_key.pub /etc/ssh/sshd_config; do echo mine >$one; done
`))
		b.start(t)
		b.end()
		b.wants(t, 0, "toaster: done")
		for name, want := range map[string]string{
			"etc/machine-id": "", "var/lib/dbus/machine-id": "none", "var/lib/urandom/random-seed": "none",
			"etc/ssh/ssh_host_rsa_key": "none", "etc/ssh/ssh_host_rsa_key.pub": "none", "etc/ssh/sshd_config": "mine\n",
			"etc/default/ssh": "SSHD_OPTS=\n[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -A >/dev/null\n",
			"etc/systemd/system/ssh.service.d/50-toaster.conf": "[Service]\nExecStartPre=\n" +
				"ExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n",
		} {
			if got := b.lookFor(t, name); got != want {
				t.Errorf("%s: %s is %q", kind, name, got)
			}
		}
	}
}
