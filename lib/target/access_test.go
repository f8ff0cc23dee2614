package target

import (
	"archive/tar"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const keys = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f it's $(touch " +
	"/tmp/pwned) \\ é\nssh-rsa AAAA\n"

// Root's password in an image is the one that was asked for, never the SDK's; and the log has nothing to log in with.
func checkRoot(t *testing.T, b *run, want Access) {
	t.Helper()
	if got := strings.Split(b.inImage(t, "etc/shadow"), ":")[1]; got != cmp.Or(want.Hash, "*") {
		t.Errorf("root's password is %s, not %s", got, want.Hash)
	}
	log := b.log.String()
	if want.Hash != "" && strings.Contains(log, want.Hash) || strings.Contains(log, "toor") {
		t.Errorf("a password is in the log:\n%s", log)
	}
	if strings.Count(log, "the root password") == 0 && want.Keys == "" {
		t.Errorf("the log doesn't say how root logs in:\n%s", log)
	}
}

// With keys, root logs in with these, and with no password. Without either nobody does.
func TestRootsKeys(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	for _, c := range []struct{ kind, age string }{{"live", "new"}, {"live", "old"}, {"vm", "new"}, {"vm", "old"},
		{"arm", "new"}} {
		t.Run(c.kind+" "+c.age, func(t *testing.T) {
			r := sdkRecipe(t, c.kind, "FROM devuan/devuan:daedalus\nRUN echo $(stat -c '%a %u' /root/.ssh "+
				"/root/.ssh/authorized_keys) >/modes\n")
			r.Root = Access{Keys: keys}
			b := image(t, miniSDK(t, c.kind, c.age), r)
			b.start(t)
			b.end()
			b.wants(t, 0, "toaster: done: dist/")
			if t.Failed() {
				return
			}
			checkRoot(t, b, r.Root)
			if got := b.inImage(t, "root/.ssh/authorized_keys"); got != keys {
				t.Errorf("authorized_keys is %q", got)
			}
			if got := b.inImage(t, "modes"); got != "700 0 600 0\n" {
				t.Errorf("the modes are %q", got)
			}
			if !strings.Contains(b.log.String(), "root logs in with the SSH key that was given") {
				t.Error("the log doesn't say how root logs in")
			}
		})
	}
	t.Run("locked", func(t *testing.T) {
		r := sdkRecipe(t, "live", page)
		r.Root = Access{}
		b := image(t, miniSDK(t, "live", "new"), r)
		b.start(t)
		b.end()
		b.wants(t, 0, "toaster: done: dist/")
		checkRoot(t, b, r.Root)
	})
	if _, err := os.Stat("/tmp/pwned"); err == nil {
		t.Error("a key's comment was run")
	}
}

// A rootfs has keys too, before the Dockerfile's first instruction. Its password is locked in any case.
func TestRootsKeysInARootfs(t *testing.T) {
	canBuild(t)
	quickBase(t)
	r := recipe(blend("cp $strapdir/root/.ssh/authorized_keys $strapdir/seen\n" + stamp))
	r.Root = Access{Keys: keys}
	script, err := Script(r)
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, script)
	b.end()
	b.wants(t, 0, "toaster: done")
	files := contents(t, b.file(t, "rootfs_amd64_bookworm.tar.gz"))
	folder, file := files["./root/.ssh/"], files["./root/.ssh/authorized_keys"]
	if file.body != keys || files["./seen"].body != keys || file.Mode != 0o600 || folder.Mode != 0o700 || file.Uid != 0 ||
		folder.Typeflag != tar.TypeDir {
		t.Errorf("%+v, %+v", folder, file)
	}
}

// What the tests' chpasswd does is what the real one does: it takes the hash as it is, and "*" for no password at all.
func TestTheRealChpasswd(t *testing.T) {
	where, err := exec.LookPath("chpasswd")
	if err != nil || os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no chpasswd, or not root")
		}
		t.Skip("no chpasswd, or not root")
	}
	for _, hash := range []string{"*", "$6$salt$root.of/this"} {
		root := t.TempDir()
		write(t, filepath.Join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n", 0o644)
		write(t, filepath.Join(root, "etc/shadow"), "root:!:1::::::\n", 0o600)
		cmd := exec.Command(where, "--encrypted", "--root", root)
		cmd.Stdin = strings.NewReader("root:" + hash + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got := readFile(t, filepath.Join(root, "etc/shadow")); !strings.HasPrefix(got, "root:"+hash+":") {
			t.Errorf("shadow is %q", got)
		}
	}
}

func TestLogin(t *testing.T) {
	vm, rootfs := Target{SDK: "vm"}, Target{SDK: "rootfs"}
	password, locked, key := vm.Login(Access{Hash: "$6$"}), vm.Login(Access{}), vm.Login(Access{Keys: keys})
	if password == locked || password == key || locked == key ||
		!strings.Contains(string(string(string(key))), "SSH") ||
		!strings.Contains(string(string(string(password))), "shown once") ||
		!strings.Contains(string(string(string(locked))), "locked") {
		t.Error(password, locked, key)
	}
	if rootfs.Login(Access{}) != "" || rootfs.Login(Access{Keys: keys}) != key || rootfs.HasPassword() ||
		!vm.HasPassword() {
		t.Error("a rootfs has no password, but may have a key")
	}
}
