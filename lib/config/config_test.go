package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

// write stores a file in a folder of its own and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheInstalledFileHoldsTheDefaults(t *testing.T) {
	const path = "../../conf/toaster.toml"
	installed, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	empty, err := Load(write(t, "toaster.toml", ""))
	if err != nil {
		t.Fatal(err)
	}
	empty.Path = installed.Path
	if !reflect.DeepEqual(installed, empty) {
		t.Errorf("%s:\n%+v\ndefaults:\n%+v", path, installed, empty)
	}
}

func TestTheInstalledFileNamesEveryKey(t *testing.T) {
	data, err := os.ReadFile("../../conf/toaster.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range new(Config).rules() {
		if lineOf(data, rule.key) == 0 {
			t.Errorf("conf/toaster.toml leaves out %s", rule.key)
		}
	}
}

func TestWhatTheFileSaysCounts(t *testing.T) {
	path := write(t, "toaster.toml", `
[site]
url = "https://toaster.example.org/toaster/"
[paths]
database = "data/toaster.db"
keys = "/elsewhere/keys"
[local]
time_limit = "1h30m"
[limits]
dockerfile = 1000
context = "2 MiB"
`)
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, ok := range map[string]bool{
		"relative paths start at the file's folder": c.Paths.Database == filepath.Join(filepath.Dir(path), "data/toaster.db"),
		"absolute paths stay":                       c.Paths.Keys == "/elsewhere/keys",
		"the rest has its default": c.Paths.Targets == Default().Paths.Targets &&
			c.Local.Keep == Default().Local.Keep,
		"durations":                    c.Local.TimeLimit == 90*time.Minute,
		"sizes as numbers":             c.Limits.Dockerfile == 1000,
		"sizes with units":             c.Limits.Context == 2<<20,
		"no slash at an address's end": c.Site.URL == "https://toaster.example.org/toaster",
		"where it came from":           c.Path == path,
		"work in a folder of root's":   c.Local.WorkDir == "/var/lib/toaster-runner",
	} {
		if !ok {
			t.Errorf("%s: %+v", what, c)
		}
	}
}

func TestTheEnvironmentNamesTheFile(t *testing.T) {
	t.Setenv("TOASTER_CONF", write(t, "other.toml", "[limits]\njobs = 7\n"))
	c, err := Load("")
	if err != nil || c.Limits.Jobs != 7 {
		t.Fatalf("%+v, %v", c, err)
	}
}

func TestMistakesAreNamedWithFileLineAndKey(t *testing.T) {
	for file, want := range map[string]string{
		"[limits]\njobs = 3\njbos = 3\n": ":3: limits.jbos: unknown key",
		"# one\n[limit]\njobs = 3\n":     ":2: limit: unknown key",
		"[sandbox]\nallow = [\"10.1.2.3\"]\n": ":2: sandbox.allow: must be a list of IPv4 " +
			"addresses with ports",
		"[sandbox]\nallow = [\"10.1.2.3:80; id\"]\n": ":2: sandbox.allow: must be",
		"[sandbox]\nallow = [\"127.0.0.1:3128\"]\n":  ":2: sandbox.allow: must be a list",
		"[sandbox]\nallow = [\"0.0.0.0:80\"]\n":      ":2: sandbox.allow: must be a list",
		"[sandbox]\nallow = [\"[fd00::1]:80\"]\n":    ":2: sandbox.allow: must be a list",
		"[sandbox]\nallow = [\"10.1.2.3:80\", \"10.1.2.3:80\"]\n": ":2: sandbox.allow: must not name an " +
			"address twice",
		"[sandbox]\nmemory = \"1 MiB\"\n": ":2: sandbox.memory: must be at least",
		"[sandbox]\nmemory = \"lots\"\n":  ":2: sandbox.memory: \"lots\" is not a size",
		"[sandbox]\ndisk = \"10 MB\"\n":   ":2: sandbox.disk: ",
		"[sandbox]\ndisk = 1000\n":        ":2: sandbox.disk: must be at least",
		"[sandbox]\ncpus = 0.001\n":       ":2: sandbox.cpus: must be",
		"[sandbox]\ncpus = -1\n":          ":2: sandbox.cpus: must be",
		"[sandbox]\nprocesses = 0\n":      ":2: sandbox.processes: must be",
		"[registry]\ninsecure = [\"registry.example.org\"]\n": ":2: registry.insecure: must be a list of " +
			"hosts with ports",
		"[registry]\ninsecure = [\"a:0\"]\n":                                  ":2: registry.insecure: must be",
		"[registry]\nallow = [\"https://ghcr.io\"]\n":                         ":2: registry.allow: must be",
		"[registry]\nallow = [\"library\"]\n":                                 ":2: registry.allow: must be",
		"[registry]\nallow = [\"ghcr.io/\"]\n":                                ":2: registry.allow: must be",
		"[registry]\nallow = [\"ghcr.io/../a\"]\n":                            ":2: registry.allow: must be",
		"[registry]\nmirrors = { \"docker.io\" = [] }\n":                      ":2: registry.mirrors: must be",
		"[registry]\nmirrors = [\"mirror.example.org\"]\n":                    ":2: registry.mirrors: ",
		"[registry]\n[registry.mirrors]\n\"docker.io\" = [\"https://a.b\"]\n": ":3: registry.mirrors: must be",
		"[registry]\nplain = { \"corp/base:1\" = \"debian\" }\n":              ":2: registry.plain: must be a table",
		"[registry]\nplain = { \"corp/base\" = \"ubuntu\" }\n":                ":2: registry.plain: must be a table",
		"[registry]\nplain = { \"https://a.b/c\" = \"debian\" }\n":            ":2: registry.plain: must be a table",
		"[registry]\nplain = [\"corp/base\"]\n":                               ":2: registry.plain: ",
		"[registry]\nmax_bytes = \"1 KiB\"\n":                                 ":2: registry.max_bytes: must be at least",
		"[registry]\nlookup_timeout = \"1s\"\n": ":2: registry.lookup_timeout: must not be " +
			"shorter",
		"[registry]\nconnect_timeout = \"1ms\"\n": ":2: registry.connect_timeout: must be",
		"[limits]\nbuild_minutes = -1\n": ":2: limits.build_minutes: must not be " +
			"negative",
		"[limits]\ncontext = \"1 MB\"\n":                `:2: limits.context: "1 MB" is not a size: write 65536, "64 KiB", "1 MiB" or "2 GiB"`,
		"[limits]\ncontext = \"99999999999 GiB\"\n":     ":2: limits.context: ",
		"[limits]\njobs = \"three\"\n":                  ":2: limits.jobs: cannot decode TOML string",
		"[limits]\n\njobs = -1\n":                       ":3: limits.jobs: must not be negative",
		"limits.jobs = -1\n":                            ":1: limits.jobs: must not be negative",
		"[local]\ntime_limit = \"soon\"\n":              `:2: local.time_limit: "soon" is not a duration`,
		"[local]\ntime_limit = 30\n":                    ":2: local.time_limit: ",
		"[local]\nconcurrency = 0\n":                    ":2: local.concurrency: must be at least 1",
		"engine = \"jenkins\"\n":                        ":1: jenkins.url: must be an address",
		"engine = \"magic\"\n":                          `:1: engine: must be "local" or "jenkins"`,
		"[session]\nidle = \"24h\"\nmax_age = \"1h\"\n": ":3: session.max_age: must not be shorter",
		"[session]\nsecure = \"perhaps\"\n":             ":2: session.secure: must be",
		"[site]\nprefix = \"toaster\"\n":                ":2: site.prefix: must be a path",
		"[site]\nprefix = \"/toaster/\"\n":              ":2: site.prefix: must be a path",
		"[site]\nprefix = \"/a;Secure\"\n":              ":2: site.prefix: must be a path",
		"[site]\nurl = \"javascript:alert(1)\"\n":       ":2: site.url: must be an address",
		"[site\nurl = 1\n":                              ":1: ",
		"[site]\nname = \"a\"\nname = \"b\"\n":          ":3: ",
		"[limits]\ncontext = 1.5\n":                     ":2: limits.context: ",
	} {
		path := write(t, "toaster.toml", file)
		_, err := Load(path)
		if apperr.KindOf(err) != apperr.Unavailable || err == nil || !strings.Contains(err.Error(), path+want) {
			t.Errorf("%q\ngives  %v\nwanted …%s", file, err, want)
		}
	}
}

