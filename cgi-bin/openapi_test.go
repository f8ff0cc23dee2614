package cgibin

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"toaster.do/static"
)

// description is static/openapi.json, and which of its answers were seen.
type description struct {
	*openapi3.T
	t    *testing.T
	seen map[string]bool // "GET /jobs 200"
}

func describe(t *testing.T) *description {
	t.Helper()
	text, err := static.Files.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &description{doc, t, map[string]bool{}}
}

// holds wants an answer to be one of those that are described for the operation.
func (d *description) holds(operation string, params map[string]string, a *answer) {
	d.t.Helper()
	method, path, _ := strings.Cut(operation, " ")
	item := d.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		d.t.Fatalf("%s is not described", operation)
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: &http.Request{Method: method, URL: &url.URL{Path: path}}, PathParams: params,
			Route: &routers.Route{Spec: d.T, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method)},
		},
		Status: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader([]byte(a.body))),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if err := openapi3filter.ValidateResponse(d.t.Context(), input); err != nil {
		d.t.Errorf("%s %d: %v\n%s", operation, a.status, err, a.body)
	}
	d.seen[fmt.Sprint(operation, " ", a.status)] = true
}

func TestTheDescriptionOfTheAPIHolds(t *testing.T) {
	s, write, id := built(t)
	d := describe(t)
	read, other, wrong := s.program(s.token(ada, "read")), s.program(s.token(bob, "write")), s.program("toaster_wrong")
	second := write.addJob("name", "Second")
	write.post("/jobs/" + second + "/start")
	s.sql("UPDATE build SET failure = 'No package named x.', state = 'failed', finalized = 1, engine_number = 1, "+
		"ended_at = queued_at WHERE job_id = ?", second)
	s.sql("INSERT INTO build (job_id, number, revision, state, finalized, engine_number, queued_at, ended_at, "+
		"expired_at, gone_why, gone_limit) "+
		"VALUES (?, 3, 1, 'failed', 1, 2, 0, 1, 2, 'days', 30)", second)
	for _, c := range []struct {
		operation, path string
		client          *client
		form            []string
		status          int
	}{
		{"GET /account", "/account", read, nil, 200},
		{"GET /targets", "/targets", read, nil, 200},
		{"GET /jobs", "/jobs", read, nil, 200},
		{"GET /jobs", "/jobs?q=second&state=failed&sort=name", read, nil, 200},
		{"GET /jobs", "/jobs?page=9", read, nil, 200},
		{"POST /jobs/check", "/jobs/check", read, []string{"text", "FROM debian:bookworm\nRUN apt-get install x\n"}, 200},
		{"POST /jobs/check", "/jobs/check", read, []string{"text", "FRUM x", "target", "none"}, 422},
		{"POST /jobs", "/jobs", write, []string{"text", "FROM debian:bookworm\n", "target", target}, 201},
		{"POST /jobs", "/jobs", write, []string{"text", "FROM debian:bookworm\n", "target", target}, 403},
		{"POST /jobs", "/jobs", write, []string{"text", "FROM scratch\nRUN x\nFRUM y", "target", target}, 422},
		{"POST /jobs", "/jobs", write, []string{"text", strings.Repeat("#", 70<<10), "target", target}, 413},
		{"GET /jobs/{id}", "/jobs/" + id, read, nil, 200},
		{"GET /jobs/{id}", "/jobs/" + second, read, nil, 200},
		{"POST /jobs/{id}/update", "/jobs/" + second + "/update", write, []string{"text", "FROM debian:bookworm\nRUN true\n"},
			200},
		{"POST /jobs/{id}/update", "/jobs/" + second + "/update", write,
			[]string{"text", "FROM debian:bookworm\n", "revision", "1"}, 409},
		{"POST /jobs/{id}/disable", "/jobs/" + second + "/disable", write, nil, 200},
		{"POST /jobs/{id}/lock", "/jobs/" + second + "/lock", write, nil, 409},
		{"POST /jobs/{id}/start", "/jobs/" + second + "/start", write, nil, 409},
		{"POST /jobs/{id}/enable", "/jobs/" + second + "/enable", write, nil, 200},
		{"POST /jobs/{id}/start", "/jobs/" + second + "/start", write, nil, 202},
		{"POST /jobs/{id}/start", "/jobs/" + second + "/start", write, nil, 202},
		{"POST /jobs/{id}/stop", "/jobs/" + second + "/stop", write, nil, 202},
		{"GET /jobs/{id}/dockerfile", "/jobs/" + id + "/dockerfile?revision=1", read, nil, 200},
		{"GET /jobs/{id}/blend", "/jobs/" + id + "/blend", read, nil, 200},
		{"GET /jobs/{id}/script", "/jobs/" + id + "/script", read, nil, 200},
		{"GET /jobs/{id}/compare", "/jobs/" + second + "/compare?from=1&to=4", read, nil, 200},
		{"GET /jobs/{id}/builds/{number}", "/jobs/" + id + "/builds/1", read, nil, 200},
		{"GET /jobs/{id}/builds/{number}", "/jobs/" + second + "/builds/1", read, nil, 200},
		{"GET /jobs/{id}/builds/{number}", "/jobs/" + id + "/builds/latest", read, nil, 200},
		{"GET /jobs/{id}/builds/{number}", "/jobs/" + second + "/builds/3", read, nil, 410},
		{"GET /jobs/{id}/builds/{number}/log", "/jobs/" + second + "/builds/3/log", read, nil, 410},
		{"POST /jobs/{id}/builds/{number}/keep", "/jobs/" + second + "/builds/3/keep", write, nil, 410},
		{"POST /jobs/{id}/builds/{number}/keep", "/jobs/" + id + "/builds/1/keep", write, nil, 200},
		{"POST /jobs/{id}/builds/{number}/unkeep", "/jobs/" + id + "/builds/1/unkeep", write, nil, 200},
		{"GET /jobs/{id}/builds/{number}/log", "/jobs/" + id + "/builds/1/log?offset=3", read, nil, 200},
		{"GET /jobs/{id}/builds/{number}/log", "/jobs/" + id + "/builds/1/log?offset=x", read, nil, 422},
		{"GET /jobs/{id}/builds/{number}/artifacts/{path}", "/jobs/" + id + "/builds/1/artifacts/image.bin", read, nil, 200},
		{"GET /jobs/{id}/builds/{number}/artifacts/{path}", "/jobs/" + id + "/builds/1/artifacts/image.bin",
			read.with("Range", "bytes=3-4"), nil, 206},
		{"GET /admin/metrics", "/admin/metrics", read, nil, 403},
		{"POST /jobs/{id}/fetch", "/jobs/" + second + "/fetch", write, nil, 409},
		{"POST /jobs/{id}/update", "/jobs/" + second + "/update", write,
			[]string{"git_url", "https://git.example.org/x.git", "schedule", "month"}, 200},
		{"POST /jobs/{id}/fetch", "/jobs/" + second + "/fetch", write, nil, 202},
		{"POST /jobs/{id}/remove", "/jobs/" + second + "/remove", write, nil, 204},
	} {
		var a *answer
		if strings.HasPrefix(c.operation, "POST") {
			a = c.client.post(c.path, c.form...)
		} else {
			a = c.client.get(c.path)
		}
		if a.status != c.status {
			t.Errorf("%s: %d, not %d: %s", c.operation, a.status, c.status, a.body)
		}
		d.holds(c.operation, map[string]string{"id": id, "number": "1", "path": "image.bin"}, a)
	}
	d.contexts(write)
	d.hooks(s, write, id)
	s.sql("UPDATE revision SET dockerfile = ? WHERE job_id = ?", []byte("FROM 127.0.0.1:1/image\n"), id)
	d.holds("POST /jobs/{id}/lock", map[string]string{"id": id}, write.post("/jobs/"+id+"/lock"))
	s.admin()
	d.holds("GET /admin/metrics", nil, s.program(s.token(eve, "metrics")).get("/admin/metrics"))
	d.everyOperation(s, id, read, other, wrong)
}

