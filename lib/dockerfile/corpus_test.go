package dockerfile_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/image"
)

// TestCorpus translates real Dockerfiles: NAME/Dockerfile in the folder $TOASTER_DOCKERFILES, which other people wrote
// and which therefore is not part of this repository. Beside it, context.tar is its context; without that, the context
// is a stub that has what COPY and ADD name. NAME is NUMBER-OWNER+REPOSITORY+FILE.
func TestCorpus(t *testing.T) {
	folder := os.Getenv("TOASTER_DOCKERFILES")
	if folder == "" {
		t.Skip("TOASTER_DOCKERFILES names no folder of Dockerfiles")
	}
	if _, err := exec.LookPath("zsh"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	files, _ := filepath.Glob(filepath.Join(folder, "*", "Dockerfile"))
	if len(files) == 0 {
		t.Fatalf("%s has no NAME/Dockerfile", folder)
	}
	outcomes, reasons := map[string]map[string]int{}, map[string][]string{}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		r := try(t, file)
		outcome := string(r.form)
		switch {
		case len(r.wrong) > 0:
			outcome = "wrong"
			t.Errorf("%s\n  %s", file, strings.Join(r.wrong, "\n  "))
		case len(r.reasons) > 0:
			outcome = "refused"
		}
		for reason := range r.reasons {
			reasons[reason] = append(reasons[reason], name)
		}
		group := "others"
		if m := owners.FindStringSubmatch(name); m != nil {
			group = m[1]
		}
		for _, g := range []string{"all", group} {
			if outcomes[g] == nil {
				outcomes[g] = map[string]int{}
			}
			outcomes[g][outcome]++
		}
	}
	var table []string
	for group, n := range outcomes {
		table = append(table, fmt.Sprintf("%6d%9d%8d%8d%11d%6d  %s", n["system"]+n["grown"]+n["appliance"], n["refused"],
			n["system"], n["grown"], n["appliance"], n["wrong"], group))
	}
	for reason, names := range reasons {
		table = append(table, fmt.Sprintf("%6d %s: %s", len(names), reason, strings.Join(names, " ")))
	}
	sort.Sort(sort.Reverse(sort.StringSlice(table)))
	t.Logf("%d Dockerfiles\n taken  refused  system   grown  appliance wrong\n%s", len(files), strings.Join(table, "\n"))
}

// owners are those whose Dockerfiles are counted by themselves.
var owners = regexp.MustCompile(`^[0-9]+-(DECODEproject|dyne)\+`)

// result is what became of a Dockerfile: neither reasons nor wrong when it was translated.
type result struct {
	form    dockerfile.Form
	reasons map[string]bool
	wrong   []string
}