func TestAMissingFileSaysWhatToDo(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.toml"))
	f := apperr.Of(err)
	if f.Kind != apperr.Unavailable || !strings.Contains(f.Advice.String(), "toasterctl init") {
		t.Errorf("%v: %s", err, f.Advice)
	}
}

func TestSizesReadAsTheyAreWritten(t *testing.T) {
	for _, s := range []Size{0, 1, 1000, 1 << 10, 65536, 1 << 20, 5 << 30} {
		var back Size
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("%d → %q → %d, %v", int64(s), s, int64(back), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[limits]\njobs = 3\ncontext = \"1 MiB\"\n")
	f.Add("engine = \"local\"\n[site]\nprefix = \"/x\"\n[session]\nidle = \"1h\"")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parse([]byte(text), "/etc/toaster/toaster.toml")
		if err != nil {
			return
		}
		if bad := c.check(); bad != nil {
			t.Errorf("%q: %v was let through", text, bad)
		}
		if !filepath.IsAbs(c.Paths.Database) || c.Limits.Context <= 0 {
			t.Errorf("%q gives %+v", text, c)
		}
	})
}

func TestMailNeedsAWayAndAnAddressForItsLinks(t *testing.T) {
	const site = "[site]\nurl = \"https://toaster.example.org\"\n"
	for text, want := range map[string]string{
		"":                                "",
		site + "[mail]\nfrom = \"a@b.c\"": "mail.from: also needs mail.host",
		site + "[mail]\nhost = \"b.c\"":   "mail.from: must be set",
		"[mail]\nfrom = \"a@b.c\"\nhost = \"b.c\"":                                             "site.url: must be set",
		site + "[mail]\nfrom = \"a@b.c\"\nhost = \"b.c\"":                                      "",
		site + "[mail]\nfrom = \"a@b.c\"\nhost = \"b.c\"\nsendmail = \"/s\"":                   "mail.sendmail: can't",
		site + "[mail]\nfrom = \"a@b.c\"\nhost = \"b.c\"\nuser = \"u\"":                        "mail.user: needs",
		site + "[mail]\nfrom = \"a@b.c\"\nhost = \"b.c\"\nuser = \"u\"\npassword_file = \"p\"": "",
		"[signup]\nmode = \"maybe\"":                                                           "toaster.toml:2: signup.mode",
		"[signup]\ndomains = [\"not a domain\"]":                                               "toaster.toml:2: signup.domains",
	} {
		c, err := Load(write(t, "toaster.toml", text))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s\n%v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s\n%v has no %q", text, err, want)
		case err == nil && c.Mail.PasswordFile != "" && !filepath.IsAbs(c.Mail.PasswordFile):
			t.Errorf("%s is relative", c.Mail.PasswordFile)
		}
	}
}
