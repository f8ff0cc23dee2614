package jobs

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// Comparison says in what two builds of a job differ.
type Comparison struct {
	Job         *store.Job
	From, To    *Side
	Dockerfile  []Hunk   // empty: the same
	BuildArgs   []Change // by name
	Environment []Change // by name
	Images      []Change // digests, by the image's name and platform
	Source      []Change // the repository, and what of it was fetched
	Context     bool     // the build contexts differ
	Root        bool     // how root gets in differs
	BaseForm    bool     // likewise of the setting of that name
	Packages    []Change // by name; known when both sides have their list
	Provenance  []Change // what provenance.json says, but for what is told elsewhere
	Gone, New   []dockerfile.Finding
}

// Side is one of the two builds.
type Side struct {
	Build    *store.Build
	Revision *store.Revision
	Image    *store.Artifact // nil: it left none
	// What its files say; empty when they can't be read, and Missing says why.
	Packages   map[string]string // name, or name:architecture, → version
	Provenance map[string]string
	Missing    i18n.Text
}

// Took is how long the build ran; 0: it did not, or has not ended.
func (s *Side) Took() time.Duration {
	if s.Build.StartedAt.IsZero() || s.Build.EndedAt.IsZero() {
		return 0
	}
	return max(0, s.Build.EndedAt.Sub(s.Build.StartedAt))
}

// Change is something that has another value: From is empty when it is new, To when it is gone.
type Change struct{ Name, From, To string }

