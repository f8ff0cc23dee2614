package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/host"
	"toaster.do/lib/printable"
	"toaster.do/lib/store"
)

type restoreCommand struct {
	Force  bool   `help:"Replace the existing configuration, keys and database. Files of other builds are kept."`
	Resume bool   `help:"Resume queued builds and emails. Only use it if the original site no longer runs."`
	Owner  string `placeholder:"USER" help:"The user of the web server, if the folder of the database does not exist yet. Default: www-data."`
	File   string `arg:"" help:"A file from “toasterctl backup”."`
}

func (restoreCommand) Help() string {
	return "Checks the whole backup before it changes anything. A database of an older version is migrated. " +
		"The site can keep running: its database is replaced in one transaction.\n\n" +
		"The original site may still be running. Therefore queued and running builds are marked as lost " +
		"and not started again, and queued emails are not sent. The command lists the jobs and how to build them."
}

func (c *restoreCommand) Run(w *world) error {
	defer w.untilSignal()()
	r := restorer{setup: setup{world: w}, backup: backup{path: c.File}, force: c.Force, resume: c.Resume}
	defer func() { r.cleanUp() }()
	if err := r.prepare(c.Owner); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	if err := r.put(); err != nil {
		return err
	}
	lost, err := r.forget()
	if err != nil {
		return err
	}
	if lost > 0 {
		fmt.Fprintf(w.out, "%s without log and files: they are neither in this backup (“toasterctl backup --artifacts”) "+
			"nor in %s.\n", count(lost, "build"), r.cfg.Paths.Builds)
	}
	for _, path := range r.missing() {
		fmt.Fprintf(w.out, "%s is not in this backup, but the configuration refers to it: copy it there.\n", path)
	}
	r.tellHeld()
	_, err = fmt.Fprintf(w.out, "%s was restored to its state of %s. Next step: run “toasterctl doctor”.\n", r.cfg.Path,
		r.Made.Local().Format(time.DateTime))
	return err
}

// tellHeld says what was under way, and how to have it go on.
func (r *restorer) tellHeld() {
	if len(r.held) == 0 && r.emails == 0 {
		return
	}
	var what []string
	if len(r.held) > 0 {
		what = append(what, "builds of "+count(len(r.held), "job"))
	}
	if r.emails > 0 {
		what = append(what, count(r.emails, "email"))
	}
	fmt.Fprintf(r.out, "%s were queued or running when the backup was created. They are not resumed, because the "+
		"original site may have done so. "+
		"If it no longer runs, restore again with --force --resume", strings.Join(what, " and "))
	if len(r.held) == 0 {
		fmt.Fprintln(r.out, ".")
		return
	}
	fmt.Fprintln(r.out, ", or:")
	for _, h := range r.held {
		fmt.Fprintf(r.out, "    toasterctl job start %s    # %s, of %s\n", h.Job.ID, printable.Line(h.Job.Name),
			printable.Line(h.Owner))
	}
}

// restorer puts a backup in its place. It becomes the owner of the database as soon as the folders are there.
type restorer struct {
	setup
	backup
	force   bool
	resume  bool
	held    []store.Held   // jobs whose builds were under way
	emails  int            // that waited
	cfg     *config.Config // the backup's
	owner   host.Identity
	waiting string // the folder of the database that waits to be put in its place
}

// prepare reads the backup's configuration and makes the folders that it names.
func (r *restorer) prepare(owner string) error {
	if err := r.read(); err != nil {
		return err
	}
	target, err := r.target()
	if err != nil {
		return err
	}
	if err := r.folder(filepath.Dir(target), 0o755, host.Self()); err != nil {
		return err
	}
	if r.cfg, err = r.parse(target); err != nil {
		return err
	}
	if err := r.refuse(); err != nil {
		return err
	}
	data := filepath.Dir(r.cfg.Paths.Database)
	if r.owner, err = (&initCommand{Owner: owner}).owner(data); err != nil {
		return err
	}
	for _, path := range r.smallFiles() {
		if err := r.folder(filepath.Dir(path), 0o755, host.Self()); err != nil {
			return err
		}
	}
	keeper, err := r.keeper(r.owner, r.cfg.Paths.Database == config.Default().Paths.Database)
	if err != nil {
		return err
	}
	if err := cmp.Or(r.folder(data, 0o750, r.owner), r.folder(r.cfg.Paths.Contexts, 0o750, r.owner),
		r.folder(r.cfg.Paths.Builds, 0o750, keeper)); err != nil {
		return err
	}
	return actAsOwner(r.cfg.Paths.Database)
}

// target is where the configuration belongs.
func (r *restorer) target() (string, error) {
	for _, path := range []string{r.setup.config, os.Getenv("TOASTER_CONF")} {
		if path != "" {
			return filepath.Abs(path)
		}
	}
	return filepath.Join(filepath.Dir(config.Default().Paths.Keys), "toaster.toml"), nil
}

// smallFiles says where each small file of the backup belongs.
func (r *restorer) smallFiles() map[string]string {
	paths := map[string]string{}
	for _, file := range r.cfg.Named() {
		if _, ok := r.backup.config[file.Name]; ok && *file.Path != "" {
			paths[file.Name] = *file.Path
		}
	}
	return paths
}

// missing are files that the configuration names, and that are neither in the backup nor there.
func (r *restorer) missing() (paths []string) {
	for _, file := range r.cfg.Named() {
		if _, ok := r.backup.config[file.Name]; ok || file.Name == "" || *file.Path == "" {
			continue
		}
		if _, err := os.Lstat(*file.Path); err != nil {
			paths = append(paths, *file.Path)
		}
	}
	return paths
}

