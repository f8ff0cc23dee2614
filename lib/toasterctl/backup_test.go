package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"toaster.do/lib/host"
)

// kept makes a site with a job, and something that a build left, and a backup of it.
func kept(t *testing.T) (config, file string) {
	t.Helper()
	config = newSite(t)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(filepath.Dir(config), "smtp"), "a password\n")
	write(t, filepath.Join(filepath.Dir(config), "etc", "ca.pem"), "an authority\n")
	write(t, filepath.Join(filepath.Dir(config), "breached"),
		strings.Repeat("0000000000000000000000000000000000000000:1\n", 1<<16))
	write(t, config, strings.NewReplacer("\nuser = \"\"\npassword_file = \"\"",
		"\nuser = \"toaster\"\npassword_file = \"smtp\"",
		"\nca = \"\"", "\nca = \"etc/ca.pem\"", "\nbreached_passwords = \"\"", "\nbreached_passwords = \"breached\"",
		"\nauth_file = \"\"", "\nauth_file = \"logins.json\"").Replace(string(text)))
	write(t, filepath.Join(filepath.Dir(config), "logins.json"), `{"auths": {}}`)
	os.Chmod(config, 0o640)
	os.Chmod(filepath.Join(filepath.Dir(config), "smtp"), 0o600)
	os.Chmod(filepath.Join(filepath.Dir(config), "logins.json"), 0o640)
	dockerfile := write(t, filepath.Join(t.TempDir(), "Dockerfile"), simple)
	ctl(t, "", "job", "add", "--config", config, "--owner", email, "--target", rootfs, "--name", "greeter",
		dockerfile).exits(0)
	write(t, filepath.Join(filepath.Dir(config), "builds", "job-1", "1", "log"), "it was built\n")
	write(t, filepath.Join(filepath.Dir(config), "builds", "@work", "scratch"), "not kept\n")
	file = filepath.Join(t.TempDir(), "toaster.tar.gz")
	ctl(t, "", "backup", "--config", config, "--artifacts", file).exits(0).says(file)
	return config, file
}

func TestBackupAndRestore(t *testing.T) {
	config, file := kept(t)
	if fi, err := os.Stat(file); err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", fi.Mode(), err)
	}
	fresh := filepath.Join(t.TempDir(), "new", "toaster.toml")
	ctl(t, "", "restore", "--config", fresh, file).exits(0).says("was restored to its state of")
	ctl(t, "", "job", "list", "--config", fresh).exits(0).says("greeter", email)
	for _, name := range []string{"toaster.toml", "targets.toml", "keys", "smtp", "etc/ca.pem", "breached", "logins.json",
		"builds/job-1/1/log"} {
		before, err := os.ReadFile(filepath.Join(filepath.Dir(config), name))
		after, again := os.ReadFile(filepath.Join(filepath.Dir(fresh), name))
		if err != nil || again != nil || !bytes.Equal(before, after) {
			t.Errorf("%s differs: %v, %v", name, err, again)
		}
	}
	for name, mode := range map[string]os.FileMode{"toaster.toml": 0o640, "targets.toml": 0o644, "smtp": 0o600,
		"logins.json": 0o640, "keys": 0o640, "toaster.db": 0o640} {
		if fi, err := os.Stat(filepath.Join(filepath.Dir(fresh), name)); err != nil || fi.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, fi.Mode(), err)
		}
	}
	left, err := os.ReadDir(filepath.Dir(fresh))
	if err != nil || slices.ContainsFunc(left, func(e os.DirEntry) bool { return e.Name()[0] == '.' }) {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(fresh), "builds", "@work")); err == nil {
		t.Error("the engine's scratch was kept")
	}
}

