package target

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/shell"
)

// hostile is a FROM that no shell must see.
const hostile = "debian:bookworm'; $(touch /tmp/pwned) `id` \\ \" é\n"

func sum(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

// recipe has a blend's own functions, and what a test puts in the place of some.
func recipe(blend string) Recipe {
	plain, _ := dockerfile.Translate(dockerfile.Source{Dockerfile: []byte("FROM debian:bookworm\n")})
	blend = string(plain.Text) + blend
	return Recipe{
		Target: Target{
			Name: "rootfs_amd64_bookworm", SDK: "rootfs", Arch: "amd64", Distribution: "debian", Codename: "bookworm",
			Keyring: "/usr/share/keyrings/debian-archive-keyring.gpg", KeyringPackage: "debian-archive-keyring",
			Components: []string{"main"}, Suites: []string{"bookworm", "bookworm-updates", "bookworm-security"},
			Packages: []string{"sysvinit-core"},
		},
		Blend: []byte(blend), BlendSHA256: sum([]byte(blend)), DockerfileSHA256: sum([]byte("FROM debian:bookworm\n")),
		Config: []byte(`{"config": {"Env": ["A=it's $(id)"]}}`), Base: hostile, Version: "1.2.3",
	}
}

func scriptOf(t *testing.T, blend string) []byte {
	t.Helper()
	s, err := Script(recipe(blend))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestScriptIsTheSameEveryTime(t *testing.T) {
	if !bytes.Equal(scriptOf(t, busybox), scriptOf(t, busybox)) {
		t.Error("two scripts of one recipe differ")
	}
}

func TestScriptIsGoodShell(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for name := range parts {
		r := recipe("# it's \"zsh\" ${(f)x} $( `\n" + busybox)
		r.Target.SDK = name
		script, err := Script(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name+".sh")
		write(t, path, string(script), 0o600)
		if out, err := exec.Command("shellcheck", path).CombinedOutput(); err != nil {
			t.Errorf("%s", out)
		}
	}
}

func TestScriptIsRefused(t *testing.T) {
	good := recipe(busybox)
	for _, c := range []struct {
		name   string
		kind   apperr.Kind
		change func(*Recipe)
	}{
		{"an SDK of another time", apperr.InvalidArgument, func(r *Recipe) { r.Target.SDK = "iso" }},
		{"a wrong checksum", apperr.Internal, func(r *Recipe) { r.BlendSHA256 = sum(nil) }},
		{"a NUL in the blend", apperr.Internal,
			func(r *Recipe) { r.Blend = []byte("a\x00\n"); r.BlendSHA256 = sum(r.Blend) }},
		{"no newline at the end", apperr.Internal, func(r *Recipe) { r.Blend = []byte("a"); r.BlendSHA256 = sum(r.Blend) }},
		{"a password that is no hash", apperr.Internal, func(r *Recipe) { r.Root.Hash = "toor" }},
		{"a password of somebody else", apperr.Internal, func(r *Recipe) { r.Root.Hash = "$6$a$b\nbin:x" }},
		{"a password beside keys", apperr.Internal, func(r *Recipe) { r.Root = Access{keys, "$6$a$b"} }},
		{"a configuration that is none", apperr.Internal, func(r *Recipe) { r.Config = []byte("[]") }},
		{"a fact that ends the here-document", apperr.Internal, func(r *Recipe) { r.Base = delimiter(r.BlendSHA256) }},
	} {
		r := good
		c.change(&r)
		if _, err := Script(r); apperr.KindOf(err) != c.kind || err == nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// The script's functions without its last lines, which start the build.
func functions(t *testing.T, blend string) string {
	t.Helper()
	text, _, ok := strings.Cut(string(scriptOf(t, blend)), "\ncase $#")
	if !ok {
		t.Fatal("the script has no start")
	}
	return text + "\n"
}

func sh(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.Command("sh")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestBlendArrivesUnchanged(t *testing.T) {
	blend := "\tindented\n  $HOME `id` $(id) \\\n\\\\ 'quoted' \"so\" END_\nEOF\n\x80\x81\x88\xff é\r\n\n"
	if got := sh(t, functions(t, blend)+"blend\n"); got != string(recipe(blend).Blend) || !strings.HasSuffix(got, blend) {
		t.Errorf("got %q", got)
	}
}

func TestFactsAreJSON(t *testing.T) {
	var facts map[string]any
	if err := json.Unmarshal([]byte(sh(t, functions(t, busybox)+"echo {; facts; echo '\"end\": 1}'\n")),
		&facts); err != nil {
		t.Fatal(err)
	}
	if list, ok := facts["environment"].([]any); !ok || len(list) != 0 || facts["environment_sha256"] != nil {
		t.Errorf("the environment of none is %v", facts)
	}
	if facts["base_image"] != hostile || facts["toaster_version"] != "1.2.3" || facts["mirror"] != nil {
		t.Errorf("%v", facts)
	}
}

func TestJSONInTheShell(t *testing.T) {
	for _, text := range []string{"", `a "quoted" \ word`, "é ünï 日本", "$HOME `id` %s"} {
		var got string
		if err := json.Unmarshal([]byte(sh(t, functions(t, busybox)+"json "+shell.Quote(text)+"\n")), &got); err != nil ||
			got != text {
			t.Errorf("%q came out as %q: %v", text, got, err)
		}
	}
	for number, want := range map[string]string{"7": "7", "0": "0", "": "null", "007": "null", "-1": "null", "1e9": "null",
		"$(id)": "null"} {
		if got := sh(t, functions(t, busybox)+"json_number "+shell.Quote(number)+"\n"); got != want {
			t.Errorf("number %q came out as %s", number, got)
		}
	}
}

// What apt-get knows of the host's archives decides where a Debian target's packages come from.
func TestSourcesOfTheHost(t *testing.T) {
	for _, c := range []struct{ name, listing, want string }{
		{"the host's own", `
			http://mirror.example/debian bookworm main Debian
			http://mirror.example/debian bookworm contrib Debian
			http://mirror.example/debian bookworm main Debian
			http://mirror.example/debian bookworm-updates main Debian
			http://security.example/debian-security bookworm-security main Debian
		`, `deb http://mirror.example/debian bookworm main
deb http://mirror.example/debian bookworm-updates main
deb http://security.example/debian-security bookworm-security main
`},
		{"third parties with the same names", `
			https://apt.example bookworm main HashiCorp
			https://other.example bookworm main $(ORIGIN)
			http://mirror.example/debian bookworm main Debian
		`, "deb http://mirror.example/debian bookworm main\n"},
		{"lists not fetched yet", `
			http://mirror.example/debian bookworm main $(ORIGIN)
			http://security.example/debian-security/ bookworm-security main $(ORIGIN)
		`, "deb http://mirror.example/debian bookworm main\ndeb http://security.example/debian-security/ bookworm-security main\n"},
		{"a host of another release", "http://mirror.example/debian trixie main Debian\n", ""},
		{"only the updates", "http://mirror.example/debian bookworm-updates main Debian\n", ""},
		{"a password in the address", "http://me:secret@mirror.example/debian bookworm main Debian\n", ""},
		{"not from the network", "file:/srv/debian bookworm main Debian\n", ""},
	} {
		tools := t.TempDir()
		write(t, filepath.Join(tools, "listing"), strings.TrimLeft(strings.ReplaceAll(c.listing, "\t", ""), "\n"), 0o600)
		write(t, filepath.Join(tools, "apt-get"), "#!/bin/sh\nexec cat \"${0%/*}/listing\"\n", 0o755)
		if got := sh(t, functions(t, busybox)+"PATH="+shell.Quote(tools)+":$PATH\nsources\n"); got != c.want {
			t.Errorf("%s:\n%s", c.name, got)
		}
	}
}

func TestSourcesOfATarget(t *testing.T) {
	const target = "MIRROR=http://mirror.example/all SUITES='ceres ceres-security' COMPONENTS='main contrib'\n"
	for security, want := range map[string]string{"": "http://mirror.example/all",
		"http://mirror.example/fixes": "http://mirror.example/fixes"} {
		got := sh(t, functions(t, busybox)+target+"SECURITY="+security+"\nsources\n")
		if got != "deb http://mirror.example/all ceres main contrib\ndeb "+want+" ceres-security main contrib\n" {
			t.Error(got)
		}
	}
}
