package e2e

import (
	"database/sql"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// downloads fetches a file that a build has left where an installation keeps it: the web server sends it itself.
func (c *chroot) downloads(base string, client *http.Client) {
	c.Helper()
	resp, err := client.PostForm(base+"/jobs", url.Values{"name": {"kept"}, "target": {"rootfs_amd64_daedalus"},
		"dockerfile": {"FROM devuan/devuan:daedalus\nRUN true\n"}})
	c.shows(resp, err, "kept")
	id := path.Base(resp.Request.URL.Path)

	db, err := sql.Open("sqlite3", c.dir+"/var/lib/toaster/toaster.db")
	if err != nil {
		c.Fatal(err)
	}
	defer db.Close()
	var name string
	if err := db.QueryRow("SELECT engine_name FROM job WHERE id = ?", id).Scan(&name); err != nil {
		c.Fatal(err)
	}
	for _, row := range [][]any{
		{"INSERT INTO local_build (ticket, job, number, state, queued_at, started_at, ended_at) VALUES (7, ?, 1, " +
			"'succeeded', 1, 2, 3)", name},
		{"INSERT INTO local_artifact (ticket, path, size, sha256) VALUES (7, 'disk.img', 7, '')"},
		{"INSERT INTO build (job_id, number, revision, state, ticket, engine_number, queued_at, started_at, ended_at, " +
			"finalized) VALUES (?, 1, 1, 'succeeded', '7', 1, 1, 2, 3, 1)", id},
		{"INSERT INTO artifact (job_id, build, path, size, sha256) VALUES (?, 1, 'disk.img', 7, '')", id},
	} {
		if _, err := db.Exec(row[0].(string), row[1:]...); err != nil {
			c.Fatal(err)
		}
	}
	folder := filepath.Join("/var/lib/toaster/builds", name, "1/dist")
	c.run("install", "-d", "-o", "toaster", "-g", "www-data", "-m", "750", filepath.Dir(filepath.Dir(folder)),
		filepath.Dir(folder), folder)
	if err := os.WriteFile(c.dir+folder+"/disk.img", []byte("content"), 0o640); err != nil {
		c.Fatal(err)
	}
	c.run("chown", "toaster:www-data", folder+"/disk.img")

	resp, err = client.Get(base + "/jobs/" + id + "/builds/1/artifacts/disk.img")
	c.shows(resp, err, "content")
	// The program would say when the build ended, in 1970; the server says when the file was written.
	if at := resp.Header.Get("Last-Modified"); at == "" || strings.Contains(at, " 1970 ") {
		c.Errorf("the server has not sent the file itself: %v", resp.Header)
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
		c.Errorf("the file is shown: %v", resp.Header)
	}
}
