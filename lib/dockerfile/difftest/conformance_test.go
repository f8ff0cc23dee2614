package difftest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"toaster.do/lib/dockerfile"
)

// suites returns the folder that has checkouts of other builders, whose tests are run against the translator.
func suites(t *testing.T, name string) string {
	dir := os.Getenv("TOASTER_CONFORMANCE")
	if dir == "" {
		t.Skip("TOASTER_CONFORMANCE names no folder with checkouts of buildah and buildkit")
	}
	return filepath.Join(dir, name)
}

// users are those of the images that the suites stand on: busybox, alpine.
const users = `
sed -i '/^\(app\|extra\):/d' etc/passwd etc/group
printf 'ID=debian\n' >etc/os-release
printf 'hosts: files dns\n' >etc/nsswitch.conf
cat >>etc/passwd <<'P'
lp:x:7:7:lp:/var/spool/lpd:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
operator:x:37:37:Operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
P
cat >>etc/group <<'P'
lp:x:7:
bin:x:2:
sys:x:3:
wheel:x:10:root
users:x:100:
nobody:x:65534:
P
cat >bin/adduser <<'P'
#!/bin/sh
[ "$1" = -D ] && shift
id=$(($(wc -l </etc/passwd) + 1000))
echo "$1:x:$id:$id::/home/$1:/bin/sh" >>/etc/passwd
echo "$1:x:$id:" >>/etc/group
mkdir -p "/home/$1" && chown "$id:$id" "/home/$1"
P
chmod 755 bin/adduser
`

// verdict is what came of a case.
type verdict string

const (
	equal    verdict = "equal"
	refused  verdict = "refused with a right reason"
	other    verdict = "as BuildKit"
	wrong    verdict = "wrong"
	notTaken verdict = "not supported"
)

// table counts, and prints what is not equal.
type table map[verdict][]string

func (c table) add(v verdict, name, why string) { c[v] = append(c[v], name+": "+why) }

func (c table) print(t *testing.T, suite string) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d equal, %d as BuildKit and unlike it, %d refused with a right reason, %d wrong; %d not taken\n",
		suite, len(c[equal]), len(c[other]), len(c[refused]), len(c[wrong]), len(c[notTaken]))
	for _, v := range []verdict{wrong, refused, other, notTaken, equal} {
		sort.Strings(c[v])
		for _, line := range c[v] {
			if !strings.HasSuffix(line, ": ") {
				fmt.Fprintf(&b, "%s: %s\n", v, line)
			}
		}
	}
	t.Log(b.String())
	if len(c[wrong]) > 0 {
		t.Errorf("%s: %d wrong", suite, len(c[wrong]))
	}
}

// A suite's build: a Dockerfile, with the base that is here in place of the images that it stands on.
type suiteBuild struct {
	Dockerfile string            // the text
	Name       string            // NAME of NAME.dockerignore
	Context    string            // the folder; "" is none
	Args       map[string]string // build arguments
	Target     string            // the stage to build; "" is the last
}

type suiteResult struct {
	Root   string          // the tree
	Config json.RawMessage // the image's
	Said   string          // findings and log
	Why    string          // it failed
	Rules  []string        // of the findings that are errors
	Failed bool
}

// scratchRoot is where the tree of a stage FROM scratch is in an image, which can't be made of it alone.
const scratchRoot = "conformance-root"

var (
	bases  = `(?:[a-z0-9.-]+\.[a-z]+/)?(?:(?:library|libpod|amd64|fedora|moby|docker)/)*`
	images = regexp.MustCompile(`^` + bases +
		`(?:busybox|alpine|centos|ubuntu|python-311|debian)(?:[:@].*|\$\{TARGETARCH.*)?$`)
	fromLine = regexp.MustCompile(`(?is)^(\s*FROM\s+(?:--\S+\s+)*)(\S+)(.*)$`)
	argLine  = regexp.MustCompile(`(?is)^(\s*ARG\s+\w+=["']?)([^\s"']+)(.*)$`)
	defaults = regexp.MustCompile(`(:-)([^{}]*)(\})`)
)

