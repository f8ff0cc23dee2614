package build

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/fault"
	"toaster.do/lib/sdk"
	"toaster.do/lib/store"
)

// Submission is a form as a person sent it: raw input.
type Submission struct {
	Name        string // empty: the target's name
	Target      string
	Dockerfile  []byte
	Context     []byte // the archive; nil: none
	KeepContext bool   // Update only: without a new Context, the earlier one stays
	BuildArgs   string // K=V a line
	Environment string // K=V a line: for the application, when the image runs

	RootKeys     string // root's SSH keys, as in authorized_keys; empty: none
	RootPassword string // a new one, of Service.RootPassword; empty: none, or with Update the one that was before
}

// Rejected is why a submission was not taken: a field is wrong, or the Dockerfile can't be built.
type Rejected struct {
	Fault    *fault.Error         // its Field is name, target, dockerfile, dockerfile_path, context, build_args, environment or root_keys
	Findings []dockerfile.Finding // of the Dockerfile, in the order of its lines; may be empty
}

func (r *Rejected) Error() string { return r.Fault.Error() }
func (r *Rejected) Unwrap() error { return r.Fault }

// Checked is what can be said of a submission without building it.
type Checked struct {
	Findings     []dockerfile.Finding
	Steps        int    // 0 when it can't be built
	Distribution string // what FROM says: "devuan"
	Codename     string // what FROM says: "daedalus"
	Target       string // the one that was chosen, or the first that FROM suits; empty: none does
}

// work is a submission that can be built.
type work struct {
	name, buildArgs string
	environment     string
	target          sdk.Target
	root            store.Root
	blend           *dockerfile.Blend
	findings        []dockerfile.Finding
}

// Target returns the target of that name. It fails with Invalid for one that is not offered.
func (s *Service) Target(name string) (sdk.Target, error) {
	targets, err := s.Targets()
	if err != nil {
		return sdk.Target{}, err
	}
	return targets.Find(name)
}

// Suggest returns the first target of the release that FROM names; empty where there is none.
func (s *Service) Suggest(text []byte) string {
	targets, err := s.Targets()
	if err != nil {
		return ""
	}
	if suits := targets.For(dockerfile.Release(text)); len(suits) > 0 {
		return suits[0].Name
	}
	return ""
}

// Check looks at a submission and stores nothing. The target may be empty: then FROM suggests it. A field that is
// wrong is a *Rejected.
func (s *Service) Check(ctx context.Context, sub Submission) (*Checked, error) {
	src, err := s.source(sub)
	if err != nil {
		return nil, err
	}
	if _, err := ParseRootKeys(sub.RootKeys); err != nil {
		return nil, err
	}
	c := &Checked{Target: sub.Target}
	if c.Target == "" {
		c.Target = s.Suggest(sub.Dockerfile)
	}
	if c.Target != "" {
		target, err := s.Target(c.Target)
		if err != nil {
			return nil, reject(err, "target")
		}
		src.Arch, src.Codename = target.Arch, target.Codename
	}
	c.Distribution, c.Codename = dockerfile.Release(sub.Dockerfile)
	var steps []dockerfile.Step
	err = inTime(ctx, &src, func() { steps, c.Findings = dockerfile.Steps(src) })
	c.Steps = len(steps)
	return c, err
}

func (s *Service) prepare(ctx context.Context, sub Submission) (*work, error) {
	if sub.Target == "" {
		return nil, refuse(fault.Invalid, "target", "No target is chosen.", s.choose(sub.Dockerfile))
	}
	target, err := s.Target(sub.Target)
	if err != nil {
		return nil, reject(err, "target")
	}
	name, err := cleanName(sub.Name, target.Name)
	if err != nil {
		return nil, err
	}
	src, err := s.source(sub)
	if err != nil {
		return nil, err
	}
	src.Arch, src.Codename = target.Arch, target.Codename
	var blend *dockerfile.Blend
	var findings []dockerfile.Finding
	if err := inTime(ctx, &src, func() { blend, findings = dockerfile.Translate(src) }); err != nil {
		return nil, err
	}
	if f := unbuildable(findings); f != nil {
		return nil, &Rejected{Findings: findings, Fault: f.At("dockerfile")}
	}
	root, err := rootAccess(sub, target)
	if err != nil {
		return nil, err
	}
	return &work{name: name, buildArgs: sub.BuildArgs, environment: sub.Environment, target: target, root: root, blend: blend,
		findings: findings}, nil
}

