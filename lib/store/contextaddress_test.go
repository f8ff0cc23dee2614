package store

import (
	"fmt"
	"testing"
	"time"
)

// An engine may be making any of a job's newer revisions as long as a build is open. When the addresses of contexts have
// become others, it is given the jobs again that have one.
func TestAddressesOfContexts(t *testing.T) {
	db := test(t)
	u := addUser(t, db, "anna@example.org")
	for _, id := range []string{"withwithwith", "without12345"} {
		j := &Job{ID: id, UserID: u.ID, Name: id, Target: "t", EngineName: id, Enabled: true, EngineEnabled: true,
			Revision: 1, CreatedAt: time.Now()}
		r := &Revision{JobID: id, Number: 1, Dockerfile: []byte("FROM x"), CreatedAt: time.Now()}
		if id == "withwithwith" {
			r.Context, r.ContextSize = fmt.Sprintf("%064d", 1), 5
		}
		if err := db.AddJob(t.Context(), j, r, 0); err != nil {
			t.Fatal(err)
		}
		if err := db.SetEngineRevision(t.Context(), id, 1); err != nil {
			t.Fatal(err)
		}
	}
	open := func(want string) {
		t.Helper()
		if owner, list, err := db.OpenRevisions(t.Context(), "withwithwith"); fmt.Sprint(owner, list, err) != want {
			t.Errorf("%d's revisions %v, %v, want %s", owner, list, err, want)
		}
	}
	open("0 [] <nil>")
	if _, _, err := db.AddBuild(t.Context(), u.ID, "withwithwith", nil, Limits{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	open(fmt.Sprint(u.ID, " [1] <nil>"))
	for n := 2; n <= 4; n++ {
		r := &Revision{JobID: "withwithwith", Dockerfile: []byte("FROM y"), Context: fmt.Sprintf("%064d", n), CreatedAt: time.Now()}
		if err := db.AddRevision(t.Context(), u.ID, n-1, "withwithwith", r, 0); err != nil {
			t.Fatal(err)
		}
		if err := db.SetEngineRevision(t.Context(), "withwithwith", min(n, 3)); err != nil {
			t.Fatal(err)
		}
	}
	open(fmt.Sprint(u.ID, " [3 4] <nil>")) // one that waits is made from the newest
	unfinished := func(mark, want string) {
		t.Helper()
		if err := db.Readdress(t.Context(), mark); err != nil {
			t.Fatal(err)
		}
		var got string
		for _, id := range []string{"withwithwith", "without12345"} {
			j, err := db.Job(t.Context(), u.ID, id)
			if err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprint(j.EngineRevision, " ")
		}
		if got != want {
			t.Errorf("with %q, the engine has the revisions %s, want %s", mark, got, want)
		}
	}
	unfinished("first", "0 1 ")
	if err := db.SetEngineRevision(t.Context(), "withwithwith", 4); err != nil {
		t.Fatal(err)
	}
	unfinished("first", "4 1 ")
	unfinished("second", "0 1 ")
	if err := db.RemoveJob(t.Context(), u.ID, "withwithwith", time.Now()); err != nil {
		t.Fatal(err)
	}
	open("0 [] <nil>")
}
