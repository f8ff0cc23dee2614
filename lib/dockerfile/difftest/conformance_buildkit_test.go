package difftest

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

//go:embed testdata/conformance/buildkit_test.go
var buildkitFrontend []byte

// words are where BuildKit's tests look at the words of an error.
var words = regexp.MustCompile(`require\.(?:ErrorContains\(t, err,|Contains\(t, err\.Error\(\),)`)

// stored is where they read an image's configuration from containerd, and imports what only that needs.
var (
	stored = regexp.MustCompile(`(?s)(?:cdAddress := sb\.ContainerdAddress\(\)\n.{0,100}\n\t}\n\n\t)?` +
		`(?:client|ctr), err := newContainerd\(cdAddress\)\n.{0,600}?` +
		`dt, err (:?=) content\.ReadBlob\(ctx, (?:client|ctr)\.ContentStore\(\), desc\)`)
	imports = map[string]string{"content": "ReadBlob", "namespaces": "WithNamespace", "platforms": "Default"}
)

// adapted is a file of tests that looks at our results instead of BuildKit's.
func adapted(text []byte) []byte {
	text = words.ReplaceAll(text, []byte("toasterSays(t, err,"))
	text = bytes.ReplaceAll(text, []byte("require.Regexp(t, tt.errorRegex, err.Error())"), []byte("require.Error(t, err)"))
	text = bytes.ReplaceAll(text, []byte("cdAddress := sb.ContainerdAddress()\n\tif"),
		[]byte("cdAddress := sb.ContainerdAddress()\n\t_ = cdAddress\n\tif"))
	text = stored.ReplaceAll(text, []byte("dt, err $1 toasterConfig(target)"))
	text = bytes.ReplaceAll(text, []byte("newContainerd(cdAddress)"), []byte("newContainerd(toasterSkips(t))"))
	for name, function := range imports {
		if bytes.Contains(text, []byte("/"+name+"\"\n")) {
			text = fmt.Appendf(text, "\nvar _ = %s.%s\n", name, function)
		}
	}
	return text
}

// TestBuildKitConformance runs BuildKit's own integration tests, with the translator in place of its frontend.
func TestBuildKitConformance(t *testing.T) {
	checkout := suites(t, "buildkit")
	dir := filepath.Join(checkout, "frontend/dockerfile")
	b := newRoot(t)
	run(t, "sh", "-ec", "cd $0; "+users, b.root)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var s suiteBuild
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		json.NewEncoder(w).Encode(s.build(b, t.TempDir()))
	}))
	t.Cleanup(server.Close)

	over := map[string]string{}
	lay := func(name string, text []byte) {
		file := filepath.Join(t.TempDir(), filepath.Base(name))
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		over[name] = file
	}
	lay(filepath.Join(dir, "zz_toaster_test.go"), buildkitFrontend)
	tests, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
	for _, name := range tests {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lay(name, adapted(text))
	}
	overlay, _ := json.Marshal(map[string]any{"Replace": over})
	lay("overlay.json", overlay)
	only := "^TestToaster$"
	if one := os.Getenv("TOASTER_CONFORMANCE_RUN"); one != "" {
		only += "/" + one
	}
	cmd := exec.Command("go", "test", "-mod=vendor", "-vet=off", "-count=1", "-timeout=2h", "-json", "-overlay",
		over["overlay.json"], "-parallel", strconv.Itoa(runtime.NumCPU()), "-run", only, "./frontend/dockerfile")
	cmd.Dir = checkout
	cmd.Env = append(os.Environ(), "GOFLAGS=", "CGO_ENABLED=0", "TOASTER_CONFORMANCE_URL="+server.URL,
		"TOASTER_CONFORMANCE_IMAGES="+t.TempDir(), "BUILDKIT_RUN_NETWORK_INTEGRATION_TESTS=1")
	out, err := cmd.Output()
	results, logs := readResults(out)
	if len(results) == 0 {
		t.Fatalf("no test was run: %v\n%s", err, out)
	}
	result := table{}
	for name, action := range results {
		log := logs[name]
		v, why := classify(action, log)
		if k, ok := known[name]; ok && v == wrong {
			v, why = k.verdict, k.why
		}
		result.add(v, name, why)
		t.Run(name, func(t *testing.T) {
			t.Log(log)
			if v == wrong {
				t.Error(why)
			}
		})
	}
	result.print(t, "BuildKit's integration tests")
}

// readResults reads what go test -json prints of the tests one below TestToaster; their own go with them.
func readResults(out []byte) (results, logs map[string]string) {
	results, logs = map[string]string{}, map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		name, isTest := strings.CutPrefix(e.Test, "TestToaster/")
		if !isTest {
			continue
		}
		name, sub, _ := strings.Cut(name, "/")
		switch e.Action {
		case "output":
			logs[name] += e.Output
		case "pass", "fail", "skip":
			if sub == "" {
				results[name] = e.Action
			}
		}
	}
	return results, logs
}

var (
	notTakenMark = regexp.MustCompile(`TOASTER-NOT-TAKEN (.*)`)
	refusedMark  = regexp.MustCompile(`TOASTER-REFUSED (.*)`)
	failedWhy    = regexp.MustCompile(`(?s)Error Trace:\s*(?:\S*/)?(\S+)\n.*?Error:\s*(.*?)\n\s*Test:`)
	skipWhy      = regexp.MustCompile(`(?m)^\s+\S+\.go:\d+: (.*)$`)
	space        = regexp.MustCompile(`\s+`)
)

// classify sorts a test by what it printed.
func classify(action, log string) (verdict, string) {
	if action == "pass" {
		return equal, ""
	}
	if m := notTakenMark.FindStringSubmatch(log); m != nil {
		return notTaken, m[1]
	}
	switch {
	case strings.Contains(log, "toaster-conformance.sock"):
		return notTaken, "it asks BuildKit's daemon"
	case strings.Contains(log, "localhost:1/"):
		return notTaken, "it looks into a registry"
	case action == "skip":
		why := "skipped"
		if m := skipWhy.FindStringSubmatch(log); m != nil {
			why = m[1]
		}
		return notTaken, why
	}
	why := "it fails"
	if m := failedWhy.FindStringSubmatch(log); m != nil {
		why = m[1] + ": " + space.ReplaceAllString(m[2], " ")
	}
	if m := refusedMark.FindStringSubmatch(log); m != nil {
		if rightly(strings.Split(m[1], ",")) {
			return refused, why
		}
		return wrong, why
	}
	return wrong, why
}