func (s *Service) choose(text []byte) string {
	if suggested := s.Suggest(text); suggested != "" {
		return "The Dockerfile's FROM suggests " + suggested + "."
	}
	return "Say what you want to run it on."
}

// unbuildable says which lines can't be built; nil: all can.
func unbuildable(findings []dockerfile.Finding) *fault.Error {
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
		return fault.New(fault.Invalid, fmt.Sprintf("Line %d can't be built: %s", first.Line, first.Message), first.Advice)
	}
	return fault.New(fault.Invalid, fmt.Sprintf("%d lines can't be built; the first is line %d: %s", n, first.Line, first.Message), first.Advice)
}

// source turns a submission's files into the translator's input, within the limits.
func (s *Service) source(sub Submission) (dockerfile.Source, error) {
	var src dockerfile.Source
	if err := s.checkDockerfile(sub.Dockerfile); err != nil {
		return src, err
	}
	src.Dockerfile = sub.Dockerfile
	if sub.Context != nil {
		ctx, err := dockerfile.ReadContext(sub.Context, s.Limits.Context)
		if err != nil {
			return src, reject(err, "context")
		}
		src.Context = ctx.Project(sub.Dockerfile)
	}
	args, err := ParseBuildArgs(sub.BuildArgs)
	if err != nil {
		return src, err
	}
	src.BuildArgs = args
	src.Environment, err = ParseEnvironment(sub.Environment)
	return src, err
}

func (s *Service) checkDockerfile(text []byte) error {
	message, advice := dockerfile.Mistaken(text)
	switch {
	case len(text) == 0:
		return refuse(fault.Invalid, "dockerfile", "There is no Dockerfile.", "Choose a file, or paste its text.")
	case message != "":
		return refuse(fault.Invalid, "dockerfile", message, advice)
	case int64(len(text)) > s.Limits.Dockerfile:
		return refuse(fault.TooLarge, "dockerfile", fmt.Sprintf("The Dockerfile has %d bytes; %d is the limit.", len(text), s.Limits.Dockerfile),
			"Move large heredocs into files of the build context.")
	case len(bytes.TrimSpace(text)) == 0:
		return refuse(fault.Invalid, "dockerfile", "The Dockerfile is empty.", "It needs a FROM line at least.")
	}
	if line, ok := notUTF8(text); ok {
		return refuse(fault.Invalid, "dockerfile", fmt.Sprintf("Line %d of the Dockerfile is not UTF-8 text.", line), "Save it as UTF-8. Is it the right file?")
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

func cleanName(name, otherwise string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return otherwise, nil
	}
	if utf8.RuneCountInString(name) > 100 {
		return "", refuse(fault.Invalid, "name", "The name is longer than 100 characters.", "Choose a shorter one.")
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", refuse(fault.Invalid, "name", "The name has characters that can't be shown.", "Use letters, digits and punctuation.")
	}
	return name, nil
}

// ParseBuildArgs reads build arguments, K=V a line, as "docker build --build-arg" takes them. Empty lines are
// passed over; what follows the first "=" is the value, to the letter.
func ParseBuildArgs(text string) (map[string]string, error) {
	args := map[string]string{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if strings.TrimSpace(line) == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || !identifier(key) {
			return nil, refuse(fault.Invalid, "build_args", fmt.Sprintf("Line %d of the build arguments is not NAME=VALUE.", i+1), "Write one argument a line, such as VERSION=1.2.")
		}
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return nil, refuse(fault.Invalid, "build_args", fmt.Sprintf("Line %d of the build arguments is not UTF-8 text.", i+1), "Write it as text.")
		}
		args[key] = value
	}
	return args, nil
}

func identifier(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func refuse(kind fault.Kind, field, message, advice string) *Rejected {
	return &Rejected{Fault: fault.New(kind, message, advice).At(field)}
}

// reject says which field a fault belongs to.
func reject(err error, field string) *Rejected {
	return &Rejected{Fault: fault.Of(err).At(field)}
}
