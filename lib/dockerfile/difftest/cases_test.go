package difftest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A case is a Dockerfile and its build context. Many stand in one file of testdata:
//
//	=== name
//	# why it is there
//	buildkit: what BuildKit does that buildah 1.28 does not; then "have" lines say what must be in the tree
//	config: why buildah's configuration is another one
//	arg: K=V
//	secret: NAME=VALUE, where \n is a line's end and \xff that byte; a new SSH key if NAME begins with ssh.
//	have: PATH KIND MODE OWNER [CONTENT]
//	gone: PATH
//	refused
//	says: TEXT, in the log of what is refused
//	--- FILE [MODE]
//	contents
//	--- FILE crlf | bom: with such line ends, or a byte order mark
//	--- FOLDER/ [MODE]
//	--- LINK -> TARGET
//	--- HARD LINK => FILE
//	--- PIPE |
//	--- ARCHIVE.tar[.gz|.xz|.bz2|.zst] :
//	MODE UID:GID NAME CONTENT | MODE UID:GID FOLDER/ | LINK -> TARGET | LINK => HARD LINK | device NAME |
//	program NAME
type testCase struct {
	file, name string
	buildkit   string   // buildah is not asked
	config     string   // why buildah's configuration is another one
	have, gone []string // with buildkit
	refused    bool     // with buildkit
	says       string   // likewise
	args       []string
	secrets    []string // NAME=VALUE
	files      []caseFile
}

type caseFile struct {
	name, mode, link, hard string
	archive, pipe          bool
	data                   []byte
}

func readCases(t *testing.T) (cases []testCase) {
	names, _ := filepath.Glob("testdata/*.txt")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(text), "\n=== ")[1:] {
			cases = append(cases, parseCase(t, name, part+"\n"))
		}
	}
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.name] {
			t.Fatalf("%s: the case %s is there twice", c.file, c.name)
		}
		seen[c.name] = true
	}
	return cases
}

func parseCase(t *testing.T, name, text string) testCase {
	head, rest, _ := strings.Cut(text, "\n")
	c := testCase{file: name, name: strings.TrimSpace(head)}
	rest = strings.TrimRight(rest, "\n") + "\n"
	parts := strings.Split("\n"+rest, "\n--- ")
	for _, line := range strings.Split(parts[0], "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "buildkit":
			c.buildkit = value
		case "config":
			c.config = value
		case "arg":
			c.args = append(c.args, value)
		case "says":
			c.says = value
		case "secret":
			c.secrets = append(c.secrets, value)
		case "have":
			c.have = append(c.have, value)
		case "gone":
			c.gone = append(c.gone, value)
		case "refused":
			c.refused = true
		default:
			if line != "" && !strings.HasPrefix(line, "#") {
				t.Fatalf("%s: %s: cannot read %q", name, c.name, line)
			}
		}
	}
	for _, p := range parts[1:] {
		head, data, _ := strings.Cut(p, "\n")
		f := caseFile{data: []byte(data)}
		if len(data) > 0 && !strings.HasSuffix(data, "\n") {
			f.data = append(f.data, '\n')
		}
		words := strings.Fields(head)
		if quoted, err := strconv.QuotedPrefix(head); err == nil {
			words = append([]string{quoted}, strings.Fields(head[len(quoted):])...)
		}
		f.name = words[0]
		switch {
		case len(words) == 3 && words[1] == "->":
			f.link = words[2]
		case len(words) == 3 && words[1] == "=>":
			f.hard = words[2]
		case len(words) == 2 && words[1] == "|":
			f.pipe = true
		case len(words) == 2 && words[1] == ":":
			f.archive = true
		case len(words) == 2 && words[1] == "crlf":
			f.data = bytes.ReplaceAll(f.data, []byte("\n"), []byte("\r\n"))
		case len(words) == 2 && words[1] == "bom":
			f.data = append([]byte("\ufeff"), f.data...)
		case len(words) == 2:
			f.mode = words[1]
		}
		if unquoted, err := strconv.Unquote(f.name); err == nil {
			f.name = unquoted
		}
		c.files = append(c.files, f)
	}
	return c
}

