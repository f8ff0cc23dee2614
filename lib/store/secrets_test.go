package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A copy has neither what waits nor what was deleted.
func TestACopyHasNoSecretsOfBuilds(t *testing.T) {
	db := test(t)
	u := addUser(t, db, "anna@example.org")
	const part = "this is sealed, and large enough to be found again"
	sealed := strings.Repeat(part, 200) // more than a page
	for _, id := range []string{"aaaaaaaaaaaa", "bbbbbbbbbbbb"} {
		j := &Job{ID: id, UserID: u.ID, Name: id, Target: "t", EngineName: id, Enabled: true, EngineEnabled: true,
			Revision: 1, CreatedAt: time.Now()}
		r := &Revision{JobID: id, Number: 1, Dockerfile: []byte("FROM x"), CreatedAt: time.Now()}
		if err := db.AddJob(t.Context(), j, r, 0); err != nil {
			t.Fatal(err)
		}
		b, _, err := db.AddBuild(t.Context(), u.ID, id, []byte(sealed), Limits{}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := db.BuildSecrets(t.Context(), b); err != nil || string(got) != sealed {
			t.Errorf("%q, %v", got, err)
		}
		if err := db.LocalCreate(t.Context(), LocalJob{Name: id, Owner: "1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.LocalStart(t.Context(), id, []byte(sealed), time.Now()); err != nil {
			t.Fatal(err)
		}
		if id[0] == 'a' {
			continue
		}
		mine, err := db.ClaimStart(t.Context(), b, time.Now(), time.Minute)
		if err != nil || !mine {
			t.Fatal(mine, err)
		}
		if err := db.SetTicket(t.Context(), b, "1"); err != nil {
			t.Fatal(err)
		}
		if got, err := db.BuildSecrets(t.Context(), b); err != nil || got == nil || len(got) > 0 {
			t.Errorf("the engine has them, and so has the build: %q, %v", got, err)
		}
		var took []string
		for range 2 {
			taken, _, ok, err := db.LocalTake(t.Context(), "r", time.Now(), func(LocalBuild) error { return nil })
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			took = append(took, string(taken.Secrets))
		}
		if took[0] != sealed || took[1] != sealed {
			t.Errorf("the runner has %q", took)
		}
		if _, err := db.LocalStart(t.Context(), id, []byte(sealed), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := os.ReadFile(db.Path() + "-wal")
	if !bytes.Contains(before, []byte(part)) {
		t.Fatal("this test does not find them")
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := Snapshot(t.Context(), db.Path(), copied); err != nil {
		t.Fatal(err)
	}
	restored, err := Open(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	got, err := restored.BuildSecrets(t.Context(), &Build{JobID: "aaaaaaaaaaaa", Number: 1})
	if err != nil || got == nil || len(got) > 0 {
		t.Errorf("nobody knows that there were some: %q, %v", got, err)
	}
	restored.Close()
	after, err := os.ReadFile(copied)
	if err != nil || bytes.Contains(after, []byte(part)) || countUsers(t, copied) != 1 {
		t.Errorf("the copy has secrets, or lacks users; %v", err)
	}
}

// A build that ends before the engine has heard of it leaves none.
func TestABuildThatIsGivenUpLosesItsSecrets(t *testing.T) {
	db := test(t)
	u := addUser(t, db, "anna@example.org")
	j := &Job{ID: "aaaaaaaaaaaa", UserID: u.ID, Name: "a", Target: "t", EngineName: "a", Enabled: true,
		EngineEnabled: true, Revision: 1, CreatedAt: time.Now()}
	r := &Revision{JobID: j.ID, Number: 1, Dockerfile: []byte("FROM x"), CreatedAt: time.Now()}
	if err := db.AddJob(t.Context(), j, r, 0); err != nil {
		t.Fatal(err)
	}
	b, _, err := db.AddBuild(t.Context(), u.ID, j.ID, []byte("sealed"), Limits{}, time.Now())
	if err == nil {
		err = db.RequestStop(t.Context(), u.ID, j.ID, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, err := db.BuildSecrets(t.Context(), b); err != nil || len(got) > 0 {
		t.Errorf("%q, %v", got, err)
	}
}
