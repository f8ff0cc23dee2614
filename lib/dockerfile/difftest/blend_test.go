package difftest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/dockerfile"
)

// sdk is what the SDK's library defines around a blend, and the options it runs under.
const sdk = `
setopt nonomatch
TRAPZERR() { print -r -- "the SDK stops at an error"; exit 99 }
fn() { print -r -- "fn $*" }; notice() { print -r -- "notice $*" }; act() { print -r -- "act $*" }
ckreq() { return 0 }; chroot-script() { print -r -- "chroot-script was called"; return 1 }
`

// translateText makes a blend and writes it to a folder with a fresh root beside it.
func translateText(t *testing.T, b *builder, text string) (blend *dockerfile.Blend, dir string) {
	blend, findings := dockerfile.Translate(dockerfile.Source{Dockerfile: []byte(text)})
	if blend == nil {
		t.Fatal(findings)
	}
	dir = t.TempDir()
	run(t, "cp", "-a", b.root, filepath.Join(dir, "root"))
	if err := os.WriteFile(filepath.Join(dir, "app.blend"), blend.Text, 0o644); err != nil {
		t.Fatal(err)
	}
	return blend, dir
}

func stamp(dir string) string {
	text, _ := os.ReadFile(filepath.Join(dir, "root/etc/toaster/stamp"))
	return strings.TrimSpace(string(text))
}