func (r *result) fault(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

func try(t *testing.T, file string) (r result) {
	defer func() {
		if p := recover(); p != nil {
			r.fault("panic: %v", p)
		}
	}()
	r.reasons = map[string]bool{}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, refused := read(text)
	packed, err := os.ReadFile(filepath.Join(filepath.Dir(file), "context.tar"))
	if err != nil {
		packed = d.context(t)
	} else {
		d.names = namesOf(packed)
	}
	s := dockerfile.Source{Dockerfile: text, Arch: "amd64"}
	if arch, ok := dockerfile.Arch(d.platform); ok {
		s.Arch = arch
	}
	if s.Context, err = dockerfile.ReadContext(packed, dockerfile.Limits{}); err != nil {
		t.Fatal(err)
	}
	// the target is of the platform and the release that the Dockerfile wants, as far as there are
	_, s.Codename = dockerfile.Release(s)
	base := releaseOf(dockerfile.BaseOf(dockerfile.Images(s)).Reference)
	if s.Codename == "" && base.Distribution == "debian" {
		s.Codename = base.Codename
	}
	s.Codename = cmp.Or(s.Codename, "bookworm")
	for _, n := range dockerfile.Images(s) {
		s.Lock = append(s.Lock, image.Locked{Reference: n.Reference, Platform: n.Platform, Digest: digest(n.Reference),
			Release: releaseOf(n.Reference), Layers: []image.Part{{Digest: digest(n.Reference + " layer"), Size: 1}}})
	}
	blend, findings := dockerfile.Translate(s)
	if again, _ := dockerfile.Translate(s); (blend == nil) != (again == nil) || blend != nil &&
		!bytes.Equal(blend.Text, again.Text) {
		r.fault("equal input gives different blends")
	}
	last := bytes.Count(text, []byte("\n")) + 1
	for _, f := range findings {
		if f.Message.IsZero() || f.Rule == "" || f.Advice.IsZero() && f.Level != dockerfile.Note {
			r.fault("line %d: %s %q says not what to do (%q)", f.Line, f.Rule, f.Message, f.Advice)
		}
		if f.Line < 0 || f.EndLine < f.Line || f.EndLine > last || f.Line == 0 && f.Level == dockerfile.Error &&
			refused == nil {
			r.fault("%s is at lines %d to %d of %d", f.Rule, f.Line, f.EndLine, last)
		}
		if f.Level == dockerfile.Error {
			r.reasons[f.Rule] = true
			if refused == nil && !d.cannotKeep(f) {
				r.fault("line %d: %s: a real builder takes it: %s", f.Line, f.Rule, f.Message)
			}
		}
	}
	switch {
	case blend == nil && len(r.reasons) == 0:
		r.fault("refused without an error")
	case blend != nil && len(r.reasons) > 0:
		r.fault("translated in spite of an error")
	case blend != nil && refused != nil:
		r.fault("BuildKit's parser refuses it: %v", refused)
	case blend != nil:
		r.form = blend.Form
		if out, err := syntax(t, blend.Text); err != nil {
			r.fault("the blend is no zsh: %v\n%s", err, out)
		}
	}
	return r
}

// syntax has zsh read the blend, and the builder that the blend unpacks.
func syntax(t *testing.T, blend []byte) ([]byte, error) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "blend"), blend, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("zsh", "-f", "-e", "-c",
		"zsh -f -n blend; source ./blend; mkdir out; toaster_unpack out; "+
			"zsh -f -n out/functions; zsh -f -n out/builder; zsh -f -n out/enter")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	os.RemoveAll(dir)
	return out, err
}

// described is a Dockerfile as BuildKit's parser reads it.
type described struct {
	lines    []string
	globals  map[string]string
	bases    map[int]string  // what FROM names, by its line; a stage's name is replaced by what that is based on
	sources  map[string]bool // of COPY, ADD and mounts from the context; true: a folder
	wanted   []string        // the same, as patterns
	platform string          // of the last stage's FROM
	local    bool            // a base is an image that is only on its author's computer
	names    []string        // what a context has that is no stub
}

func read(text []byte) (d described, refused error) {
	d = described{lines: strings.Split(string(text), "\n"),
		globals: map[string]string{"TARGETPLATFORM": "linux/amd64", "TARGETOS": "linux", "TARGETARCH": "amd64",
			"TARGETVARIANT": "", "BUILDPLATFORM": "linux/amd64", "BUILDOS": "linux", "BUILDARCH": "amd64", "BUILDVARIANT": ""},
		bases: map[int]string{}, sources: map[string]bool{"stub": false}}
	ast, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return d, err
	}
	stages, args, err := instructions.Parse(ast.AST, nil)
	if err != nil {
		return d, err
	}
	if len(stages) == 0 {
		return d, errors.New("no stage")
	}
	lex := shell.NewLex(ast.EscapeToken)
	for _, a := range args {
		arg(lex, &a, d.globals, nil)
	}
	named := map[string]map[string]string{}
	for _, s := range stages {
		base, _, _ := lex.ProcessWord(s.BaseName, getter(d.globals))
		vars := map[string]string{}
		for k, v := range named[strings.ToLower(base)] {
			vars[k] = v
		}
		if _, ok := named[strings.ToLower(base)]; ok {
			base = "a stage"
		}
		d.platform = s.Platform
		d.local = d.local || strings.HasPrefix(base, "localhost/")
		for _, l := range s.Location {
			d.bases[l.Start.Line] = base
		}
		if base != "a stage" && !reference.MatchString(base) {
			refused = fmt.Errorf("%q is no name of an image", base)
		}
		for _, c := range s.Commands {
			d.command(lex, c, vars)
		}
		if s.Name != "" {
			named[strings.ToLower(s.Name)] = vars
		}
	}
	return d, refused
}

