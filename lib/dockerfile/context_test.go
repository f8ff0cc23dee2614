package dockerfile

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
)

var generous = Limits{Compressed: 1 << 20, Unpacked: 1 << 20, Entries: 100}

func tarOf(headers ...tar.Header) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		body := strings.Repeat("x", int(h.Size))
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		w.WriteHeader(&h)
		w.Write([]byte(body))
	}
	w.Close()
	return out.Bytes()
}

func gzipOf(data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(data)
	w.Close()
	return out.Bytes()
}

func TestReadContext(t *testing.T) {
	plain := tarOf(tar.Header{Name: "./d/", Typeflag: tar.TypeDir, Mode: 0o750},
		tar.Header{Name: "./d/f", Size: 3, Mode: 0o4755},
		tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "d/f"},
		tar.Header{Name: "h", Typeflag: tar.TypeLink, Linkname: "d/f"})
	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	f, _ := z.Create("d/f")
	f.Write([]byte("xxx"))
	z.Close()
	for name, c := range map[string]struct {
		archive []byte
		paths   string
	}{
		"tar":    {plain, "d d/f h l"},
		"tar.gz": {gzipOf(plain), "d d/f h l"},
		"zip":    {zipped.Bytes(), "d d/f"},
	} {
		got, err := ReadContext(c.archive, generous)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if list := strings.Join(got.Paths(), " "); list != c.paths {
			t.Errorf("%s: %s, want %s", name, list, c.paths)
		}
		if text := string((&files{Source: got.source}).read(got.entries["d/f"])); text != "xxx" {
			t.Errorf("%s: contents %q", name, text)
		}
	}
	one, _ := ReadContext(plain, generous)
	two, _ := ReadContext(gzipOf(plain), generous)
	if one.SHA256() != two.SHA256() || len(one.SHA256()) != 64 {
		t.Errorf("the checksums of equal contents are %s and %s", one.SHA256(), two.SHA256())
	}
}