// write makes the case's folder. @URL@ in a file stands for the test's own web server, @REGISTRY@ for its registry.
func (c testCase) write(t *testing.T, dir, url, registry string) {
	for _, f := range c.files {
		f.data = bytes.ReplaceAll(f.data, []byte("@URL@"), []byte(url))
		f.data = bytes.ReplaceAll(f.data, []byte("@REGISTRY@"), []byte(registry))
		p := filepath.Join(dir, f.name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		mode, isDir := os.FileMode(0o644), strings.HasSuffix(f.name, "/")
		if isDir {
			mode = 0o755
		}
		if f.mode != "" {
			n, err := strconv.ParseUint(f.mode, 8, 32)
			if err != nil {
				t.Fatal(err)
			}
			mode = os.FileMode(n & 0o777)
			if n&0o4000 != 0 {
				mode |= os.ModeSetuid
			}
			if n&0o2000 != 0 {
				mode |= os.ModeSetgid
			}
			if n&0o1000 != 0 {
				mode |= os.ModeSticky
			}
		}
		var err error
		switch {
		case f.link != "":
			err = os.Symlink(f.link, p)
		case f.hard != "":
			err = os.Link(filepath.Join(dir, f.hard), p)
		case f.pipe:
			err = syscall.Mkfifo(p, 0o644)
		case isDir:
			err = os.MkdirAll(p, 0o755)
		case f.archive:
			err = os.WriteFile(p, archive(t, f), 0o644)
		default:
			err = os.WriteFile(p, f.data, 0o644)
		}
		if err == nil && f.link == "" && f.hard == "" {
			err = os.Chmod(p, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// busybox is the program that an archive's line "program" means.
var busybox = sync.OnceValue(func() string {
	path, err := exec.LookPath("busybox")
	if err != nil {
		panic(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return string(data)
})

// archive makes a tar file from its lines.
func archive(t *testing.T, f caseFile) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, line := range strings.Split(strings.TrimSpace(string(f.data)), "\n") {
		h := &tar.Header{ModTime: time.Unix(1e9, 0), Mode: 0o644}
		body := ""
		if name, to, ok := strings.Cut(line, " -> "); ok {
			h.Typeflag, h.Name, h.Linkname = tar.TypeSymlink, name, to
		} else if name, to, ok := strings.Cut(line, " => "); ok {
			h.Typeflag, h.Name, h.Linkname = tar.TypeLink, name, to
		} else if name, ok := strings.CutPrefix(line, "program "); ok {
			h.Typeflag, h.Name, h.Mode, body = tar.TypeReg, name, 0o755, busybox()
			h.Size = int64(len(body))
		} else if name, ok := strings.CutPrefix(line, "device "); ok {
			h.Typeflag, h.Name, h.Devmajor, h.Devminor = tar.TypeChar, name, 1, 3
		} else if line != "" {
			if _, err := fmt.Sscanf(line, "%o %d:%d %s", &h.Mode, &h.Uid, &h.Gid, &h.Name); err != nil {
				t.Fatalf("%s: %q: %v", f.name, line, err)
			}
			_, body, _ = strings.Cut(line, h.Name+" ")
			h.Typeflag, h.Size = tar.TypeReg, int64(len(body))
			if strings.HasSuffix(h.Name, "/") {
				h.Typeflag, h.Size = tar.TypeDir, 0
			}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			w.Write([]byte(body))
		}
	}
	w.Close()
	switch filepath.Ext(f.name) {
	case ".gz", ".tgz":
		var z bytes.Buffer
		g := gzip.NewWriter(&z)
		g.Write(out.Bytes())
		g.Close()
		return z.Bytes()
	case ".xz", ".bz2", ".zst":
		tool := map[string]string{".xz": "xz", ".bz2": "bzip2", ".zst": "zstd"}[filepath.Ext(f.name)]
		cmd := exec.Command(tool, "-c")
		cmd.Stdin = &out
		packed, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return packed
	}
	return out.Bytes()
}
