package image

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Lock is what the references of a Dockerfile mean: a build takes these images, whatever the registry has by then. It
// is sorted by reference, then platform.
type Lock []Locked

// Locked is an image that is known by its digest.
type Locked struct {
	Reference string `json:"reference"` // as it was written
	Platform  string `json:"platform"`
	Digest    string `json:"digest"` // of the platform's manifest
	Size      int64  `json:"size"`   // of its layers, as they are fetched
	Layers    []Part `json:"layers"` // the lowest first
	Config    Config `json:"configuration"`
	// What it is made of; only known of what the last stage stands on.
	Release Release `json:"release,omitzero"`
	// Archive is where an image of this site's own is, the engine's JOB/NUMBER/FILE; empty: a registry has it.
	Archive string `json:"archive,omitempty"`
}

// Part is a layer by its digest.
type Part struct {
	Digest string `json:"digest"` // SHA-256
	Size   int64  `json:"size"`   // as it is fetched
}

// Bounds of a lock. No registry has longer names; 100 stages can't name more images.
const (
	longestReference = 600
	MostImages       = 100
	MostLayers       = 512      // more than any file system stacks
	LargestConfig    = 64 << 10 // as a lock has it: there is a lock in each revision of a job
	largestLock      = 8 << 20
)

// file is a lock as it is written.
type file struct {
	Version int  `json:"version"`
	Images  Lock `json:"images"`
}

const version = 1

// NewLock puts the images into a lock's order.
func NewLock(images []Locked) Lock {
	l := Lock(slices.Clone(images))
	slices.SortFunc(l, func(a, b Locked) int {
		return cmp.Or(cmp.Compare(a.Reference, b.Reference), cmp.Compare(a.Platform, b.Platform))
	})
	return l
}

// Lock is what a lock remembers of an image.
func (i *Image) Lock() Locked {
	l := Locked{Reference: i.Reference, Platform: i.Platform, Digest: i.Digest, Size: i.Size, Layers: []Part{},
		Config: i.Config, Release: i.Release}
	for _, layer := range i.Layers {
		l.Layers = append(l.Layers, Part{layer.Digest, layer.Size})
	}
	return l
}

// Find returns the image that a reference means; nil: the lock has none.
func (l Lock) Find(w Want) *Locked {
	for i := range l {
		if l[i].Reference == w.Reference && l[i].Platform == w.Platform {
			return &l[i]
		}
	}
	return nil
}

// Encode writes a lock: the same images give the same bytes.
func (l Lock) Encode() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(file{version, append(Lock{}, l...)}); err != nil {
		panic(err) // no field of it can fail
	}
	return b.Bytes()
}

// Parse reads a lock that Encode or a person wrote. What is not in it is not guessed.
func Parse(text []byte) (Lock, error) {
	if len(text) > largestLock {
		return nil, fmt.Errorf("the lock is larger than %d bytes", largestLock)
	}
	if !utf8.Valid(text) {
		return nil, errors.New("the lock is not UTF-8 text")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var f file
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("the lock can't be read: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the lock")
	}
	if f.Version != version {
		return nil, fmt.Errorf("the lock has version %d, not %d", f.Version, version)
	}
	return NewLock(f.Images), f.Images.check()
}

func (l Lock) check() error {
	if len(l) > MostImages {
		return fmt.Errorf("the lock has more than %d images", MostImages)
	}
	seen := map[Want]bool{}
	for _, i := range l {
		w := Want{i.Reference, i.Platform}
		if seen[w] {
			return fmt.Errorf("the lock has %q for %s twice", i.Reference, i.Platform)
		}
		seen[w] = true
		if err := i.Check(); err != nil {
			return fmt.Errorf("%.100q: %w", i.Reference, err)
		}
	}
	return nil
}

// Expressions are compiled when they are first needed: most processes need none.
var (
	referenceForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\x21-\x7e]+$`) })
	digestForm    = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$`)
	})
	platformForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}(/[a-z0-9][a-z0-9._-]{0,31}){1,2}$`)
	})
)

// archiveForm is that of Locked.Archive.
var archiveForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([A-Za-z0-9._+-]{1,200})/([1-9][0-9]{0,8})/([A-Za-z0-9][A-Za-z0-9._-]*\.oci\.tar)$`)
})

// InArchive is where an image of this site's own is: in the engine's job, its build, and a file of that.
func (i *Locked) InArchive() (job string, number int, file string) {
	m := archiveForm().FindStringSubmatch(i.Archive)
	if m == nil {
		return "", 0, ""
	}
	number, _ = strconv.Atoi(m[2])
	return m[1], number, m[3]
}

// ValidPlatform tells whether s is OS/ARCHITECTURE[/VARIANT].
func ValidPlatform(s string) bool { return platformForm().MatchString(s) }

// Check refuses what no lock may have.
func (i *Locked) Check() error {
	switch {
	case len(i.Reference) > longestReference || !referenceForm().MatchString(i.Reference):
		return errors.New("the reference is not the name of an image")
	case !ValidPlatform(i.Platform):
		return errors.New("the platform is not OS/ARCHITECTURE[/VARIANT]")
	case !digestForm().MatchString(i.Digest):
		return errors.New("the digest is not one of SHA-256, SHA-384 or SHA-512")
	case i.Archive != "" && !archiveForm().MatchString(i.Archive):
		return errors.New("the archive is not a file of a build")
	case i.Size < 0:
		return errors.New("the size is negative")
	case !i.Release.Valid():
		return errors.New("the release is not one of os-release(5)")
	case len(i.Layers) > MostLayers:
		return fmt.Errorf("it has more than %d layers", MostLayers)
	}
	for _, l := range i.Layers {
		if !strings.HasPrefix(l.Digest, "sha256:") || !digestForm().MatchString(l.Digest) || l.Size < 0 {
			return fmt.Errorf("%.100q is not the SHA-256 of a layer, or its size is negative", l.Digest)
		}
	}
	return i.Config.Check()
}

// Check refuses a configuration that is too large, or that no system call could take.
func (c *Config) Check() error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if len(text) > LargestConfig {
		return fmt.Errorf("the configuration is larger than %d bytes", LargestConfig)
	}
	if strings.ContainsRune(fmt.Sprintf("%v %v", *c, c.Healthcheck), 0) {
		return errors.New("the configuration has a NUL character")
	}
	return nil
}
