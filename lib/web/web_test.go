package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
)

func TestPlaceOfACGIRequest(t *testing.T) {
	for _, c := range []struct{ program, script, info, prefix, path string }{
		{"jobs", "/jobs", "", "", ""},
		{"jobs", "/jobs", "/new", "", "/new"},
		{"jobs", "/x/y/jobs", "/ID/builds/1", "/x/y", "/ID/builds/1"},
		{"jobs", "/jobs/jobs", "/jobs", "/jobs", "/jobs"},
		{"jobs", "/cgi-bin/my toaster/jobs", "/", "/cgi-bin/my%20toaster", "/"},
		{"index", "", "/", "", "/"},
		{"index", "/x/y", "/help", "/x/y", "/help"},
		{"index", "/x/y/", "/help", "/x/y", "/help"},
		{"index", "/cgi-bin/index", "/help", "/cgi-bin", "/help"},
	} {
		if prefix, path := place(c.program, c.script, c.info); prefix != c.prefix || path != c.path {
			t.Errorf("%+v: prefix %q, path %q", c, prefix, path)
		}
	}
}

func TestPlaceOfAFastCGIRequest(t *testing.T) {
	for _, c := range []struct{ program, configured, url, prefix, path string }{
		{"jobs", "", "/jobs", "", ""},
		{"jobs", "", "/x/jobs/new", "/x", "/new"},
		{"jobs", "/jobs", "/jobs/jobs/new", "/jobs", "/new"},
		{"jobs", "", "/jobsx/jobs/new", "/jobsx", "/new"},
		{"jobs", "", "/x y/jobs", "/x%20y", ""},
		{"index", "", "/help", "", "/help"},
		{"index", "/x", "/x/help", "/x", "/help"},
		{"index", "/x", "/xhelp", "/x", "/"},
	} {
		if prefix, path := placeByURL(c.program, c.configured, c.url); prefix != c.prefix || path != c.path {
			t.Errorf("%+v: prefix %q, path %q", c, prefix, path)
		}
	}
}

func TestPlaceOfAFastCGIRequestWhoseServerSaysWhereTheSiteIs(t *testing.T) {
	for _, c := range []struct{ program, mount, url, prefix, path string }{
		{"jobs", "", "/jobs", "", ""},
		{"jobs", "", "/jobs/", "", "/"},
		{"jobs", "/x", "/x/jobs/new", "/x", "/new"},
		{"jobs", "/jobs", "/jobs/jobs/jobs", "/jobs", "/jobs"},
		{"jobs", "/a b", "/a b/jobs/c d", "/a%20b", "/c d"},
		{"account", "/x", "/x/jobs/../account//./login", "/x", "/login"},
		{"jobs", "/x", "/x/jobsy", "/x", "/"},
		{"jobs", "/x", "/jobs", "/x", "/"},
		{"index", "", "/", "", "/"},
		{"index", "/x", "/x", "/x", ""},
		{"index", "/x", "/x/static/../help", "/x", "/help"},
		{"index", "/x", "/xhelp", "/x", "/"},
	} {
		if prefix, path := placeBelow(c.program, c.mount, c.url); prefix != c.prefix || path != c.path {
			t.Errorf("%+v: prefix %q, path %q", c, prefix, path)
		}
	}
}

