package store

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

// asProcess makes this test program one of many processes: "PATH NUMBER".
const asProcess = "TOASTER_TEST_PROCESS"

func TestMain(m *testing.M) {
	if task := os.Getenv(asProcess); task != "" {
		path, number, _ := strings.Cut(task, "\n")
		if err := process(path, number); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// rationed allows a hundred tries to all processes together.
var rationed = Limit{Key: "test", Rates: []Rate{{100, time.Hour}}}

// process does what a request does: it opens the database, reads, and writes what depends on it.
func process(path, number string) error {
	ctx := context.Background()
	db, err := Open(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := db.UserByEmail(ctx, "anna@example.org")
	if err != nil {
		return err
	}
	if _, err := db.AddToken(ctx, &Token{UserID: p.ID, Name: number, Scope: ScopeRead, CreatedAt: time.Now()}, Mail{},
		AuditEntry{}); err != nil {
		return err
	}
	if _, err := db.Try(ctx, time.Now(), rationed); err == nil {
		fmt.Print("passed")
	} else if apperr.KindOf(err) != apperr.RateLimited {
		return err
	}
	return db.Close()
}

func TestThreeHundredProcessesAtOnceLoseNothing(t *testing.T) {
	const n = 300
	db := test(t)
	p := addUser(t, db, "anna@example.org")
	out, errs := make([]string, n), make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), fmt.Sprintf("%s=%s\n%d", asProcess, db.Path(), i))
		wait.Go(func() {
			text, err := child.CombinedOutput()
			out[i], errs[i] = string(text), err
		})
	}
	wait.Wait()
	passed := 0
	for i := range n {
		if errs[i] != nil {
			t.Errorf("process %d: %v: %s", i, errs[i], out[i])
		}
		if out[i] == "passed" {
			passed++
		}
	}
	if passed != 100 {
		t.Errorf("%d tries passed, 100 were allowed", passed)
	}
	tokens, err := db.Tokens(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, token := range tokens {
		names[token.Name] = true
	}
	if len(tokens) != n || len(names) != n {
		t.Errorf("%d rows of %d processes", len(tokens), len(names))
	}
}
