package main

import (
	"cmp"
	"context"
	"net/http"
	"path/filepath"
	"time"

	"toaster.do/lib/buildcontext"
)

type buildCommand struct {
	Context    string   `arg:"" default:"." help:"The folder. Default: the one that you are in."`
	Dockerfile string   `name:"file" short:"f" placeholder:"FILE" help:"The Dockerfile; - is standard input. Default: Dockerfile or Containerfile in the folder."`
	Target     string   `short:"t" placeholder:"TARGET" help:"What to build, such as vm_amd64_daedalus; “toaster targets” lists it. Default: that of your only job of this name."`
	Name       string   `placeholder:"NAME" help:"The name of the job. Default: that of the repository or the folder."`
	BuildArg   []string `placeholder:"NAME=VALUE" sep:"none" help:"A value for ARG. Can be repeated."`
	Env        []string `placeholder:"NAME=VALUE" sep:"none" help:"A variable of the application. Can be repeated."`
	secretFlags
	NoCache bool   `help:"Use nothing of earlier builds."`
	Detach  bool   `short:"d" help:"Start the build, and don't wait for it."`
	Output  string `short:"o" placeholder:"DIR" help:"Where to download to. Default: dist/TARGET."`
	NoFetch bool   `name:"no-download" help:"Download nothing."`
	JSON    bool   `name:"json" help:"Print events for programs, a JSON object a line."`
}

func (c *buildCommand) Help() string {
	return "Sends the files of the folder that the site does not have yet, without what .dockerignore or " +
		"NAME.dockerignore says, as docker build does. Creates the job of that name and target or changes it, builds it, prints the log, " +
		"downloads what the build left, and verifies its checksums and signature.\n\n" +
		"Ctrl-C leaves the build running; pressed again within three seconds, it stops the build.\n\n" +
		"A folder that toaster has downloaded to, which has a file .toaster.json, is not sent.\n\n" +
		"    toaster build -t vm_amd64_daedalus --build-arg VERSION=1.2 -o out ."
}

func (c *buildCommand) Run(w *world) error {
	w.json = c.JSON
	s, err := w.loggedIn()
	if err != nil {
		return err
	}
	o, err := c.read(w)
	if err != nil {
		return err
	}
	client := w.client(s)
	stop := w.interrupts()
	defer stop()
	err = c.start(w, client, o)
	switch {
	case w.ctx.Err() != nil && err == nil:
		return w.leave(client, o)
	case w.ctx.Err() != nil && o.posted:
		w.note("\nInterrupted. A build may have been started: see “toaster jobs”.")
		return failed(exitInterrupted, "", "")
	case w.ctx.Err() != nil:
		w.note("\nInterrupted. No build was started; the files that were sent are kept for a while.")
		return failed(exitInterrupted, "", "")
	case err != nil:
		return err
	}
	if c.Detach {
		w.note("%s is queued. Come back with “toaster logs -f %s”.", o.title(), o.ref())
		return nil
	}
	return w.finish(client, o, c.NoFetch, c.Output)
}

// start sends the context, and starts a build of it.
func (c *buildCommand) start(w *world, client *client, o *order) error {
	t, err := w.scan(client, o)
	if err != nil {
		return err
	}
	if o.target == "" {
		if o.target, err = client.targetOf(w.ctx, o.name); err != nil {
			return err
		}
	}
	digest := "sha256:" + t.Digest()
	if err := w.send(client, t, o, digest); err != nil {
		return err
	}
	o.remember(client, &t.Manifest)
	return nil
}

// scan reads the folder, and says what it consists of.
func (w *world) scan(c *client, o *order) (*buildcontext.Tree, error) {
	begun := time.Now()
	t, err := buildcontext.Scan(w.ctx, o.folder, o.dockerfileName)
	if err != nil {
		return nil, err
	}
	if err := w.limits(c, t); err != nil {
		return nil, err
	}
	cache := openSums(o.folder)
	if err := t.Sum(w.ctx, cache); err != nil {
		return nil, err
	}
	cache.save()
	files := 0
	for _, e := range t.Entries {
		if e.Type == buildcontext.File {
			files++
		}
	}
	w.event("context", map[string]any{"files": files, "bytes": t.Size(), "digest": "sha256:" + t.Digest()})
	w.note("Context %s: %s, %s, read in %s", o.folder, count(files, "file"), buildcontext.Bytes(t.Size()),
		short(time.Since(begun)))
	return t, w.ctx.Err()
}

