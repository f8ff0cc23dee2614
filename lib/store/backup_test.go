package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"toaster.do/lib/apperr"
)

func TestASnapshotIsOneStateWhileOthersWrite(t *testing.T) {
	db := test(t)
	ctx, stop := context.WithCancel(t.Context())
	written := make(chan error, 1)
	go func() {
		// Each transaction adds two users: a copy with an odd number has half a transaction.
		for i := 0; ctx.Err() == nil; i++ {
			if err := db.exec(ctx,
				"INSERT INTO user (email, name, password, created_at) VALUES (?, '', '', 0), (?, '', '', 0)",
				fmt.Sprintf("a%d@x", i), fmt.Sprintf("b%d@x", i)); err != nil && ctx.Err() == nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	for i := range 20 {
		copy := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := Snapshot(t.Context(), db.Path(), copy); err != nil {
			t.Fatal(err)
		}
		if n := countUsers(t, copy); n%2 != 0 {
			t.Errorf("the copy has %d users", n)
		}
		if files, _ := filepath.Glob(copy + "*"); len(files) != 1 {
			t.Errorf("the copy is %v", files)
		}
	}
	stop()
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestReplacingIsSeenByWhoHasTheDatabaseOpen(t *testing.T) {
	db := test(t)
	anna := addUser(t, db, "anna@example.org")
	copy := filepath.Join(t.TempDir(), "copy")
	if err := Snapshot(t.Context(), db.Path(), copy); err != nil {
		t.Fatal(err)
	}
	addUser(t, db, "bob@example.org")
	if err := Replace(t.Context(), copy, db.Path()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.UserByEmail(t.Context(), "bob@example.org"); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("bob, who came after the copy: %v", err)
	}
	if p, err := db.UserByEmail(t.Context(), "anna@example.org"); err != nil || p.ID != anna.ID {
		t.Errorf("%+v, %v", p, err)
	}
	addUser(t, db, "carl@example.org")
	if _, err := Check(t.Context(), db.Path()); err != nil {
		t.Error(err)
	}
}

func TestADamagedDatabaseIsNotTakenForGood(t *testing.T) {
	db := test(t)
	for i := range 300 {
		addUser(t, db, fmt.Sprintf("p%d@example.org", i))
	}
	copy := filepath.Join(t.TempDir(), "copy")
	if err := Snapshot(t.Context(), db.Path(), copy); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(copy)
	if err != nil {
		t.Fatal(err)
	}
	clear(whole[8192:16384])
	for name, content := range map[string][]byte{"holes": whole, "short": whole[:5000],
		"text": []byte("this is no database at all\n")} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Check(t.Context(), path); apperr.KindOf(err) != apperr.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// old makes a database with a user, to which the program then has one migration more.
func old(t *testing.T) (path string) {
	t.Helper()
	db := test(t)
	addUser(t, db, "anna@example.org")
	next := []byte("ALTER TABLE user ADD COLUMN note TEXT NOT NULL DEFAULT 'none';")
	files := fstest.MapFS{"migrations/9999_next.sql": {Data: next}}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		script, err := fs.ReadFile(migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: script}
	}
	before := migrations
	migrations, schemaVersion = files, len(files)
	t.Cleanup(func() { migrations, schemaVersion = before, len(names) })
	return db.Path()
}

func TestMigratingLeavesACopy(t *testing.T) {
	path := old(t)
	last := schemaVersion - 1
	if have, want, err := Schema(t.Context(), path); have != last || want != schemaVersion || err != nil {
		t.Fatalf("%d, %d, %v", have, want, err)
	}
	if _, err := Open(t.Context(), path); apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("opened before it was migrated: %v", err)
	}
	if from, to, err := Migrate(t.Context(), path); from != last || to != schemaVersion || err != nil {
		t.Fatalf("%d, %d, %v", from, to, err)
	}
	if v, err := Check(t.Context(), CopyOf(path, last)); v != last || err != nil {
		t.Errorf("the copy has version %d, %v", v, err)
	}
	if n := countUsers(t, CopyOf(path, last)); n != 1 {
		t.Errorf("the copy has %d users", n)
	}
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var note string
	err = db.r.QueryRow("SELECT note FROM user WHERE email = 'anna@example.org'").Scan(&note)
	if err != nil || note != "none" {
		t.Errorf("after the migration: %q, %v", note, err)
	}
	before, _ := os.ReadDir(filepath.Dir(path))
	if _, _, err := Migrate(t.Context(), path); err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadDir(filepath.Dir(path)); len(after) != len(before) {
		t.Errorf("with nothing to do it left %v", after)
	}
}

func TestANewersDatabaseIsRefused(t *testing.T) {
	db := test(t)
	if err := db.exec(t.Context(), fmt.Sprintf("PRAGMA user_version = %d", schemaVersion+1)); err != nil {
		t.Fatal(err)
	}
	_, _, migrated := Migrate(t.Context(), db.Path())
	_, _, looked := Schema(t.Context(), db.Path())
	for _, err := range []error{migrated, looked} {
		if apperr.KindOf(err) != apperr.FailedPrecondition ||
			apperr.Of(err).Advice.String() != "Install the newer version." {
			t.Errorf("%v", err)
		}
	}
	if _, err := Open(t.Context(), db.Path()); apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("%v", err)
	}
}

func countUsers(t *testing.T, path string) (n int) {
	t.Helper()
	db, err := open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	err = db.r.QueryRow("SELECT count(*) FROM user").Scan(&n)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return n
}
