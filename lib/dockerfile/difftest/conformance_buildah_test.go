package difftest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

//go:embed testdata/conformance/buildah.go
var buildahCases string

// stubs are the packages that the suite's table of cases needs, as far as it needs them.
var stubs = map[string]string{
	"docker": `type BuilderVersion string
const (BuilderV1 BuilderVersion = "1"; BuilderBuildKit BuilderVersion = "2")
type Port string
type HealthConfig struct { Test []string; Interval, Timeout, StartPeriod time.Duration; Retries int }
type Config struct { Cmd, Entrypoint, Env, OnBuild, Shell []string; ExposedPorts map[Port]struct{}
	Healthcheck *HealthConfig; Labels map[string]string; StopSignal, User, WorkingDir string; StopTimeout int
	Volumes map[string]struct{} }`,
	"types": `type OptionalBool byte
const (OptionalBoolUndefined OptionalBool = iota; OptionalBoolTrue; OptionalBoolFalse)
type _ = time.Time`,
	"require": `func NoError(_ any, err error, _ ...any) { if err != nil { panic(err) } }
func NoErrorf(t any, err error, _ ...any) { NoError(t, err) }
type _ = time.Time`,
	"copier": `func Lsetxattrs(path string, xattrs map[string]string) error {
	for k, v := range xattrs { if err := syscall.Setxattr(path, k, []byte(v), 0); err != nil { return err } }
	return nil
}
type _ = time.Time`,
}

// needed are the declarations of the suite that its table of cases needs.
var needed = regexp.MustCompile(`(?m)^(?:var |\s+)(?:cISUID|testDate|internalTestCases) +=|^\s*testCase +struct`)

type buildahCase struct {
	Name, Context, Dockerfile, NotTaken string
	Args                                map[string]string
	Fails                               bool
	Skip                                []string
}

// readBuildahCases has the suite's own code make the contexts of its cases.
func readBuildahCases(t *testing.T, checkout string) (cases []buildahCase) {
	dir := filepath.Join(checkout, "tests/conformance")
	name := filepath.Join(dir, "conformance_test.go")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	source := func(n ast.Node) string {
		return string(text[fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset])
	}
	suite := ""
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			if one := source(d); needed.MatchString(one) {
				suite += one + "\n"
			}
		case *ast.FuncDecl:
			if d.Name.Name != "TestCommit" {
				continue
			}
			table := d.Body.List[1].(*ast.AssignStmt)
			suite += "var commitCases = " + source(table.Rhs[0]) + "\n"
		}
	}
	module, imports := t.TempDir(), ""
	for _, one := range []string{"archive/tar", "bytes", "errors", "fmt", "io", "strings", "syscall", "time",
		"suite/docker", "suite/types", "suite/require", "suite/copier"} {
		if strings.Contains(suite, filepath.Base(one)+".") {
			imports += fmt.Sprintf("import %q\n", one)
		}
	}
	write := func(name, text string) {
		os.MkdirAll(filepath.Dir(filepath.Join(module, name)), 0o755)
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module suite\n\ngo 1.25\n")
	program, rest, _ := strings.Cut(buildahCases, "/*SUITE*/")
	write("main.go", program+imports+rest+suite)
	for name, text := range stubs {
		head := "package " + name + "\n\nimport \"time\"\n"
		if strings.Contains(text, "syscall.") {
			head += "import \"syscall\"\n"
		}
		write(name+"/"+name+".go", head+text)
	}
	out, err := goTool(module, "run", ".", filepath.Join(dir, "testdata"), filepath.Join(t.TempDir(), "cases"))
	if err != nil {
		t.Fatalf("the cases of %s: %v", dir, err)
	}
	if err := json.Unmarshal(out, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func goTool(dir string, args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, errs.String())
	}
	return out, err
}

