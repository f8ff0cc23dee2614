package difftest

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"toaster.do/lib/buildcontext"
	"toaster.do/lib/dockerfile"
)

// beside writes what a blend needs beside it.
func beside(t *testing.T, c *dockerfile.Context, files buildcontext.Source, need []string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), buildcontext.BesideName)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := buildcontext.WriteTar(f, c.Manifest(), files, need); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestContextBeside: each case that takes something of its context gives the same tree when the context is inside the
// blend, in a tar file, and in a folder.
func TestContextBeside(t *testing.T) {
	b := newRoot(t)
	tried := 0
	for _, c := range readCases(t) {
		if base := filepath.Base(c.file); base != "copy.txt" && base != "add.txt" && base != "tree.txt" {
			continue
		}
		if c.refused || len(c.secrets) > 0 {
			continue
		}
		dir := t.TempDir()
		c.write(t, dir, "http://127.0.0.1:9", "127.0.0.1:9")
		text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
		if err != nil {
			t.Fatal(err)
		}
		tree, err := buildcontext.Folder(dir, "", buildcontext.Limits{})
		if err != nil {
			continue
		}
		s := dockerfile.Source{Dockerfile: text, Context: dockerfile.NewContext(&tree.Manifest, tree), Codename: "bookworm"}
		if strings.Contains(string(text), "://") || len(dockerfile.Images(s)) > 0 {
			continue
		}
		inside, _ := dockerfile.Translate(s)
		s.Inside = -1
		outside, _ := dockerfile.Translate(s)
		if inside == nil || !outside.External {
			continue
		}
		tried++
		odd := tried%2 == 1
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := b.treeOf(t, inside, "")
			place := beside(t, s.Context, tree, outside.Files)
			if odd {
				folder := t.TempDir()
				run(t, "tar", "-xf", place, "-C", folder)
				place = folder
			}
			got := b.treeOf(t, outside, place)
			for name := range maps.Keys(want) {
				if want[name] != got[name] {
					t.Errorf("%s is %q, and with the context beside it %q", name, want[name], got[name])
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d files, and %d with the context beside it", len(want), len(got))
			}
		})
	}
	if tried < 20 {
		t.Errorf("only %d cases were tried", tried)
	}
}

// treeOf is what a blend makes of the base, with the context from that place.
func (b *builder) treeOf(t *testing.T, blend *dockerfile.Blend, place string) map[string]string {
	t.Helper()
	root, said, err := b.runWith(blend, t.TempDir(), place)
	if err != nil {
		failed := regexp.MustCompile(`(?m)^TOASTER-FAILED .*$`).FindString(said)
		if failed == "" || strings.HasPrefix(failed, "TOASTER-FAILED 0/0") {
			t.Fatalf("%v\n%s", err, said)
		}
		return map[string]string{"failed": failed}
	}
	return snapshot(t, root)
}

