package main

import (
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"toaster.do/cgi-bin/jobs/look"
	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// fields are what a job's form may hold. A Dockerfile that is somewhat too large is read all the same, so that
// its sender gets it back.
func fields(cfg *config.Config) web.Fields {
	text := int64(cfg.Limits.Dockerfile)
	small, hidden := web.Limit{Most: 1 << 10}, web.Limit{Most: 1 << 10, Hidden: true}
	return addRepositoryFields(web.Fields{
		"name": small, "target": small, "start": small, "upsert": small, "drop_context": small, "new_password": small,
		"base_form":       small,
		"dockerfile_path": {Most: 4 << 10}, "revision": hidden, "context_digest": hidden, "context_name": hidden,
		"text":        {Most: text, Keep: 4 * text},
		"build_args":  {Most: 16 << 10, Keep: 64 << 10},
		"environment": {Most: 16 << 10, Keep: 64 << 10},
		"root_keys":   {Most: 32 << 10, Keep: 64 << 10},
		"dockerfile":  {Most: text, Keep: 4 * text, File: true, Text: true, Mistaken: dockerfile.Mistaken},
		"context": {Most: int64(cfg.Limits.Context), File: true, Spool: filepath.Join(cfg.Paths.Contexts, "tmp"),
			FreeDisk: int64(cfg.Limits.FreeDisk)},

		jobs.SecretField + "*": secretFields,
	})
}

// form is a job's form as it is shown.
type form struct {
	Job      *store.Job      // nil: for a new one
	Revision int             // the one that an update was made from
	Newest   *store.Revision // what somebody else stored meanwhile; nil: nothing

	Name, Target, Text, BuildArgs string
	Environment                   string
	noEnvironment                 bool // nothing was said of it
	BaseForm                      string
	noBaseForm                    bool   // likewise
	Path                          string // the Dockerfile in the archive of a whole project
	Git                           repository
	RootKeys                      string
	Start, DropContext            bool
	NewPassword                   bool   // root's shall be another one
	noKeys                        bool   // nothing was said of RootKeys
	Context, ContextName          string // the digest of a build context that was sent already, and its file's name
	HasContext                    bool   // the revision has one
	HasPassword                   bool   // likewise

	Groups  []group
	Limits  jobs.Limits
	Checked *jobs.Checked
	Source  source
	Docker  string // the command that tests the same sources in a container
	Lost    string // a build context that was sent and is not kept: its name and size
	Upsert  bool   // a program's: the job of that name and target is changed, where there is one
	faults  []*apperr.Error

	secrets engine.Secrets // for the build that starts
	archive *web.File      // the build context that was sent now
	refused error          // why it can't be used
}

var formTemplate = view.Template[*form]{Name: "form"}

type group struct {
	Name    i18n.Key
	Targets []option
}

type option struct {
	Name   string
	Title  i18n.Text
	Chosen bool
}

// Fault is what is wrong with a field; with the empty name, what belongs to no field.
func (f *form) Fault(field string) *apperr.Error {
	for _, f := range f.faults {
		at := f.Field
		switch at {
		case "text":
			at = "dockerfile"
		case "name", "target", "dockerfile", "dockerfile_path", "context", "build_args", "environment", "base_form",
			"root_keys":
		default:
			if !slices.Contains(repositoryFields, at) {
				at = ""
			}
		}
		if at == field {
			return f
		}
	}
	return nil
}

// Refused is what the top of the form says: all of what belongs to no field, a pointer to the others otherwise.
func (f *form) Refused() *apperr.Error {
	none := f.Fault("")
	switch {
	case len(f.faults) == 0 || none != nil:
		return none
	case len(f.faults) == 1:
		return apperr.New(f.faults[0].Kind, "Nothing was saved. Correct one field.", "%s", f.faults[0].Message)
	}
	return apperr.New(f.faults[0].Kind, "Nothing was saved. Correct %d fields.",
		"The message at each field has the details.", len(f.faults))
}

// NewestText is the Dockerfile that somebody else stored.
func (f *form) NewestText() string { return string(f.Newest.Dockerfile) }

// read reads the request's form. With an error it holds what could be read.
func (j *handlers) read(r *web.Request) (*form, error) {
	in, err := r.Input()
	f := formOf(in)
	if err != nil {
		return f, err
	}
	if f.archive != nil {
		err = j.unpack(r, f)
	} else if f.DropContext {
		f.Context = ""
	}
	if err != nil && apperr.KindOf(err) == apperr.Internal {
		return f, err
	}
	f.refused = err
	return f, j.find(r, f)
}

// unpack stores the build context that was sent.
func (j *handlers) unpack(r *web.Request, f *form) (err error) {
	f.Context, f.ContextName = "", f.archive.Name
	f.Context, err = app.Contexts(r.Site.Config).AddArchive(r.Identity.User.ID, f.archive.Reader(), f.archive.Size())
	if err != nil && apperr.KindOf(err) != apperr.Internal {
		err = apperr.Of(err).At("context")
	}
	return err
}

// find fills in the Dockerfile where the archive has it.
func (j *handlers) find(r *web.Request, f *form) error {
	s, err := j.open(r)
	if err != nil || f.Git.URL != "" {
		return err
	}
	sub := f.submission()
	name, err := s.FindDockerfile(r.Identity.User.ID, &sub, f.Path)
	if name != "" {
		f.Path, f.Text = name, string(sub.Dockerfile)
	}
	return err
}

func formOf(in *web.Form) *form {
	v := in.Values
	f := &form{
		Name: v["name"], Target: v["target"], Path: v["dockerfile_path"], Text: v["text"], BuildArgs: v["build_args"],
		Start: on(v["start"]), Upsert: on(v["upsert"]), DropContext: on(v["drop_context"]),
		Context: strings.TrimPrefix(v["context_digest"], "sha256:"), ContextName: v["context_name"],
		Lost: in.Lost["context"], secrets: secretsOf(in),
	}
	_, known := v["root_keys"]
	f.RootKeys, f.noKeys, f.NewPassword = v["root_keys"], !known, on(v["new_password"])
	_, known = v["environment"]
	f.Environment, f.noEnvironment = v["environment"], !known
	_, known = v["base_form"]
	f.BaseForm, f.noBaseForm = v["base_form"], !known
	f.Git = repositoryOf(v)
	f.Revision, _ = strconv.Atoi(v["revision"])
	if file, ok := in.Files["dockerfile"]; ok { // a file counts for more than the text
		f.Text = string(file.Content)
	}
	if file, ok := in.Files["context"]; ok {
		f.archive = &file
	}
	return f
}

// on reads a checkbox, or what a program says in its place.
func on(value string) bool {
	return !slices.Contains([]string{"", "0", "false", "no", "off"}, strings.ToLower(strings.TrimSpace(value)))
}

func (f *form) submission() jobs.Submission {
	return jobs.Submission{
		Name: f.Name, Origin: f.ContextName, Target: f.Target, Dockerfile: []byte(f.Text), Context: f.Context, Refused: f.refused,
		BuildArgs: f.BuildArgs, Environment: f.Environment, BaseForm: f.BaseForm,
		KeepContext: !f.DropContext, RootKeys: f.RootKeys, Git: f.repository(), Schedule: f.Git.Schedule,
	}
}

// show answers with the form. A context that was sent is named by its digest, for a browser can't fill it in again.
func (j *handlers) show(w http.ResponseWriter, r *web.Request, status int, f *form) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	f.Limits = s.Limits
	if f.Target == "" {
		f.Target = s.Suggest([]byte(f.Text))
	}
	if f.Groups, err = groups(s, f.Target); err != nil {
		return err
	}
	chosen, _ := s.Target(f.Target) // of one that is not offered nothing is known
	var secrets []dockerfile.Secret
	if f.Checked != nil {
		secrets = f.Checked.Secrets
	}
	f.Docker = jobs.DockerBuild(chosen, f.BuildArgs, f.Path,
		f.Context != "" || f.HasContext || dockerfile.NeedsContext([]byte(f.Text)), secrets)
	if wrong := f.Fault("context"); wrong != nil && wrong.Code == "context_not_found" {
		f.Context = ""
	}
	// A browser that goes back shows the page as it was left, with all that was typed.
	w.Header().Set("Cache-Control", "private, no-cache")
	return r.Page(w, status, formTemplate.With(f), view.View{Here: "jobs", Notice: look.Notice(r)})
}

