package config

import "errors"

// KeyPairs reads the keys of cookies from Paths.Keys: a hash key of 64 bytes, a block key of 32, and so on, newest first.
func (c *Config) KeyPairs() ([][]byte, error) { return nil, errors.New("not written yet") }

// NewKeys makes the file with one generation of random keys. A file that is there is left alone: an error.
func NewKeys(path string) error { return errors.New("not written yet") }

// AddKeys puts a new generation in front, which cookies are made with from now on, and keeps the newest keep ones.
func AddKeys(path string, keep int) error { return errors.New("not written yet") }
