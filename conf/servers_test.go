package conf_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What a program sees of a URL, the same with each server, at the root ("") and under a prefix ("/toaster"):
//
//	SCRIPT_NAME  the prefix and the program's own segment; for index, the prefix alone
//	PATH_INFO    the rest, decoded, with // as / and without /./ and /../; empty where the URL ends with the segment
var urls = []struct{ url, program, scriptName, pathInfo string }{
	{"/", "index", "", "/"},
	{"/help", "index", "", "/help"},
	{"/?a=b", "index", "", "/"},
	{"/favicon.ico", "index", "", "/favicon.ico"},
	{"/accounts", "index", "", "/accounts"},
	{"/index", "index", "", "/index"},
	{"/account", "account", "/account", ""},
	{"/account/", "account", "/account", "/"},
	{"/account/signup", "account", "/account", "/signup"},
	{"/account/activate", "account", "/account", "/activate"},
	{"/account/login?next=%2Fjobs%2Fnew", "account", "/account", "/login"},
	{"/account/logout", "account", "/account", "/logout"},
	{"/account/recover", "account", "/account", "/recover"},
	{"/account/reset", "account", "/account", "/reset"},
	{"/admin", "admin", "/admin", ""},
	{"/admin/people/7", "admin", "/admin", "/people/7"},
	{"/jobs", "jobs", "/jobs", ""},
	{"/jobs/new", "build", "/jobs", "/new"},
	{"/jobs/check", "build", "/jobs", "/check"},
	{"/jobs/0a1b2c3d4e5f", "build", "/jobs", "/0a1b2c3d4e5f"},
	{"/jobs/0a1b2c3d4e5f/start", "build", "/jobs", "/0a1b2c3d4e5f/start"},
	{"/jobs/0a1b2c3d4e5f/dockerfile", "build", "/jobs", "/0a1b2c3d4e5f/dockerfile"},
	{"/jobs/0a1b2c3d4e5f/builds/1", "build", "/jobs", "/0a1b2c3d4e5f/builds/1"},
	{"/jobs/0a1b2c3d4e5f/builds/1/log?offset=10", "jobs", "/jobs", "/0a1b2c3d4e5f/builds/1/log"},
	{"/jobs/0a1b2c3d4e5f/builds/1/artifacts/a/b.tar.gz", "jobs", "/jobs", "/0a1b2c3d4e5f/builds/1/artifacts/a/b.tar.gz"},
	{"/jobs/0a1b2c3d4e5f/builds/1/artifacts/x.inc", "jobs", "/jobs", "/0a1b2c3d4e5f/builds/1/artifacts/x.inc"},
	{"/jobs/0a1b2c3d4e5f/builds/1/artifacts/x~", "jobs", "/jobs", "/0a1b2c3d4e5f/builds/1/artifacts/x~"},
	{"/jobs/0a1b2c3d4e5f/builds/1/artifacts/run.cgi", "jobs", "/jobs", "/0a1b2c3d4e5f/builds/1/artifacts/run.cgi"},
	{"/jobs/0a1b2c3d4e5f/compare?from=1&to=2", "build", "/jobs", "/0a1b2c3d4e5f/compare"},
	{"/jobs/a%20b%3Fc%23d+e%C3%A4", "build", "/jobs", "/a b?c#d+eä"},
	{"/jobs//a/./b", "build", "/jobs", "/a/b"},
	{"/jobs/../account/login", "account", "/account", "/login"},
	{"/jobs/%2e%2e/account/login", "account", "/account", "/login"},
	{"/static/../help", "index", "", "/help"},
}

func TestServersWithTheInstalledSnippets(t *testing.T) {
	for _, prefix := range []string{"", "/toaster"} {
		for _, kind := range kinds {
			t.Run(kind.name+prefix, func(t *testing.T) {
				s := start(t, kind, prefix, "http")
				for what, test := range map[string]func(*testing.T, *server){
					"each URL reaches its program": eachURLReachesItsProgram,
					"programs see the token":       programsSeeTheToken,
					"prefix without slash":         thePrefixWithoutSlash,
					"static files":                 staticFilesAreFilesAndNothingElse,
					"strange URLs":                 strangeURLs,
					"uploads":                      uploadsArriveUpToTheServersLimit,
					"TRACE":                        traceIsNotAnswered,
					"control characters":           controlCharactersAreRefused,
				} {
					t.Run(what, func(t *testing.T) { test(t, s) })
				}
			})
		}
	}
}

func eachURLReachesItsProgram(t *testing.T, s *server) {
	for _, u := range urls {
		answer := s.get(t, u.url)
		got := [...]string{answer["program"], answer["SCRIPT_NAME"], answer["PATH_INFO"]}
		if want := [...]string{u.program, s.prefix + u.scriptName, u.pathInfo}; got != want {
			t.Errorf("%s: %q, wanted %q (status %s)", u.url, got, want, answer["status"])
		}
		// lighttpd decodes what needs no escape in a query.
		_, sent, _ := strings.Cut(u.url, "?")
		query, err := url.QueryUnescape(answer["QUERY_STRING"])
		if want, _ := url.QueryUnescape(sent); err != nil || query != want || answer["REQUEST_URI"] != s.prefix+u.url {
			t.Errorf("%s: %v", u.url, answer)
		}
	}
}

