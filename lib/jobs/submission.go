package jobs

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/image"
	"toaster.do/lib/printable"
	"toaster.do/lib/store"
	"toaster.do/lib/target"
)

// Submission is a form as a person sent it: raw input.
type Submission struct {
	Name        string // empty: see defaultName
	Origin      string // the folder, repository or archive that it comes from; may be empty
	Target      string
	Dockerfile  []byte
	Context     string // the digest of one of the owner's build contexts, lower-case hex; empty: none
	Refused     error  // why the build context that was sent can't be used; nil: it can, or none was sent
	KeepContext bool   // Update only: without a new Context, the earlier one stays
	BuildArgs   string // K=V a line
	Environment string // K=V a line: for the application, when the image runs
	BaseForm    string // one of dockerfile.BaseForms: what becomes of the base image

	Git      *Repository // where Dockerfile and context are fetched from; nil: they are sent
	Schedule string      // how often it is built by itself: day, week, month; empty: it isn't

	RootKeys     string // root's SSH keys, as in authorized_keys; empty: none
	RootPassword string // a new one, of Service.RootPassword; empty: none, or with Update the one that was before
}

// Rejected is why a submission was not taken: a field is wrong, or the Dockerfile can't be built.
type Rejected struct {
	Faults   []*apperr.Error      // all that is wrong; Fields as those of Submission: name, target, dockerfile, context, …
	Findings []dockerfile.Finding // of the Dockerfile, in the order of its lines; may be empty
}

func (r *Rejected) Error() string { return r.Faults[0].Error() }

// Unwrap returns the faults.
func (r *Rejected) Unwrap() (list []error) {
	for _, f := range r.Faults {
		list = append(list, f)
	}
	return list
}

// Checked is what can be said of a submission without building it.
type Checked struct {
	Findings     []dockerfile.Finding
	Steps        int                 // 0 when it can't be built
	Secrets      []dockerfile.Secret // what its builds can be given, or must be
	Distribution string              // what FROM says: "devuan"
	Codename     string              // what FROM says: "daedalus"
	Target       string              // the one that was chosen, or the first that FROM suits; empty: none does
	OK           bool                // Add would take it, for that target
	Wrong        []*apperr.Error     // why it wouldn't, beside the findings
}

// work is a submission that can be built.
type work struct {
	name, buildArgs string
	environment     string
	baseForm        string
	target          target.Target
	root            store.Root
	from            store.Source // what it was fetched from
	size            int64        // of the build context's files, bytes
	src             dockerfile.Source
	named           []dockerfile.Named // images of registries
	lock            store.ImageLock
	blend           *dockerfile.Blend
	findings        []dockerfile.Finding
	steps           int
	secrets         []dockerfile.Secret // of a check
}

// Target returns the target of that name. It fails with InvalidArgument for one that is not offered.
func (s *Service) Target(name string) (target.Target, error) {
	targets, err := s.Targets()
	if err != nil {
		return target.Target{}, err
	}
	return targets.Find(name)
}

// Suggest returns the first target of the release that FROM names; empty where there is none.
func (s *Service) Suggest(text []byte) string {
	targets, err := s.Targets()
	if err != nil {
		return ""
	}
	if suits := targets.For(dockerfile.Release(dockerfile.Source{Dockerfile: text, Plain: s.Plain})); len(suits) > 0 {
		return suits[0].Name
	}
	return ""
}

