package store

import (
	"io/fs"
	"path/filepath"
	"testing"
)

func test(t *testing.T) *DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "toaster.db")
	if _, _, err := Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestSchemaVersionIsTheNumberOfMigrations(t *testing.T) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(names) != schemaVersion {
		t.Fatalf("%d migrations, schemaVersion is %d (%v)", len(names), schemaVersion, err)
	}
	db := test(t)
	if v, err := db.version(t.Context()); err != nil || v != schemaVersion {
		t.Fatalf("a new database has version %d (%v)", v, err)
	}
}
