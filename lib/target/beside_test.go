package target

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/buildcontext"
	"toaster.do/lib/dockerfile"
)

// besides is a recipe whose build context lies beside the script, and that context as a tar file.
func besides(t *testing.T, large int) (Recipe, []byte) {
	t.Helper()
	files := buildcontext.Memory{}
	m := &buildcontext.Manifest{Entries: []buildcontext.Entry{
		{Path: "ignored", Type: buildcontext.File, Mode: 0o644, Size: 7, SHA256: files.Add([]byte("ignored"))},
		{Path: "large", Type: buildcontext.File, Mode: 0o640, Time: 1, Size: int64(large),
			SHA256: files.Add(bytes.Repeat([]byte("0123456789abcdef"), large/16))},
		{Path: "small", Type: buildcontext.File, Mode: 0o4755, Time: 2, Size: 5, SHA256: files.Add([]byte("small"))},
	}}
	context := dockerfile.NewContext(m, files)
	made, findings := dockerfile.Translate(dockerfile.Source{Context: context, Codename: "bookworm",
		Dockerfile: []byte("FROM debian:bookworm\nCOPY large small /c/\n")})
	if made == nil {
		t.Fatal(findings)
	}
	if !made.External || len(made.Files) != 2 || len(made.Text) > 1<<20 {
		t.Fatalf("a large context: external %v, %q, %d bytes", made.External, made.Files, len(made.Text))
	}
	var packed bytes.Buffer
	if err := buildcontext.WriteTar(&packed, m, files, made.Files); err != nil {
		t.Fatal(err)
	}
	r := recipe("")
	r.Blend, r.BlendSHA256, r.ContextSHA256, r.ContextBeside = made.Text, made.SHA256, made.Context, made.External
	return r, packed.Bytes()
}