// TestOddEntries: what can't be copied is refused where an instruction takes it, and nowhere else. Links are links,
// wherever they lead.
func TestOddEntries(t *testing.T) {
	context := func(extra ...tar.Header) *Context {
		c, err := ReadContext(
			tarOf(append([]tar.Header{{Name: "one", Size: 1}, {Name: "two", Typeflag: tar.TypeLink, Linkname: "one"},
				{Name: "venv/python", Typeflag: tar.TypeSymlink, Linkname: "/usr/bin/python3"},
				{Name: "venv/up", Typeflag: tar.TypeSymlink, Linkname: "../../x"},
				{Name: "venv/pipe", Typeflag: tar.TypeFifo},
				{Name: "odd/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3},
				{Name: "odd/link", Typeflag: tar.TypeSymlink},
				{Name: "odd/hard", Typeflag: tar.TypeLink, Linkname: "../../x"}}, extra...)...), generous)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ignore := tar.Header{Name: ".dockerignore", Size: 1} // it names x: see tarOf
	for text, says := range map[string]string{
		"COPY one /":                                   "",
		"COPY venv /venv":                              "",
		"COPY --exclude=odd . /c":                      "",
		"COPY --exclude=odd/* . /c":                    "",
		"RUN --mount=target=/c true":                   "",
		"COPY . /c":                                    `COPY: "odd/hard" of the build context is a device, or a link to nowhere.`,
		"ADD odd/n* /":                                 `ADD: "odd/null" of the build context is a device`,
		"COPY odd/link /":                              `COPY: "odd/link" of the build context is a device, or a link to nowhere.`,
		"COPY venv/python /":                           `"venv/python" is not in the build context.`,
		"FROM debian:bookworm AS unused\nCOPY . /":     "",
		"COPY --exclude=nothing --exclude=!odd odd /c": "odd/hard",
	} {
		from := "FROM debian:bookworm\n"
		if strings.HasPrefix(text, "FROM") {
			text += "\n" + from
		} else {
			text = from + text + "\n"
		}
		blend, findings := Translate(Source{Dockerfile: []byte(text), Context: context(ignore)})
		said := ""
		for _, f := range findings {
			if f.Level == Error {
				said += f.Message.String() + " " + f.Advice.String()
			}
		}
		if (says == "") != (said == "") || !strings.Contains(said, says) || (says == "") != (blend != nil) {
			t.Errorf("%q: %q, want %q", text, said, says)
		}
	}
	_, findings := Translate(Source{Dockerfile: []byte("FROM debian:bookworm\nCOPY venv/python /\n"),
		Context: context()})
	if i := slices.IndexFunc(findings, func(f Finding) bool { return f.Rule == "MissingSource" }); i < 0 ||
		findings[i].Advice.String() != `venv/python is a link to "/usr/bin/python3", which is not in the build context.` {
		t.Errorf("a link that leads to nothing: %v", findings)
	}
}

// TestDockerignoreOfTheDockerfile: NAME.dockerignore is for the Dockerfile of that name; where no name is known, its
// text tells.
func TestDockerignoreOfTheDockerfile(t *testing.T) {
	text := "FROM debian:bookworm\n"
	c := mustMake(t, map[string]string{"docker/app.Dockerfile": text,
		"docker/app.Dockerfile.dockerignore": "secret", "other.Dockerfile": "FROM scratch\n",
		"Dockerfile.dockerignore": "a", ".dockerignore": "b"})
	for _, test := range []struct{ name, text, want string }{
		{"docker/app.Dockerfile", "FROM x\n", "docker/app.Dockerfile.dockerignore"},
		{"./docker/../Dockerfile", text, "Dockerfile.dockerignore"},
		{"other.Dockerfile", "FROM scratch\n", ".dockerignore"},
		{"../Dockerfile", text, ".dockerignore"},
		{"", text, "docker/app.Dockerfile.dockerignore"},
		{"", "FROM scratch\n", ".dockerignore"},
		{"", "typed into the form", "Dockerfile.dockerignore"},
	} {
		if got := c.ignoreFile(Source{Name: test.name, Dockerfile: []byte(test.text)}); got != test.want {
			t.Errorf("%q, %q: %s, want %s", test.name, test.text, got, test.want)
		}
	}
}

// TestBadPattern: a pattern that can't be read is named, with its file and line.
func TestBadPattern(t *testing.T) {
	for text, want := range map[string]string{
		"# c\n\na\n[b\n":   `Line 4 of .dockerignore in the build context has an invalid pattern: "[b".`,
		"\ufeffa\r\n!\r\n": `Line 2 of .dockerignore in the build context has an invalid pattern: "!".`,
		"ok\na[]-]b\n":     `Line 2 of .dockerignore in the build context has an invalid pattern: "a[]-]b".`,
	} {
		c := mustMake(t, map[string]string{".dockerignore": text, "axb": ""})
		findings := Check(Source{Dockerfile: []byte("FROM debian:bookworm\n"), Context: c})
		if len(findings) == 0 || findings[0].Message.String() != want || findings[0].Level != Error {
			t.Errorf("%q: %v", text, findings)
		}
	}
}

// TestPackIsReproducible: the archive in the blend depends on the contents alone.
func TestPackIsReproducible(t *testing.T) {
	c, _ := ReadContext(tarOf(tar.Header{Name: "b", Size: 3}, tar.Header{Name: "a", Size: 3}), generous)
	names, _ := c.named(map[string]bool{"": true, "a": true, "b": true})
	f := &files{Source: c.source}
	var one, two bytes.Buffer
	if err := errors.Join(c.pack(&one, f, names), c.pack(&two, f, names)); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two archives of the same context differ", err)
	}
}

// FuzzReadContext: whatever comes in, what is taken has only names inside and stays within the limits.
func FuzzReadContext(f *testing.F) {
	f.Add(tarOf(tar.Header{Name: "d/", Typeflag: tar.TypeDir}, tar.Header{Name: "d/f", Size: 3},
		tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "d/../d/f"}))
	f.Add(gzipOf(tarOf(tar.Header{Name: "h"}, tar.Header{Name: "g", Typeflag: tar.TypeLink, Linkname: "h"})))
	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	z.Create("../x")
	z.Create("a\\b")
	z.Close()
	f.Add(zipped.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ReadContext(data, Limits{Compressed: 1 << 16, Unpacked: 1 << 16, Entries: 50})
		if err != nil {
			if k := apperr.KindOf(err); k != apperr.InvalidArgument && k != apperr.TooLarge {
				t.Fatalf("%s: %v", k, err)
			}
			return
		}
		f := &files{Source: c.source}
		if _, _, err := c.ignore(".dockerignore", f, &budget{}); err == nil {
			if err := c.pack(io.Discard, f, append([]string{""}, c.Paths()...)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestUnreadableContext: a file that can't be read is our fault, and said where it is needed; others are not opened.
func TestUnreadableContext(t *testing.T) {
	files := map[string]string{"a": "a", "b": "#!/bin/sh\necho $UNKNOWN\n", ".dockerignore": "c\n",
		"Dockerfile": "FROM debian:bookworm\n"}
	for text, gone := range map[string]string{
		"COPY b /\nCMD [\"/b\"]": "b", "ADD b /": "b", "COPY a /": ".dockerignore", "COPY . /": "a",
		"RUN true": "", "COPY b /b": "a", "COPY --from=x a /": "b",
	} {
		whole := mustMake(t, files)
		rest := maps.Clone(whole.source.(buildcontext.Memory))
		if gone != "" {
			delete(rest, whole.entries[gone].sha256)
		}
		c := NewContext(whole.manifest, rest)
		blend, findings := Translate(Source{Context: c, Dockerfile: []byte("FROM debian:bookworm AS x\nFROM x\n" + text + "\n")})
		needed := gone != "" && text != "COPY b /b" && text != "COPY --from=x a /"
		if (blend == nil) != needed || has(findings, "Internal") != needed {
			t.Errorf("%q without %q: %v", text, gone, findings)
		}
		if err := c.Err(); (apperr.KindOf(err) == apperr.Internal) != needed {
			t.Errorf("%q without %q: %v", text, gone, err)
		}
	}
	whole := mustMake(t, files)
	c := NewContext(whole.manifest, buildcontext.Memory{whole.entries["Dockerfile"].sha256: []byte("FROM")})
	if _, _, err := c.FindDockerfile(""); apperr.KindOf(err) != apperr.Internal {
		t.Errorf("a Dockerfile that is too short: %v", err)
	}
}

// TestContextIsTheSame however it was packed, and whatever folder it was in; where it has hard links, they stay.
func TestContextIsTheSame(t *testing.T) {
	text := []byte("FROM debian:bookworm\nCOPY d l /\n")
	made := map[string]bool{}
	for _, top := range []string{"", "./", "project/", "other/"} {
		headers := []tar.Header{{Name: top + "d/", Typeflag: tar.TypeDir, Mode: 0o755}, {Name: top + "d/z", Size: 3},
			{Name: top + "d/a", Typeflag: tar.TypeLink, Linkname: top + "d/z"},
			{Name: top + "Dockerfile", Size: 3}, {Name: top + "l", Typeflag: tar.TypeSymlink, Linkname: "d"}}
		if top != "" {
			headers = append([]tar.Header{{Name: top, Typeflag: tar.TypeDir, Mode: 0o700}}, headers...)
		}
		c, err := ReadContext(tarOf(headers...), generous)
		if err != nil {
			t.Fatal(err)
		}
		c = c.Project(text)
		made[c.SHA256()] = true
		if a, z := c.entries["d/a"], c.entries["d/z"]; a.inode == 0 || a.inode != z.inode || z.size != 3 {
			t.Errorf("%+v and %+v are not one file", a, z)
		}
		for _, inside := range []int64{0, -1} {
			blend, findings := Translate(Source{Context: c, Dockerfile: text, Inside: inside})
			if blend == nil {
				t.Fatal(findings)
			}
			if blend.Context != c.SHA256() || blend.External != (inside < 0) || len(blend.Files) > 1 {
				t.Errorf("%s, external %v, %q", blend.Context, blend.External, blend.Files)
			}
		}
	}
	if len(made) != 1 {
		t.Errorf("the same files have %d digests", len(made))
	}
}