// Of a backup without artifacts, the builds whose files are not there say that they have none.
func TestARestoredBuildWithoutFilesSaysSo(t *testing.T) {
	config, _ := kept(t)
	dir := filepath.Dir(config)
	db, err := sql.Open("sqlite3", filepath.Join(dir, "toaster.db"))
	if err != nil {
		t.Fatal(err)
	}
	var job, name string
	if err := db.QueryRow("SELECT id, engine_name FROM job").Scan(&job, &name); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		for _, row := range []string{
			"INSERT INTO build (job_id, number, revision, state, engine_number, queued_at, started_at, ended_at, finalized) " +
				"VALUES (?1, ?2, 1, 'succeeded', ?2, 1, 2, 3, 1)",
			"INSERT INTO artifact (job_id, build, path, size, sha256) VALUES (?1, ?2, 'disk.img', 1, '')",
		} {
			if _, err := db.Exec(row, job, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	db.Close()
	file := filepath.Join(t.TempDir(), "small.tar")
	ctl(t, "", "backup", "--config", config, file).exits(0)
	fresh := filepath.Join(t.TempDir(), "toaster.toml")
	write(t, filepath.Join(filepath.Dir(fresh), "builds", name, "2", "log"), "it is still there\n")
	ctl(t, "", "restore", "--config", fresh, file).exits(0).says("1 build without log and files")
	if db, err = sql.Open("sqlite3", filepath.Join(filepath.Dir(fresh), "toaster.db")); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var left string
	if err := db.QueryRow(`SELECT group_concat(number || (expired_at IS NULL) || (SELECT count(*) FROM artifact a WHERE a.build = b.number), ' ') FROM build b`).Scan(&left); err != nil || left != "100 211" {
		t.Errorf("%v: %q", err, left)
	}
}

// under makes a site with builds that wait and run, and an email that waits, and a backup of it.
func under(t *testing.T) (config, file, job string) {
	t.Helper()
	config, _ = kept(t)
	_, list, _ := strings.Cut(ctl(t, "", "job", "list", "--config", config).exits(0).out, "\n")
	job = strings.Fields(list)[0]
	ctl(t, "", "job", "start", "--config", config, job).exits(0)
	db, err := sql.Open("sqlite3", filepath.Join(filepath.Dir(config), "toaster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, row := range []string{
		"UPDATE build SET number = 2",
		"INSERT INTO build (job_id, number, revision, state, asked_at, ticket, engine_number, queued_at, started_at) " +
			"SELECT id, 1, 1, 'running', 1, '9999', 1, 1, 2 FROM job",
		"UPDATE local_job SET last_number = 1",
		"INSERT INTO local_build (ticket, job, number, state, queued_at, started_at, runner) SELECT 9999, engine_name, 1, " +
			"'running', 1, 2, 'runner-elsewhere' FROM job",
		"INSERT INTO outbox (recipient, subject, body, created_at, next_at) VALUES ('" + email + "', 'Hello', 'Hello', 1, 1)",
	} {
		if _, err := db.Exec(row); err != nil {
			t.Fatal(row, err)
		}
	}
	file = filepath.Join(t.TempDir(), "under.tar")
	ctl(t, "", "backup", "--config", config, file).exits(0)
	return config, file, job
}

// states are a restored site's builds, what waits for its runner, and the emails that wait.
func states(t *testing.T, config string) (states string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(filepath.Dir(config), "toaster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT (SELECT group_concat(state, ' ') FROM (SELECT state FROM build ORDER BY number)) || ', ' ||
		(SELECT count(*) FROM local_build WHERE state = 'queued') || ', ' || (SELECT count(*) FROM outbox)`).Scan(&states); err != nil {
		t.Fatal(err)
	}
	return states
}

// The old site may still run beside the restored one: nothing is built, and no email sent, a second time.
func TestARestoredSiteBuildsNothingByItself(t *testing.T) {
	_, file, job := under(t)
	fresh := filepath.Join(t.TempDir(), "toaster.toml")
	ctl(t, "", "restore", "--config", fresh, file).exits(0).says("builds of 1 job and 1 email were queued or running",
		"--force --resume",
		"toasterctl job start "+job+"    # greeter, of "+email)
	runUntilReady(t, fresh)
	for range 2 {
		ctl(t, "", "sync", "--config", fresh)
	}
	if got := states(t, fresh); got != "lost lost, 0, 0" {
		t.Errorf("the restored site has %q", got)
	}
	ctl(t, "", "job", "status", "--config", fresh, job).exits(0).says("restored from a backup while the build was queued")
	ctl(t, "", "job", "start", "--config", fresh, job).exits(0)
	if got := states(t, fresh); !strings.HasPrefix(got, "lost lost ") {
		t.Errorf("after a start it has %q", got)
	}
}

func TestARestoredSiteGoesOnWhereItIsToldTo(t *testing.T) {
	_, file, _ := under(t)
	fresh := filepath.Join(t.TempDir(), "toaster.toml")
	if said := ctl(t, "", "restore", "--config", fresh, "--resume", file).exits(0).out; strings.Contains(said, "waited") {
		t.Error(said)
	}
	if got := states(t, fresh); got != "running queued, 1, 1" {
		t.Errorf("the restored site has %q", got)
	}
}

// What is too large for a backup is said to be missing, twice.
func TestALargeFileIsNotInABackup(t *testing.T) {
	config, _ := kept(t)
	list := filepath.Join(filepath.Dir(config), "breached")
	if err := os.Truncate(list, maxSmall+1); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "small.tar")
	if made := ctl(t, "", "backup", "--config", config, file).exits(0); !strings.Contains(made.err,
		list+" is not in the backup: it has 64 MiB") {
		t.Error(made.err)
	}
	fresh := filepath.Join(t.TempDir(), "toaster.toml")
	ctl(t, "", "restore", "--config", fresh, file).exits(0).says(filepath.Join(filepath.Dir(fresh),
		"breached") + " is not in this backup")
}

func TestBackupToStandardOutputAndWithoutCompression(t *testing.T) {
	config, _ := kept(t)
	piped := ctl(t, "", "backup", "--config", config, "-").exits(0)
	file := write(t, filepath.Join(t.TempDir(), "piped"), piped.out)
	ctl(t, "", "restore", "--config", filepath.Join(t.TempDir(), "toaster.toml"), file).exits(0)

	plain := filepath.Join(t.TempDir(), "plain.tar")
	ctl(t, "", "backup", "--config", config, plain).exits(0)
	head, err := os.ReadFile(plain)
	if err != nil || !strings.HasPrefix(string(head), manifestName) {
		t.Errorf("this is no tar archive: %v", err)
	}
	ctl(t, "", "restore", "--config", filepath.Join(t.TempDir(), "toaster.toml"), plain).exits(0)
}

func TestRestoreReplacesOnlyByForceAndWhileOthersRead(t *testing.T) {
	config, file := kept(t)
	ctl(t, secret, "user", "add", "--config", config, "--email", "late@example.org", "--password-stdin").exits(0)
	s := newServer(t, "--config", config)
	refused := ctl(t, "", "restore", "--config", config, file).exits(1).complains("A site already exists", "toaster.db",
		"--force")
	ctl(t, "", "user", "list", "--config", config).exits(0).says("late@example.org")
	if strings.Count(refused.err, "\n") > 2 {
		t.Errorf("%s", refused.err)
	}
	ctl(t, "", "restore", "--config", config, "--force", file).exits(0)
	if list := ctl(t, "", "user", "list", "--config", config).exits(0).says(email); strings.Contains(list.out, "late@") {
		t.Error("who came after the backup is still there")
	}
	if resp, err := s.client.Get(s.url + "/"); err != nil || resp.StatusCode != 200 {
		t.Errorf("the site that runs answers %v, %v", resp, err)
	}

	s.end(syscall.SIGTERM)
	write(t, filepath.Join(filepath.Dir(config), "toaster.db"), "no database any more")
	ctl(t, "", "restore", "--config", config, "--force", file).exits(0)
	ctl(t, "", "user", "list", "--config", config).exits(0).says(email)
	if _, err := os.Stat(filepath.Join(filepath.Dir(config), "toaster.db.damaged")); err != nil {
		t.Error(err)
	}
}

func TestABackupThatIsNotWholeChangesNothing(t *testing.T) {
	_, file := kept(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"cut":   whole[:len(whole)*2/3],
		"empty": nil,
		"text":  []byte("not a backup at all, but a few words\n"),
		"another archive": rewritten(t, whole, func(h *tar.Header,
			text []byte) []byte {
			h.Name = "x/" + h.Name
			return text
		}),
		"changed": rewritten(t, whole, func(h *tar.Header, text []byte) []byte {
			return bytes.ReplaceAll(text, []byte("built"), []byte("burnt"))
		}),
		"climbing": rewritten(t, whole, func(h *tar.Header, text []byte) []byte {
			h.Name = strings.Replace(h.Name, "builds/job-1", "builds/..", 1)
			return text
		}),
		"linking": rewritten(t, whole, func(h *tar.Header, text []byte) []byte {
			if h.Name == "keys" {
				h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, "/etc/passwd", 0
				return nil
			}
			return text
		}),
		"not a database": rewritten(t, whole, func(h *tar.Header, text []byte) []byte {
			if h.Name == databaseName {
				return []byte("nothing")
			}
			return text
		}),
	} {
		fresh := filepath.Join(t.TempDir(), "toaster.toml")
		path := write(t, filepath.Join(t.TempDir(), "bad"), string(content))
		ctl(t, "", "restore", "--config", fresh, path).exits(1).complains("not a complete backup", "Nothing was changed")
		for _, made := range []string{"toaster.toml", "keys", "toaster.db"} {
			if _, err := os.Lstat(filepath.Join(filepath.Dir(fresh), made)); err == nil {
				t.Errorf("%s: it made %s", name, made)
			}
		}
	}
}

// rewritten returns a backup whose entries were changed, but not their checksums.
func rewritten(t *testing.T, backup []byte, change func(*tar.Header, []byte) []byte) []byte {
	t.Helper()
	unzip, err := gzip.NewReader(bytes.NewReader(backup))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	to := tar.NewWriter(&out)
	for from := tar.NewReader(unzip); ; {
		h, err := from.Next()
		if err == io.EOF {
			break
		}
		text, _ := io.ReadAll(from)
		text = change(h, text)
		h.Size = int64(len(text))
		h.PAXRecords = nil
		if err := to.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		to.Write(text)
	}
	to.Close()
	return out.Bytes()
}

func TestRootsBackupOfTheWebServersSite(t *testing.T) {
	config := foreignSite(t)
	file := filepath.Join(t.TempDir(), "backup.tgz")
	// The builds belong to a user of their own.
	builds := filepath.Join(filepath.Dir(config), "builds")
	group := int(must(os.Stat(builds)).Sys().(*syscall.Stat_t).Gid)
	write(t, filepath.Join(builds, "job-1", "1", "log"), "it was built\n")
	for _, name := range []string{".", "job-1", "job-1/1", "job-1/1/log"} {
		if err := os.Chown(filepath.Join(builds, name), 4712, group); err != nil {
			t.Fatal(err)
		}
	}
	ctl(t, "", "backup", "--config", config, "--artifacts", file).exits(0)
	if err := os.RemoveAll(filepath.Join(builds, "job-1")); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(file)
	if err != nil || host.Owner(fi) != 0 || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	ctl(t, "", "migrate", "--config", config).exits(0)
	ctl(t, "", "restore", "--config", config, "--force", file).exits(0)
	for name, who := range map[string]string{"toaster.db": "nobody", "keys": "root", "toaster.toml": "root",
		"builds": "uid 4712", "builds/job-1": "uid 4712", "builds/job-1/1/log": "uid 4712"} {
		fi, err := os.Stat(filepath.Join(filepath.Dir(config), name))
		if err != nil || host.UserName(host.Owner(fi)) != who {
			t.Errorf("%s belongs to %s, %v", name, host.UserName(host.Owner(fi)), err)
		}
	}
	if log := must(os.Stat(filepath.Join(builds, "job-1/1/log"))); int(log.Sys().(*syscall.Stat_t).Gid) != group ||
		log.Mode().Perm() != 0o640 {
		t.Errorf("the web server can't read the log: %v", log.Mode())
	}
	keys, err := os.Stat(filepath.Join(filepath.Dir(config), "keys"))
	if err != nil || keys.Sys().(*syscall.Stat_t).Gid == 0 {
		t.Errorf("the web server can't read the keys: %v", err)
	}
}

func TestBackupIsMadeByTheOwnerOrRootAlone(t *testing.T) {
	config := foreignSite(t)
	cmd := as(1, "backup", "--config", config, filepath.Join(t.TempDir(), "x.tar"))
	ended(t, "", cmd).exits(1).complains("belongs to nobody, and you are daemon", "sudo -u nobody")
}

func TestMigrateCheck(t *testing.T) {
	ctl(t, "", "migrate", "--check", "--config", newSite(t)).exits(0).says("No migration is needed")
}

// When the disk is full, a backup to another one may be wanted most.
func TestBackupOfAFullDisk(t *testing.T) {
	asRoot(t)
	disk := t.TempDir()
	if err := syscall.Mount("toaster-test", disk, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	ctl(t, "", "init", "--dir", filepath.Join(disk, "site")).exits(0)
	config := filepath.Join(disk, "site", "toaster.toml")
	runUntilReady(t, config)
	if err := os.WriteFile(filepath.Join(disk, "filler"), make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "site.tar.gz")
	ctl(t, "", "backup", "--config", config, file).exits(0)
	ctl(t, "", "restore", "--config", filepath.Join(t.TempDir(), "toaster.toml"), file).exits(0)
}

func must(fi os.FileInfo, err error) os.FileInfo {
	if err != nil {
		panic(err)
	}
	return fi
}