// newestBuildah builds buildah of the checkout, which the distribution's may be much older than.
func newestBuildah(t *testing.T, checkout string) string {
	program := filepath.Join(checkout, "bin/buildah")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	program = filepath.Join(t.TempDir(), "buildah")
	_, err := goTool(checkout, "build", "-mod=vendor", "-tags", "exclude_graphdriver_btrfs containers_image_openpgp",
		"-o", program, "./cmd/buildah")
	if err != nil {
		t.Logf("buildah of %s cannot be built, and the installed one is asked: %v", checkout, err)
		return "buildah"
	}
	return program
}

// withoutNetwork gives buildah limits that can be set anywhere, and a stand-in for the program that makes networks,
// which --isolation chroot never calls.
func withoutNetwork(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "containers.conf")
	text := fmt.Sprintf("[containers]\ndefault_ulimits = [\"nofile=1024:1024\", "+
		"\"nproc=1024:1024\"]\n[engine]\nhelper_binaries_dir = [%q]\n[network]\nnetwork_backend = \"netavark\"\n", dir)
	if err := os.WriteFile(filepath.Join(dir, "netavark"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONTAINERS_CONF", file)
}

// TestBuildahConformance builds the cases of buildah's conformance suite, and compares what buildah makes of them.
func TestBuildahConformance(t *testing.T) {
	checkout := suites(t, "buildah")
	cases := readBuildahCases(t, checkout)
	program := newestBuildah(t, checkout)
	withoutNetwork(t)
	b := newBuilderOf(t, program, users)
	result, lock := table{}, sync.Mutex{}
	begin := time.Now()
	t.Run("cases", func(t *testing.T) {
		for i, c := range cases {
			t.Run(fmt.Sprintf("%d %s", i, c.Name), func(t *testing.T) {
				t.Parallel()
				v, why := c.compare(t, b, begin)
				if k, ok := known[c.Name]; ok && v == wrong {
					v, why = k.verdict, k.why+": "+why
				}
				lock.Lock()
				defer lock.Unlock()
				result.add(v, fmt.Sprintf("%d %s", i, c.Name), why)
				if v == wrong {
					t.Error(why)
				}
			})
		}
	})
	result.print(t, "buildah's conformance suite")
}

func (c buildahCase) compare(t *testing.T, b *builder, begin time.Time) (verdict, string) {
	if c.NotTaken != "" {
		return notTaken, c.NotTaken
	}
	text, err := os.ReadFile(filepath.Join(c.Context, c.Dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	s := suiteBuild{Dockerfile: string(text), Name: c.Dockerfile, Context: c.Context, Args: c.Args}
	got := s.build(b, t.TempDir())
	want, config, log, failed := c.reference(t, b, s, begin)
	t.Logf("%s\n---- ours: %v\n%s\n---- buildah: %v\n%s", text, got.Failed, got.Said, failed, log)
	switch {
	case failed && got.Failed && c.Fails:
		return equal, "refused by both: " + got.Why
	case failed && got.Failed:
		return notTaken, "neither builds it on the base that is here: " + got.Why
	case failed && c.Fails:
		return wrong, "it must fail: " + tidy(log)
	case failed:
		return notTaken, "buildah itself fails: " + tidy(log)
	case got.Failed && c.Fails:
		return equal, "refused, as the suite says: " + got.Why
	case got.Failed && rightly(got.Rules):
		return refused, got.Why
	case got.Failed:
		return wrong, "refused: " + got.Why
	}
	have := c.snapshot(t, got.Root, begin)
	var differences []string
	for name, w := range want {
		if g := have[name]; g != w && !c.skips(name, "") {
			differences = append(differences, fmt.Sprintf("%s: %q, not %q", name, g, w))
		}
	}
	for name, g := range have {
		if _, ok := want[name]; !ok && !c.skips(name, "") {
			differences = append(differences, fmt.Sprintf("%s: %q, not there", name, g))
		}
	}
	differences = append(differences, configDifferences(got.Config, config)...)
	if len(differences) > 0 {
		sort.Strings(differences)
		return wrong, strings.Join(differences, "; ")
	}
	return equal, ""
}

// skips tells whether the suite does not compare a file, or with the suffix ":mtime" its time.
func (c buildahCase) skips(name, suffix string) bool {
	folder := "(dir):" + strings.ReplaceAll(name, "/", ":(dir):") + suffix
	at := strings.LastIndex(folder, "(dir):")
	file := folder[:at] + folder[at+len("(dir):"):]
	return slices.ContainsFunc(c.Skip, func(one string) bool {
		return one == folder || one == file || suffix == "" && strings.HasPrefix(folder, one+":")
	})
}

// snapshot has times too, of what is older than the test, and users' attributes.
func (c buildahCase) snapshot(t *testing.T, root string, begin time.Time) map[string]string {
	tree := snapshot(t, root)
	for name := range tree {
		p := filepath.Join(root, name)
		info, err := os.Lstat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.ModTime().Before(begin) && !c.skips(name, ":mtime") && !info.IsDir() && info.Mode()&fs.ModeSymlink == 0 {
			tree[name] += info.ModTime().UTC().Format(" 2006-01-02T15:04:05")
		}
		value := make([]byte, 100)
		if n, err := syscall.Getxattr(p, "user.a", value); err == nil && info.Mode().IsRegular() {
			tree[name] += " user.a=" + string(value[:n])
		}
	}
	return tree
}

// reference is what buildah makes of a case.
func (c buildahCase) reference(t *testing.T, b *builder, s suiteBuild, begin time.Time) (tree map[string]string,
	config json.RawMessage, log string, failed bool) {
	text, err := s.rewrite()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(file, []byte(text.own), 0o644); err != nil {
		t.Fatal(err)
	}
	tag := strings.ToLower(filepath.Base(filepath.Dir(c.Context)))
	args := []string{"build", "--isolation", "chroot", "--pull-never", "--layers=false", "--format", "docker", "-t",
		"case-" + tag, "-f", file}
	for k, v := range c.Args {
		args = append(args, "--build-arg", k+"="+here(v))
	}
	out, err := b.command(append(args, c.Context)...).CombinedOutput()
	if err != nil {
		return nil, nil, string(out), true
	}
	from := b.command("from", "--pull-never", "localhost/case-"+tag)
	name, err := from.Output()
	if err != nil { // it runs triggers of ONBUILD
		return nil, nil, fmt.Sprintf("buildah from: %v", err), true
	}
	id := strings.TrimSpace(string(name))
	defer b.buildah(t, "rm", id)
	tree = c.snapshot(t, b.buildah(t, "mount", id), begin)
	return tree, b.config(t, "localhost/case-"+tag), string(out), false
}

// configDifferences compares what is in an image's configuration.
func configDifferences(got, want json.RawMessage) (list []string) {
	g, w := map[string]any{}, map[string]any{}
	json.Unmarshal(want, &w)
	var ours struct{ Config map[string]any }
	json.Unmarshal(got, &ours)
	for k, v := range ours.Config {
		g[k] = v
	}
	for _, key := range []string{"User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels",
		"StopSignal", "Healthcheck", "OnBuild", "Shell"} {
		x, y := plain(key, g[key]), plain(key, w[key])
		if key == "Cmd" && reflect.DeepEqual(x, []any{"bash"}) && y == nil {
			continue // of the base in place of scratch
		}
		if !reflect.DeepEqual(x, y) {
			list = append(list, fmt.Sprintf("%s %v, not %v", key, x, y))
		}
	}
	return list
}

// plain is a value of the configuration without what makes no difference.
func plain(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "io.buildah.version")
		if len(v) == 0 {
			return nil
		}
	case []any:
		if key == "Env" {
			v = slices.DeleteFunc(v, func(e any) bool { return strings.HasPrefix(e.(string), "PATH=/usr/local/sbin") })
			sort.Slice(v, func(i, j int) bool { return v[i].(string) < v[j].(string) })
		}
		if len(v) == 0 {
			return nil
		}
		return v
	case string:
		if key == "WorkingDir" {
			v = filepath.Clean("/" + v)
		}
		if v == "" {
			return nil
		}
		return v
	}
	if key == "WorkingDir" && v == nil {
		return "/"
	}
	return v
}