func TestAcceptDecidesBetweenPageAndJSON(t *testing.T) {
	for _, c := range []struct {
		accept        string
		program, json bool
	}{
		{"", false, false},
		{"", true, true},
		{"*/*", false, false},
		{"*/*", true, true},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false, false},
		{"text/html", true, false},
		{"application/json", false, true},
		{"Application/JSON; charset=utf-8", false, true},
		{"application/problem+json", false, true},
		{"application/json;q=0.5, text/html;q=0.4", false, true},
		{"application/json;q=0.4, text/html;q=0.5", true, false},
		{"application/json;q=0, */*", false, false},
		{"text/*;q=0.1, application/*", false, true},
		{"application/json;q=nonsense", false, false},
		{"application/json;q=2, text/html;q=0.1", false, false},
		{"text/plain", false, false},
		{"text/html, */*", true, false},
		{"application/json, text/plain, */*", false, true},
		{"application/json, text/html", false, true},
		{"text/html, application/json", true, false},
		{"text/html, text/*;q=0.5, image/*, application/*, audio/*, video/*", true, false}, // w3m
		{"application/*, text/*", true, true},
		{"application/*", false, true},
		{"*/*;q=0.5, text/html;q=0.4", false, true},
		{"application/problem+json;q=0.5, application/json;q=0.1, text/html;q=0.2", false, true},
		{"application/problem+json;q=0, application/json", false, true},
		{"application/json;q=0", true, true},
		{",, ,", true, true},
	} {
		if got := prefersJSON(c.accept, c.program); got != c.json {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func FuzzAccept(f *testing.F) {
	f.Add("text/html;q=0.5, application/json")
	f.Add(";q=,,*/*;q=1e9;q")
	f.Fuzz(func(t *testing.T, accept string) {
		if w := welcomeOf(accept, "text/html"); w.q < 0 || w.q > 1000 {
			t.Errorf("%q has quality %d", accept, w.q)
		}
		prefersJSON(accept, true)
	})
}

var table = []Route{
	{Method: "GET", Path: ""},
	{Method: "POST", Path: ""},
	{Method: "GET", Path: "/new"},
	{Method: "GET", Path: "/{id}"},
	{Method: "POST", Path: "/{id}/start"},
	{Method: "GET", Path: "/{id}/builds/{number}/artifacts/{path...}"},
}

func TestRoutes(t *testing.T) {
	for _, c := range []struct{ method, path, want string }{
		{"GET", "", " map[]"},
		{"HEAD", "/", " map[]"},
		{"DELETE", "", "only GET POST HEAD"},
		{"GET", "/new", "/new map[]"},
		{"GET", "/abc", "/{id} map[id:abc]"},
		{"GET", "/abc/start", "only POST"},
		{"POST", "/abc/start", "/{id}/start map[id:abc]"},
		{"GET", "/abc/builds/1/artifacts/a/b c", "/{id}/builds/{number}/artifacts/{path...} map[id:abc number:1 path:a/b c]"},
		{"GET", "/abc/builds/1/artifacts", "none"},
		{"GET", "/abc/builds/1/artifacts/../x", "none"},
		{"GET", "/abc//x", "none"},
		{"GET", "/abc/nothing", "none"},
	} {
		route, parameters, allowed := find(table, c.method, c.path)
		got := "none"
		if route != nil {
			got = fmt.Sprint(route.Path, " ", parameters)
		} else if len(allowed) > 0 {
			got = "only " + strings.Join(allowed, " ")
		}
		if got != c.want {
			t.Errorf("%s %q: %s, want %s", c.method, c.path, got, c.want)
		}
	}
}

func FuzzRoutes(f *testing.F) {
	f.Add("GET", "/abc/builds/1/artifacts/a/b")
	f.Add("POST", "//../{id}")
	f.Fuzz(func(t *testing.T, method, path string) {
		route, parameters, _ := find(table, method, path)
		if route == nil {
			return
		}
		for name, value := range parameters {
			if value == "" || slices.Contains(strings.Split(value, "/"), "..") {
				t.Errorf("%q gives %s=%q", path, name, value)
			}
		}
	})
}

func TestSafeNext(t *testing.T) {
	for _, good := range []string{"/jobs", "/jobs/new?draft=ABC", "/jobs/a/builds/1?refresh=1", "/jobs/x%20y"} {
		if SafeNext(good, "/jobs") != good {
			t.Errorf("%q was refused", good)
		}
	}
	for plain, escaped := range map[string]string{
		"/jobs/a b":                  "/jobs/a%20b",
		"/jobs/a%20b?q=x y":          "/jobs/a%20b?q=x%20y",
		"/jobs/a+b?q=x+y%2Bz":        "/jobs/a+b?q=x+y%2Bz",
		"/jobs/a%2Fb":                "/jobs/a%2Fb",
		"/jobs/ä":                    "/jobs/%C3%A4",
		"/jobs/日本?q=日":               "/jobs/%E6%97%A5%E6%9C%AC?q=%E6%97%A5",
		"/jobs/100%25?q=100%":        "/jobs/100%25?q=100%",
		"/jobs/a%3Fb%23c":            "/jobs/a%3Fb%23c",
		"/jobs?next=//evil.example/": "/jobs?next=//evil.example/",
		`/jobs?q="<x>"`:              "/jobs?q=%22%3Cx%3E%22",
		"/jobs?q=a%0D%0Ab&state=new": "/jobs?q=a%0D%0Ab&state=new",
	} {
		if got := SafeNext(plain, "/fallback"); got != escaped || SafeNext(got, "/fallback") != escaped {
			t.Errorf("%q leads to %q, not %q", plain, got, escaped)
		}
	}
	for _, bad := range []string{"", "/", "jobs", "//evil.example", "/\\evil.example", "http://evil.example/",
		"/jobs\r\nSet-Cookie: a=b", "/a/../../x", "/jobs//x",
		"/%2e%2e/x", "/jobs#x", "javascript:alert(1)", "/" + strings.Repeat("a", 3000), "/\tevil", "/\x7f", "/%ff", "/%00",
		"/%2fevil.example", "/a%2f%2fx", "/jobs\u2028\x85", "/\\/x", "/%zz"} {
		if got := SafeNext(bad, "/fallback"); got != "/fallback" {
			t.Errorf("%q was taken: %q", bad, got)
		}
	}
}

func FuzzSafeNext(f *testing.F) {
	f.Add("//evil.example/x")
	f.Add("/jobs?next=//x")
	f.Fuzz(func(t *testing.T, next string) {
		got := SafeNext(next, "/jobs")
		base, _ := url.Parse("https://here.example/")
		to, err := base.Parse(got)
		if err != nil || to.Host != "here.example" || to.Scheme != "https" {
			t.Errorf("%q leads to %v", next, to)
		}
	})
}

var fields = Fields{"name": {Most: 10}, "text": {Most: 20, Keep: 40}, "file": {Most: 20, File: true}}

// body makes a multipart form: names with a colon are files "field:filename".
func body(pairs ...string) (io.Reader, string) {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		if field, file, ok := strings.Cut(pairs[i], ":"); ok {
			w, _ := m.CreateFormFile(field, file)
			io.WriteString(w, pairs[i+1])
		} else {
			m.WriteField(pairs[i], pairs[i+1])
		}
	}
	m.Close()
	return &b, m.FormDataContentType()
}

func read(kind string, b io.Reader) (*Form, error) {
	r := httptest.NewRequest("POST", "/", b)
	r.Header.Set("Content-Type", kind)
	return ReadForm(r, fields)
}

func TestAFormIsReadInEachEncoding(t *testing.T) {
	b, kind := body("name", "n", "text", "a\r\nb", "file:../f.tar", "\x00\xff")
	f, err := read(kind, b)
	if err != nil || f.Values["name"] != "n" || f.Values["text"] != "a\nb" ||
		string(f.Files["file"].Content) != "\x00\xff" || len(f.Values) != 2 {
		t.Errorf("%+v, %v", f, err)
	}
	f, err = read("application/x-www-form-urlencoded", strings.NewReader("name=n&text=a%0D%0Ab"))
	if err != nil || f.Values["name"] != "n" || f.Values["text"] != "a\nb" {
		t.Errorf("%+v, %v", f, err)
	}
	f, err = read("application/json", strings.NewReader(`{"name": 1, "text": "a\nb"}`))
	if err != nil || f.Values["name"] != "1" || f.Values["text"] != "a\nb" {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestAnEmptyFileInputIsNoFile(t *testing.T) {
	b, kind := body("file:", "")
	if f, err := read(kind, b); err != nil || len(f.Files) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestAFieldThatIsTooLargeIsKeptForItsSender(t *testing.T) {
	text := strings.Repeat("x", 21)
	b, kind := body("text", text, "name", "after it")
	f, err := read(kind, b)
	if Status(err) != 413 || apperr.Of(err).Field != "text" || f.Values["text"] != text || f.Values["name"] != "after it" {
		t.Errorf("%+v, %v", f, err)
	}
	b, kind = body("file:f", strings.Repeat("x", 21))
	if f, err := read(kind, b); Status(err) != 413 || apperr.Of(err).Field != "file" || len(f.Files) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

// counter counts what is read of an endless body.
type counter struct{ n int }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	c.n += len(p)
	return len(p), nil
}

func TestAnEndlessBodyIsReadOnlyAsFarAsItsSenderCanBeTold(t *testing.T) {
	begin := "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nkept\r\n--b\r\nContent-Disposition: " +
		"form-data; name=\"file\"; filename=\"f\"\r\n\r\n"
	c := &counter{}
	f, err := read("multipart/form-data; boundary=b", io.MultiReader(strings.NewReader(begin), c))
	if Status(err) != 413 || apperr.Of(err).Field != "file" || f.Values["name"] != "kept" {
		t.Errorf("%+v, %v", f, err)
	}
	most, _ := fields.most()
	if most := int(most) + passed + drained + 1<<20; c.n > most {
		t.Errorf("%d bytes were read, more than %d", c.n, most)
	}
}

func TestRequestsThatNoBrowserSends(t *testing.T) {
	many := []string{}
	for range parts + 1 {
		many = append(many, "unknown", "x")
	}
	manyParts, manyKind := body(many...)
	twice, twiceKind := body("name", "a", "name", "b")
	binary, binaryKind := body("name", "\xff")
	for name, c := range map[string]struct {
		kind   string
		body   io.Reader
		status int
	}{
		"no type":     {"", strings.NewReader("x"), 415},
		"other type":  {"text/xml", strings.NewReader("x"), 415},
		"no boundary": {"multipart/form-data", strings.NewReader("x"), 400},
		"cut off": {"multipart/form-data; boundary=b",
			strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nx"), 400},
		"too many":               {manyKind, manyParts, 400},
		"twice":                  {twiceKind, twice, 400},
		"not UTF-8":              {binaryKind, binary, 422},
		"bad escape":             {"application/x-www-form-urlencoded", strings.NewReader("name=%zz"), 400},
		"bad JSON":               {"application/json", strings.NewReader(`{"name":`), 400},
		"JSON array":             {"application/json", strings.NewReader(`["name"]`), 400},
		"JSON object in a field": {"application/json", strings.NewReader(`{"name": {}}`), 422},
	} {
		if _, err := read(c.kind, c.body); err == nil || Status(err) != c.status {
			t.Errorf("%s: %v (%d), want %d", name, err, Status(err), c.status)
		}
	}
}

func FuzzReadForm(f *testing.F) {
	f.Add("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nx\r\n--b--\r\n")
	f.Add("application/x-www-form-urlencoded", "name=a&name=b")
	f.Add("application/json", `{"name":1e99}`)
	f.Fuzz(func(t *testing.T, kind, b string) {
		form, err := read(kind, strings.NewReader(b))
		if form == nil {
			t.Fatal("no form", err)
		}
		for name, v := range form.Values {
			if l := fields[name]; int64(len(v)) > max(l.Most, l.Keep) {
				t.Errorf("%s has %d bytes", name, len(v))
			}
		}
		for name, file := range form.Files {
			if int64(len(file.Content)) > fields[name].Most {
				t.Errorf("%s has %d bytes", name, len(file.Content))
			}
		}
		if err != nil && (Status(err) < 400 || Status(err) >= 500) {
			t.Errorf("status %d: %v", Status(err), err)
		}
	})
}

func TestADraftGivesTheFormBack(t *testing.T) {
	f := &Form{Values: map[string]string{"name": "n", "text": ""}, Files: map[string]File{"file": {Name: "a.tar", Content: []byte{0}}}}
	got := FromDraft(f.Draft())
	if got.Values["name"] != "n" || got.Files["file"].Name != "a.tar" || string(got.Files["file"].Content) != "\x00" ||
		len(got.Values) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestDispositionCanNotBeForged(t *testing.T) {
	for name, want := range map[string]string{
		"rootfs.tar.xz":     `attachment; filename="rootfs.tar.xz"; filename*=UTF-8''rootfs.tar.xz`,
		"größe & co.txt":    `attachment; filename="gr____e & co.txt"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%26%20co.txt`,
		"a\"; x=\"\r\nB: c": `attachment; filename="a_; x=___B: c"; filename*=UTF-8''a%22%3B%20x%3D%22%0D%0AB%3A%20c`,
	} {
		if got := Disposition("attachment", name); got != want {
			t.Errorf("%q:\n%s\n%s", name, got, want)
		}
	}
}

func TestEveryKindOfFaultHasAStatus(t *testing.T) {
	for _, k := range []apperr.Kind{apperr.InvalidArgument, apperr.TooLarge, apperr.Unauthenticated,
		apperr.PermissionDenied, apperr.ResourceExhausted,
		apperr.NotFound, apperr.Gone, apperr.AlreadyExists, apperr.FailedPrecondition, apperr.RateLimited, apperr.Unavailable,
		apperr.StorageFull, apperr.Internal} {
		if e := apperr.New(k, "", ""); http.StatusText(Status(e)) == "" || Code(e) == "" {
			t.Errorf("%s has none", k)
		}
	}
	if Status(errors.New("unexpected")) != 500 {
		t.Error("an error that was not made for a person is no 500")
	}
}

func TestNoRouteHasControlCharacters(t *testing.T) {
	routes := []Route{{Method: "GET", Path: "/{id}"}, {Method: "GET", Path: "/{id}/artifacts/{path...}"}}
	for _, path := range []string{"/a\x00", "/a\n", "/a/artifacts/b\x7f", "/a/artifacts/b/\x1b", "/\xff", "/\u0085"} {
		if rt, _, allowed := find(routes, "GET", path); rt != nil || allowed != nil {
			t.Errorf("%q has a route", path)
		}
	}
}