// TestContextBesideTheScript: the script takes it from beside itself, or from the place that it is given.
func TestContextBesideTheScript(t *testing.T) {
	canBuild(t)
	quickBase(t)
	r, packed := besides(t, 2<<20)
	script, err := Script(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := "\n# It takes the build context sha256:" + r.ContextSHA256 + " from context.tar"; !strings.Contains(
		string(script), want) {
		t.Errorf("the script does not say %q", want)
	}
	for _, form := range []string{"beside", "tar", "folder"} {
		t.Run(form, func(t *testing.T) {
			b := prepare(t, script)
			place := filepath.Join(b.dir, "context.tar")
			command := []string{"sh", "build.sh"}
			if form == "beside" {
				dir := t.TempDir() // the script is in another folder than where it builds
				place = filepath.Join(dir, "context.tar")
				write(t, filepath.Join(dir, "it"), string(script), 0o600)
				command[1] = filepath.Join(dir, "it")
			}
			write(t, place, string(packed), 0o600)
			switch form {
			case "tar":
				b.env = []string{"TOASTER_CONTEXT=elsewhere"}
				err = os.Rename(place, filepath.Join(b.dir, "elsewhere"))
			case "folder":
				b.env = []string{"TOASTER_CONTEXT=" + t.TempDir()}
				err = exec.Command("tar", "-xf", place, "-C", b.env[0][len("TOASTER_CONTEXT="):]).Run()
			}
			if err != nil {
				t.Fatal(err)
			}
			b.start(t, command...)
			b.end()
			b.wants(t, 0, "toaster: done")
			files := contents(t, b.file(t, "rootfs_amd64_bookworm.tar.gz"))
			if files["./c/small"].body != "small" || files["./c/large"].Size != 2<<20 {
				t.Errorf("/c has %q and %d bytes", files["./c/small"].body, files["./c/large"].Size)
			}
			os.Remove(place)
			os.Remove(filepath.Join(b.dir, "elsewhere"))
			b.isClean(t)
		})
	}
}

// TestContextBesideTheScriptOfAnImage: so does one that builds with an SDK, as root.
func TestContextBesideTheScriptOfAnImage(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	beside, packed := besides(t, 2<<20)
	r := sdkRecipe(t, "vm", page)
	r.Blend, r.BlendSHA256, r.ContextSHA256, r.ContextBeside = beside.Blend, beside.BlendSHA256, beside.ContextSHA256, true
	b := image(t, miniSDK(t, "vm", "new"), r)
	write(t, filepath.Join(b.dir, "context.tar"), string(packed), 0o600)
	b.start(t)
	b.end()
	b.wants(t, 0, "toaster: done: dist/vm_amd64_daedalus.qcow2")
	if t.Failed() {
		return
	}
	if got := b.inImage(t, "c/small"); got != "small" {
		t.Errorf("/c/small is %q", got)
	}
}

// TestContextThatTheScriptCannotUse: it is said before anything is done, and by the script's check.
func TestContextThatTheScriptCannotUse(t *testing.T) {
	canBuild(t)
	quickBase(t)
	r, packed := besides(t, 2<<20)
	script, err := Script(r)
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Replace(packed, []byte("file 644"), []byte("file 600"), 1)
	damaged := bytes.Replace(packed, []byte("small"+"\x00\x00"), []byte("smaul\x00\x00"), 1)
	for name, c := range map[string]struct {
		text []byte
		code int
		says string
	}{
		"missing": {nil, ExitHost, "toaster: failed: the build context is missing: put context.tar beside the script, or set " +
			"TOASTER_CONTEXT to its place. "},
		"cut off": {packed[:1<<20], ExitHost, "toaster: failed: PLACE can't be used: the build context is cut off."},
		"another": {other, ExitHost, "toaster: failed: PLACE can't be used: this is another build context: its SHA-256 is "},
		"empty":   {[]byte{}, ExitHost, "toaster: failed: PLACE can't be used: the build context is cut off."},
		"damaged": {damaged, ExitBlend, "toaster: failed: the blend failed. Its last lines have the reason."},
	} {
		for _, argument := range []string{"check", ""} {
			if argument == "check" && name == "damaged" {
				continue // it reads no file
			}
			b := prepare(t, script)
			place := filepath.Join(b.dir, "context.tar")
			if c.text != nil {
				write(t, place, string(c.text), 0o600)
			}
			b.start(t, strings.Fields("sh build.sh "+argument)...)
			b.end()
			b.wants(t, c.code, strings.ReplaceAll(c.says, "PLACE", place))
			if name == "damaged" && !strings.Contains(b.log.String(), " (small) has another SHA-256\n") {
				t.Errorf("it does not say which file\n%s", b.log.String())
			}
			os.Remove(place)
			b.isClean(t)
		}
	}
	b := prepare(t, script)
	write(t, filepath.Join(b.dir, "context.tar"), string(packed), 0o600)
	b.start(t, "sh", "build.sh", "check")
	b.end()
	b.wants(t, 0, "toaster: this host has what rootfs_amd64_bookworm needs")
}

// TestFullDiskOfAContext: a disk that the context does not fit on is said to be full.
func TestFullDiskOfAContext(t *testing.T) {
	canBuild(t)
	quickBase(t)
	r, packed := besides(t, 12<<20)
	script, err := Script(r)
	if err != nil {
		t.Fatal(err)
	}
	b := prepare(t, bytes.Replace(script, []byte("\nNEED_MIB=1024\n"), []byte("\nNEED_MIB=8\n"), 1))
	write(t, filepath.Join(b.dir, "context.tar"), string(packed), 0o600)
	b.env = []string{"TOASTER_FREE_DISK=0"}
	disk := []string{"unshare", "--mount"}
	if os.Getuid() != 0 {
		disk = append(disk, "--map-root-user", "--map-auto")
	}
	b.start(t, append(disk, "sh", "-c", "mkdir disk && mount -t tmpfs -o size=8m none disk && cd disk && sh "+
		"../build.sh; code=$?; ls; exit $code")...)
	b.end()
	b.wants(t, ExitFull, "toaster: failed: the disk is full: ")
}