// reject answers with what is wrong: the form again, with the message at its field, or a problem for a program.
func (j *handlers) reject(w http.ResponseWriter, r *web.Request, f *form, err error) error {
	var rejected *jobs.Rejected
	findings := []dockerfile.Finding{}
	if errors.As(err, &rejected) && rejected.Findings != nil {
		findings = rejected.Findings
	}
	if r.JSON() {
		if len(findings) == 0 {
			return err
		}
		return web.WithMembers(err, map[string]any{"findings": say(r, findings)})
	}
	status := web.Status(err)
	if !web.Repeatable(err) {
		return err // the page of the error has what was typed
	}
	if status >= 500 {
		r.Log().Error("failed", slog.String("request", r.ID), slog.Any("error", err))
	}
	f.faults = apperr.All(err)
	if strings.Contains(f.RootKeys, "PRIVATE KEY") {
		f.RootKeys = "" // it travels no more
	}
	if len(findings) > 0 {
		f.Source = newSource(r, []byte(f.Text), findings)
	}
	r.Note(err)
	if shown := j.show(w, r, status, f); shown != nil {
		return errors.Join(err, shown)
	}
	return nil
}

func groups(s *jobs.Service, chosen string) (list []group, err error) {
	targets, err := s.Targets()
	if err != nil {
		return nil, err
	}
	for _, t := range targets.On() {
		if len(list) == 0 || list[len(list)-1].Name != t.Group {
			list = append(list, group{Name: t.Group})
		}
		last := &list[len(list)-1]
		last.Targets = append(last.Targets, option{t.Name, t.Title, t.Name == chosen})
	}
	return list, nil
}

// fromDraft fills a form with what its sender sent when they were not logged in.
func (j *handlers) fromDraft(r *web.Request) (*form, error) {
	in, err := r.Kept()
	if in == nil || err != nil {
		return nil, err
	}
	f := formOf(in)
	if f.archive != nil {
		if err := j.unpack(r, f); err != nil {
			r.Note(err)
			f.faults = append(f.faults, apperr.Of(err).At("context"))
		}
	}
	return f, nil
}
