package store

import (
	"errors"
	"testing"
	"time"

	"toaster.do/lib/i18n"
)

// repository adds a job whose sources come from a repository.
func repository(t *testing.T, db *DB) (owner int64, id string) {
	t.Helper()
	u := addUser(t, db, "anna@example.org")
	j := &Job{ID: "gitgitgitgit", UserID: u.ID, Name: "git", Target: "t", EngineName: "git", Enabled: true,
		EngineEnabled: true, Revision: 1, CreatedAt: time.Now()}
	r := &Revision{JobID: j.ID, Number: 1, Dockerfile: []byte{}, CreatedAt: time.Now(),
		Origin: &Origin{Git: &GitSource{URL: "https://example.org/x.git"}}}
	if err := db.AddJob(t.Context(), j, r, 0); err != nil {
		t.Fatal(err)
	}
	return u.ID, j.ID
}

// TestAPushIsFetched whenever it comes: a fetch that began before has not seen it.
func TestAPushIsFetched(t *testing.T) {
	db := test(t)
	owner, id := repository(t, db)
	push := func(number int, already bool) *Build {
		t.Helper()
		b, was, err := db.AddBuild(t.Context(), owner, id, nil, Limits{}, time.Now())
		if err != nil || was != already || b.Number != number || !b.Fetching {
			t.Fatalf("%+v, already %v, %v", b, was, err)
		}
		return b
	}
	due := func(n int) (f Fetch) {
		t.Helper()
		list, err := db.DueFetches(t.Context())
		if err != nil || len(list) != n {
			t.Fatalf("%d are due, not %d; %v", len(list), n, err)
		}
		if n > 0 {
			f = list[0]
		}
		return f
	}
	fetched := func(f Fetch) error {
		return db.Fetched(t.Context(), f, 1, nil, i18n.Text{}, 0, time.Now())
	}

	push(1, false)
	began := due(1)
	push(1, true)
	if wanted, err := db.FetchWanted(t.Context(), began); err != nil || wanted {
		t.Errorf("what was seen before the push is wanted: %v", err)
	}
	if err := fetched(began); !errors.Is(err, ErrStale) {
		t.Errorf("a push during the fetch is lost: %v", err)
	}
	if err := fetched(due(1)); err != nil {
		t.Fatal(err)
	}
	due(0)
	// The engine was not asked for it: it waits for one more fetch.
	b := push(1, true)
	if mine, err := db.ClaimStart(t.Context(), b, time.Now(), time.Minute); err != nil || mine {
		t.Errorf("the engine is asked for what is just fetched: %v", err)
	}
	if err := fetched(due(1)); err != nil {
		t.Fatal(err)
	}
	// The engine was asked for it: another one follows, which is fetched for when it has begun.
	if mine, err := db.ClaimStart(t.Context(), b, time.Now(), time.Minute); err != nil || !mine {
		t.Fatal(mine, err)
	}
	if next := push(2, false); next.Reason != i18n.T("waits for build %d of this job", 1) {
		t.Errorf("it says: %s", next.Reason)
	}
	push(2, true)
	due(0)
	if err := db.exec(t.Context(), "UPDATE build SET state = 'running' WHERE number = 1"); err != nil {
		t.Fatal(err)
	}
	if err := fetched(due(1)); err != nil {
		t.Fatal(err)
	}
	if b, err := db.Build(t.Context(), owner, id, 2); err != nil || b.Fetching || !b.Reason.IsZero() {
		t.Errorf("%+v, %v", b, err)
	}
	// Also a look that began before.
	if err := db.WantFetch(t.Context(), owner, id); err != nil {
		t.Fatal(err)
	}
	began = due(1)
	if err := db.WantFetch(t.Context(), owner, id); err != nil {
		t.Fatal(err)
	}
	if err := fetched(began); !errors.Is(err, ErrStale) {
		t.Errorf("the second look is lost: %v", err)
	}
}

// TestARefusedFetch: what was found is stored, and the build that waited for it fails.
func TestARefusedFetch(t *testing.T) {
	db := test(t)
	owner, id := repository(t, db)
	if _, _, err := db.AddBuild(t.Context(), owner, id, nil, Limits{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	due, err := db.DueFetches(t.Context())
	if err != nil || len(due) != 1 {
		t.Fatal(due, err)
	}
	r := &Revision{JobID: id, Dockerfile: []byte("FROM x"), CreatedAt: time.Now(), Source: Source{Commit: "1"}}
	if err := db.Fetched(t.Context(), due[0], 1, r, i18n.T("It needs a secret."), 0, time.Now()); err != nil {
		t.Fatal(err)
	}
	b, err := db.Build(t.Context(), owner, id, 1)
	if err != nil || b.State != Failed || b.Reason.String() != "It needs a secret." || b.Revision != 2 || !b.Finalized {
		t.Errorf("%+v, %v", b, err)
	}
	if g, err := db.GitSource(t.Context(), owner, id); err != nil || !g.Problem.IsZero() {
		t.Errorf("%+v, %v", g, err)
	}
}