// TestOddContextBeside: names, times, modes, links, attributes and pipes arrive from beside the blend as from inside.
func TestOddContextBeside(t *testing.T) {
	b := newRoot(t)
	files := buildcontext.Memory{}
	text := func(s string) (int64, string) { return int64(len(s)), files.Add([]byte(s)) }
	size, sum := text("some text\n")
	_, empty := text("")
	long := strings.Repeat("long/", 40)
	m := &buildcontext.Manifest{}
	add := func(e buildcontext.Entry) { m.Entries = append(m.Entries, e) }
	file := func(path string, mode, time int64) buildcontext.Entry {
		return buildcontext.Entry{Path: path, Type: buildcontext.File, Mode: mode, Time: time, Size: size, SHA256: sum}
	}
	add(buildcontext.Entry{Type: buildcontext.Dir, Mode: 0o711, Time: 5})
	add(buildcontext.Entry{Path: "0", Type: buildcontext.Other})
	first := file("1 %=\xff\n'\"$(x)", 0o4711, -3)
	first.Xattrs = map[string]string{"SCHILY.xattr.user.b": "\x00=\n%", "SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}
	add(first)
	add(buildcontext.Entry{Path: "2", Type: buildcontext.Link, Mode: 0o777, Link: strings.Repeat("../", 60) + "etc/passwd"})
	add(buildcontext.Entry{Path: "3", Type: buildcontext.Fifo, Mode: 0o600, Time: 1 << 33})
	for i := 5; i <= len(long); i += 5 {
		add(buildcontext.Entry{Path: long[:i-1], Type: buildcontext.Dir, Mode: 0o2755, Time: 9,
			Xattrs: map[string]string{"SCHILY.xattr.user.d": "e"}})
	}
	add(file(long+"f", 0o640, 1<<33))
	add(buildcontext.Entry{Path: "mine", Type: buildcontext.File, Hardlink: long + "f"})
	add(buildcontext.Entry{Path: "next", Type: buildcontext.File, Hardlink: long + "f"})
	add(buildcontext.Entry{Path: "z", Type: buildcontext.File, Mode: 0o600, SHA256: empty})
	if err := buildcontext.Check(m, buildcontext.Limits{}); err != nil {
		t.Fatal(err)
	}
	context := dockerfile.NewContext(m, files)
	for _, text := range []string{"COPY --exclude=0 . /c/\n", "COPY mine next /c/\n", "COPY z /c/\nCOPY n* /c/\n"} {
		s := dockerfile.Source{Context: context, Dockerfile: []byte("FROM debian:bookworm\n" + text +
			"RUN cd /c && find . -printf '%P %T@ %y %m %n %l\\0' >/list && getfattr -hdR -m - . >>/list 2>&1 || true\n")}
		inside, findings := dockerfile.Translate(s)
		s.Inside = -1
		outside, _ := dockerfile.Translate(s)
		if inside == nil || outside == nil {
			t.Fatal(findings)
		}
		want := b.treeOf(t, inside, "")
		got := b.treeOf(t, outside, beside(t, context, files, outside.Files))
		for name := range maps.Keys(want) {
			if want[name] != got[name] && name != "list" {
				t.Errorf("%q: %s is %q, and with the context beside it %q", text, name, want[name], got[name])
			}
		}
		if len(got) != len(want) || !strings.HasPrefix(got["list"], "f ") {
			t.Errorf("%q: %d files, and %d with the context beside it", text, len(want), len(got))
		}
	}
}

// TestContextBesideIsWrong: a context that is not there, not whole or another one is no reason for an image, and said.
func TestContextBesideIsWrong(t *testing.T) {
	b := newRoot(t)
	files := buildcontext.Memory{}
	sums := []string{files.Add([]byte(strings.Repeat("a", 3000))), files.Add([]byte("second"))}
	m := &buildcontext.Manifest{Entries: []buildcontext.Entry{
		{Path: "a", Type: buildcontext.File, Mode: 0o644, Size: 3000, SHA256: sums[0]},
		{Path: "b", Type: buildcontext.File, Mode: 0o644, Size: 6, SHA256: sums[1]}}}
	context := dockerfile.NewContext(m, files)
	blend, _ := dockerfile.Translate(dockerfile.Source{Context: context, Inside: -1,
		Dockerfile: []byte("FROM debian:bookworm\nCOPY . /c/\n")})
	whole, err := os.ReadFile(beside(t, context, files, blend.Files))
	if err != nil {
		t.Fatal(err)
	}
	folder := func(change func(dir string)) string {
		dir := t.TempDir()
		run(t, "tar", "-xf", beside(t, context, files, blend.Files), "-C", dir)
		change(dir)
		return dir
	}
	archive := func(text []byte) string {
		name := filepath.Join(t.TempDir(), "context.tar")
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	write := func(dir, name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for says, place := range map[string]string{
		"the build context is missing":            "",
		"/nowhere, is not there":                  filepath.Join(t.TempDir(), "nowhere"),
		"is cut off":                              archive(whole[:3000]),
		"context is cut off\n":                    archive(whole[:len(whole)-1024]),
		"is not a tar file that":                  archive([]byte(strings.Repeat("x", 2000))),
		"has no manifest":                         folder(func(dir string) { os.Remove(filepath.Join(dir, "manifest")) }),
		"this is another build context":           folder(func(dir string) { write(dir, "manifest", "toaster-context 1\n") }),
		fmt.Sprint("lacks blobs/", sums[1]):       folder(func(dir string) { os.Remove(filepath.Join(dir, "blobs", sums[1])) }),
		"has 3 bytes, not 6":                      folder(func(dir string) { write(dir, "blobs/"+sums[1], "too") }),
		fmt.Sprint("is damaged: blobs/", sums[1]): folder(func(dir string) { write(dir, "blobs/"+sums[1], "secund") }),
	} {
		_, said, err := b.runWith(blend, t.TempDir(), place)
		if err == nil || !strings.Contains(said, says) || !strings.Contains(said, "\nTOASTER-FAILED 0/0 0 exit 1\n") {
			t.Errorf("%v, and it does not say %q\n%s", err, says, said)
		}
	}
}

// TestContextBesideIsCopied: where the kernel can't map the ids of a file system, the build has a copy, and leaves none.
func TestContextBesideIsCopied(t *testing.T) {
	b := newRoot(t)
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "ramfs", "-o", "mode=700", "toaster", dir).CombinedOutput(); err != nil {
		lack(t, string(out))
	}
	t.Cleanup(func() { run(t, "umount", dir) })
	files := buildcontext.Memory{}
	m := &buildcontext.Manifest{Entries: []buildcontext.Entry{{Path: "a", Type: buildcontext.File, Mode: 0o644, Size: 6,
		SHA256: files.Add([]byte("secret"))}}}
	context := dockerfile.NewContext(m, files)
	blend, _ := dockerfile.Translate(dockerfile.Source{Context: context, Inside: -1,
		Dockerfile: []byte("FROM debian:bookworm\nCOPY . /c/\n")})
	run(t, "tar", "-xf", beside(t, context, files, blend.Files), "-C", dir)
	run(t, "chmod", "-R", "go=", dir)
	run(t, "tar", "-cf", filepath.Join(dir, "context.tar"), "--format=gnu", "-C", dir, "./manifest", "./blobs")
	for _, place := range []string{dir, filepath.Join(dir, "context.tar")} {
		if got := b.treeOf(t, blend, place)["c/a"]; !strings.HasPrefix(got, "f 0644 0:0 6 ") {
			t.Errorf("%s: %s", place, got)
		}
	}
}
