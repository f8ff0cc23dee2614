// Package difftest builds Dockerfiles twice, with a real builder and with the blend, and compares the trees.
package difftest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"
	"testing"

	"toaster.do/lib/buildcontext"
	"toaster.do/lib/dockerfile"
)

// TestSame compares path, type, mode, owner, size, contents and link target of every entry. What the builder refuses
// must be refused.
func TestSame(t *testing.T) {
	b := newBuilder(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/file", "/d/file.txt", "/":
			io.WriteString(w, "fetched\n")
		case "/moved":
			http.Redirect(w, r, "/file", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	// The sandbox's name for this host's loopback.
	b.allow = inside(server.Listener.Addr().String())
	b.startRegistry(t, "*")
	b.pushZstd(t)
	b.capable(t)
	for _, c := range readCases(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c.write(t, dir, server.URL, b.registry)
			b.writeDigests(t, dir)
			got, config, said, failed := ours(t, b, c, dir)
			if c.buildkit != "" {
				checkBuildKit(t, c, got, said, failed)
				return
			}
			want, wantConfig, log, refused := b.build(t, c, dir)
			switch {
			case refused && failed:
			case refused:
				t.Errorf("%s: buildah refuses it, we build it\n%s", c.file, log)
			case failed:
				t.Errorf("%s: buildah builds it, we refuse it\n%s", c.file, said)
			default:
				compare(t, c, want, got)
				if list := configDifferences(config, wantConfig); (len(list) > 0) != (c.config != "") {
					t.Errorf("%s: the configuration differs: %q", c.file, list)
				}
			}
		})
	}
}

func compare(t *testing.T, c testCase, want, got map[string]string) {
	var lines []string
	for name, w := range want {
		if g, ok := got[name]; !ok {
			lines = append(lines, fmt.Sprintf("%s\n  buildah %s\n  blend   -", name, w))
		} else if g != w {
			lines = append(lines, fmt.Sprintf("%s\n  buildah %s\n  blend   %s", name, w, g))
		}
	}
	for name, g := range got {
		if _, ok := want[name]; !ok {
			lines = append(lines, fmt.Sprintf("%s\n  buildah -\n  blend   %s", name, g))
		}
	}
	sort.Strings(lines)
	if len(lines) > 0 {
		t.Errorf("%s: the trees differ\n%s", c.file, strings.Join(lines, "\n"))
	}
}

func checkBuildKit(t *testing.T, c testCase, got map[string]string, said string, failed bool) {
	if c.refused != failed {
		t.Fatalf("%s: refused: %v, want %v\n%s", c.file, failed, c.refused, said)
	}
	if !strings.Contains(said, c.says) {
		t.Errorf("%s: the log does not say %q\n%s", c.file, c.says, said)
	}
	for _, line := range c.have {
		name, what, _ := strings.Cut(line, " ")
		g := got[strings.TrimPrefix(name, "/")]
		content, isFile := "", false
		if words := strings.SplitN(what, " ", 4); len(words) == 4 && words[0] == "f" &&
			!strings.HasSuffix(what, " links") {
			content, isFile = words[3]+"\n", true
			what = strings.Join(words[:3], " ")
		}
		if isFile {
			what += fmt.Sprintf(" %d %x", len(content), sha256.Sum256([]byte(content)))
		}
		if g == "" || !strings.HasPrefix(g, what) {
			t.Errorf("%s: %s\n  want %s\n  have %s", c.file, name, what, g)
		}
	}
	for _, name := range c.gone {
		if g, ok := got[strings.TrimPrefix(name, "/")]; ok {
			t.Errorf("%s: %s is there: %s", c.file, name, g)
		}
	}
}

