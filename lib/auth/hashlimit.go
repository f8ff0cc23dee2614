package auth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"toaster.do/lib/apperr"
)

// patience is how long a log-in waits for its turn to hash.
const patience = 5 * time.Second

// hashLimit bounds how many passwords are hashed at once, over all processes of the host: each takes memory and a
// processor, and each request is a process of its own. Who holds the lock of a file hashes; the kernel gives the
// lock back when a process dies.
type hashLimit struct {
	folder   string
	count    int
	patience time.Duration
}

func newHashLimit(database string) hashLimit {
	return hashLimit{filepath.Dir(database), max(1, runtime.NumCPU()), patience}
}

// do runs f when a slot is free. Unavailable: none became free in time.
func (s hashLimit) do(ctx context.Context, f func()) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	for {
		for i := range s.count {
			file, err := s.lock(i)
			if errors.Is(err, syscall.EWOULDBLOCK) {
				continue
			}
			if err != nil {
				return apperr.Wrap(apperr.Unavailable, err, "The folder of the site's database can't be written.",
					"Try again later. Administrator: see the log.")
			}
			f()
			return file.Close()
		}
		select {
		case <-ctx.Done():
			return apperr.Wrap(apperr.Unavailable, ctx.Err(), "The server is busy checking other passwords.",
				"Try again in a minute.")
		// Not all at the same moment.
		case <-time.After(5*time.Millisecond + rand.N(10*time.Millisecond)):
		}
	}
}

func (s hashLimit) lock(i int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.folder, fmt.Sprintf("password.%d.lock", i)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