// getter gives variables to the lexer.
func getter(vars map[string]string) shell.EnvGetter {
	var list []string
	for k, v := range vars {
		list = append(list, k+"="+v)
	}
	return shell.EnvsFromSlice(list)
}

func arg(lex *shell.Lex, a *instructions.ArgCommand, vars, globals map[string]string) {
	for _, a := range a.Args {
		if a.Value != nil {
			vars[a.Key], _, _ = lex.ProcessWord(*a.Value, getter(vars))
		} else if v, ok := globals[a.Key]; ok {
			vars[a.Key] = v
		}
	}
}

// command follows the variables, and notes what an instruction wants from the context.
func (d *described) command(lex *shell.Lex, c instructions.Command, vars map[string]string) {
	if ex, ok := c.(instructions.SupportsSingleWordExpansion); ok {
		if _, isArg := c.(*instructions.ArgCommand); !isArg {
			_ = ex.Expand(func(w string) (string, error) { out, _, err := lex.ProcessWord(w, getter(vars)); return out, err })
		}
	}
	switch c := c.(type) {
	case *instructions.ArgCommand:
		arg(lex, c, vars, d.globals)
	case *instructions.EnvCommand:
		for _, kv := range c.Env {
			vars[kv.Key] = kv.Value
		}
	case *instructions.AddCommand:
		d.want(c.SourcePaths)
	case *instructions.CopyCommand:
		if c.From == "" {
			d.want(c.SourcePaths)
		}
	case *instructions.RunCommand:
		for _, m := range instructions.GetMounts(c) {
			if m.Type == instructions.MountTypeBind && m.From == "" {
				d.want([]string{m.Source})
			}
		}
	case *instructions.OnbuildCommand:
		if ast, err := parser.Parse(strings.NewReader(c.Expression)); err == nil && len(ast.AST.Children) == 1 {
			if trigger, err := instructions.ParseCommand(ast.AST.Children[0]); err == nil {
				d.command(lex, trigger, vars)
			}
		}
	}
}

var (
	set    = regexp.MustCompile(`\[\^?(.)[^\]]*\]`)
	remote = regexp.MustCompile(`^(https?|git|ssh)://|^git@`)
)

