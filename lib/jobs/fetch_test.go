package jobs

import (
	"archive/tar"
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/config"
	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// repository adds a job whose sources come from a repository.
func (h *fixture) repository(schedule string) *store.Job {
	h.Helper()
	job, err := h.Add(h.Context(), h.ann, Submission{Target: rootfs, Schedule: schedule,
		Git: &Repository{URL: "https://example.org/project.git"}})
	if err != nil {
		h.Fatal(err)
	}
	return job
}

// found ends a fetch of the only repository that is due: it has this Dockerfile, in a commit.
func (h *fixture) found(commit, text string) {
	h.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o644, Size: int64(len(text))}); err != nil {
		h.Fatal(err)
	}
	w.Write([]byte(text))
	if err := w.Close(); err != nil {
		h.Fatal(err)
	}
	digest, err := h.Contexts.AddArchive(h.ann.ID, bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		h.Fatal(err)
	}
	due, err := h.db.DueFetches(h.Context())
	if err != nil || len(due) != 1 {
		h.Fatalf("%d are due, %v", len(due), err)
	}
	from := store.Source{Repository: due[0].URL, Commit: strings.Repeat(commit, 40)}
	if err := h.takeFetched(h.Context(), due[0], digest, from); err != nil {
		h.Fatal(err)
	}
}

// TestAPushRepairsAJob: what a build needs is judged by what was fetched for it, not by what was there before.
func TestAPushRepairsAJob(t *testing.T) {
	h := withImages(t, registries{"golang:1.22": "away"})
	keys := filepath.Join(t.TempDir(), "keys")
	if err := config.NewKeys(keys); err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{}
	cfg.Paths.Keys = keys
	h.Seals = func() (engine.Sealer, error) { return cfg.Seals("test") }
	job := h.repository("")
	start := func(secrets engine.Secrets) {
		t.Helper()
		if _, already, err := h.Start(t.Context(), h.ann.ID, job.ID, secrets); err != nil || already {
			t.Fatal(already, err)
		}
	}
	const needs = "FROM debian:bookworm\nRUN --mount=type=secret,id=npmrc,required true\n"
	key := engine.Secrets{"npmrc": []byte("x")}
	for _, c := range []struct {
		text    string
		secrets engine.Secrets
		why     string // it is not built
	}{
		{needs, nil, "This build needs secrets that it was not given: npmrc."},
		{"FROM golang:1.22 AS a\nRUN true\nFROM debian:bookworm\nCOPY --from=a /x /x\n", nil,
			"The image golang:1.22 has not been found in its registry yet"},
		{"FROM debian:bookworm\nRUN true\n", nil, ""},
		{needs, key, ""},
		{"FROM debian:bookworm\nRUN echo\n", key, "The Dockerfile has no secret of this name."},
	} {
		start(c.secrets)
		b := h.last(job)
		commit := string(rune('0' + b.Number))
		h.found(commit, c.text)
		b = h.last(job)
		if c.why == "" {
			if b.State != store.Queued || b.AskedAt.IsZero() || b.Ticket == "" {
				t.Errorf("%q: %+v", c.text, b)
			}
		} else if b.State != store.Failed || !strings.Contains(b.Reason.String(), c.why) {
			t.Errorf("%q: %+v", c.text, b)
		}
		// What was found is there all the same, so that a person can do what is needed.
		if rev, err := h.Source(t.Context(), h.ann.ID, job.ID, 0); err != nil || string(rev.Dockerfile) != c.text ||
			b.Revision != rev.Number {
			t.Errorf("%+v, %v", rev, err)
		}
		h.behind("UPDATE build SET state = 'succeeded', finalized = 1 WHERE state = 'queued'")
		h.fake.jobs = map[string]*fakeJob{}
		h.behind("UPDATE job SET engine_revision = 0")
	}
	if len(h.fake.secrets) != 1 {
		t.Errorf("the engine was given %d secrets", len(h.fake.secrets))
	}
}

// TestAPushBehindAQueuedBuild has a build of its own, which the engine doesn't join to the one before.
func TestAPushBehindAQueuedBuild(t *testing.T) {
	h := newFixture(t)
	job := h.repository("")
	for n := 1; n <= 2; n++ {
		if _, already, err := h.Start(t.Context(), h.ann.ID, job.ID, nil); err != nil || already {
			t.Fatal(already, err)
		}
		if n == 1 {
			h.found("1", "FROM debian:bookworm\nRUN one\n")
		}
	}
	h.syncs(2)
	if due, err := h.db.DueFetches(t.Context()); err != nil || len(due) != 0 || h.last(job).Ticket != "" {
		t.Fatalf("%v, %+v, %v", due, h.last(job), err)
	}
	// Its owner gives up the repository: it is not fetched, and still waits.
	h.behind("UPDATE build SET fetching = 0")
	h.syncs(2)
	if b := h.last(job); !b.AskedAt.IsZero() {
		t.Errorf("%+v", b)
	}
	h.behind("UPDATE build SET fetching = 1 WHERE number = 2")
	h.fake.begin(job.EngineName)
	h.syncs(2)
	h.found("2", "FROM debian:bookworm\nRUN two\n")
	builds, err := h.db.Builds(t.Context(), h.ann.ID, job.ID)
	if err != nil || len(builds) != 2 || builds[0].Ticket == builds[1].Ticket || builds[0].Ticket == "" ||
		builds[0].Revision != 3 || builds[1].Revision != 2 || builds[1].State != store.Running {
		t.Errorf("%+v, %v", builds, err)
	}
}

// TestNoOwnerTakesAllFetches: somebody's slow server keeps nobody else waiting.
func TestNoOwnerTakesAllFetches(t *testing.T) {
	f := fetches{running: map[string]int64{}, failed: map[string]bool{"failed": true}}
	due := func(job string, owner int64) store.Fetch {
		return store.Fetch{GitSource: &store.GitSource{JobID: job}, Owner: owner}
	}
	all := []store.Fetch{due("failed", 3), due("a1", 1), due("a2", 1), due("b1", 2), due("c1", 3)}
	for _, want := range []string{"a1", "b1", ""} {
		got := ""
		if next := f.next(all); next != nil {
			got = next.JobID
			f.running[got] = next.Owner
		}
		if got != want {
			t.Errorf("%q begins, not %q", got, want)
		}
	}
	delete(f.running, "b1")
	if next := f.next(all[:4]); next == nil || next.JobID != "b1" {
		t.Errorf("%+v", next)
	}
	if next := f.next(all[:3]); next != nil {
		t.Errorf("%s begins beside another of its owner", next.JobID)
	}
}