// Compare compares two builds of an owner's job. What an engine no longer keeps is left out, and said.
func (s *Service) Compare(ctx context.Context, owner int64, id string, from, to int) (*Comparison, error) {
	job, err := s.Store.Job(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	c := &Comparison{Job: job}
	if c.From, err = s.side(ctx, job, from); err != nil {
		return nil, err
	}
	if c.To, err = s.side(ctx, job, to); err != nil {
		return nil, err
	}
	c.Dockerfile = compareText(c.From.Revision.Dockerfile, c.To.Revision.Dockerfile)
	c.Context = c.From.Revision.Context != c.To.Revision.Context
	c.Root = c.From.Revision.Root != c.To.Revision.Root
	c.BaseForm = c.From.Revision.BaseForm != c.To.Revision.BaseForm
	c.BuildArgs = changes(buildArgs(c.From), buildArgs(c.To))
	c.Source = changes(c.From.source(), c.To.source())
	c.Images = changes(c.From.digests(), c.To.digests())
	c.Environment = changes(environment(c.From), environment(c.To))
	if c.Both() {
		c.Packages = changes(c.From.Packages, c.To.Packages)
		c.Provenance = changes(c.From.Provenance, c.To.Provenance)
	}
	if c.From.Revision.Number != c.To.Revision.Number {
		c.Gone, c.New = s.findingsOf(ctx, job, c.From.Revision), s.findingsOf(ctx, job, c.To.Revision)
		c.Gone, c.New = without(c.Gone, c.New), without(c.New, c.Gone)
	}
	return c, nil
}

// source is what a side was fetched from, for a comparison.
func (s *Side) source() map[string]string {
	all := map[string]string{}
	for name, value := range map[string]string{"repository": s.Revision.Source.Repository, "ref": s.Revision.Source.Ref,
		"commit": s.Revision.Source.Commit} {
		if value != "" {
			all[name] = value
		}
	}
	return all
}

// Both tells whether the files of both builds could be read.
func (c *Comparison) Both() bool { return c.From.Missing.IsZero() && c.To.Missing.IsZero() }

func (s *Service) side(ctx context.Context, job *store.Job, number int) (*Side, error) {
	b, err := s.Store.Build(ctx, job.UserID, job.ID, number)
	if err != nil {
		return nil, err
	}
	side := &Side{Build: b}
	if side.Revision, err = s.Store.Revision(ctx, job.UserID, job.ID, b.Revision); err != nil {
		return nil, err
	}
	list, err := s.Store.Artifacts(ctx, job.UserID, job.ID, number)
	if err != nil {
		return nil, err
	}
	side.Image = ImageOf(job, list)
	side.Missing = s.readFiles(ctx, job, side, list)
	return side, nil
}

// ImageOf is the image among the artifacts of a build: it is named after the target. It is nil where there is none.
func ImageOf(job *store.Job, list []store.Artifact) *store.Artifact {
	for i, a := range list {
		if strings.HasPrefix(a.Path, job.Target+".") {
			return &list[i]
		}
	}
	return nil
}

// readFiles reads what a build says of its image, and returns why it can't, if so.
func (s *Service) readFiles(ctx context.Context, job *store.Job, side *Side,
	list []store.Artifact) (missing i18n.Text) {
	b := side.Build
	switch {
	case b.Open():
		return i18n.T("Build %d has not finished.", b.Number)
	case !b.ExpiredAt.IsZero():
		return i18n.T("The files of build %d are no longer available.", b.Number)
	case len(list) == 0:
		return i18n.T("Build %d has no image.", b.Number)
	}
	ctx, cancel := reconcile.CallContext(ctx)
	defer cancel()
	packages, err := s.readFile(ctx, job, b, "packages.txt")
	var provenance []byte
	if err == nil {
		provenance, err = s.readFile(ctx, job, b, "provenance.json")
	}
	if err == nil {
		side.Packages = parsePackages(packages)
		side.Provenance, err = parseProvenance(provenance)
	}
	switch {
	case err == nil:
		return i18n.Text{}
	case apperr.KindOf(err) == apperr.NotFound || apperr.KindOf(err) == apperr.Gone:
		return i18n.T("The files of build %d are no longer available.", b.Number)
	}
	s.Logger.Warn("a build's files were not read", "job", job.ID, "build", b.Number, "error", err)
	return i18n.T("The files of build %d can't be read at the moment.", b.Number)
}

func buildArgs(s *Side) map[string]string {
	args, err := ParseBuildArgs(s.Revision.BuildArgs)
	if err != nil { // they were accepted once
		return map[string]string{"": s.Revision.BuildArgs}
	}
	return args
}

func environment(s *Side) map[string]string {
	list, _ := ParseEnvironment(s.Revision.Environment) // it was accepted once
	vars := map[string]string{}
	for _, kv := range list {
		name, value, _ := strings.Cut(kv, "=")
		vars[name] = value
	}
	return vars
}

// changes are sorted by name. A value that is empty is shown as "" where the other side has none.
func changes(from, to map[string]string) (list []Change) {
	shown := func(m map[string]string, name string) string {
		if v, ok := m[name]; ok && v == "" {
			return `""`
		}
		return m[name]
	}
	for name := range from {
		if v, ok := to[name]; !ok || v != from[name] {
			list = append(list, Change{name, shown(from, name), shown(to, name)})
		}
	}
	for _, name := range slices.Collect(maps.Keys(to)) {
		if _, ok := from[name]; !ok {
			list = append(list, Change{name, "", shown(to, name)})
		}
	}
	slices.SortFunc(list, func(a, b Change) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// findingsOf are a revision's findings; none for one that can't be built any more, which the job's page says.
func (s *Service) findingsOf(ctx context.Context, job *store.Job, rev *store.Revision) []dockerfile.Finding {
	findings, _ := s.Findings(ctx, job, rev.Number)
	return findings
}

// without returns the findings that others don't have, at whatever line.
func without(findings, others []dockerfile.Finding) (list []dockerfile.Finding) {
	known := map[[2]string]bool{}
	for _, o := range others {
		known[[2]string{o.Rule, o.Message.String()}] = true
	}
	for _, f := range findings {
		if !known[[2]string{f.Rule, f.Message.String()}] {
			list = append(list, f)
		}
	}
	return list
}

// Why says in a few sentences why the images differ, or that they don't.
func (c *Comparison) Why() []i18n.Text {
	from, to := c.From.Image, c.To.Image
	if from != nil && to != nil && from.SHA256 != "" && from.SHA256 == to.SHA256 {
		return []i18n.Text{i18n.T("The images are identical.")}
	}
	var why []i18n.Text
	say := func(differs bool, sentence i18n.Key, args ...any) {
		if differs {
			why = append(why, i18n.T(sentence, args...))
		}
	}
	say(len(c.Dockerfile) > 0, "The Dockerfile has changed.")
	say(len(c.Source) > 0, "The commit of the repository has changed.")
	say(len(c.BuildArgs) > 0, "The build arguments have changed.")
	say(len(c.Environment) > 0, "The runtime environment has changed.")
	say(c.BaseForm, "The setting “Base image” has changed.")
	say(len(c.Images) == 1, "An image that the Dockerfile names has changed.")
	say(len(c.Images) > 1, "%d images that the Dockerfile names have changed.", len(c.Images))
	say(c.Context, "The build context has changed.")
	say(c.Root, "The SSH keys or the password of root have changed.")
	say(len(c.Packages) == 1, "One package differs.")
	say(len(c.Packages) > 1, "%d packages differ.", len(c.Packages))
	say(c.provenanceDiffers("toaster_version"), "toaster has another version.")
	say(c.provenanceDiffers("builder"), "The base system was created by another program or version.")
	if len(why) == 0 && from != nil && to != nil && c.Both() {
		why = append(why,
			i18n.T("Dockerfile, arguments, context and packages are the same, but the images differ: a step uses random data, "+
				"the clock, or a file from the network that has changed."))
	}
	return why
}

func (c *Comparison) provenanceDiffers(name string) bool {
	return slices.ContainsFunc(c.Provenance, func(ch Change) bool { return ch.Name == name })
}