// Check looks at a submission and stores nothing. The target may be empty: then FROM suggests it. A field that is
// wrong is a *Rejected. Where it would be a new job, it is looked at whether the owner may have one more.
func (s *Service) Check(ctx context.Context, owner *store.User, isNew bool, sub Submission) (*Checked, error) {
	c := &Checked{Target: sub.Target}
	if sub.Target == "" {
		sub.Target = s.Suggest(sub.Dockerfile)
		c.Target = sub.Target
	}
	examine := func() (*work, []*apperr.Error, error) { return s.examine(ctx, owner.ID, sub, false) }
	if sub.Git != nil {
		examine = func() (*work, []*apperr.Error, error) { return s.examineGit(ctx, owner.ID, sub) }
	}
	w, wrong, err := examine()
	if err != nil {
		return nil, err
	}
	c.Distribution, c.Codename = dockerfile.Release(dockerfile.Source{Dockerfile: sub.Dockerfile, Plain: s.Plain})
	c.Findings, c.Steps, c.Secrets = w.findings, w.steps, w.secrets
	var rejected []*apperr.Error
	for _, f := range wrong {
		switch {
		case f.Field == "target" && sub.Target == "":
			c.Wrong = append(c.Wrong, f)
		case f.Code != unbuildableCode:
			rejected = append(rejected, f)
		}
	}
	if len(rejected) > 0 {
		return nil, &Rejected{Faults: wrong, Findings: w.findings}
	}
	if isNew {
		switch err := s.Store.CheckJobQuota(ctx, owner.ID, s.jobs(owner)); {
		case apperr.KindOf(err) == apperr.ResourceExhausted && err != nil:
			c.Wrong = append(c.Wrong, apperr.Of(err))
		case err != nil:
			return nil, err
		}
	}
	c.OK = len(wrong) == 0 && len(c.Wrong) == 0
	return c, nil
}

// jobs is how many jobs a person may have; 0: any number.
func (s *Service) jobs(owner *store.User) int {
	if owner.MaxJobs >= 0 {
		return owner.MaxJobs
	}
	return s.Limits.Jobs
}

// prepare makes what is stored of an owner's submission. before is what was known of its images.
func (s *Service) prepare(ctx context.Context, owner int64, sub Submission, before image.Lock) (*work, error) {
	w, wrong, err := s.examine(ctx, owner, sub, true)
	if err != nil {
		return nil, err
	}
	if len(wrong) > 0 {
		return nil, &Rejected{Faults: wrong, Findings: w.findings}
	}
	if w.root, err = rootAccess(sub, w.target); err != nil {
		return nil, err
	}
	if sub.Context != "" {
		if err := s.Contexts.Complete(owner, sub.Context); err != nil {
			return nil, reject(err, "context")
		}
	}
	return w, s.lock(ctx, owner, w, before)
}

// unbuildableCode is the code of a fault that findings explain.
const unbuildableCode = "dockerfile"

// examine says all that is wrong with a submission: it decides for a check and for what is stored. Without write, there
// is no blend. The error is one of the server's.
func (s *Service) examine(ctx context.Context, owner int64, sub Submission, write bool) (w *work,
	wrong []*apperr.Error, err error) {
	w = &work{buildArgs: sub.BuildArgs, environment: sub.Environment, baseForm: sub.BaseForm}
	bad := func(field string, err error) bool {
		if err != nil {
			wrong = append(wrong, apperr.Of(err).At(field))
		}
		return err != nil
	}
	if sub.Target == "" {
		bad("target", apperr.New(apperr.InvalidArgument, "Choose a target.", "%s", s.choose(sub.Dockerfile)))
	} else if w.target, err = s.Target(sub.Target); err != nil && apperr.KindOf(err) != apperr.InvalidArgument {
		return nil, nil, err
	} else {
		bad("target", err)
	}
	noText := bad("dockerfile", s.checkDockerfile(sub.Dockerfile))
	src := dockerfile.Source{Dockerfile: sub.Dockerfile, Arch: w.target.Arch, Codename: w.target.Codename,
		Plain: s.Plain}
	archive, err := s.context(owner, sub.Context)
	if err != nil && apperr.KindOf(err) == apperr.Internal {
		return nil, nil, err
	}
	err = cmp.Or(sub.Refused, err)
	noContext := bad("context", err)
	if archive != nil {
		src.Context, w.size = archive.Project(sub.Dockerfile), archive.Manifest().Size()
	}
	w.name, err = s.nameOf(owner, sub)
	bad("name", err)
	src.BuildArgs, err = ParseBuildArgs(sub.BuildArgs)
	bad("build_args", err)
	src.Environment, err = ParseEnvironment(sub.Environment)
	bad("environment", err)
	src.Form, err = ParseBaseForm(sub.BaseForm)
	bad("base_form", err)
	if !noText {
		if err := inTime(ctx, &src, func() {
			w.named = dockerfile.Images(src)
			w.translate(src, write && len(w.named) == 0) // with images, lock does that
		}); err != nil {
			return nil, nil, err
		}
		if noContext { // what it has is unknown
			w.findings = slices.DeleteFunc(w.findings, func(f dockerfile.Finding) bool { return f.Rule == "MissingSource" })
		}
		if f := unbuildable(w.findings); f != nil {
			bad("dockerfile", f.Coded(unbuildableCode))
		}
		if len(w.secrets) > engine.MaxSecrets {
			bad("dockerfile", apperr.New(apperr.TooLarge, "The Dockerfile mounts %d secrets. The limit is %d.", "Use fewer.",
				len(w.secrets), engine.MaxSecrets))
		}
	}
	_, err = ParseRootKeys(sub.RootKeys)
	bad("root_keys", err)
	w.src, w.src.Cancel = src, nil
	return w, wrong, nil
}

