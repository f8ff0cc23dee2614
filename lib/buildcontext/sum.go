package buildcontext

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"time"
)

// Cache remembers the SHA-256 of files between runs.
type Cache interface {
	Get(path string, s Stamp) string // "": it is not known
	Put(path string, s Stamp, sha256 string)
}

// Sum reads the files whose SHA-256 the cache does not have (nil: there is none), as many at once as there are
// processors, and sets it in the manifest. The end of the context ends it with the context's error.
func (t *Tree) Sum(ctx context.Context, c Cache) error {
	var (
		group sync.WaitGroup
		lock  sync.Mutex // of errs and the cache
		errs  error
		next  = make(chan *file)
	)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			buffer := make([]byte, 256<<10)
			for f := range next {
				sum, err := f.sum(ctx, c, &lock, buffer)
				t.Entries[f.entry].SHA256, t.Entries[f.entry].Size = sum, f.Size
				if err != nil {
					lock.Lock()
					errs = errors.Join(errs, err)
					lock.Unlock()
				}
			}
		})
	}
	for i := range t.files {
		if ctx.Err() != nil {
			break
		}
		next <- &t.files[i]
	}
	close(next)
	group.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for i := range t.files {
		t.paths[t.Entries[t.files[i].entry].SHA256] = t.files[i].path
	}
	return errs
}

// sum returns a file's SHA-256. One that is not known is that of the file with the stamp that it has when it is opened.
func (f *file) sum(ctx context.Context, c Cache, lock *sync.Mutex, buffer []byte) (string, error) {
	if c != nil {
		lock.Lock()
		known := c.Get(f.path, f.Stamp)
		lock.Unlock()
		if known != "" {
			return known, nil
		}
	}
	r, err := os.Open(f.path)
	if err != nil {
		return "", err
	}
	defer r.Close()
	if f.Stamp, err = stampFile(r); err != nil {
		return "", err
	}
	begun, h := time.Now(), sha256.New()
	n, err := io.CopyBuffer(h, Interruptible(ctx, r), buffer)
	if err != nil {
		return "", err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	after, err := stampFile(r)
	if c != nil && after == f.Stamp && f.settled(begun) {
		lock.Lock()
		c.Put(f.path, f.Stamp, sum)
		lock.Unlock()
	}
	f.Size = n
	return sum, err
}

// Interruptible is r until the context ends: then reading it is the context's error.
func Interruptible(ctx context.Context, r io.Reader) io.Reader { return interruptible{ctx, r} }

type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

func stampFile(f *os.File) (Stamp, error) {
	info, err := f.Stat()
	if err != nil {
		return Stamp{}, err
	}
	return stampOf(info), nil
}

// settled tells whether a change after that time would give the file another stamp: clocks of file systems are coarse.
func (s Stamp) settled(at time.Time) bool {
	return max(s.Modified, s.Changed) < at.Add(-2*time.Second).UnixNano()
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
