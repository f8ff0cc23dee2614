package dockerfile

// This file is laid over a checkout of BuildKit: its integration tests ask the translator, by HTTP, to build.

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/frontend/dockerui"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/util/testutil/integration"
	"github.com/pkg/errors"
	"github.com/stretchr/testify/require"
	"github.com/tonistiigi/fsutil"
)

// request is a build; its answer is a tree, or why there is none.
type toasterRequest struct {
	Dockerfile, Name, Context, Target string
	Args                              map[string]string
}

type toasterAnswer struct {
	Root, Said, Why string
	Rules           []string
	Config          json.RawMessage
	Failed          bool
}

const notTaken = "TOASTER-NOT-TAKEN "

type toasterFrontend struct{ t *testing.T }

func (f toasterFrontend) skip(why string) error {
	f.t.Log(notTaken + why)
	return errors.New(notTaken + why)
}

func (f toasterFrontend) Solve(_ context.Context, _ *client.Client, opt client.SolveOpt,
	status chan *client.SolveStatus) (*client.SolveResponse, error) {
	if status != nil {
		close(status)
		f.t.Log(notTaken + "it reads the progress of BuildKit")
	}
	if len(opt.FrontendInputs) > 0 || len(opt.OCIStores) > 0 {
		return nil, f.skip("it needs contexts that have names")
	}
	if len(opt.CacheImports)+len(opt.CacheExports) > 0 {
		return nil, f.skip("it is about BuildKit's cache")
	}
	if len(opt.AllowedEntitlements) > 0 {
		return nil, f.skip("it needs an entitlement")
	}
	names := [2]string{dockerui.DefaultLocalNameDockerfile, dockerui.DefaultLocalNameContext}
	r := toasterRequest{Args: map[string]string{}, Name: "Dockerfile"}
	labels := ""
	for k, v := range opt.FrontendAttrs {
		arg, isArg := strings.CutPrefix(k, "build-arg:")
		switch {
		case isArg:
			r.Args[arg] = v
		case k == "filename":
			r.Name = v
		case k == "target":
			r.Target = v
		case k == "hostname":
			r.Args["BUILDKIT_SANDBOX_HOSTNAME"] = v
		case k == "dockerfilekey":
			names[0] = v
		case k == "contextkey":
			names[1] = v
		case strings.HasPrefix(k, "label:"):
			labels += fmt.Sprintf("\nLABEL %s=%q", k[len("label:"):], v)
		case k == "no-cache", k == "image-resolve-mode", k == "platform" && v == "linux/amd64":
		default:
			return nil, f.skip("it needs the option " + k)
		}
	}
	files, err := folder(f.t, opt.LocalMounts[names[0]])
	if err != nil {
		return nil, f.skip("it has no Dockerfile in a folder")
	}
	text, err := os.ReadFile(filepath.Join(files, r.Name))
	if os.IsNotExist(err) && r.Name == "Dockerfile" {
		text, err = os.ReadFile(filepath.Join(files, "dockerfile"))
	}
	if err != nil {
		return nil, err
	}
	r.Dockerfile = inlined(string(text)) + labels
	if r.Context, err = folder(f.t, opt.LocalMounts[names[1]]); err != nil {
		r.Context = ""
	}
	ignore, err := os.ReadFile(filepath.Join(files, r.Name+".dockerignore"))
	if err == nil && files != r.Context && r.Context != "" {
		// The job's form and toasterctl put it into the context.
		copied := f.t.TempDir()
		if err := exec.Command("cp", "-a", r.Context+"/.", copied).Run(); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(copied, r.Name+".dockerignore"), ignore, 0o644); err != nil {
			return nil, err
		}
		r.Context = copied
	}
	answer, err := f.ask(r)
	if err != nil {
		return nil, err
	}
	for _, e := range opt.Exports {
		switch e.Type {
		case client.ExporterLocal:
			err = exec.Command("cp", "-a", answer.Root+"/.", e.OutputDir).Run()
		case client.ExporterTar:
			var w io.WriteCloser
			if w, err = e.Output(nil); err == nil {
				err = pack(w, answer.Root)
				w.Close()
			}
		case client.ExporterImage:
			err = toasterImage{r.Dockerfile, answer.Config}.store(e.Attrs["name"])
		default:
			err = f.skip("it looks at an image of type " + e.Type)
		}
		if err != nil {
			return nil, err
		}
	}
	return &client.SolveResponse{ExporterResponse: map[string]string{}}, nil
}