// want notes sources. A pattern becomes one name that it matches.
func (d *described) want(sources []string) {
	for _, s := range sources {
		if remote.MatchString(s) {
			continue
		}
		d.wanted = append(d.wanted, strings.Trim(path.Clean("/"+s), "/"))
		s = set.ReplaceAllString(s, "$1")
		s = strings.NewReplacer("*", "x", "?", "x", `\`, "").Replace(s)
		folder := strings.HasSuffix(s, "/")
		if s = strings.Trim(path.Clean("/"+s), "/"); s != "" {
			d.sources[s] = d.sources[s] || folder
		}
	}
}

// lacks tells whether nothing in the context is what a pattern names.
func (d *described) lacks(pattern string) bool {
	return pattern != "" && !slices.ContainsFunc(d.names, func(name string) bool {
		for ; name != "."; name = path.Dir(name) {
			if hit, _ := path.Match(pattern, name); hit {
				return true
			}
		}
		return false
	})
}

func namesOf(packed []byte) (names []string) {
	for r := tar.NewReader(bytes.NewReader(packed)); ; {
		h, err := r.Next()
		if err != nil {
			return names
		}
		names = append(names, path.Clean(h.Name))
	}
}

// context packs the stub of a build context.
func (d *described) context(t *testing.T) []byte {
	files := map[string][]byte{}
	for name, folder := range d.sources {
		for other := range d.sources {
			folder = folder || strings.HasPrefix(other, name+"/")
		}
		switch {
		case folder:
			files[name+"/stub"] = []byte("stub\n")
		case strings.HasSuffix(name, ".tar"):
			files[name] = pack(t, map[string][]byte{"stub": []byte("stub\n")})
		case strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz"):
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = z.Write(pack(t, map[string][]byte{"stub": []byte("stub\n")}))
			_ = z.Close()
			files[name] = b.Bytes()
		default:
			files[name] = []byte("#!/bin/sh\necho stub\n")
		}
	}
	return pack(t, files)
}

func pack(t *testing.T, files map[string][]byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(data)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var (
	debians = regexp.MustCompile(`(^|[-:])(jessie|stretch|buster|bullseye|bookworm|trixie|forky|sid)($|[-@])`)
	others  = regexp.MustCompile(`alpine|ubuntu|centos|fedora|rockylinux|almalinux|oraclelinux|busybox`)
	ubuntus = regexp.MustCompile(`(^|[-:])(trusty|xenial|bionic|focal|jammy|noble|resolute)($|[-@0-9])`)

	// official images that stand on Debian's stable unless their tag says otherwise
	onDebian = regexp.MustCompile(`^(docker\.io/)?(library/)?(buildpack-deps|drupal|gcc|ghost|golang|haproxy|httpd|` +
		`julia|memcached|nextcloud|nginx|node|odoo|openjdk|perl|php|postgres|pypy|python|redis|redmine|ruby|rust|varnish|` +
		`wordpress)(:|@|$)`)
)

// releaseOf is what an image is made of, as far as its name tells.
func releaseOf(name string) image.Release {
	if m := debians.FindStringSubmatch(name); m != nil {
		return image.Release{Distribution: "debian", Codename: m[2]}
	}
	if m := ubuntus.FindStringSubmatch(name); m != nil {
		return image.Release{Distribution: "ubuntu", Codename: m[2]}
	}
	if onDebian.MatchString(name) && !others.MatchString(name) {
		return image.Release{Distribution: "debian", Codename: "bookworm"}
	}
	return image.Release{Distribution: others.FindString(name)}
}

var (

	// https://github.com/distribution/reference, as far as FROM lines need it
	reference = regexp.MustCompile(`^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@[a-z0-9]+:[0-9a-f]{32,})?$`)

	// what a chroot on the target's own system cannot keep, and how the Dockerfile's lines look then
	reasons = map[string]*regexp.Regexp{
		"RunNetwork":  regexp.MustCompile(`(?s)RUN.*--network=host`),
		"RunSecurity": regexp.MustCompile(`(?s)RUN.*--security=insecure`),
		"RunDevice":   regexp.MustCompile(`(?s)RUN.*--device`),
	}
)

// cannotKeep tells whether an error is about something that can't be kept, and the lines it names have that.
func (d *described) cannotKeep(f dockerfile.Finding) bool {
	at := strings.ToUpper(strings.Join(d.lines[f.Line-1:f.EndLine], "\n"))
	switch base := d.bases[f.Line]; f.Rule {
	case "Syntax": // a name that is none, once its variables are replaced: nor can a real builder do that
		return d.local || strings.HasPrefix(strings.TrimSpace(at), "FROM") && !reference.MatchString(base)
	case "MissingSource":
		return d.names != nil && slices.ContainsFunc(d.wanted, d.lacks)
	default:
		re := reasons[f.Rule]
		return re != nil && regexp.MustCompile("(?i)"+re.String()).MatchString(at)
	}
}

// digest is a stand-in for the digest of what has a name.
func digest(name string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(name))) }
