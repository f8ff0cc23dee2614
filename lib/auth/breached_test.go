package auth

import (
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
)

// breachedList is a file of breached passwords, sorted, with or without how often each was seen.
func breachedList(t *testing.T, counts bool, end string, passwords ...string) string {
	t.Helper()
	var lines []string
	for i, p := range passwords {
		line := fmt.Sprintf("%X", sha1.Sum([]byte(p)))
		if counts {
			line += fmt.Sprintf(":%d", i*i*i)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	path := filepath.Join(t.TempDir(), "breached")
	must(t, os.WriteFile(path, []byte(strings.Join(lines, end)), 0o600))
	return path
}

func TestBreachedPasswordsAreFoundInAFileOfAnySize(t *testing.T) {
	var there []string
	for n := range 300 {
		there = append(there, fmt.Sprint("password ", n))
		if n > 20 && n%50 != 0 {
			continue
		}
		for _, counts := range []bool{false, true} {
			for _, end := range []string{"\n", "\r\n"} {
				path := breachedList(t, counts, end, there...)
				for _, p := range there {
					if found, err := breached(path, p); !found || err != nil {
						t.Fatalf("%q of %d is not found: %v", p, len(there), err)
					}
				}
				for i := range 50 {
					if found, err := breached(path, fmt.Sprint("another ", i)); found || err != nil {
						t.Fatalf("one that isn't among %d is found: %v", len(there), err)
					}
				}
			}
		}
	}
	if found, err := breached(breachedList(t, false, ""), password); found || err != nil {
		t.Errorf("in an empty file: %v, %v", found, err)
	}
}

func TestABreachedPasswordIsRefused(t *testing.T) {
	s := newSite(t)
	s.cfg.Signup.Breached = breachedList(t, true, "\n", "horse staple battery correct", "x", "y")
	_, err := s.Add(t.Context(), NewUser{Email: "ben@example.org", Password: "horse staple battery correct"})
	if f := apperr.Of(err); f.Kind != apperr.InvalidArgument || f.Field != "password" ||
		!strings.Contains(f.Message.String(), "breach") {
		t.Error(err)
	}
	_, err = s.Add(t.Context(), NewUser{Email: "ben@example.org", Password: password})
	must(t, err)
	must(t, os.WriteFile(s.cfg.Signup.Breached, []byte("password\n"), 0o600))
	if _, err := s.Add(t.Context(), NewUser{Email: "cleo@example.org",
		Password: password}); apperr.KindOf(err) != apperr.Internal {
		t.Errorf("a file that is no list: %v", err)
	}
}