// send sends what the site lacks, and then the job: in this order until the site has all of it.
func (w *world) send(c *client, t *buildcontext.Tree, o *order, digest string) error {
	if o.sent(c) != digest {
		if err := w.sendContext(c, t, o.sentManifest(c)); err != nil {
			return err
		}
	} else {
		w.event("upload", map[string]any{"files": 0, "bytes": 0})
		w.note("Nothing has changed since the last time.")
	}
	for try := 0; ; try++ {
		err := o.submit(w, c, digest)
		var p *problem
		if !asProblem(err, &p) || try == 3 || !p.is("context_incomplete") && !p.is("context_not_found") {
			return err
		}
		if err := w.sendContext(c, t, nil); err != nil {
			return err
		}
	}
}

// sendContext sends the manifest, and what is missing. While that goes on, the site may forget it, for want of space or
// because of many others. Of the manifest that it had the last time it is told the changes.
func (w *world) sendContext(c *client, t *buildcontext.Tree, old *buildcontext.Manifest) error {
	for try := 0; ; try++ {
		a, err := c.announce(w.ctx, &t.Manifest, old)
		var p *problem
		if asProblem(err, &p) && p.Status == http.StatusRequestEntityTooLarge {
			w.largest(t)
		}
		if err == nil {
			err = w.upload(w.ctx, c, t, a.Missing)
		}
		if !asProblem(err, &p) || try == 3 || !p.is("blob_not_missing") && !p.is("upload_incomplete") {
			return err
		}
	}
}

// limits asks what a context may have at most, before its files are read.
func (w *world) limits(c *client, t *buildcontext.Tree) error {
	var most struct {
		Bytes   int64 `json:"max_bytes"`
		Entries int   `json:"max_entries"`
	}
	if err := c.get(w.ctx, "/jobs/contexts", nil, &most); err != nil {
		return err
	}
	err := t.Check(buildcontext.Limits{Bytes: most.Bytes, Entries: most.Entries})
	if err != nil {
		w.largest(t)
	}
	return err
}

// largest lists what to leave out first.
func (w *world) largest(t *buildcontext.Tree) {
	list := []map[string]any{}
	w.note("The largest files:")
	for _, e := range t.Largest(5) {
		list = append(list, map[string]any{"path": e.Path, "bytes": e.Size})
		w.note("  %10s  %s", buildcontext.Bytes(e.Size), e.Path)
	}
	w.event("largest", map[string]any{"files": list})
}

// finish follows a build to its end, and downloads what it left.
func (w *world) finish(c *client, o *order, noFetch bool, output string) error {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	v := w.view()
	w.follows.Store(true)
	b, err := c.follow(ctx, o, v)
	v.end(b)
	if w.ctx.Err() != nil {
		return w.leave(c, o)
	}
	w.follows.Store(false)
	if err != nil {
		return w.comeBack(o, err)
	}
	w.event("done", map[string]any{"state": b.State, "job": o.job, "number": o.number})
	if b.State != "succeeded" {
		return w.unsuccessful(o, b)
	}
	if noFetch {
		w.note("%s succeeded. Download it with “toaster download %s”.", o.title(), o.ref())
		return nil
	}
	dir := cmp.Or(output, filepath.Join("dist", o.target))
	err = w.fetch(c, o, b, dir, nil)
	if w.ctx.Err() != nil {
		w.note("\nInterrupted. Go on with “toaster download %s -o %s”.", o.ref(), dir)
		return failed(exitInterrupted, "", "")
	}
	if err == nil {
		w.next(b, dir)
	}
	return err
}

// comeBack adds to an error how to see how the build goes on.
func (w *world) comeBack(o *order, err error) error {
	f := w.explain(err)
	return &failure{f.exit, f.message, f.advice + " The build goes on: “toaster logs -f " + o.ref() + "”."}
}
