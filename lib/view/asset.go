//go:build !pages || judge

package view

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"toaster.do/static"
)

var digests sync.Map // name → string

// Asset returns a static file's path below the prefix. It changes with the content, so that
// browsers may keep the file for ever.
func Asset(name string) (string, error) {
	if d, ok := digests.Load(name); ok {
		return d.(string), nil
	}
	content, err := static.Files.ReadFile(name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	path := "/static/" + name + "?v=" + hex.EncodeToString(sum[:6])
	digests.Store(name, path)
	return path, nil
}
