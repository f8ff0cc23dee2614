package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"toaster.do/lib/nearest"
	"toaster.do/lib/printable"
)

func printableLine(s string) string { return printable.Line(s) }

// job and build are what the client reads of those of lib/api.
type job struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Target       string   `json:"target"`
	Title        string   `json:"target_title"`
	State        string   `json:"state"`
	Builds       []build  `json:"builds"`
	RootPassword string   `json:"root_password"`
	StartError   *problem `json:"start_error"`
}

// word is what IDs and targets consist of: paths and command lines are made of them.
var word = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// checkWords refuses IDs and targets that are more than a word.
func checkWords(list ...string) error {
	for _, s := range list {
		if !word.MatchString(s) || s == "." || s == ".." {
			return fmt.Errorf("%q is no ID and no target", s)
		}
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (j *job) UnmarshalJSON(text []byte) error {
	type plain job
	if err := json.Unmarshal(text, (*plain)(j)); err != nil {
		return err
	}
	return checkWords(j.ID, j.Target)
}

type build struct {
	Number     int        `json:"number"`
	State      string     `json:"state"`
	Reason     string     `json:"reason"`
	QueuedAt   string     `json:"queued_at"`
	QueuePlace int        `json:"queue_place"`
	RepeatedBy int        `json:"repeated_by"`
	Artifacts  []artifact `json:"artifacts"`
	Failure    *struct {
		Step     int    `json:"step"`
		Line     int    `json:"line"`
		ExitCode int    `json:"exit_code"`
		Message  string `json:"message"`
		Advice   string `json:"advice"`
	} `json:"failure"`
	Next []struct {
		Title    string   `json:"title"`
		Text     string   `json:"text"`
		Commands []string `json:"commands"`
	} `json:"next"`
}

type artifact struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// form is the body of POST /jobs.
func (o *order) form(digest string) (kind string, body []byte, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	fields := map[string]string{"name": o.name, "target": o.target, "context_digest": digest, "upsert": "1", "start": "1",
		"build_args": o.buildArgs, "environment": o.environment}
	if o.noCache {
		fields["no_cache"] = "1"
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := w.WriteField(name, fields[name]); err != nil {
			return "", nil, err
		}
	}
	files := map[string][]byte{"dockerfile": o.dockerfile}
	maps.Copy(files, o.secrets)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		part, err := w.CreateFormFile(name, cmp.Or(map[string]string{"dockerfile": o.dockerfileName}[name], "file"))
		if err == nil {
			_, err = part.Write(files[name])
		}
		if err != nil {
			return "", nil, err
		}
	}
	err = w.Close()
	return w.FormDataContentType(), b.Bytes(), err
}

// submit makes or changes the job, and starts a build.
func (o *order) submit(w *world, c *client, digest string) error {
	kind, body, err := o.form(digest)
	if err != nil {
		return err
	}
	a, err := c.do(w.ctx, call{method: http.MethodPost, path: "/jobs", kind: kind, body: bytesBody(body),
		size: int64(len(body)), header: http.Header{"Idempotency-Key": {rand.Text()}}})
	var p *problem
	if o.posted = !asProblem(err, &p) || p.Status >= 500; err != nil {
		return o.refused(w, c, digest, err)
	}
	var j job
	if err := a.decode(c, &j); err != nil {
		return err
	}
	o.posted, o.job = false, j.ID
	for _, b := range j.Builds {
		o.number = max(o.number, b.Number)
	}
	w.event("job", map[string]any{"id": j.ID, "name": j.Name, "target": j.Target, "url": c.URL + "/jobs/" + j.ID,
		"created": a.status == http.StatusCreated})
	if j.RootPassword != "" {
		w.event("root_password", map[string]any{"password": j.RootPassword})
		w.note("Password of root in the image, shown only now: %s", j.RootPassword)
	}
	if p := j.StartError; p != nil || o.number == 0 {
		if p == nil {
			p = &problem{Detail: "No build was started."}
		}
		return failed(exitRefused, p.Advice, "the job is saved, but not built: %s", p.Detail)
	}
	w.event("build", map[string]any{"number": o.number, "state": "queued", "url": c.URL + "/jobs/" + o.job})
	w.note("%s for %s: %s/jobs/%s", o.title(), cmp.Or(j.Title, o.target), c.URL, o.job)
	return nil
}

// refused adds to a refusal what this side knows: the findings with their lines, and names that are like the target's.
func (o *order) refused(w *world, c *client, digest string, err error) error {
	var p *problem
	if !asProblem(err, &p) {
		return err
	}
	if o.noCache && p.about("no_cache") {
		o.noCache = false // the site has no cache
		return o.submit(w, c, digest)
	}
	w.findings(o, p)
	if p.about("target") {
		list, listed := c.targets(w.ctx)
		if like := nearest.To(o.target, names(list)); listed == nil && like != "" {
			return failed(exitRefused, "Did you mean "+like+"? “toaster targets” lists what can be built.", "%s", p.Detail)
		}
		return failed(exitRefused, "“toaster targets” lists what can be built.", "%s", p.Detail)
	}
	return err
}

// findings prints what is wrong with the Dockerfile.
func (w *world) findings(o *order, p *problem) {
	for _, f := range p.Findings {
		w.event("finding", map[string]any{"line": f.Line, "level": f.Level, "rule": f.Rule, "message": f.Message,
			"advice": f.Advice})
		w.note("%s:%d: %s %s: %s\n    %s", cmp.Or(o.dockerfileName, "Dockerfile"), f.Line, f.Level, f.Rule,
			f.Message, f.Advice)
	}
	if len(p.Errors) > 1 {
		for _, f := range p.Errors {
			w.note("%s: %s %s", f.Field, f.Detail, f.Advice)
		}
	}
}

// targetOf is the target of the person's only job of that name.
func (c *client) targetOf(ctx context.Context, name string) (string, error) {
	var list struct {
		Jobs []job `json:"jobs"`
	}
	if err := c.get(ctx, "/jobs", url.Values{"q": {name}}, &list); err != nil {
		return "", err
	}
	found := ""
	for _, j := range list.Jobs {
		switch {
		case j.Name != name || j.Target == found:
		case found == "":
			found = j.Target
		default:
			return "", misused("%s is built for several targets: name one with -t", name)
		}
	}
	if found == "" {
		return "", failed(exitRefused, "Name one with -t, such as -t vm_amd64_daedalus. “toaster targets” lists them.",
			"no target is named")
	}
	return found, nil
}