func zsh(dir, script string, env ...string) (string, error) {
	cmd := exec.Command("zsh", "-f", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestWaysToRun: the blend works wherever an SDK of 2018 or of today, or a plain script, may run it.
func TestWaysToRun(t *testing.T) {
	b := newRoot(t)
	for name, c := range map[string]struct {
		script string
		env    []string
	}{
		"sourced": {`strapdir=$PWD/root; source ./app.blend && blend_postinst`, nil},
		"in the SDK": {sdk +
			`strapdir=$PWD/root workdir=$PWD R=$PWD; source ./app.blend && blend_preinst && blend_postinst && print after`, nil},
		"with a stamp given": {`strapdir=$PWD/root; TOASTER_BLEND_SHA256=$(sha256sum app.blend); TOASTER_BLEND_SHA256=${TOASTER_BLEND_SHA256%% *}; eval "$(<app.blend)"; blend_postinst`, nil},
		"old options":        {`setopt ksh_arrays sh_word_split null_glob; strapdir=$PWD/root; source ./app.blend && blend_postinst`, nil},
		"newest vm-sdk": {sdk + `libdevuansdk_version=3.0; mkdir -p $PWD/mnt $PWD/strap; mount --bind $PWD/root $PWD/mnt; strapdir=$PWD/strap workdir=$PWD
			source ./app.blend; blend_postinst; code=$?; umount $PWD/mnt; [[ -e $PWD/strap/made ]] && exit 5; exit $code`, nil},
		"loaded by name": {sdk + `R=$PWD/sdk; mkdir $R; cp app.blend decode.blend; cd $R; source "$R/../decode.blend"; workdir=$R strapdir=$R/../root
			blend_preinst && blend_postinst && print after`, nil},
		"loaded by a relative name": {sdk + `R=$PWD/sdk; mkdir $R; cp app.blend decode.blend; cd $R; source ../decode.blend; workdir=$R strapdir=$R/../root
			blend_preinst && blend_postinst && print after`, nil},
		"vm-sdk of 2018": {sdk + `libdevuansdk_version=1.0; mkdir -p $PWD/strap/mnt; mount --bind $PWD/root $PWD/strap; strapdir=$PWD/strap workdir=$PWD
			source ./app.blend; blend_postinst; code=$?; umount $PWD/strap; exit $code`, nil},
		"no mapped ids": {`mkdir ram && mount -t ramfs none ram && cp -a root ram/root && strapdir=$PWD/ram/root
			source ./app.blend; blend_postinst; code=$?
			rm -rf root; cp -a ram/root root; umount ram; exit $code`, nil},
		"no path for admins": {`strapdir=$PWD/root; source ./app.blend && blend_postinst`, []string{"PATH=/usr/bin:/bin"}},
		"strict":             {`setopt err_exit no_unset pipe_fail; strapdir=$PWD/root; source ./app.blend; blend_postinst; print after`, nil},
		"another language": {`strapdir=$PWD/root; source ./app.blend && blend_postinst`,
			[]string{"LC_ALL=de_DE.UTF-8", "LANG=de_DE.UTF-8"}},
		"user namespace": {`exec unshare --map-root-user --map-users=auto --map-groups=auto --mount zsh -f -c 'strapdir=$PWD/root; source ./app.blend && blend_postinst'`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "user namespace" && exec.Command("unshare", "--map-root-user", "--map-users=auto", "--map-groups=auto",
				"true").Run() != nil {
				c.script = strings.ReplaceAll(c.script, " --map-users=auto --map-groups=auto", "")
			}
			blend, dir := translateText(t, b, "FROM debian:bookworm\nWORKDIR /made\nRUN echo $0 > by && cat /proc/self/status "+
				"> /dev/null\nRUN echo x > /dev/null\n")
			before, _ := os.ReadFile("/proc/self/mountinfo")
			out, err := zsh(dir, c.script, c.env...)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := stamp(dir); got != blend.SHA256 {
				t.Errorf("the stamp is %q, want %s\n%s", got, blend.SHA256, out)
			}
			if _, err := os.Stat(filepath.Join(dir, "root/made/by")); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if strings.Contains(out, "chroot-script") || strings.Contains(out, "stops at") {
				t.Error(out)
			}
			if strings.Contains(name, "SDK") && !strings.Contains(out, "after\n") {
				t.Errorf("the SDK does not go on\n%s", out)
			}
			if after, _ := os.ReadFile("/proc/self/mountinfo"); string(after) != string(before) {
				t.Error("mounts are left")
			}
		})
	}
}

// TestFailure: a failing step ends the blend, names its line and exit status, and leaves no stamp.
func TestFailure(t *testing.T) {
	b := newRoot(t)
	_, dir := translateText(t, b, "FROM debian:bookworm\nRUN true\n# a comment\nRUN echo one && \\\n    exit 42\nRUN "+
		"touch /never\n")
	out, err := zsh(dir, `strapdir=$PWD/root; source ./app.blend; blend_postinst`)
	if err == nil {
		t.Fatal("it succeeds")
	}
	for _, want := range []string{"TOASTER-STEP 3/4 4 RUN echo one && exit 42\n", "one\n",
		"TOASTER-FAILED 3/4 4 exit 42\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if stamp(dir) != "" {
		t.Error("there is a stamp")
	}
	if _, err := os.Stat(filepath.Join(dir, "root/never")); err == nil {
		t.Error("it goes on")
	}
}

// TestConfined: what RUN does as root stays in the tree.
func TestConfined(t *testing.T) {
	b := newRoot(t)
	outside := filepath.Join(t.TempDir(), "outside")
	_, dir := translateText(t, b, "FROM debian:bookworm\n"+
		"RUN mkdir -p /x && chroot /x true 2>/dev/null; cd /x && for i in 1 2 3 4 5 6 7 8; do cd ..; done; ls -d ."+outside+" .."+outside+" 2>/dev/null; touch "+outside+" 2>/dev/null; true\n"+
		"RUN ! mount -t tmpfs x /mnt 2>/dev/null && ! umount /proc 2>/dev/null && ! sh -c 'echo x > "+
		"/proc/sys/kernel/hostname' 2>/dev/null\n"+
		"RUN if mknod /sda b 8 0 2>/dev/null; then ! head -c1 /sda 2>/dev/null; fi; rm -f /sda\n"+
		"RUN ln -s / /up && ln -s ../../../../../../.."+filepath.Dir(outside)+" /far && rm -rf /var /usr && ln -s /far "+
		"/var && ln -s /far /usr\n"+
		"COPY <<E /far/outside\nx\nE\n"+
		"WORKDIR /far/folder\n"+
		"RUN test -e /far/folder\n")
	os.MkdirAll(filepath.Join(dir, "root", "mnt"), 0o755)
	out, err := zsh(dir, `strapdir=$PWD/root; source ./app.blend; blend_postinst`)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if left, _ := os.ReadDir(filepath.Dir(outside)); len(left) > 0 {
		t.Errorf("%v came out\n%s", left, out)
	}
}
