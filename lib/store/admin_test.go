package store

import (
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

func TestAdministratorFindsAnybodysJobs(t *testing.T) {
	db := test(t)
	begin := time.UnixMilli(1_600_000_000_000).UTC()
	owners := map[string]string{}
	for i, email := range []string{"ann@example.org", "bob@example.org"} {
		p := &User{Email: email, Role: RoleUser, State: Active, MaxJobs: -1, CreatedAt: begin}
		if err := db.AddUser(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		id := strings.Repeat(email[:1], 12)
		owners[id] = email
		job := &Job{ID: id, UserID: p.ID, Name: "n", Target: "t", EngineName: email,
			CreatedAt: begin.Add(time.Duration(i) * time.Hour)}
		if err := db.AddJob(t.Context(), job, &Revision{JobID: id, Number: 1, Dockerfile: []byte("FROM debian"),
			CreatedAt: begin}, 1); err != nil {
			t.Fatal(err)
		}
	}
	jobs, err := db.AllJobs(t.Context())
	if err != nil || len(jobs) != 2 || jobs[0].ID != "bbbbbbbbbbbb" || jobs[1].ID != "aaaaaaaaaaaa" {
		t.Fatalf("%v, %v: not both jobs, newest first", jobs, err)
	}
	for id, email := range owners {
		if p, err := db.JobOwner(t.Context(), id); err != nil || p.Email != email {
			t.Errorf("%s belongs to %v (%v), not %s", id, p, err, email)
		}
	}

	if err := db.RemoveJob(t.Context(), jobs[0].UserID, jobs[0].ID, begin); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{jobs[0].ID, "cccccccccccc"} {
		if _, err := db.JobOwner(t.Context(), id); apperr.KindOf(err) != apperr.NotFound {
			t.Errorf("the owner of %s, which is not there: %v", id, err)
		}
	}
	if left, err := db.AllJobs(t.Context()); err != nil || len(left) != 1 {
		t.Errorf("%v, %v: the removed job is still listed", left, err)
	}
}
