package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"toaster.do/lib/buildcontext"
)

// What is known of a folder from the last time lies in the user's cache, and may be lost at any time.

// cacheFile is where something about a folder is kept; empty: nowhere.
func cacheFile(folder, what string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	path, err := filepath.Abs(folder)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(dir, "toaster", hex.EncodeToString(sum[:12])+"."+what)
}

func saveCache(path string, text []byte) {
	if path == "" || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	_ = writeWhole(path, text) // without a cache, all goes on more slowly
}

// last is what was built of a folder the last time, by the site's address.
type last map[string]lastBuild

type lastBuild struct {
	Context string `json:"context"` // its digest: the site has it
	Job     string `json:"job"`
}

func readLast(folder string) last {
	l := last{}
	text, err := os.ReadFile(cacheFile(folder, "json"))
	if err != nil || json.Unmarshal(text, &l) != nil {
		return last{}
	}
	return l
}

// sent is the digest of the context that the site was sent the last time.
func (o *order) sent(c *client) string { return readLast(o.folder)[c.URL].Context }

// sentManifest is the manifest of the context that the site was sent the last time; nil: it is not known.
func (o *order) sentManifest(c *client) *buildcontext.Manifest {
	digest := o.sent(c)
	f, err := os.Open(cacheFile(o.folder, "manifest"))
	if digest == "" || err != nil {
		return nil
	}
	defer f.Close()
	m, err := buildcontext.Decode(f)
	if err != nil || "sha256:"+m.Digest() != digest {
		return nil
	}
	return m
}

// remember keeps what was ordered.
func (o *order) remember(c *client, m *buildcontext.Manifest) {
	var b bytes.Buffer
	digest := "sha256:" + m.Digest()
	if o.sent(c) != digest && m.Encode(&b) == nil {
		saveCache(cacheFile(o.folder, "manifest"), b.Bytes())
	}
	l := readLast(o.folder)
	l[c.URL] = lastBuild{digest, o.job}
	if text, err := json.Marshal(l); err == nil {
		saveCache(cacheFile(o.folder, "json"), text)
	}
}

// sums are the SHA-256 of a folder's files: buildcontext.Cache.
type sums struct {
	path     string
	old, now map[string]known
}

type known struct {
	stamp buildcontext.Stamp
	sum   string
}

// openSums reads what is known of a folder's files.
func openSums(folder string) *sums {
	s := &sums{path: cacheFile(folder, "sums"), old: map[string]known{}, now: map[string]known{}}
	f, err := os.Open(s.path)
	if err != nil {
		return s
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var k known
		head, path, ok := strings.Cut(lines.Text(), "\t")
		if _, err := fmt.Sscan(head, &k.sum, &k.stamp.Size, &k.stamp.Modified, &k.stamp.Changed, &k.stamp.Inode); ok &&
			err == nil && buildcontext.IsSHA256(k.sum) {
			s.old[path] = k
		}
	}
	return s
}

// Get implements buildcontext.Cache.
func (s *sums) Get(path string, stamp buildcontext.Stamp) string {
	k, ok := s.old[path]
	if !ok || k.stamp != stamp {
		return ""
	}
	s.now[path] = k
	return k.sum
}

// Put implements buildcontext.Cache.
func (s *sums) Put(path string, stamp buildcontext.Stamp, sum string) {
	s.now[path] = known{stamp, sum}
}

// save keeps what the folder has now.
func (s *sums) save() {
	var b strings.Builder
	for path, k := range s.now {
		if !strings.ContainsAny(path, "\n\t") {
			fmt.Fprintln(&b, k.sum, k.stamp.Size, k.stamp.Modified, k.stamp.Changed, fmt.Sprint(k.stamp.Inode)+"\t"+path)
		}
	}
	saveCache(s.path, []byte(b.String()))
}
