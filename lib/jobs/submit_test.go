package jobs

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

func TestAStalePagesChangeIsAConflict(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	sub := Submission{Dockerfile: []byte("FROM debian:bookworm\nRUN echo two\n")}
	if j, err := h.Update(t.Context(), h.ann.ID, job.ID, 1, sub); err != nil || j.Revision != 2 || j.EngineRevision != 2 {
		t.Fatalf("%+v, %v", j, err)
	}
	if _, err := h.Update(t.Context(), h.ann.ID, job.ID, 1, sub); apperr.KindOf(err) != apperr.FailedPrecondition {
		t.Fatalf("a change from revision 1 after revision 2: %v", err)
	}
	if !strings.Contains(h.fake.jobs[job.EngineName].script, "echo two") {
		t.Error("the engine has the old script")
	}
}

func TestWrongInputIsRefusedAtItsFieldAndNothingIsStored(t *testing.T) {
	h := newFixture(t)
	good := []byte("FROM debian:bookworm\n")
	for _, c := range []struct {
		name, field string
		kind        apperr.Kind
		sub         Submission
	}{
		{"no Dockerfile", "dockerfile", apperr.InvalidArgument, Submission{Target: rootfs}},
		{"an empty one", "dockerfile", apperr.InvalidArgument, Submission{Target: rootfs, Dockerfile: []byte(" \n")}},
		{"a large one", "dockerfile", apperr.TooLarge, Submission{Target: rootfs, Dockerfile: make([]byte, 64<<10+1)}},
		{"not UTF-8", "dockerfile", apperr.InvalidArgument,
			Submission{Target: rootfs, Dockerfile: []byte("FROM a\nRUN \xff\n")}},
		{"a syntax error", "dockerfile", apperr.InvalidArgument,
			Submission{Target: rootfs, Dockerfile: []byte("FROM debian:bookworm\nRUNN x\n")}},
		{"no target", "target", apperr.InvalidArgument, Submission{Dockerfile: good}},
		{"an unknown target", "target", apperr.InvalidArgument, Submission{Target: "vm_z80_sarge", Dockerfile: good}},
		{"a context that is not there", "context", apperr.InvalidArgument,
			Submission{Target: rootfs, Dockerfile: good, Context: strings.Repeat("0", 64)}},
		{"a COPY source that is missing", "dockerfile", apperr.InvalidArgument,
			Submission{Target: rootfs, Dockerfile: []byte("FROM debian:bookworm\nCOPY a /\n")}},
		{"build arguments without a value", "build_args", apperr.InvalidArgument,
			Submission{Target: rootfs, Dockerfile: good, BuildArgs: "A=1\nB\n"}},
		{"a long name", "name", apperr.InvalidArgument,
			Submission{Target: rootfs, Dockerfile: good, Name: strings.Repeat("x", 101)}},
	} {
		_, err := h.Add(t.Context(), h.ann, c.sub)
		f := apperr.Of(err)
		if f.Kind != c.kind || f.Field != c.field || f.Message.IsZero() || f.Advice.IsZero() {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
	if page, err := h.db.Jobs(t.Context(), h.ann.ID, store.JobQuery{Limit: 1}); err != nil || page.Total != 0 {
		t.Errorf("%d jobs were stored, %v", page.Total, err)
	}
}

func TestFROMSuggestsTheTarget(t *testing.T) {
	h := newFixture(t)
	for from, want := range map[string]string{
		"debian:bookworm-slim": "rootfs_amd64_bookworm", "devuan/devuan:daedalus": "rootfs_amd64_daedalus", "debian:etch": "",
		"alpine": "",
	} {
		text := []byte("FROM " + from + "\n")
		c, err := h.Check(t.Context(), h.ann, false, Submission{Dockerfile: text})
		if err != nil || c.Target != want || h.Suggest(text) != want {
			t.Errorf("FROM %s suggests %q, %v", from, c.Target, err)
		}
	}
}

func TestTheFourthJobIsOverTheLimit(t *testing.T) {
	h := newFixture(t)
	for range 3 {
		h.add()
	}
	if _, err := h.Add(t.Context(), h.ann, Submission{Target: rootfs,
		Dockerfile: []byte("FROM debian:bookworm\n")}); apperr.KindOf(err) != apperr.ResourceExhausted {
		t.Fatal(err)
	}
}

func TestEngineNames(t *testing.T) {
	for _, c := range []struct{ email, want string }{
		{"parazyd@dyne.org", "parazydATdyne.org-vm_amd64_ascii-1537977964"},
		{"a/b?c@x.org", "a_b_cATx.org-vm_amd64_ascii-1537977964"},
		{".hidden@x.org", "hiddenATx.org-vm_amd64_ascii-1537977964"},
		{strings.Repeat("é", 150) + "@x.org", strings.Repeat("_", 150) + "ATx.org-vm_amd64_ascii-1537977964"},
	} {
		if got := EngineName(c.email, "vm_amd64_ascii", 1537977964); got != c.want {
			t.Errorf("%q gives %q, not %q", c.email, got, c.want)
		}
	}
	if got := EngineName(strings.Repeat("x", 254), "vm_amd64_ascii", 1537977964); len(got) != 200 ||
		!strings.HasSuffix(got, "-vm_amd64_ascii-1537977964") {
		t.Errorf("a long address gives %q", got)
	}
}

// A name is not given again, also when the job that had it was removed a moment ago.
func TestNamesAreNotGivenTwice(t *testing.T) {
	h := newFixture(t)
	seen := map[string]bool{}
	for range 50 {
		job := h.add()
		if seen[job.EngineName] ||
			!regexp.MustCompile(`^annATexample\.org-[a-z]+_[a-z0-9]+_[a-z]+-[0-9]{16}$`).MatchString(job.EngineName) {
			t.Errorf("%s", job.EngineName)
		}
		seen[job.EngineName] = true
		if err := h.Remove(t.Context(), h.ann.ID, job.ID); err != nil {
			t.Fatal(err)
		}
	}

}

// What no build can be given is refused when the job is saved.
func TestMoreSecretsThanABuildCanBeGiven(t *testing.T) {
	h := newFixture(t)
	for n, ok := range map[int]bool{engine.MaxSecrets: true, engine.MaxSecrets + 1: false} {
		text := "FROM debian:bookworm\n"
		for i := range n {
			text += fmt.Sprintf("RUN --mount=type=secret,id=s%d true\n", i)
		}
		c, err := h.Check(t.Context(), h.ann, false, Submission{Dockerfile: []byte(text), Target: "rootfs_amd64_bookworm"})
		if (err == nil && c.OK) != ok {
			t.Errorf("%d secrets: %+v, %v", n, c, err)
		}
	}
}
