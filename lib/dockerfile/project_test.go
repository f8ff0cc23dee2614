package dockerfile_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
)

const projectFile = "FROM debian:bookworm\nCOPY app.py /srv/\nCMD [\"/srv/app.py\"]\n"

// zipped makes a ZIP of names and texts in turn; its comment is what git archive would write.
func zipped(t *testing.T, comment string, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		h := &zip.FileHeader{Name: files[i], Method: zip.Deflate}
		h.SetMode(0o644)
		if target, link := strings.CutPrefix(files[i+1], "-> "); link {
			h.SetMode(0o777 | fs.ModeSymlink)
			files[i+1] = target
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(files[i+1]))
	}
	w.SetComment(comment)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t *testing.T, comment string, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if comment != "" {
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header",
			PAXRecords: map[string]string{"comment": comment}})
	}
	for i := 0; i < len(files); i += 2 {
		w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))})
		w.Write([]byte(files[i+1]))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var within = dockerfile.Limits{Compressed: 1 << 20, Unpacked: 1 << 20, Entries: 100}

// TestAProjectsArchiveIsAllThatIsNeeded: its Dockerfile is found, and the only folder at its top is the context.
func TestAProjectsArchiveIsAllThatIsNeeded(t *testing.T) {
	commit := strings.Repeat("0a", 20)
	for about, c := range map[string]struct {
		files []string
		asked string
		name  string
		wrong string
	}{
		"in the root": {files: []string{"Dockerfile", projectFile, "app.py", "x"}, name: "Dockerfile"},
		"from GitLab or GitHub": {files: []string{"app-main/", "", "app-main/Dockerfile", projectFile,
			"app-main/app.py", "x"}, name: "Dockerfile"},
		"in lower case": {files: []string{"app/dockerfile", projectFile, "app/app.py", "x"},
			name: "dockerfile"},
		"of podman": {files: []string{"./Containerfile", projectFile, "./app.py", "x"},
			name: "Containerfile"},
		"of macOS": {files: []string{"app/Dockerfile", projectFile, "app/app.py", "x",
			"__MACOSX/app/._Dockerfile", "", ".DS_Store", ""}, name: "Dockerfile"},
		"with another name": {files: []string{"app/Dockerfile.prod", projectFile, "app/app.py", "x"},
			name: "Dockerfile.prod"},
		"several": {files: []string{"Dockerfile", projectFile, "Containerfile", "FROM x", "app.py",
			"x"}, wrong: "Containerfile, Dockerfile"},
		"several, and one is asked for": {files: []string{"a/Dockerfile", projectFile, "a/Containerfile", "FROM x",
			"a/app.py", "x"}, asked: "Dockerfile", name: "Dockerfile"},
		"asked for with the folder": {files: []string{"a/docker/Dockerfile", projectFile, "a/app.py", "x"},
			asked: "a/docker/Dockerfile", name: "docker/Dockerfile"},
		"below": {files: []string{"a/docker/Dockerfile", projectFile, "a/app.py", "x"},
			wrong: "docker/Dockerfile"},
		"below, and asked for": {files: []string{"a/docker/Dockerfile", projectFile, "a/app.py", "x"},
			asked: "docker/Dockerfile", name: "docker/Dockerfile"},
		"none": {files: []string{"a/app.py", "x"}, wrong: "contains none"},
		"asked for what is not there": {files: []string{"Dockerfile", projectFile}, asked: "Other",
			wrong: `does not contain the file "Other"`},
		"asked for what leads out of it": {files: []string{"Dockerfile", projectFile, "app.py", "x"},
			asked: "../../Dockerfile", name: "Dockerfile"},
	} {
		for form, archive := range map[string][]byte{"zip": zipped(t, commit, c.files...),
			"tar": tarred(t, commit, c.files...)} {
			context, err := dockerfile.ReadContext(archive, within)
			if err != nil {
				t.Fatalf("%s, %s: %v", about, form, err)
			}
			name, text, err := context.FindDockerfile(c.asked)
			if c.wrong != "" {
				if f := apperr.Of(err); err == nil || !strings.Contains(f.Message.String(), c.wrong) || f.Field == "" ||
					f.Advice.IsZero() {
					t.Errorf("%s, %s: %q, %v", about, form, name, err)
				}
				continue
			}
			if err != nil || name != c.name || string(text) != projectFile {
				t.Errorf("%s, %s: %q, %v", about, form, name, err)
				continue
			}
			for _, f := range dockerfile.Check(dockerfile.Source{Dockerfile: text, Context: context.Project(text)}) {
				if f.Level == dockerfile.Error {
					t.Errorf("%s, %s: %s", about, form, f.Message)
				}
			}
		}
	}
}