// ours translates and runs the blend on a fresh copy of the base.
func ours(t *testing.T, b *builder, c testCase, dir string) (tree map[string]string, config []byte, said string,
	failed bool) {
	s := dockerfile.Source{BuildArgs: map[string]string{}, Codename: "bookworm"}
	for _, a := range c.args {
		k, v, _ := strings.Cut(a, "=")
		s.BuildArgs[k] = v
	}
	var err error
	if s.Dockerfile, err = os.ReadFile(filepath.Join(dir, "Dockerfile")); err != nil {
		t.Fatal(err)
	}
	s.Dockerfile = bytes.ReplaceAll(s.Dockerfile, []byte("//127.0.0.1:"), []byte("//10.0.2.2:"))
	if s.Context, err = contextOf(dir); err != nil {
		return nil, nil, err.Error(), true
	}
	s.Lock = b.lock(t, dockerfile.Images(s))
	blend, findings := dockerfile.Translate(s)
	for _, f := range findings {
		said += fmt.Sprintf("%d: %s: %s\n", f.Line, f.Rule, f.Message)
	}
	if blend == nil {
		return nil, nil, said, true
	}
	work := t.TempDir()
	for _, one := range c.secrets {
		c.writeSecret(t, filepath.Join(work, "secrets"), one)
	}
	place := ""
	if blend.External {
		tree, err := buildcontext.Folder(dir, "", buildcontext.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		place = beside(t, s.Context, tree, blend.Files)
	}
	root, log, err := b.runBeside(blend, work, place, b.allow)
	said += log
	if left, _ := filepath.Glob(filepath.Join(work, "toaster.*")); len(left) > 0 {
		t.Errorf("the blend leaves %v", left)
	}
	if err != nil {
		if !strings.Contains(said, "TOASTER-FAILED") {
			t.Errorf("it fails without a word\n%s", said)
		}
		return nil, nil, said, true
	}
	tree = snapshot(t, root)
	if apart := filepath.Join(root, "var/lib/toaster-app/rootfs"); exists(apart) {
		tree = snapshot(t, apart)
	}
	stamp, _ := os.ReadFile(filepath.Join(root, "etc/toaster/stamp"))
	if strings.TrimSpace(string(stamp)) != blend.SHA256 {
		t.Errorf("the stamp is %q, want %s", stamp, blend.SHA256)
	}
	config, err = os.ReadFile(filepath.Join(root, "etc/toaster/image.json"))
	if err != nil {
		t.Fatal(err)
	}
	return tree, config, said, false
}

// run runs a blend on a copy of the base in a folder.
func (b *builder) run(blend *dockerfile.Blend, work, allow string) (root, said string, err error) {
	return b.runBeside(blend, work, "", allow)
}

func (b *builder) runBeside(blend *dockerfile.Blend, work, place, allow string) (root, said string, err error) {
	return b.runWith(blend, work, place, "TOASTER_SANDBOX_ALLOW="+allow+" "+inside(b.registry),
		"TOASTER_REGISTRIES="+b.registry+"=http://"+inside(b.registry))
}

// runWith does so with the build context beside it, in that place.
func (b *builder) runWith(blend *dockerfile.Blend, work, place string, env ...string) (root, said string, err error) {
	root = filepath.Join(work, "root")
	if out, err := exec.Command("cp", "-a", b.root, root).CombinedOutput(); err != nil {
		return "", string(out), err
	}
	file := filepath.Join(work, "app.blend")
	if err := os.WriteFile(file, blend.Text, 0o644); err != nil {
		return "", "", err
	}
	cmd := exec.Command("zsh", "-f", "-c", `source $BLEND && blend_postinst`)
	cmd.Env = append(append(os.Environ(), "BLEND="+file, "strapdir="+root, "workdir="+work, "TOASTER_CONTEXT="+place),
		env...)
	if secrets := filepath.Join(work, "secrets"); exists(secrets) {
		cmd.Env = append(cmd.Env, "TOASTER_SECRETS="+secrets)
	}
	out, err := cmd.CombinedOutput()
	return root, string(out), err
}

// snapshot describes every entry of a tree but those that the blend adds of its own.
func snapshot(t *testing.T, root string) map[string]string {
	tree := map[string]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, p)
		if name == "." { // vfs makes the root of every layer 0555
			return nil
		}
		if name == "etc/toaster" || name == "usr/lib/toaster" {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%04o %d:%d", st.Mode&0o7777, st.Uid, st.Gid)
		switch {
		case d.IsDir():
			line = "d " + line
		case d.Type()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(p)
			line = "l " + line + " " + to
		case d.Type().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line = fmt.Sprintf("f %s %d %x", line, len(data), sha256.Sum256(data))
			if st.Nlink > 1 {
				line += fmt.Sprintf(" %d links", st.Nlink)
			}
			if capability := make([]byte, 64); true {
				if n, err := syscall.Getxattr(p, "security.capability", capability); err == nil {
					line += fmt.Sprintf(" capability %x", capability[4:min(n, 20)])
				}
			}
		default:
			line = fmt.Sprintf("%v %s %d", d.Type(), line, st.Rdev)
		}
		tree[name] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// builder is buildah with a store of its own, and the base image's files.
type builder struct {
	program     string // buildah's
	root, store string
	allow       string // what the sandbox of the blend may reach beside the internet
	registry    string // HOST:PORT
}

// newBuilder makes the base, a small busybox root, and tags it as debian:bookworm.
func newBuilder(t *testing.T) *builder { return newBuilderOf(t, "buildah", "") }

// newBuilderOf does so with another buildah, and with a script that changes the base.
func newBuilderOf(t *testing.T, program, script string) *builder {
	if _, err := exec.LookPath(program); err != nil {
		lack(t, program+" is not installed")
	}
	b := newRoot(t)
	b.program, b.store = program, filepath.Join(memory(t), "store")
	run(t, "sh", "-ec", "cd $0; "+script, b.root)
	b.buildah(t, "from", "--name", "base", "scratch")
	run(t, "cp", "-aT", b.root, b.buildah(t, "mount", "base"))
	b.buildah(t, "config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "--cmd", "bash",
		"base")
	for _, name := range []string{"debian:bookworm", "debian:bookworm-slim", "devuan/devuan:daedalus"} {
		b.buildah(t, "commit", "base", name)
	}
	return b
}

// memory is a folder that is in memory, where that is possible: buildah's store copies the base for each layer.
func memory(t *testing.T) string {
	dir := t.TempDir()
	if exec.Command("mount", "-t", "tmpfs", "toaster", dir).Run() == nil {
		t.Cleanup(func() { run(t, "umount", dir) })
	}
	return dir
}

// lack skips where a developer lacks a tool, and fails where all must be there.
func lack(t *testing.T, what string) {
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

func (b *builder) command(args ...string) *exec.Cmd {
	cmd := exec.Command(b.program, append([]string{"--root", b.store, "--runroot", b.store + ".run", "--storage-driver",
		"vfs"}, args...)...)
	cmd.Env = append(os.Environ(), "BUILDAH_ISOLATION=chroot")
	return cmd
}

func (b *builder) buildah(t *testing.T, args ...string) string {
	t.Helper()
	var errs bytes.Buffer
	cmd := b.command(args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("buildah %v: %v\n%s", args, err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// build builds the case with buildah.
func (b *builder) build(t *testing.T, c testCase, dir string) (tree map[string]string, config json.RawMessage,
	log string, refused bool) {
	tag := "case-" + strings.ToLower(c.name)
	args := []string{"bud", "--isolation", "chroot", "--pull-never", "--layers=false", "--format", "docker", "-t", tag}
	for _, a := range c.args {
		args = append(args, "--build-arg", a)
	}
	secrets := t.TempDir()
	for _, one := range c.secrets {
		name := c.writeSecret(t, secrets, one)
		if id, isKey := strings.CutPrefix(name, "ssh."); isKey {
			args = append(args, "--ssh", id+"="+filepath.Join(secrets, name))
		} else {
			args = append(args, "--secret", "id="+name+",src="+filepath.Join(secrets, name))
		}
	}
	out, err := b.command(append(args, dir)...).CombinedOutput()
	if err != nil {
		return nil, nil, string(out), true
	}
	return snapshot(t, b.tree(t, "localhost/"+tag+":latest")), b.config(t, tag), string(out), false
}

// tree is where the store keeps an image's files: buildah would copy them to a container first.
func (b *builder) tree(t *testing.T, name string) string {
	text, err := os.ReadFile(filepath.Join(b.store, "vfs-images/images.json"))
	if err != nil {
		t.Fatal(err)
	}
	var images []struct {
		Names []string
		Layer string
	}
	if err := json.Unmarshal(text, &images); err != nil {
		t.Fatal(err)
	}
	for _, i := range images {
		if slices.Contains(i.Names, name) {
			return filepath.Join(b.store, "vfs/dir", i.Layer)
		}
	}
	t.Fatalf("buildah has no image %s", name)
	return ""
}

// writeSecret writes one into a folder, as what it is called there.
func (c testCase) writeSecret(t *testing.T, folder, secret string) (name string) {
	name, value, _ := strings.Cut(secret, "=")
	file := filepath.Join(folder, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(name, "ssh.") {
		run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", value, "-C", "the test's key", "-f", file)
		return name
	}
	if err := os.WriteFile(file, []byte(strings.NewReplacer(`\n`, "\n", `\xff`, "\xff").Replace(value)), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// config is an image's configuration.
func (b *builder) config(t *testing.T, tag string) json.RawMessage {
	var image struct {
		Docker struct{ Config json.RawMessage }
	}
	if err := json.Unmarshal([]byte(b.buildah(t, "inspect", "--type", "image", tag)), &image); err != nil {
		t.Fatal(err)
	}
	return image.Docker.Config
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// contextOf reads a folder as toasterctl does.
func contextOf(folder string) (*dockerfile.Context, error) {
	tree, err := buildcontext.Folder(folder, "", buildcontext.Limits{})
	if err != nil {
		return nil, err
	}
	return dockerfile.NewContext(&tree.Manifest, tree), nil
}