func programsSeeTheToken(t *testing.T, s *server) {
	for _, url := range []string{"/", "/account", "/jobs/new"} {
		answer := s.get(t, url, "Authorization", "Bearer toaster_x", "Proxy", "http://evil.example")
		if answer["HTTP_AUTHORIZATION"] != "Bearer toaster_x" || answer["HTTP_PROXY"] != "" ||
			answer["REMOTE_ADDR"] != "127.0.0.1" || answer["HTTPS"] != "" {
			t.Errorf("%s: %v", url, answer)
		}
	}
}

func TestProgramsKnowHTTPS(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			if kind.lighttpd {
				look(t, "/usr/lib/lighttpd/mod_openssl.so") // Debian's lighttpd-mod-openssl
			}
			if answer := start(t, kind, "", "https").get(t, "/jobs"); answer["HTTPS"] != "on" || answer["program"] != "jobs" {
				t.Error(answer)
			}
		})
	}
}

func thePrefixWithoutSlash(t *testing.T, s *server) {
	if s.prefix == "" {
		return
	}
	if answer := s.get(t, ""); answer["status"] != "301" ||
		strings.TrimPrefix(answer["location"], s.base) != s.prefix+"/" {
		t.Error(answer)
	}
	if answer := s.get(t, "ed/jobs"); answer["status"] != "404" || answer["program"] != "" {
		t.Errorf("%sed is not ours: %v", s.prefix, answer)
	}
}

func staticFilesAreFilesAndNothingElse(t *testing.T, s *server) {
	if answer := s.get(t, "/static/toaster.css"); answer["status"] != "200" || answer["body"] != "body {}\n" ||
		answer["type"] != "text/css" || answer["cache"] != "public, max-age=604800" {
		t.Error(answer)
	}
	if answer := s.get(t, "/static/logo.svg?v=1"); answer["type"] != "image/svg+xml" || answer["nosniff"] != "nosniff" ||
		answer["cache"] != "public, max-age=31536000, immutable" {
		t.Error(answer)
	}
	if answer := s.get(t, "/static/run.sh"); answer["status"] != "200" || answer["body"] != program {
		t.Errorf("a static file was run: %v", answer)
	}
	for _, url := range []string{"none.css", "", "%2e%2e/programs/index", "..%2fprograms%2findex", "%2e%2e/config"} {
		// Not a file: refused by the server, or handed to index, which has no such page.
		if answer := s.get(t, "/static/"+url); answer["status"] == "200" && answer["program"] != "index" {
			t.Errorf("%s: %v", url, answer)
		}
	}
}

// Where the servers differ: toaster's own URLs have none of these.
func strangeURLs(t *testing.T, s *server) {
	slash, raw := s.get(t, "/jobs/a%2Fb"), s.get(t, "/jobs/%ff")
	if s.kind.lighttpd {
		if slash["PATH_INFO"] != "/a/b" || raw["status"] != "400" {
			t.Errorf("%v %v", slash, raw)
		}
	} else if slash["status"] != "404" || slash["program"] != "" || raw["PATH_INFO"] != "/\xff" {
		t.Errorf("%v %v", slash, raw)
	}
}

func uploadsArriveUpToTheServersLimit(t *testing.T, s *server) {
	for size, status := range map[int64]int{0: 200, 65 << 20: 200, 1<<30 + 17<<20: http.StatusRequestEntityTooLarge} {
		body := io.LimitReader(zeros{}, size)
		req, err := http.NewRequest("POST", s.base+s.prefix+"/jobs", body)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = size
		answer := s.send(t, req)
		if answer["status"] != fmt.Sprint(status) || status == 200 && answer["body length"] != fmt.Sprint(size) {
			t.Errorf("%d bytes: %v", size, answer)
		}
		if status != 200 && !strings.Contains(answer["body"], "Go back in your browser: your text is still in the form.") {
			t.Errorf("%d bytes: the page doesn't say what to do: %v", size, answer)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func traceIsNotAnswered(t *testing.T, s *server) {
	for _, path := range []string{"/", "/account/login", "/jobs", "/static/toaster.css"} {
		req, err := http.NewRequest("TRACE", s.base+s.prefix+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", "toaster=secret")
		// A program that is handed it refuses it: see cgi-bin.
		if answer := s.send(t, req); answer["program"] == "" &&
			(answer["status"][0] == '2' || strings.Contains(answer["body"], "secret")) {
			t.Errorf("%s: %v", path, answer)
		}
	}
}

// No program sees a NUL, and no server answers 500.
func controlCharactersAreRefused(t *testing.T, s *server) {
	for _, path := range []string{"/%00", "/help%00", "/jobs/%00/x", "/jobs/0a1b2c3d4e5f%00", "/static/%00",
		"/account%00", "/jobs/a%0ab", "/jobs/a%01b", "/jobs/a%7fb"} {
		answer := s.get(t, path)
		if answer["program"] == "" && answer["status"][0] != '4' ||
			strings.Contains(path, "%00") && answer["program"] != "" {
			t.Errorf("%s: %v", path, answer)
		}
	}
}
