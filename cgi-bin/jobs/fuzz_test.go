package main

import (
	"bytes"
	"log/slog"
	"mime/multipart"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"toaster.do/lib/config"
	"toaster.do/lib/site"
	"toaster.do/lib/web"
)

// FuzzJobQuery: whatever stands in an address, what is looked for makes sense, and the links to other pages look for the same.
func FuzzJobQuery(f *testing.F) {
	f.Add("q=web&state=failed&sort=name&page=2")
	f.Add("q=" + strings.Repeat("ü", 150) + "&page=-1")
	f.Fuzz(func(t *testing.T, raw string) {
		v, _ := url.ParseQuery(raw)
		q, number := jobQuery(v)
		if number < 1 || number > 1e6 || q.Offset != (number-1)*pageLength || q.Limit != pageLength {
			t.Errorf("page %d, %+v", number, q)
		}
		if len(q.Text) > 200 || !utf8.ValidString(q.Text) || q.State != "" && !slices.Contains(states, q.State) || !slices.Contains([]string{"", "name", "activity"}, q.Sort) {
			t.Errorf("%+v", q)
		}
		to, err := url.Parse(listing{Query: q}.address(number))
		if err != nil || to.Path != "/jobs" || to.Host != "" {
			t.Fatal(to, err)
		}
		if again, page := jobQuery(to.Query()); again != q || page != number {
			t.Errorf("%+v became %+v", q, again)
		}
	})
}

// upload is a job's form as a browser sends it.
func upload(fields, files map[string]string) (kind, body string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	w.SetBoundary("b")
	for name, value := range fields {
		w.WriteField(name, value)
	}
	for name, content := range files {
		part, _ := w.CreateFormFile(name, name+".tar")
		part.Write([]byte(content))
	}
	w.Close()
	return w.FormDataContentType(), b.String()
}

// FuzzNewJob: whatever is sent as a job's form is either read within its limits and checked, with findings at lines that are there, or
// refused with an error that tells its sender so.
func FuzzNewJob(f *testing.F) {
	cfg := config.Default()
	cfg.Paths.Targets = "../../conf/targets.toml"
	s, err := site.Service(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	for _, fields := range []map[string]string{
		{"name": "web", "target": "rootfs_amd64_bookworm", "text": "FROM debian:bookworm\nRUN true\n", "build_args": "A=b\nC", "start": "1"},
		{"text": "FROM x\nCOPY a /\n", "root_keys": "ssh-ed25519 AAAA me", "revision": "7", "drop_context": "1"},
	} {
		for _, files := range []map[string]string{nil, {"dockerfile": "FROM devuan:daedalus\n", "context": "PK\x03\x04"}} {
			kind, body := upload(fields, files)
			f.Add(kind, body)
		}
	}
	f.Fuzz(func(t *testing.T, kind, body string) {
		r := httptest.NewRequest("POST", "/jobs", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		in, err := web.ReadForm(r, fields(cfg))
		job := formOf(in)
		if len(job.Text) > 4*int(cfg.Limits.Dockerfile) || len(job.context) > int(cfg.Limits.Context) || len(job.Name) > 1<<10 {
			t.Fatalf("%d, %d and %d bytes were read", len(job.Text), len(job.context), len(job.Name))
		}
		if err == nil {
			if sub := job.submission(); string(sub.Dockerfile) != job.Text || string(sub.Context) != string(job.context) {
				t.Error("something else is built")
			}
			checked, refused := s.Check(job.submission())
			if err = refused; err == nil {
				lines := strings.Count(job.Text, "\n") + 1
				for _, f := range checked.Findings {
					if f.Line < 0 || f.EndLine > lines || f.Message == "" {
						t.Errorf("%+v in %d lines", f, lines)
					}
				}
			}
		}
		if err != nil && (web.Status(err) < 400 || web.Status(err) >= 500) {
			t.Errorf("status %d: %v", web.Status(err), err)
		}
	})
}