func (w *work) translate(src dockerfile.Source, write bool) {
	if write {
		if w.blend, w.findings = dockerfile.Translate(src); w.blend != nil {
			w.secrets = w.blend.Secrets
		}
		return
	}
	var outline *dockerfile.Blend
	outline, w.findings = dockerfile.Outline(src)
	if outline != nil {
		w.steps, w.secrets = len(outline.Steps), outline.Secrets
	}
}

func (s *Service) choose(text []byte) i18n.Text {
	if suggested := s.Suggest(text); suggested != "" {
		return i18n.T("The Dockerfile's FROM suggests %s.", suggested)
	}
	return i18n.T("Choose what you want to run it on.")
}

// unbuildable says which lines can't be built; nil: all can.
func unbuildable(findings []dockerfile.Finding) *apperr.Error {
	n := 0
	var first dockerfile.Finding
	for _, f := range findings {
		if f.Level == dockerfile.Error {
			if n == 0 {
				first = f
			}
			n++
		}
	}
	switch n {
	case 0:
		return nil
	case 1:
		return apperr.New(apperr.InvalidArgument, "Line %d can't be built: %s", "%s", first.Line, first.Message,
			first.Advice)
	}
	return apperr.New(apperr.InvalidArgument, "%d lines can't be built. The first is line %d: %s", "%s", n, first.Line,
		first.Message, first.Advice)
}

// source turns a submission's files into the translator's input, within the limits.
func (s *Service) source(owner int64, sub Submission) (dockerfile.Source, error) {
	src := dockerfile.Source{Plain: s.Plain}
	if err := s.checkDockerfile(sub.Dockerfile); err != nil {
		return src, err
	}
	src.Dockerfile = sub.Dockerfile
	archive, err := s.context(owner, sub.Context)
	if err != nil && apperr.KindOf(err) == apperr.Internal {
		return src, err
	}
	if err != nil {
		return src, reject(err, "context")
	}
	if archive != nil {
		src.Context = archive.Project(sub.Dockerfile)
	}
	args, err := ParseBuildArgs(sub.BuildArgs)
	if err != nil {
		return src, err
	}
	src.BuildArgs = args
	if src.Environment, err = ParseEnvironment(sub.Environment); err != nil {
		return src, err
	}
	src.Form, err = ParseBaseForm(sub.BaseForm)
	return src, err
}