func (f toasterFrontend) ask(r toasterRequest) (a toasterAnswer, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	response, err := http.Post(os.Getenv("TOASTER_CONFORMANCE_URL"), "application/json", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		return a, err
	}
	if !a.Failed {
		return a, nil
	}
	log := "TOASTER-REFUSED " + strings.Join(a.Rules, ",") + "\n" + r.Dockerfile + "\n" + a.Said + a.Why
	if f.t == nil { // as buildctl
		os.Stderr.WriteString(log + "\n")
		os.Exit(1)
	}
	f.t.Log(log)
	return a, errors.New("toaster: " + a.Why)
}

func (f toasterFrontend) SolveGateway(context.Context, gateway.Client, gateway.SolveRequest) (*gateway.Result, error) {
	return nil, f.skip("it is about BuildKit's gateway")
}

func (f toasterFrontend) DFCmdArgs(context, dockerfile string) (string, string) {
	trace := filepath.Join(f.t.TempDir(), "trace")
	os.WriteFile(trace, nil, 0o644)
	return "build --local context=" + context + " --local dockerfile=" + dockerfile, trace
}

func (f toasterFrontend) RequiresBuildctl(*testing.T) {}

// folder is where the files of a mount are.
func folder(t *testing.T, files fsutil.FS) (string, error) {
	if files == nil {
		return "", os.ErrNotExist
	}
	if named, ok := files.(*integration.TmpDirWithName); ok {
		return named.Name, nil
	}
	dir := t.TempDir()
	return dir, files.Walk(context.Background(), "", func(name string, d os.DirEntry, err error) error {
		if err != nil || name == "" {
			return err
		}
		to := filepath.Join(dir, name)
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		r, err := files.Open(name)
		if err != nil {
			return err
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o644)
	})
}

func pack(w io.Writer, root string) error {
	z := tar.NewWriter(w)
	if err := z.AddFS(os.DirFS(root)); err != nil {
		return err
	}
	return z.Close()
}

// toasterSays stands in place of what compares the words of an error: ours are others.
func toasterSays(t require.TestingT, err error, want string, _ ...any) {
	require.Error(t, err)
	if log, ok := t.(*testing.T); ok && !strings.Contains(err.Error(), want) {
		log.Logf("TOASTER-WORDS %q: %q", want, err.Error())
	}
}

// toasterImage is an image that was made; by its name it is in a file.
type toasterImage struct {
	Dockerfile string
	Config     json.RawMessage
}

func toasterFile(name string) string {
	return filepath.Join(os.Getenv("TOASTER_CONFORMANCE_IMAGES"), url.PathEscape(name))
}

func (i toasterImage) store(name string) error {
	data, err := json.Marshal(i)
	if err != nil {
		return err
	}
	return os.WriteFile(toasterFile(name), data, 0o644)
}

func loadImage(name string) (i toasterImage, err error) {
	data, err := os.ReadFile(toasterFile(name))
	if err != nil {
		return i, err
	}
	return i, json.Unmarshal(data, &i)
}

func toasterConfig(name string) ([]byte, error) {
	image, err := loadImage(name)
	return image.Config, err
}

var fromImage = regexp.MustCompile(`(?im)^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*([^\s$]+)(?:[ \t]+AS[ \t]+(\S+))?`)

// inlined puts the Dockerfiles of images that were made before in place of their names.
func inlined(text string) string {
	for n := 0; n < 9; n++ {
		changed := false
		for _, at := range fromImage.FindAllStringSubmatchIndex(text, -1) {
			image, err := loadImage(text[at[2]:at[3]])
			if err != nil {
				continue
			}
			older := image.Dockerfile
			froms := fromImage.FindAllStringSubmatchIndex(older, -1)
			last := froms[len(froms)-1]
			alias := "toaster" + strconv.Itoa(n)
			if last[4] >= 0 {
				alias = older[last[4]:last[5]]
			} else {
				older = older[:last[1]] + " AS " + alias + older[last[1]:]
			}
			text, changed = older+"\n"+text[:at[2]]+alias+text[at[3]:], true
			break
		}
		if !changed {
			break
		}
	}
	return text
}

func toasterSkips(t *testing.T) string {
	t.Skip("it looks into containerd")
	return ""
}

type toasterSandbox struct {
	t *testing.T
	c context.Context
}