// contexts sends one.
func (d *description) contexts(c *client) {
	d.t.Helper()
	d.holds("GET /jobs/contexts", nil, c.get("/jobs/contexts"))
	d.holds("POST /jobs/contexts", nil, c.declare("a", "hello"))
	d.holds("PUT /jobs/blobs/{sha256}", map[string]string{"sha256": sum("hello")}, c.put("/jobs/blobs/"+sum("hello"), "hello"))
	d.holds("POST /jobs/blobs", nil, c.do("POST", "/jobs/blobs", "application/x-tar", make([]byte, 1024)))
}

// everyOperation tries what every operation refuses, and wants each to have been answered well, too.
func (d *description) everyOperation(s *site, id string, read, other, wrong *client) {
	d.t.Helper()
	fill := strings.NewReplacer("{id}", id, "{number}", "1", "{path}", "image.bin", "{hook}", "7", "{delivery}", "7",
		"{secret}", id+"-wrong", "{sha256}", sum("hello"))
	for path, item := range d.Paths.Map() {
		for method, operation := range item.Operations() {
			ask := func(c *client) *answer {
				s.sql("DELETE FROM rate_limit_event")
				switch method {
				case "POST":
					return c.post(fill.Replace(path))
				case "PUT":
					return c.put(fill.Replace(path), "")
				}
				return c.get(fill.Replace(path))
			}
			name := method + " " + path
			params := map[string]string{"id": id, "number": "1", "path": "image.bin", "hook": "7", "delivery": "7",
				"secret": "x", "sha256": sum("hello")}
			refused := map[*client]int{wrong: 401}
			if strings.Contains(path, "{id}") {
				refused[other] = 404
			}
			if operation.Security != nil && len(*operation.Security) == 0 {
				refused = map[*client]int{wrong: 404, other: 404, read: 404}
			}
			if strings.Contains(operation.Description, "scope write") {
				refused[read] = 403
			}
			for c, want := range refused {
				a := ask(c)
				if a.status != want {
					d.t.Errorf("%s: %d, not %d", name, a.status, want)
				}
				d.holds(name, params, a)
			}
			good := false
			for _, status := range []string{"200", "201", "202", "204"} {
				good = good || d.seen[name+" "+status]
			}
			if !good {
				d.t.Errorf("%s was never seen to go well", name)
			}
		}
	}
}

// Pages for browsers, which programs have no use for.
var pages = []string{
	"GET /jobs/new", "GET /jobs/{id}/update", "GET /jobs/{id}/remove", "GET /jobs/{id}/copy", "GET /jobs/feed",
	"POST /jobs/feed", "GET /jobs/feed/{name}", "GET /jobs/contexts/{mac}/{id}/{archive}",
	"GET /jobs/{id}/badge.svg", "POST /jobs/{id}/badge", "GET /jobs/{id}/root-password",
}

func TestEveryRouteOfJobsIsDescribed(t *testing.T) {
	d := describe(t)
	for _, route := range routes(t) {
		method, path, _ := strings.Cut(strings.Replace(route, "{path...}", "{path}", 1), " ")
		if !strings.HasPrefix(path, "/jobs") || strings.Contains(strings.Join(pages, "\n")+"\n", route+"\n") {
			continue
		}
		if item := d.Paths.Value(path); item == nil || item.GetOperation(method) == nil {
			t.Errorf("%s is not in static/openapi.json", route)
		}
	}
}