// here is the base that is here for an image's name.
func here(image string) string {
	image = defaults.ReplaceAllStringFunc(image, func(s string) string { return ":-" + here(s[2:len(s)-1]) + "}" })
	if images.MatchString(image) {
		return "debian:bookworm"
	}
	return image
}

// rewritten is a Dockerfile with the base that is here, ending with the target.
type rewritten struct {
	own   string // as it is
	text  string // where it stands on scratch: its tree in the base's folder scratchRoot
	plain string // then, the base in place of scratch; else ""
	stage string // then, TARGETSTAGE
}

func (b suiteBuild) rewrite() (r rewritten, err error) {
	result, err := parser.Parse(strings.NewReader(b.Dockerfile))
	if err != nil {
		return rewritten{own: b.Dockerfile, text: b.Dockerfile}, nil // the translator will say why
	}
	lines := strings.SplitAfter(b.Dockerfile, "\n")
	var stages []suiteStage
	end := len(lines)
	for _, node := range result.AST.Children {
		line := &lines[node.StartLine-1]
		switch strings.ToLower(node.Value) {
		case "arg":
			if m := argLine.FindStringSubmatch(*line); m != nil && stages == nil {
				*line = m[1] + here(m[2]) + m[3]
			}
		case "from":
			m := fromLine.FindStringSubmatch(*line)
			if m == nil {
				continue
			}
			*line = m[1] + here(m[2]) + m[3]
			s := suiteStage{image: strings.ToLower(os.Expand(m[2], b.variable)), line: node.StartLine - 1}
			if words := strings.Fields(m[3]); len(words) > 1 && strings.EqualFold(words[0], "as") {
				s.name = strings.ToLower(words[1])
			}
			if b.Target != "" && end == len(lines) && len(stages) > 0 && stages[len(stages)-1].is(b.Target, len(stages)-1) {
				end = node.StartLine - 1
			}
			if end == len(lines) {
				stages = append(stages, s)
			}
		}
	}
	if len(stages) == 0 {
		return rewritten{own: b.Dockerfile, text: b.Dockerfile}, nil
	}
	last := stages[len(stages)-1]
	if b.Target != "" && !last.is(b.Target, len(stages)-1) {
		return r, fmt.Errorf("target stage %q could not be found", b.Target)
	}
	for i := len(stages) - 2; i >= 0; i-- {
		if stages[i].name != "" && stages[i].name == last.image {
			last = stages[i]
		}
	}
	r.own = strings.Join(lines[:end], "")
	if r.text = r.own; last.image != "scratch" {
		return r, nil
	}
	m := fromLine.FindStringSubmatch(lines[last.line])
	lines[last.line] = m[1] + "debian:bookworm" + m[3]
	r.plain, r.stage = strings.Join(lines[:end], ""), cmp.Or(stages[len(stages)-1].name, "default")
	r.text = strings.TrimSuffix(strings.TrimRight(r.own, "\n"), `\`) +
		fmt.Sprintf("\n\nFROM debian:bookworm\nCOPY --from=%d / /%s/\n", len(stages)-1, scratchRoot)
	return r, nil
}

// variable is what FROM lines see, as far as the suites' names of stages need it.
func (b suiteBuild) variable(name string) string {
	switch name {
	case "TARGETOS":
		return "linux"
	case "TARGETARCH":
		return "amd64"
	}
	return b.Args[name]
}

type suiteStage struct {
	name, image string
	line        int
}

// is tells whether a target means the nth stage.
func (s suiteStage) is(target string, n int) bool {
	return strings.EqualFold(s.name, target) || strconv.Itoa(n) == target
}

// withBases puts the base that is here in lines whose variables make the name of an image that is not; nil: there is
// none.
func withBases(text []byte, findings []dockerfile.Finding) []byte {
	lines, found := strings.SplitAfter(string(text), "\n"), false
	for _, f := range findings {
		image, _, _ := strings.Cut(f.Message.String(), " ")
		m := fromLine.FindStringSubmatch(lines[max(f.Line, 1)-1])
		if f.Rule == "BaseDistribution" && m != nil && here(image) != image {
			lines[f.Line-1], found = m[1]+here(image)+m[3], true
		}
	}
	if !found {
		return nil
	}
	return []byte(strings.Join(lines, ""))
}

var loopback = regexp.MustCompile(`//(?:127\.0\.0\.1|localhost):(\d+)`)

// build builds it in a folder with the translator.
func (s suiteBuild) build(b *builder, work string) (r suiteResult) {
	text, err := s.rewrite()
	if err != nil {
		return suiteResult{Failed: true, Why: err.Error()}
	}
	allow := map[string]bool{}
	inside := func(text string) string { // the sandbox's name for this host's loopback
		return loopback.ReplaceAllStringFunc(text, func(at string) string {
			port := at[strings.LastIndexByte(at, ':')+1:]
			allow["10.0.2.2:"+port] = true
			return "//10.0.2.2:" + port
		})
	}
	source := dockerfile.Source{Dockerfile: []byte(inside(text.text)), Name: s.Name, Codename: "bookworm",
		BuildArgs: map[string]string{}}
	for k, v := range s.Args {
		source.BuildArgs[k] = inside(here(v))
	}
	if text.stage != "" {
		source.BuildArgs["TARGETSTAGE"] = text.stage
	}
	if s.Context != "" {
		if source.Context, err = contextOf(s.Context); err != nil {
			return suiteResult{Failed: true, Why: err.Error()}
		}
	}
	blend, findings := dockerfile.Translate(source)
	if source.Dockerfile = withBases(source.Dockerfile, findings); source.Dockerfile != nil {
		blend, findings = dockerfile.Translate(source)
	}
	for _, f := range findings {
		r.Said += fmt.Sprintf("%d: %s: %s\n", f.Line, f.Rule, f.Message)
		if f.Level == dockerfile.Error {
			r.Rules = append(r.Rules, f.Rule)
			r.Why += fmt.Sprintf("%d: %s: %s\n", f.Line, f.Rule, f.Message)
		}
	}
	if blend == nil {
		r.Failed = true
		return r
	}
	r.Config = configOf(blend.Text)
	if text.plain != "" {
		source.Dockerfile = []byte(inside(text.plain))
		if other, _ := dockerfile.Translate(source); other != nil {
			r.Config = bytes.Replace(configOf(other.Text), []byte(`"Cmd": [
      "bash"
    ],`), nil, 1)
		}
	}
	var allowed []string
	for one := range allow {
		allowed = append(allowed, one)
	}
	root, log, err := b.run(blend, work, strings.Join(allowed, " "))
	r.Said += log
	if r.Failed = err != nil; r.Failed {
		r.Why = tidy(log)
	}
	r.Root = root
	os.RemoveAll(filepath.Join(root, "etc/toaster"))
	os.RemoveAll(filepath.Join(root, "usr/lib/toaster"))
	if text.plain != "" {
		r.Root = filepath.Join(root, scratchRoot)
		os.MkdirAll(r.Root, 0o755)
	}
	return r
}

// configOf reads the image's configuration, which the builder is given as the last word of zsh.
func configOf(blend []byte) json.RawMessage {
	at := bytes.LastIndex(blend, []byte("\nmetadata $'"))
	if at < 0 {
		return nil
	}
	word, _, _ := bytes.Cut(blend[at+len("\nmetadata $'"):], []byte("\n"))
	word = bytes.ReplaceAll(bytes.TrimSuffix(word, []byte("'")), []byte(`\'`), []byte("'"))
	word = bytes.ReplaceAll(word, []byte(`"`), []byte(`\"`))
	plain, err := strconv.Unquote(`"` + string(word) + `"`)
	if err != nil {
		return nil
	}
	return json.RawMessage(plain)
}

// known are the differences that were looked into, by the end of the case's name.
var known = map[string]struct {
	verdict
	why string
}{
	// Exceptions that begin with a wildcard: BuildKit looks into the folders that are ignored, the old builder did not.
	"dockerignore-exclude-kind-of-deep-subdir-dot":  {other, walked},
	"dockerignore-exclude-kind-of-deep-subdir-star": {other, walked},
	"dockerignore-exclude-deep-subdir-dot":          {other, walked},
	"dockerignore-exclude-deep-subdir-star":         {other, walked},
	"copy-integration1":                             {other, walked},
	"dockerignore-exceptions-skip":                  {other, walked},
	"dockerignore-exceptions-weirdness-1":           {other, walked},
	"commit: workdir just changes":                  {other, "WORKDIR makes its folder"},
	"dockerignore-exceptions-weirdness-2":           {other, ownModes},
	"dockerignore-allowlist-alternating":            {other, ownModes},
	"dockerignore-allowlist-subsubdir-file":         {other, ownModes},
	"copyglob-1":                                    {other, "** is no other than * in sources of COPY"},
	"copyglob-2":                                    {other, "** is no other than * in sources of COPY"},
	"copyglob-3":                                    {other, "** is no other than * in sources of COPY"},
	"copyglob-4":                                    {other, "** is no other than * in sources of COPY"},
	"replace-symlink-with-directory":                {other, replaces},
	"replace-directory-with-symlink":                {other, replaces},
	"replace-symlink-with-directory-subdir":         {other, replaces},
	"replace-directory-with-symlink-subdir":         {other, replaces},
	"add-parent-symlink":                            {refused, "an archive's links that lead out of it are not followed"},
	"tar-g":                                         {other, "no /tmp is made"},
	"dockerignore-minimal-test":                     {other, ownModes},
	"copy-multiple-missing-file-with-nomatch-on-glob": {other,
		"a wildcard that matches nothing is no error: AllowEmptyWildcard, and its testEmptyWildcard"},
	"copy--parents-limit-parent-directories-1": {other, "no folder is made that has nothing in it"},
	"copy--parents-all-directories":            {other, "its pattern is empty and matches nothing"},
	"copy--parents-directory-limit-parents-unknown-count-parent-directories": {other,
		"its pattern is empty and matches nothing"},
	"setuid-file-in-context": {other, "set-id bits of the context are kept"},

	"TestBuiltinArgs":                  {equal, "its second build must come from BuildKit's cache"},
	"TestCacheMountModeNoCache":        {notTaken, "it is about cache mounts of an earlier build"},
	"TestMountRWCache":                 {notTaken, "it is about BuildKit's cache"},
	"TestNoCache":                      {notTaken, "it is about BuildKit's cache"},
	"TestCopyWildcardCache":            {notTaken, "it is about BuildKit's cache"},
	"TestDockerfileADDFromURL":         {equal, "but for the name that BuildKit gives itself when it fetches"},
	"TestDockerfileScratchConfig":      {notTaken, "it reads the image's history and layers"},
	"TestErrorsSourceMap":              {notTaken, "it reads the types of BuildKit's errors"},
	"TestDockerfileInvalidCommand":     {equal, "it fails as it must, in other words"},
	"TestSSHFileDescriptorsClosed":     {refused, "no agent for SSH is lent to a build"},
	"TestSSHSocketParams":              {refused, "no agent for SSH is lent to a build"},
	"TestSecretAsEnvironWithFileMount": {refused, "no secrets are kept, and so none is given"},
	"TestSecretFileParams":             {refused, "no secrets are kept, and so none is given"},
}

const (
	walked   = "an exception that begins with a wildcard counts below ignored folders, too (fsutil's filter.go)"
	ownModes = "ignored folders above what is kept have their own modes"
	replaces = "COPY replaces no folder by a link, and no link by a folder (fsutil's copy.go)"
)

// rightly tells whether a Dockerfile is refused for what is stated as not supported.
func rightly(rules []string) bool {
	for _, rule := range rules {
		switch rule {
		case "BaseDistribution", "CopyFromImage", "AddGit", "RunNetwork", "RunSecurity", "RunDevice", "FromPlatform":
			return true
		}
	}
	return false
}

// tidy is one line of what was said.
func tidy(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	var last []string
	for _, line := range lines {
		if strings.HasPrefix(line, "TOASTER-PHASE") || strings.HasPrefix(line, "TOASTER-STEP") {
			continue
		}
		last = append(last, line)
	}
	if len(last) > 4 {
		last = last[len(last)-4:]
	}
	return strings.Join(last, " | ")
}
