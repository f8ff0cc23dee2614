package store

import (
	"testing"

	"toaster.do/lib/apperr"
)

// exhaust gives a database's writer a condition that no program can put right, by a pragma.
func exhaust(t *testing.T, db *DB, pragma string) {
	t.Helper()
	if _, err := db.w.Exec(pragma); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskIsSaidAndLosesNothing(t *testing.T) {
	db := test(t)
	p := addUser(t, db, "anna@example.org")
	exhaust(t, db, "PRAGMA max_page_count = 1") // as small as the file is now
	err := db.AddDraft(t.Context(), Draft{ID: "large", UserID: p.ID, CreatedAt: day, Form: make([]byte, 1<<20)},
		DraftQuota{Since: day, Each: 5})
	if apperr.KindOf(err) != apperr.StorageFull || apperr.Of(err).Advice.IsZero() {
		t.Errorf("%v", err)
	}
	if _, err := db.Draft(t.Context(), p.ID, "large", "", day); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("half of it is there: %v", err)
	}
	if got, err := db.UserByID(t.Context(), p.ID); err != nil || got.Email != p.Email {
		t.Errorf("nothing can be read: %v", err)
	}
}

func TestADatabaseThatCannotBeWrittenIsSaid(t *testing.T) {
	db := test(t)
	p := addUser(t, db, "anna@example.org")
	exhaust(t, db, "PRAGMA query_only = 1") // SQLITE_READONLY, as from a file system mounted read-only
	if err := db.SetPassword(t.Context(), p.ID, "new", AuditEntry{At: day}); apperr.KindOf(err) != apperr.Unavailable ||
		apperr.Of(err).Advice.IsZero() {
		t.Errorf("%v", err)
	}
	if got, err := db.UserByID(t.Context(), p.ID); err != nil || got.Password != "phc" {
		t.Errorf("%+v, %v", got, err)
	}
}
