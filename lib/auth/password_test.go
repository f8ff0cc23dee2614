package auth

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

func TestPasswordsAreHashedWithTheLeastCostOrMore(t *testing.T) {
	phc := HashPassword(password)
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Error(phc)
	}
	if phc == HashPassword(password) {
		t.Error("the same salt twice")
	}
	if ok, stale, err := CheckPassword(phc, password); !ok || stale || err != nil {
		t.Error(ok, stale, err)
	}
	if ok, _, err := CheckPassword(phc, password+"x"); ok || err != nil {
		t.Error(ok, err)
	}
}

// The hash was made by Debian's argon2: printf password | argon2 somesalt -id -t 2 -k 64 -p 1 -l 32 -e
func TestStringsOfOtherProgramsAreUnderstood(t *testing.T) {
	const phc = "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$FqGkmHNGCd0BRW2kBt6fPZ2pPmyGwwChL8FGUhTOSSI"
	if ok, stale, err := CheckPassword(phc, "password"); !ok || !stale || err != nil {
		t.Error(ok, stale, err)
	}
}

func TestDamagedStringsAreErrors(t *testing.T) {
	cheaply(t)
	good := HashPassword(password)
	p := strings.Split(good, "$")
	for _, phc := range []string{
		"", "x", password, "$", strings.TrimPrefix(good, "$"), good + "$", good + "=", strings.Join(p[:5], "$"),
		strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=64", "m=4294967295", 1), strings.Replace(good, "m=64", "m=0", 1),
		strings.Replace(good, "m=64", "m=064", 1),
		strings.Replace(good, "t=1", "t=0", 1), strings.Replace(good, "t=1", "t=101", 1),
		strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "p=1", "p=1x", 1),
		strings.Replace(good, p[4], "", 1), strings.Replace(good, p[5], "AAAA", 1),
		strings.Replace(good, p[5], p[5]+p[5]+p[5], 1),
	} {
		if ok, _, err := CheckPassword(phc, password); ok || err == nil {
			t.Errorf("%q: %v", phc, ok)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, phc string) {
		c, salt, hash, err := decode(phc)
		if err == nil && (encode(c, salt, hash) != phc || c.memory > 1<<20) {
			t.Errorf("%q was read as %+v", phc, c)
		}
	})
}

func TestHashingIsBoundedOverAllProcesses(t *testing.T) {
	folder := t.TempDir()
	s := hashLimit{folder, 2, time.Minute}
	var inside, most atomic.Int32
	var wait sync.WaitGroup
	for range 12 {
		wait.Go(func() {
			err := s.do(t.Context(), func() {
				n := inside.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(5 * time.Millisecond)
				inside.Add(-1)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if most.Load() > 2 {
		t.Errorf("%d at once, wanted 2", most.Load())
	}
}

func TestWhoWaitsTooLongForASlotIsTold(t *testing.T) {
	s := hashLimit{t.TempDir(), 1, 30 * time.Millisecond}
	held, err := s.lock(0)
	must(t, err)
	ran := false
	if err := s.do(t.Context(), func() { ran = true }); apperr.KindOf(err) != apperr.Unavailable || ran {
		t.Errorf("while the only slot is held: %v, ran %v", err, ran)
	}
	must(t, held.Close())
	if err := s.do(t.Context(), func() { ran = true }); err != nil || !ran {
		t.Errorf("when it is free: %v, ran %v", err, ran)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	held, err = s.lock(0)
	must(t, err)
	defer held.Close()
	if err := s.do(ctx, func() { t.Error("ran") }); apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("when the one who asks is gone: %v", err)
	}
	if err := (hashLimit{filepath.Join(s.folder, "none"), 1, time.Second}).do(t.Context(),
		func() { t.Error("ran") }); apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("without the folder: %v", err)
	}
}

// holdPlace makes this test program a process that takes the slot in a folder, says so, and waits to be killed.
const holdPlace = "TOASTER_TEST_HOLD_SLOT"

func TestMain(m *testing.M) {
	if folder := os.Getenv(holdPlace); folder != "" {
		(hashLimit{folder, 1, time.Minute}).do(context.Background(), func() {
			os.Stdout.WriteString("held\n")
			time.Sleep(time.Hour)
		})
	}
	os.Exit(m.Run())
}

func TestAProcessThatDiesGivesItsSlotBack(t *testing.T) {
	folder := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), holdPlace+"="+folder)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	s := hashLimit{folder, 1, 20 * time.Millisecond}
	if err := s.do(t.Context(),
		func() { t.Error("two processes in one slot") }); apperr.KindOf(err) != apperr.Unavailable {
		t.Error(err)
	}
	must(t, child.Process.Kill())
	child.Wait()
	s.patience = time.Minute
	must(t, s.do(t.Context(), func() {}))
}
