package gitsource

import (
	"strings"
	"testing"

	"toaster.do/lib/apperr"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"https://github.com/example/project.git":                      "https github.com:443 ",
		"https://ada@git.example.org:8443/project":                    "https git.example.org:8443 ada",
		"http://10.0.2.2:8080/project.git":                            "http 10.0.2.2:8080 ",
		"ssh://git@example.org:2222/srv/project.git":                  "ssh example.org:2222 git",
		"git@Example.org:example/project.git":                         "ssh example.org:22 git",
		"git://example.org/project.git":                               "git example.org:9418 ",
		"https://example.org/a%20b.git":                               "https example.org:443 ",
		"":                                                            "",
		"project.git":                                                 "",
		"/srv/git/project.git":                                        "",
		"file:///srv/git/project.git":                                 "",
		"ext::sh -c touch% /tmp/x":                                    "",
		"ext::sh":                                                     "",
		"fd::17/foo":                                                  "",
		"--upload-pack=touch /tmp/x":                                  "",
		"-oProxyCommand=x":                                            "",
		"ssh://-oProxyCommand=x/project":                              "",
		"ssh://git@-oProxyCommand=x/project":                          "",
		"-oProxyCommand=x@example.org:project":                        "",
		"git@-oProxyCommand=x:project":                                "",
		"git@example.org:-project":                                    "",
		"git@example.org::project":                                    "",
		"https://example.org/--upload-pack=x":                         "",
		"https://ada:secret@example.org/project":                      "",
		"https://ghp_secret@github.com/o/r.git":                       "",
		"https://GitHub_pat_secret@github.com/o/r.git":                "",
		"https://%67lpat-secret@gitlab.com/o/r.git":                   "",
		"https://gldt-secret@gitlab.com/o/r.git":                      "",
		"https://secret" + strings.Repeat("0", 34) + "@example.org/r": "",
		"https://" + strings.Repeat("a", 39) + "@example.org/r":       "https example.org:443 " + strings.Repeat("a", 39),
		"https://oauth2@gitlab.com/o/r.git":                           "https gitlab.com:443 oauth2",
		"ssh://glpat-bot@gitlab.com/o/r.git":                          "ssh gitlab.com:22 glpat-bot",
		"https://example.org/project?x=1":                             "",
		"https://example.org/project#main":                            "",
		"https://example.org":                                         "",
		"https://[::1]/project":                                       "",
		"https://example.org:0/project":                               "",
		"https://example.org:99999/project":                           "",
		"https://exam ple.org/project":                                "",
		"https://example.org/pro\nject":                               "",
		"https://example.org\\@evil.example.net/project":              "",
		"git://ada@example.org/project":                               "",
		"https://" + strings.Repeat("a", 1000) + "/x":                 "",
	} {
		a, err := ParseAddress(text)
		got := ""
		if err == nil {
			got = a.Scheme + " " + a.Endpoint() + " " + a.User
		}
		if got != want || err != nil && (apperr.Of(err).Field != "git_url" || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestCheckRefAndPath(t *testing.T) {
	for ref, ok := range map[string]bool{"": true, "main": true, "feature/x-1": true, "v1.2": true, "refs/tags/v1": true,
		strings.Repeat("0a", 20): true, "--upload-pack=x": false, "-x": false, "a/-b": false, "a..b": false, "a b": false,
		"a:b": false, "a^{}": false, "a~1": false, "*": false, "a@{1}": false, ".a": false, "a/.b": false,
		"/a": false, "a/": false,
		"a.lock": false, "a\nb": false, "a\\b": false} {
		if err := CheckRef(ref); (err == nil) != ok {
			t.Errorf("%q: %v", ref, err)
		}
	}
	for path, ok := range map[string]bool{"": true, "a": true, "a/b/": true, "my folder": true, ".": true, "/a": false,
		"..":     false,
		"a/../b": false, "a//b": false, "a\x00b": false, ".git": false, "a/.git/hooks": false} {
		if err := CheckPath("git_folder", path); (err == nil) != ok {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, text := range []string{"https://example.org/a", "git@example.org:a", "ssh://a@b:1/c", "ext::sh -c x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(text)
		if err != nil {
			return
		}
		if strings.HasPrefix(a.Text, "-") || strings.HasPrefix(a.Host, "-") || strings.Contains(a.Text, "::") &&
			a.Scheme != "ssh" &&
			!strings.Contains(a.Text, "://") || ports[a.Scheme] == 0 || strings.ContainsAny(a.Host, "@/: ") || a.Port < 1 {
			t.Errorf("%q: %+v", text, a)
		}
	})
}