// ParseBaseForm reads what shall become of the base image.
func ParseBaseForm(text string) (dockerfile.Form, error) {
	form := dockerfile.Form(text)
	if !slices.Contains(dockerfile.BaseForms, form) {
		return "", refuse(apperr.InvalidArgument, "base_form", "There is no form %q of a base image.",
			"Use grown or appliance, or leave it out.", text)
	}
	return form, nil
}

func (s *Service) checkDockerfile(text []byte) error {
	message, advice := dockerfile.Mistaken(text)
	switch {
	case len(text) == 0:
		return refuse(apperr.InvalidArgument, "dockerfile", "There is no Dockerfile.", "Choose a file, or paste its text.")
	case message != "":
		return refuse(apperr.InvalidArgument, "dockerfile", message, advice)
	case int64(len(text)) > s.Limits.Dockerfile:
		return refuse(apperr.TooLarge, "dockerfile", "The Dockerfile has %d bytes. The limit is %d.",
			"Move large heredocs to files in the build context.", len(text), s.Limits.Dockerfile)
	case len(bytes.TrimSpace(text)) == 0:
		return refuse(apperr.InvalidArgument, "dockerfile", "The Dockerfile is empty.",
			"A Dockerfile needs at least a FROM line.")
	}
	if line, ok := notUTF8(text); ok {
		return refuse(apperr.InvalidArgument, "dockerfile", "Line %d of the Dockerfile is not UTF-8 text.",
			"Save it as UTF-8. Is it the right file?", line)
	}
	return nil
}

// notUTF8 returns the number of the first line that isn't UTF-8, or has a NUL byte.
func notUTF8(text []byte) (int, bool) {
	for i, line := range bytes.Split(text, []byte("\n")) {
		if !utf8.Valid(line) || bytes.IndexByte(line, 0) >= 0 {
			return i + 1, true
		}
	}
	return 0, false
}

func cleanName(name string) (string, error) {
	if utf8.RuneCountInString(name) > 100 {
		return "", refuse(apperr.InvalidArgument, "name", "The name is longer than 100 characters.", "Choose a shorter one.")
	}
	if !printable.Is(name) {
		return "", refuse(apperr.InvalidArgument, "name", "The name contains characters that can't be displayed.",
			"Use letters, digits and punctuation.")
	}
	return name, nil
}

// ParseBuildArgs reads build arguments, K=V a line, as "docker build --build-arg" takes them. Blank lines are passed
// over, and blanks before a name; what follows the first "=" is the value, to the letter. With the error come those
// that can be read.
func ParseBuildArgs(text string) (map[string]string, error) {
	args := map[string]string{}
	var wrong error
	for i, line := range itemLines(text) {
		if line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		switch {
		case wrong != nil:
		case !ok || !identifier(key):
			wrong = refuse(apperr.InvalidArgument, "build_args", "Line %d of the build arguments is not NAME=VALUE.",
				"Enter one argument per line, such as VERSION=1.2.", i+1)
		case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
			wrong = refuse(apperr.InvalidArgument, "build_args", "Line %d of the build arguments is not UTF-8 text.",
				"Send it as text.", i+1)
		}
		if ok && identifier(key) {
			args[key] = value
		}
	}
	return args, wrong
}

// itemLines are the lines of a field that has an item a line, whatever ends them, without what is blank before an item.
// What shows nothing is blank: a byte order mark and a space without width, too. A blank line is empty.
func itemLines(text string) []string {
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimLeftFunc(line, blank)
	}
	return lines
}

func blank(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune("\ufeff\u200b\u200c\u200d\u2060", r)
}

func identifier(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func refuse(kind apperr.Kind, field string, message, advice i18n.Key, args ...any) *Rejected {
	return &Rejected{Faults: []*apperr.Error{apperr.New(kind, message, advice, args...).At(field)}}
}

// reject says which field a fault belongs to.
func reject(err error, field string) *Rejected {
	return &Rejected{Faults: []*apperr.Error{apperr.Of(err).At(field)}}
}