func (s toasterSandbox) Address() string           { return "unix:///nowhere/toaster-conformance.sock" }
func (s toasterSandbox) DockerAddress() string     { return "" }
func (s toasterSandbox) ContainerdAddress() string { return "toaster" }
func (s toasterSandbox) DebugAddress() string      { return "" }
func (s toasterSandbox) Rootless() bool            { return false }
func (s toasterSandbox) NetNSDetached() bool       { return false }
func (s toasterSandbox) Snapshotter() string       { return "" }
func (s toasterSandbox) ExtraEnv() []string        { return nil }
func (s toasterSandbox) Supports(feature string) bool {
	return !slices.Contains([]string{"oci_exporter", "cache_export", "cache_import",
		"provenance", "sbom", "multi_platform", "oci_layout", "cdi", "multi_cache_export", "info",
		"frontend_outline", "frontend_targets"}, feature)
}

func (s toasterSandbox) Context() context.Context       { return s.c }
func (s toasterSandbox) Logs() map[string]*bytes.Buffer { return nil }
func (s toasterSandbox) PrintLogs(*testing.T)           {}
func (s toasterSandbox) ClearLogs()                     {}
func (s toasterSandbox) NewRegistry() (string, error)   { return "localhost:1", nil }
func (s toasterSandbox) Name() string                   { return "toaster" }
func (s toasterSandbox) CDISpecDir() string             { return "" }
func (s toasterSandbox) Value(key string) any {
	switch key {
	case "frontend":
		return toasterFrontend{s.t}
	case "network.host":
		return networkHostDenied
	case "security.insecure":
		return securityInsecureDenied
	}
	return nil
}

// Cmd is buildctl: this program again.
func (s toasterSandbox) Cmd(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TOASTER_BUILDCTL="+strings.Join(args, " "))
	log := &output{s.t}
	cmd.Stderr = log
	return cmd
}

type output struct{ t *testing.T }

func (o *output) Write(p []byte) (int, error) {
	o.t.Log(string(p))
	return len(p), nil
}

func init() {
	if line := os.Getenv("TOASTER_BUILDCTL"); line != "" {
		buildctl(strings.Fields(line))
		os.Exit(0)
	}
}

func buildctl(args []string) {
	die := func(why string) {
		os.Stderr.WriteString(why + "\n")
		os.Exit(1)
	}
	var dir, dest, image string
	r := toasterRequest{Name: "Dockerfile", Args: map[string]string{}}
	if len(args) == 0 || args[0] != "build" {
		die(notTaken + "it is about buildctl")
	}
	for i := 1; i < len(args); i++ {
		arg := args[i]
		value, ok := "", false
		if arg, value, ok = strings.Cut(arg, "="); !ok || arg == "--opt" || arg == "--local" || arg == "--output" {
			if i++; i == len(args) {
				die(notTaken + "it is about buildctl")
			}
			value = args[i]
		}
		k, v, _ := strings.Cut(value, "=")
		switch arg {
		case "--local":
			if k == "context" {
				r.Context = v
			} else {
				dir = v
			}
		case "--opt":
			name, isArg := strings.CutPrefix(k, "build-arg:")
			switch {
			case isArg:
				r.Args[name] = v
			case k == "filename":
				r.Name = v
			case k == "target":
				r.Target = v
			default:
				die(notTaken + "it needs the option " + k)
			}
		case "--output":
			_, dest, _ = strings.Cut(value, "dest=")
			_, image, _ = strings.Cut(value, "type=image,name=")
		default:
			die(notTaken + "it is about buildctl " + arg)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, r.Name))
	if err != nil {
		die(err.Error())
	}
	if r.Context, err = filepath.Abs(r.Context); err != nil {
		die(err.Error())
	}
	r.Dockerfile = string(text)
	answer, err := toasterFrontend{}.ask(r)
	if err == nil && image != "" {
		err = toasterImage{r.Dockerfile, answer.Config}.store(image)
	}
	if err == nil && dest != "" {
		err = exec.Command("cp", "-a", answer.Root+"/.", dest).Run()
	}
	if err != nil {
		die(err.Error())
	}
}

// TestToaster runs each of the integration tests once.
func TestToaster(t *testing.T) {
	for _, list := range [][]integration.Test{allTests, lintTests, heredocTests, outlineTests, targetsTests, reproTests,
		securityTests, networkTests} {
		for _, test := range list {
			t.Run(test.Name(), func(t *testing.T) {
				t.Parallel()
				test.Run(t, toasterSandbox{t, t.Context()})
			})
		}
	}
}
