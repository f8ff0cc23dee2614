package conf_test

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// built gives the site a job with a build that has left a file of a size, full of zeros, and a log. It returns the
// build's path.
func (s *site) built(t testing.TB, v *visitor, size int64) string {
	t.Helper()
	kind, body := form("large", small)
	resp, _ := v.must(t, http.StatusCreated, "POST", "/jobs", kind, body)
	id := filepath.Base(resp.Header.Get("Location"))
	db := s.open(t)
	defer db.Close()
	var name string
	if err := db.QueryRow("SELECT engine_name FROM job WHERE id = ?", id).Scan(&name); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		sql  string
		args []any
	}{
		{"INSERT INTO local_build (ticket, job, number, state, queued_at, started_at, ended_at) VALUES (7, ?, 1, " +
			"'succeeded', 1, 2, 3)", []any{name}},
		{"INSERT INTO local_artifact (ticket, path, size, sha256) VALUES (7, 'disk.img', ?, '')", []any{size}},
		{"INSERT INTO build (job_id, number, revision, state, ticket, engine_number, queued_at, started_at, ended_at, " +
			"finalized) VALUES (?, 1, 1, 'succeeded', '7', 1, 1, 2, 3, 1)", []any{id}},
		{"INSERT INTO artifact (job_id, build, path, size, sha256) VALUES (?, 1, 'disk.img', ?, '')", []any{id, size}},
	} {
		if _, err := db.Exec(row.sql, row.args...); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(s.dir, "builds", name, "1")
	write(t, folder, "log", "it was built\n", 0o644)
	write(t, folder, "dist/disk.img", "", 0o644)
	if err := os.Truncate(filepath.Join(folder, "dist", "disk.img"), size); err != nil {
		t.Fatal(err)
	}
	return "/jobs/" + id + "/builds/1"
}

// A large file is sent as fast as its reader takes it: no program and no server has it in memory, or on a disk of
// theirs. TOASTER_DOWNLOAD is its size in MiB.
func TestALargeArtifactIsNowhereWhole(t *testing.T) {
	size := int64(512)
	if s, err := strconv.ParseInt(os.Getenv("TOASTER_DOWNLOAD"), 10, 64); err == nil {
		size = s
	}
	size <<= 20
	for _, k := range append(kinds[1:], fastKinds...) {
		t.Run(k.name, func(t *testing.T) {
			s := newSite(t, filepath.Join(t.TempDir(), "site"), unlimited...)
			v := s.serve(t, k, "/toaster")
			path := s.built(t, v, size)
			req, err := http.NewRequest("GET", v.base+path+"/artifacts/disk.img", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+v.token)
			begin := time.Now()
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK || resp.ContentLength != size {
				t.Fatalf("%s, %d bytes", resp.Status, resp.ContentLength)
			}
			n, err := io.CopyN(io.Discard, resp.Body, size/4)
			// A reader who pauses: what the program has sent meanwhile lies somewhere.
			time.Sleep(2 * time.Second)
			spooled, largest := v.spooled(), s.largest()
			rest, again := io.Copy(io.Discard, resp.Body)
			if err != nil || again != nil || n+rest != size {
				t.Errorf("%d bytes, %v, %v", n+rest, err, again)
			}
			t.Logf("%d MiB in %v, 2 s of it a pause; the program took %d MiB of memory; the server had %d MiB on its disk",
				size>>20, time.Since(begin).Round(time.Millisecond), largest>>10, spooled>>20)
			if spooled > 16<<20 {
				t.Errorf("the server keeps %d MiB in files of its own", spooled>>20)
			}
			if largest > 100<<10 || largest == 0 {
				t.Errorf("the program took %d MiB", largest>>10)
			}
			v.must(t, http.StatusOK, "GET", path+"/log", "", nil)
		})
	}
}

// open is the site's database.
func (s *site) open(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(s.dir, "toaster.db"))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// largest is the most memory that one of the running programs ever had, KiB.
func (s *site) largest() (most int) {
	for _, pid := range s.programs() {
		most = max(most, status(pid, "VmHWM"))
	}
	return most
}

// spooled is how much the server has put into files because it can't send it yet. Bytes.
func (v *visitor) spooled() (sum int64) {
	files, _ := filepath.Glob(filepath.Join(v.dir, "lighttpd-upload-*"))
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", v.server.Pid))
	for _, path := range append(files, open...) {
		if name, err := os.Readlink(path); err == nil && !strings.HasSuffix(name, " (deleted)") {
			continue // counted by its name, if at all
		}
		if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() {
			sum += fi.Size()
		}
	}
	return sum
}