// TestWhenTheOnlyFolderIsTheContext, for a Dockerfile that was sent beside the archive.
func TestWhenTheOnlyFolderIsTheContext(t *testing.T) {
	commit := strings.Repeat("0a", 20)
	for _, c := range []struct {
		text, comment string
		files         []string
		want          string // a path that the context has then
	}{
		{"FROM debian\nCOPY app.py /\n", "", []string{"p/app.py", "x"}, "app.py"},
		{"FROM debian\nCOPY p/app.py /\n", "", []string{"p/app.py", "x"}, "p/app.py"},
		{"FROM debian\nCOPY p /srv\n", commit, []string{"p/app.py", "x"}, "p/app.py"},
		{"FROM debian\nCOPY . /srv\n", commit, []string{"p/app.py", "x"}, "app.py"},
		{"FROM debian\nCOPY . /srv\n", "", []string{"p/app.py", "x"}, "p/app.py"}, // as docker build has it
		{"FROM debian\nCOPY . /srv\n", "", []string{"p/app.py", "x", "p/Dockerfile", "FROM x"}, "app.py"},
		{"FROM debian\nCOPY . /srv\n", "no commit", []string{"p/app.py", "x"}, "p/app.py"},
		{"FROM debian\nCOPY . /srv\n", commit, []string{"p/app.py", "x", "README", ""}, "p/app.py"},
		{"FROM debian\nRUN --mount=type=bind,source=app.py,target=/a true\n", "", []string{"p/app.py", "x"}, "app.py"},
		{"FROM debian\nADD https://example.org/p /\n", "", []string{"p/app.py", "x"}, "p/app.py"},
		{"FROM debian\nCOPY app.py /\n", "", []string{"p/app.py", "x", "p/.dockerignore", "*.log\n", "p/a.log", "x"},
			".dockerignore"},
	} {
		context, err := dockerfile.ReadContext(zipped(t, c.comment, c.files...), within)
		if err != nil {
			t.Fatal(err)
		}
		context = context.Project([]byte(c.text))
		if got := " " + strings.Join(context.Paths(), " ") + " "; !strings.Contains(got, " "+c.want+" ") {
			t.Errorf("%q with %q: the context has %s", c.text, c.files, got)
		}
		stripped := false
		for _, f := range dockerfile.Check(dockerfile.Source{Dockerfile: []byte(c.text), Context: context}) {
			stripped = stripped || f.Rule == "ContextFolder" && strings.Contains(f.Message.String(), `"p"`)
		}
		if stripped == strings.HasPrefix(c.want, "p/") {
			t.Errorf("%q: it is said: %v", c.text, stripped)
		}
	}
}

// TestArchivesOfEveryKind are the same context; others are refused by name.
func TestArchivesOfEveryKind(t *testing.T) {
	plain := tarred(t, "", "app.py", "x")
	var gz, zst bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write(plain)
	w.Close()
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(plain)
	z.Close()
	kinds := map[string][]byte{"tar": plain, "gzip": gz.Bytes(), "zstd": zst.Bytes(), "zip": zipped(t, "", "app.py", "x")}
	if bzip2, err := exec.LookPath("bzip2"); err == nil {
		cmd := exec.Command(bzip2)
		cmd.Stdin = bytes.NewReader(plain)
		if kinds["bzip2"], err = cmd.Output(); err != nil {
			t.Fatal(err)
		}
	}
	for name, archive := range kinds {
		if c, err := dockerfile.ReadContext(archive, within); err != nil || strings.Join(c.Paths(), " ") != "app.py" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]string{
		"7z\xbc\xaf\x27\x1c": "7z", "Rar!\x1a\x07\x00": "RAR", "070701000": "cpio",
		"\x04\x22\x4d\x18": "lz4",
	} {
		if _, err := dockerfile.ReadContext([]byte(text), within); err == nil ||
			!strings.Contains(apperr.Of(err).Message.String(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestBombsOfEveryKind end at the limits: a packed file, many entries, one entry under a thousand names.
func TestBombsOfEveryKind(t *testing.T) {
	large := strings.Repeat("\x00", 8<<20)
	var zst bytes.Buffer
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(tarred(t, "", "large", large))
	z.Close()
	many := []string{}
	for i := range 200 {
		many = append(many, strings.Repeat("d/", i%20)+string(rune('a'+i%26))+strings.Repeat("x", i), "")
	}
	bombs := map[string][]byte{"zip": zipped(t, "", "large", large), "zstd": zst.Bytes(),
		"entries": zipped(t, "", many...)}
	if bzip2, err := exec.LookPath("bzip2"); err == nil {
		cmd := exec.Command(bzip2)
		cmd.Stdin = bytes.NewReader(tarred(t, "", "large", large))
		if bombs["bzip2"], err = cmd.Output(); err != nil {
			t.Fatal(err)
		}
	}
	for name, archive := range bombs {
		_, err := dockerfile.ReadContext(archive, within)
		if f := new(apperr.Error); !errors.As(err, &f) || f.Kind != apperr.TooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNamesAndLinksOfAZip are what they were on the machine that packed it.
func TestNamesAndLinksOfAZip(t *testing.T) {
	c, err := dockerfile.ReadContext(zipped(t, "", "app.py", "x", "link", "-> app.py", "out", "-> ../../etc/passwd"),
		within)
	if err != nil || strings.Join(c.Paths(), " ") != "app.py link out" {
		t.Fatal(c, err)
	}
	_, findings := dockerfile.Translate(dockerfile.Source{Dockerfile: []byte("FROM debian:bookworm\nCOPY link out " +
		"/\nCMD [\"x\"]"), Context: c})
	for _, f := range findings {
		if f.Level == dockerfile.Error && !strings.Contains(f.Message.String(), "out") {
			t.Error(f)
		}
	}
	if _, err := dockerfile.ReadContext(zipped(t, "", "../escape", "x"), within); err == nil {
		t.Error("a name that leads out was taken")
	}
	dos := zipped(t, "", "gr\x81n.txt", "x") // ü of code page 437
	dos = bytes.ReplaceAll(dos, []byte("PK\x01\x02\x14\x03"), []byte("PK\x01\x02\x14\x00"))
	if c, err := dockerfile.ReadContext(dos, within); err != nil || c.Paths()[0] != "grün.txt" {
		t.Error(c, err)
	}
}
