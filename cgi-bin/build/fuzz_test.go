package main

import (
	"bytes"
	"log/slog"
	"mime/multipart"
	"net/http/httptest"
	"strings"
	"testing"

	"toaster.do/lib/app"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

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

// FuzzNewJob: whatever is sent as a job's form is either read within its limits and checked, with findings at lines
// that are there, or refused with an error that tells its sender so.
func FuzzNewJob(f *testing.F) {
	cfg := config.Default()
	cfg.Paths.Targets = "../../conf/targets.toml"
	s, err := app.Service(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	for _, fields := range []map[string]string{
		{"name": "web", "target": "rootfs_amd64_bookworm", "text": "FROM debian:bookworm\nRUN true\n", "build_args": "A=b\nC",
			"start": "1"},
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
		if len(job.Text) > 4*int(cfg.Limits.Dockerfile) || len(job.Name) > 1<<10 ||
			job.archive != nil && job.archive.Size() > int64(cfg.Limits.Context) {
			t.Fatalf("%d and %d bytes were read", len(job.Text), len(job.Name))
		}
		if err == nil {
			if sub := job.submission(); string(sub.Dockerfile) != job.Text {
				t.Error("something else is built")
			}
			checked, refused := s.Check(t.Context(), &store.User{}, false, job.submission())
			if err = refused; err == nil {
				lines := strings.Count(job.Text, "\n") + 1
				for _, f := range checked.Findings {
					if f.Line < 0 || f.EndLine > lines || f.Message.IsZero() {
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
