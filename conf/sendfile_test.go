package conf_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// sent is the kind of server that sends the site's artifacts itself, when a program names one.
func (s *site) sent(k kind) kind {
	k.change = append([]string{"/var/lib/toaster/builds", s.dir + "/builds"}, k.change...)
	if !k.lighttpd {
		k.config = strings.ReplaceAll(k.config, "LoadModule alias_module",
			"LoadModule xsendfile_module {lib}/mod_xsendfile.so\nLoadModule alias_module")
	}
	return k
}

// A download is the same to its reader whoever sends it, the program or the server: whole, in part, checked against
// what the reader has, under any name, and to nobody but its owner.
func TestDownloadsThroughTheProgramAndByTheServer(t *testing.T) {
	for _, k := range append(kinds[1:], fastKinds...) {
		for _, by := range []string{"program", "server"} {
			t.Run(k.name+"/"+by, func(t *testing.T) {
				s := newSite(t, filepath.Join(t.TempDir(), "site"), unlimited...)
				k := k
				if by == "server" {
					k = s.sent(k)
				}
				v := s.serve(t, k, "/toaster")
				path := s.built(t, v, 0) + "/artifacts/"
				content := bytes.Repeat([]byte("0123456789abcdef"), 5000)
				for _, name := range []string{"disk.img", "it's 100%41 & ü~", "notes.inc", "dir/x.php"} {
					s.leaves(t, name, content)
					v.downloads(t, path, name, content)
				}
				s.leaves(t, "nothing", nil)
				v.downloads(t, path, "nothing", nil)
				// The program says when the build ended, which built did in 1970; the server, when the file was written.
				resp, _ := v.must(t, http.StatusOK, "GET", path+"disk.img", "", nil)
				if at := resp.Header.Get("Last-Modified"); (at != "" && !strings.Contains(at, " 1970 ")) != (by == "server") {
					t.Errorf("last modified: %q", at)
				}
				v.nobodyElseDownloads(t, path+"disk.img")
			})
		}
	}
}

// leaves gives the build of built another artifact.
func (s *site) leaves(t *testing.T, name string, content []byte) {
	t.Helper()
	db := s.open(t)
	defer db.Close()
	var folder string
	if err := db.QueryRow("SELECT job FROM local_build WHERE ticket = 7").Scan(&folder); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"INSERT OR REPLACE INTO local_artifact (ticket, path, size, sha256) SELECT 7, ?, ?, ''",
		"INSERT OR REPLACE INTO artifact (job_id, build, path, size, sha256) SELECT job_id, 1, ?, ?, 'abc' FROM build",
	} {
		if _, err := db.Exec(sql, name, len(content)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(s.dir, "builds", folder, "1", "dist"), name, string(content), 0o644)
}

func (v *visitor) downloads(t *testing.T, path, name string, content []byte) {
	t.Helper()
	url := v.base + path + (&url.URL{Path: name}).EscapedPath()
	size := len(content)
	for _, c := range []struct {
		header, value string
		status        int
		want          []byte
		part          string
	}{
		{"Accept", "*/*", 200, content, ""},
		{"Range", "bytes=5-9", 206, cut(content, 5, 10), fmt.Sprintf("bytes 5-9/%d", size)},
		{"Range", "bytes=-3", 206, cut(content, size-3, size), fmt.Sprintf("bytes %d-%d/%d", size-3, size-1, size)},
		{"Range", fmt.Sprintf("bytes=%d-", size+5), 416, nil, fmt.Sprintf("bytes */%d", size)},
		{"If-None-Match", `"abc"`, 304, nil, ""},
		{"If-None-Match", `"abd"`, 200, content, ""},
		{"If-Range", `"abc"`, 206, cut(content, 5, 10), fmt.Sprintf("bytes 5-9/%d", size)},
		{"If-Range", `"abd"`, 200, content, ""},
	} {
		if size == 0 && c.status != 200 && c.status != 304 {
			continue // servers differ in what part of nothing there is
		}
		req, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+v.token)
		if c.header == "If-Range" {
			req.Header.Set("Range", "bytes=5-9")
		}
		req.Header.Set(c.header, c.value)
		resp, err := patient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || c.want != nil && !bytes.Equal(text, c.want) || c.status == 304 &&
			len(text) > 0 {
			t.Errorf("%q, %s: %s: %s, %d bytes, %v", name, c.header, c.value, resp.Status, len(text), err)
		}
		// Of a refusal, mod_xsendfile doesn't say how large the file is.
		if c.part != "" && (c.status == 206 || resp.Header.Get("Content-Range") != "") &&
			resp.Header.Get("Content-Range") != c.part {
			t.Errorf("%q, %s: %s: Content-Range %q, not %q", name, c.header, c.value, resp.Header.Get("Content-Range"), c.part)
		}
		if c.status == 200 && resp.ContentLength != int64(size) {
			t.Errorf("%q: Content-Length %d", name, resp.ContentLength)
		}
		if resp.Header.Get("X-Sendfile") != "" || resp.Header.Get("ETag") != `"abc"` && c.status != 416 {
			t.Errorf("%q, %s: %s: %v", name, c.header, c.value, resp.Header)
		}
		if c.status != 200 && c.status != 206 {
			continue
		}
		for header, want := range map[string]string{
			"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff",
			"Cache-Control":           "private, no-cache",
			"Content-Security-Policy": "default-src 'none'; sandbox", "Accept-Ranges": "bytes",
		} {
			if got := resp.Header.Values(header); len(got) != 1 || got[0] != want {
				t.Errorf("%q, %s: %s: %s is %q", name, c.header, c.value, header, got)
			}
		}
		if !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment; ") {
			t.Errorf("%q is shown: %v", name, resp.Header)
		}
	}
}

// cut is a part of b, as far as there is one.
func cut(b []byte, from, to int) []byte {
	if from < 0 || to > len(b) {
		return nil
	}
	return b[from:to]
}

func (v *visitor) nobodyElseDownloads(t *testing.T, path string) {
	t.Helper()
	resp, err := http.Get(v.base + path)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if at := resp.Request.URL.Path; !strings.HasSuffix(at, "/account/login") {
		t.Errorf("a stranger is led to %s, %s", at, resp.Status)
	}
	other := *v
	other.token = "toaster_0"
	other.must(t, http.StatusUnauthorized, "GET", path, "", nil)
}
