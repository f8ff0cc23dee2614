package jenkinstest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// archiver is the step that keeps artifacts: all of a folder.
type archiver struct {
	Artifacts        string `xml:"artifacts"` // FOLDER/**
	OnlyIfSuccessful bool   `xml:"onlyIfSuccessful"`
	FollowSymlinks   *bool  `xml:"followSymlinks"` // left out: true
	Fingerprint      bool   `xml:"fingerprint"`
}

// archive copies the folder out of the workspace, and returns the paths and the result after it.
func (b *build) archive(workspace, result string) ([]string, string) {
	a := b.project.Archiver
	if a == nil {
		return nil, result
	}
	good := result == "SUCCESS" || result == "UNSTABLE"
	if a.OnlyIfSuccessful && !good {
		b.say("Skipped archiving because build is not successful")
		return nil, result
	}
	b.say("Archiving artifacts")
	folder := strings.TrimSuffix(a.Artifacts, "/**")
	names, err := find(workspace, folder, a.FollowSymlinks == nil || *a.FollowSymlinks)
	for _, name := range names {
		err = errors.Join(err, keep(filepath.Join(workspace, name), filepath.Join(b.dir, "archive", name)))
	}
	if err != nil {
		b.say("ERROR: Failed to archive artifacts: "+a.Artifacts, err.Error())
		return nil, "FAILURE"
	}
	if len(names) == 0 && good {
		b.say(`No artifacts found that match the file pattern "` + a.Artifacts + `". Configuration error?`)
	}
	if a.Fingerprint {
		b.say("Recording fingerprints")
		// Links are followed, whatever followSymlinks says: hudson.tasks.Fingerprinter doesn't know of it.
		if _, err := find(workspace, folder, true); err != nil {
			b.say("ERROR: Failed to record fingerprints", "java.io.IOException: Failed to compute digest for "+err.Error())
			return names, "FAILURE"
		}
	}
	return names, result
}

// find lists the files of a folder, in the order of the API. Where links are followed, one that leads nowhere is an
// error.
func find(workspace, folder string, follow bool) (names []string, err error) {
	filepath.WalkDir(filepath.Join(workspace, folder), func(path string, e fs.DirEntry, failed error) error {
		if failed != nil {
			return nil
		}
		info, failed := e.Info()
		if e.Type()&fs.ModeSymlink != 0 && follow {
			info, failed = os.Stat(path)
			err = errors.Join(err, failed)
		}
		if failed == nil && info.Mode().IsRegular() {
			name, _ := filepath.Rel(workspace, path)
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// keep puts a file into the archive, which shares it with the workspace: a test of gigabytes needs no disk.
func keep(from, to string) error {
	return errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Link(from, to))
}

// artifact answers what is below /artifact of a build: files alone.
func (c *call) artifact(b *build, path []string) {
	name := strings.Join(path, "/")
	info, err := os.Lstat(filepath.Join(b.dir, "archive", name))
	if err != nil || !info.Mode().IsRegular() || !slices.Contains(b.artifacts, name) {
		c.notFound()
		return
	}
	c.sendFile(filepath.Join(b.dir, "archive", name), info)
}

var oneRange = regexp.MustCompile(`^bytes=(\d+)-(\d*)$`)

// sendFile streams a file, or the part that Jenkins understands; it does so without holding the controller.
func (c *call) sendFile(path string, info os.FileInfo) {
	h := c.w.Header()
	h.Set("Last-Modified", info.ModTime().UTC().Truncate(time.Second).Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	start, length, status := int64(0), info.Size(), http.StatusOK
	if m := oneRange.FindStringSubmatch(c.r.Header.Get("Range")); m != nil {
		from, _ := strconv.ParseInt(m[1], 10, 64)
		to, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil || to >= info.Size() {
			to = info.Size() - 1
		}
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, info.Size()))
		// What ends before it begins is an empty part; only what lies beyond the end can't be skipped to.
		if from > to+1 {
			c.oops(http.StatusInternalServerError)
			return
		}
		start, length, status = from, to-from+1, http.StatusPartialContent
	}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	c.after = func() {
		f, err := os.Open(path)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer f.Close()
		c.w.WriteHeader(status)
		io.Copy(c.w, io.NewSectionReader(f, start, length))
	}
}
