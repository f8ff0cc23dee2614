package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

// A database that nobody keeps open is read from its write-ahead log by each process that opens it: who has written
// closes it when the log has become long.
func TestALongLogIsEmptiedByWhoHasWritten(t *testing.T) {
	db := test(t)
	log := func() int64 {
		fi, err := os.Stat(db.Path() + "-wal")
		if err != nil {
			return 0
		}
		return fi.Size()
	}
	write := func(name string) {
		if err := db.SetSetting(t.Context(), name, strings.Repeat("x", longLog/4)); err != nil {
			t.Fatal(err)
		}
	}
	write("short")
	if db.Leave(); log() == 0 {
		t.Fatal("a short log was emptied")
	}
	for i := range 4 {
		write(strconv.Itoa(i))
	}
	reader, err := Open(t.Context(), db.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if reader.Leave(); log() <= longLog {
		t.Fatal("who has only read has emptied the log")
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	if db.Leave(); log() != 0 {
		t.Errorf("%d bytes are left", log())
	}
}
