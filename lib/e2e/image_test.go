package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func (s *toaster) checkSums(sums map[string]string) {
	s.Helper()
	cmd := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	cmd.Dir = s.bin
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Errorf("sha256sum --check: %v\n%s", err, out)
	}
	listed, err := os.ReadFile(filepath.Join(s.bin, "SHA256SUMS"))
	if err != nil || strings.Count(string(listed), "\n") != len(sums)-1 {
		s.Errorf("SHA256SUMS lists other files than the %d artifacts beside it (%v):\n%s", len(sums)-1, err, listed)
	}
}

// entries reads a tarball: what is in it, and the text of small files.
func (s *toaster) entries(name string) (got map[string]*tar.Header, text map[string]string) {
	s.Helper()
	f, err := os.Open(filepath.Join(s.bin, name))
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	unzip := exec.Command("gzip", "-dc") // which the race detector doesn't make ten times slower
	unzip.Stdin = f
	out, err := unzip.StdoutPipe()
	if err == nil {
		err = unzip.Start()
	}
	if err != nil {
		s.Fatal(err)
	}
	got, text = map[string]*tar.Header{}, map[string]string{}
	for archive := tar.NewReader(out); ; {
		h, err := archive.Next()
		if err == io.EOF {
			io.Copy(io.Discard, out)
			if err := unzip.Wait(); err != nil {
				s.Fatal(err)
			}
			return got, text
		}
		if err != nil {
			s.Fatal(err)
		}
		path := strings.TrimPrefix(strings.TrimPrefix(h.Name, "."), "/")
		got[path] = h
		if h.Size < 4096 && h.Typeflag == tar.TypeReg {
			content, _ := io.ReadAll(archive)
			text[path] = string(content)
		}
	}
}

// checkImage looks for what the Dockerfile says in the tarball.
func (s *toaster) checkImage(name string) {
	s.Helper()
	got, text := s.entries(name)
	if text["srv/app/greeting.txt"] != "bon jour from /srv/app\n" || text["srv/app/site/index.html"] != "<p>toast</p>\n" {
		s.Errorf("greeting.txt is %q, index.html is %q", text["srv/app/greeting.txt"], text["srv/app/site/index.html"])
	}
	if h := got["usr/local/bin/run.sh"]; h == nil || h.Mode&0o7777 != 0o750 || h.Uid != 33 || h.Gid != 33 {
		s.Errorf("run.sh is %+v", h)
	}
	for _, path := range []string{"bin/busybox", "etc/toaster/stamp", "etc/init.d/toaster-app"} {
		if got[path] == nil && got["usr/"+path] == nil {
			s.Errorf("the image lacks %s", path)
		}
	}
	for path := range got {
		// What a build needs for a while: mounted file systems, and the word that no daemon may start.
		if dir, file, _ := strings.Cut(path, "/"); (dir == "proc" || dir == "sys") && file != "" ||
			strings.HasSuffix(path, "sbin/policy-rc.d") {
			s.Errorf("the image has %s", path)
		}
	}
}

func (s *toaster) checkProvenance() {
	s.Helper()
	raw, err := os.ReadFile(filepath.Join(s.bin, "provenance.json"))
	if err != nil {
		s.Fatal(err)
	}
	want := sha256.Sum256([]byte(dockerfile))
	if !json.Valid(raw) || !bytes.Contains(raw, []byte(hex.EncodeToString(want[:]))) ||
		!bytes.Contains(raw, []byte(target)) {
		s.Errorf("provenance.json lacks the Dockerfile's checksum or the target:\n%s", raw)
	}
	packages, err := os.ReadFile(filepath.Join(s.bin, "packages.txt"))
	if err != nil || !strings.Contains(string(packages), "\nbusybox\t") {
		s.Errorf("packages.txt lacks busybox (%v)", err)
	}
}

// checkRange downloads the image again in two parts.
func (s *toaster) checkRange(path, sum string) {
	s.Helper()
	h := sha256.New()
	for _, part := range []string{"bytes=0-999999", "bytes=1000000-"} {
		resp := s.get(path, "Range", part)
		if resp.StatusCode != http.StatusPartialContent {
			s.Fatalf("Range: %s gives %s", part, resp.Status)
		}
		io.Copy(h, resp.Body)
		resp.Body.Close()
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		s.Errorf("two ranges together have the checksum %s, not %s", got, sum)
	}
}