// parse reads the backup's configuration as it would be read at its place: paths in it may be relative to that.
func (r *restorer) parse(target string) (*config.Config, error) {
	f, err := os.CreateTemp(filepath.Dir(target), ".restore-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(r.backup.config["toaster.toml"].text)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	cfg, err := config.Load(f.Name())
	if err != nil {
		return nil, r.damaged(err)
	}
	cfg.Path = target
	return cfg, nil
}

// refuse names what would be replaced.
func (r *restorer) refuse() error {
	var there []string
	for _, path := range append(slices.Sorted(maps.Values(r.smallFiles())), r.cfg.Paths.Database) {
		if _, err := os.Lstat(path); err == nil {
			there = append(there, path)
		}
	}
	if len(there) == 0 || r.force {
		return nil
	}
	return apperr.New(apperr.AlreadyExists, "A site already exists: %s.",
		"Back it up, then run this again with --force.", strings.Join(there, ", "))
}

// check takes the database out, to look at it and to bring it up to date before anything is replaced.
func (r *restorer) check() (err error) {
	if r.waiting, err = os.MkdirTemp(filepath.Dir(r.cfg.Paths.Database), ".restore-*"); err != nil {
		return err
	}
	path := filepath.Join(r.waiting, databaseName)
	r.takeDatabase = func(in io.Reader) error { return writeFile(path, in) }
	if err := r.read(); err != nil {
		return err
	}
	r.takeDatabase = nil
	if _, err := store.Check(r.ctx, path); err != nil {
		return err
	}
	if _, _, err = store.Migrate(r.ctx, path); err != nil || r.resume {
		return err
	}
	db, err := store.Open(r.ctx, path)
	if err != nil {
		return err
	}
	// Jenkins knows what became of a build that ran; asking it starts nothing.
	r.held, r.emails, err = db.Hold(r.ctx, r.cfg.Engine == "jenkins", time.Now())
	return errors.Join(err, db.Close())
}

func (r *restorer) cleanUp() {
	if r.waiting != "" {
		os.RemoveAll(r.waiting)
	}
}

func (r *restorer) put() error {
	for name, path := range r.smallFiles() {
		file := r.backup.config[name]
		if err := local.AsRoot(func() error { return r.putFile(path, file) }); err != nil {
			return err
		}
	}
	if err := r.putDatabase(filepath.Join(r.waiting, databaseName)); err != nil {
		return err
	}
	if err := r.putContexts(); err != nil || !r.Artifacts {
		return err
	}
	return local.AsOwner(r.cfg.Paths.Builds, func(root *os.Root) error {
		r.takeBuild = func(name string, changed time.Time, in io.Reader) error {
			return r.putBuild(root, name, changed, in)
		}
		return r.read()
	})
}

// putContexts puts the build contexts beside those that are there.
func (r *restorer) putContexts() error {
	if err := os.MkdirAll(r.cfg.Paths.Contexts, 0o750); err != nil {
		return err
	}
	root, err := os.OpenRoot(r.cfg.Paths.Contexts)
	if err != nil {
		return err
	}
	defer root.Close()
	// As if they were used now: until its manifest follows, sync would take an old file for one that nothing needs.
	r.takeContext = func(name string, _ time.Time, in io.Reader) error {
		return r.putBuild(root, name, time.Now(), in)
	}
	defer func() { r.takeContext = nil }()
	return r.read()
}

// putDatabase replaces a database that may be in use, or moves a new one in. One that is damaged is kept beside it,
// with the files that SQLite has made for it.
func (r *restorer) putDatabase(from string) error {
	to := r.cfg.Paths.Database
	if _, err := os.Lstat(to); err == nil {
		if _, err := store.Check(r.ctx, to); err == nil {
			return store.Replace(r.ctx, from, to)
		}
		for _, end := range []string{"", "-wal", "-shm"} {
			if err := os.Rename(to+end, to+".damaged"+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return errors.Join(os.Chmod(from, 0o640), os.Rename(from, to))
}

func (r *restorer) putBuild(root *os.Root, name string, changed time.Time, in io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o750); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	return errors.Join(err, f.Close(), root.Chtimes(name, changed, changed), r.ctx.Err())
}

// forget notes of each build of the local engine whose files are not there that it has none: pages say so, and link to
// nothing. It returns their number.
func (r *restorer) forget() (lost int, err error) {
	if r.cfg.Engine != "local" {
		return 0, nil
	}
	db, err := store.Open(r.ctx, r.cfg.Paths.Database)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	builds, err := db.Kept(r.ctx)
	if err != nil {
		return 0, err
	}
	files := local.New(db, r.cfg.Paths.Builds)
	for _, b := range builds {
		if files.Has(b.EngineName, b.EngineNumber) {
			continue
		}
		b.Why = "backup"
		if err := errors.Join(files.Expire(r.ctx, b.EngineName, b.EngineNumber),
			db.MarkExpired(r.ctx, b, time.Now())); err != nil {
			return lost, err
		}
		lost++
	}
	return lost, nil
}

// putFile makes or replaces a small file. What not everybody may read is for the site's group.
func (r *restorer) putFile(path string, file smallFile) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".restore-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(file.text)
	whose := host.Identity{UID: os.Getuid(), GID: os.Getgid()} // also after actAsOwner
	if file.mode&0o007 == 0 {
		whose.GID = r.owner.GID
	}
	if file.owner == ofTheSite {
		whose = r.owner
	}
	if os.Geteuid() == 0 {
		err = errors.Join(err, f.Chown(whose.UID, whose.GID))
	}
	if err := errors.Join(err, f.Chmod(file.mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func writeFile(path string, in io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	return errors.Join(err, f.Sync(), f.Close())
}
