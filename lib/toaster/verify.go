package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"toaster.do/lib/buildcontext"
)

type verifyCommand struct {
	Dir string `arg:"" default:"." help:"The folder, with SHA256SUMS and perhaps SHA256SUMS.minisig."`
	Key string `placeholder:"KEY" help:"The site's public key (minisign), or a file that has it. Default: $$TOASTER_KEY, or the one that was there when you logged in to the site that the folder is from, or else to your default site."`
}

func (c *verifyCommand) Help() string {
	return "Exits with 1 if a file is missing or another than SHA256SUMS says, if the signature is wrong, or if there is " +
		"none although the site's public key is known. Without a key, only the checksums are verified."
}

func (c *verifyCommand) Run(w *world) error {
	key := c.Key
	if text, err := os.ReadFile(key); key != "" && err == nil {
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		key = lines[len(lines)-1]
	}
	if key == "" {
		var err error
		if key, err = w.keyOf(c.Dir); err != nil {
			return err
		}
	}
	return w.verify(c.Dir, key, false)
}

// keyOf is the public key that a folder's signature must be of; "": none is known. What the folder says of itself only
// chooses among those that are known here: it may be as false as its files.
func (w *world) keyOf(dir string) (string, error) {
	if key := os.Getenv("TOASTER_KEY"); key != "" {
		return key, nil
	}
	config, err := loadConfig()
	if err != nil {
		return "", err
	}
	usual := cmp.Or(w.site, os.Getenv("TOASTER_URL"), config.Default)
	if usual != "" {
		if usual, err = siteAddress(usual); err != nil {
			return "", err
		}
	}
	for _, address := range []string{readMarker(dir).Site, usual} {
		if known := config.find(address); known != nil && known.Key != "" {
			return known.Key, nil
		}
	}
	return "", nil
}

// verify compares the files of a folder with SHA256SUMS, and that with its signature. Of some files only, the
// others are not missing.
func (w *world) verify(dir, key string, some bool) error {
	sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if errors.Is(err, fs.ErrNotExist) && key == "" {
		return failed(exitFailed, "", "%s has no SHA256SUMS: nothing can be verified", dir)
	}
	if err != nil {
		return failed(exitFailed, "", "%v", err)
	}
	signed, err := verifySignature(dir, sums, key)
	if err != nil {
		return err
	}
	n := 0
	for line := range strings.SplitSeq(strings.TrimRight(string(sums), "\n"), "\n") {
		sum, name, ok := strings.Cut(line, " ")
		name = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(name, "\r"), " "), "*")
		name = strings.TrimPrefix(name, "./")
		if !ok || !buildcontext.IsSHA256(sum) || !isLocal(name) {
			return failed(exitFailed, "", "%s can't be read: %s", filepath.Join(dir, "SHA256SUMS"), printableLine(line))
		}
		got, err := sumFile(w.ctx, filepath.Join(dir, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) && some {
			continue
		}
		if w.ctx.Err() != nil {
			return w.ctx.Err()
		}
		if err != nil {
			return failed(exitFailed, "Download it again.", "%v", err)
		}
		if got != sum {
			return failed(exitFailed, "Do not use it. Delete it, and download it again.",
				"%s is not what the build made: its checksum is wrong", filepath.Join(dir, name))
		}
		n++
	}
	w.event("verified", map[string]any{"files": n, "signed": signed, "dir": dir})
	switch {
	case signed:
		w.note("%s verified: checksums and signature are right.", count(n, "file"))
	default:
		w.note("%s verified: checksums are right. Signature not checked: the key of the site is not known.",
			count(n, "file"))
	}
	return nil
}

// verifySignature tells whether there is a signature. A site that signs, signs everything.
func verifySignature(dir string, sums []byte, key string) (signed bool, err error) {
	k, err := parseKey(key)
	if err != nil && key != "" {
		return false, misused("%q is %v", key, err)
	}
	signature, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS.minisig"))
	if errors.Is(err, fs.ErrNotExist) {
		if key == "" {
			return false, nil
		}
		return false, failed(exitFailed, "Do not use it, unless you know that it was built before the site signed.",
			"%s is not signed, although the site signs what it builds", dir)
	}
	if err != nil {
		return false, err
	}
	if key == "" {
		return false, failed(exitFailed,
			"Log in again to fetch the site's public key, or name it: toaster verify --key KEY "+dir,
			"the signature of %s can't be verified: the public key is not known", dir)
	}
	if _, err := k.verify(sums, signature); err != nil {
		return false, failed(exitFailed, "Do not use it. Download it again, and tell the administrator of the site.",
			"%s is not signed by the site: %v", dir, err)
	}
	return true, nil
}
