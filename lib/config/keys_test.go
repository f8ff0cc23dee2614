package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func pairs(t *testing.T, path string) [][]byte {
	t.Helper()
	c := Default()
	c.Paths.Keys = path
	keys, err := c.KeyPairs()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestNewKeysAreRandomAndNotForEverybody(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "keys")
	for _, path := range []string{a, b} {
		if err := NewKeys(path); err != nil {
			t.Fatal(err)
		}
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o640 {
			t.Errorf("%v %v", fi.Mode(), err)
		}
	}
	keys := pairs(t, a)
	if len(keys) != 2 || len(keys[0]) != 64 || len(keys[1]) != 32 {
		t.Fatalf("%d keys", len(keys))
	}
	if bytes.Equal(keys[0], pairs(t, b)[0]) {
		t.Error("two files with the same key")
	}
	if err := NewKeys(a); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
}

func TestRotationPutsTheNewKeysInFront(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := NewKeys(path); err != nil {
		t.Fatal(err)
	}
	first := pairs(t, path)
	if err := AddKeys(path, 2); err != nil {
		t.Fatal(err)
	}
	second := pairs(t, path)
	if len(second) != 4 || !bytes.Equal(second[2], first[0]) || !bytes.Equal(second[3], first[1]) {
		t.Fatal("the old keys don't come second")
	}
	if err := AddKeys(path, 2); err != nil {
		t.Fatal(err)
	}
	third := pairs(t, path)
	if len(third) != 4 || !bytes.Equal(third[2], second[0]) {
		t.Fatal("the oldest keys are still there, or the wrong ones went")
	}
	if fi, _ := os.Stat(path); fi.Mode().Perm() != 0o640 {
		t.Error(fi.Mode())
	}
}

func TestKeysThatWouldBeWeakAreRefused(t *testing.T) {
	key := func(n int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, n)) }
	for text, want := range map[string]string{
		"":                              "has no keys",
		"# nothing\n":                   "has no keys",
		key(64) + "\n":                  ":1: wanted a hash key and a block key",
		key(1) + " " + key(32):          ":1: key 1 is not 64 bytes",
		key(64) + " " + key(16):         ":1: key 2 is not 32 bytes",
		"# x\n" + key(64) + " " + "!!!": ":2: key 2 is not 32 bytes",
	} {
		c := Default()
		c.Paths.Keys = write(t, "keys", text)
		_, err := c.KeyPairs()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "!!!") {
			t.Errorf("%q: %v, wanted %s", text, err, want)
		}
	}
	open := write(t, "keys", key(64)+" "+key(32))
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	c := Default()
	c.Paths.Keys = open
	if _, err := c.KeyPairs(); err == nil || !strings.Contains(err.Error(), "chmod 0640") {
		t.Errorf("keys that everybody can read: %v", err)
	}
}
