package jobs

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
)

// behind changes the database as none of toaster's programs would.
func (h *fixture) behind(statement string, args ...any) {
	h.Helper()
	db, err := sql.Open("sqlite3", h.path)
	if err != nil {
		h.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement, args...); err != nil {
		h.Fatal(err)
	}
}

func (h *fixture) rules(job string) string {
	h.Helper()
	j, err := h.db.Job(h.Context(), h.ann.ID, job)
	if err != nil {
		h.Fatal(err)
	}
	findings, err := h.Findings(h.Context(), j, 0)
	if err != nil {
		h.Fatal(err)
	}
	var list []string
	for _, f := range findings {
		list = append(list, f.Rule)
	}
	return strings.Join(list, " ")
}

func TestFindingsAreStoredWithTheRevision(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	if got := h.rules(job.ID); got != "NoCommand" {
		t.Fatal(got)
	}
	h.behind("UPDATE revision SET dockerfile = ?", []byte("FROM debian\nRUN systemctl\n"))
	if got := h.rules(job.ID); got != "NoCommand" {
		t.Error("looking at a job translates it again: ", got)
	}
	if _, err := h.Update(t.Context(), h.ann.ID, job.ID, 1,
		Submission{Dockerfile: []byte("FROM debian:bookworm\nCMD [\"sh\"]\n")}); err != nil {
		t.Fatal(err)
	}
	if got := h.rules(job.ID); got != "CmdIsShell" {
		t.Error("after a change: ", got)
	}
}

func TestStepsAndChecksumsAreStoredWithTheRevision(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	made, err := h.db.Translation(t.Context(), h.ann.ID, job.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(text []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256(text)
		return hex.EncodeToString(hash[:])
	}
	blend, script := sum(h.Blend(t.Context(), h.ann.ID, job.ID, 0)), sum(h.Script(t.Context(), h.ann.ID, job.ID, 0))
	if made.Steps != 2 || made.Blend != blend || made.Script != script {
		t.Errorf("%+v, the blend is %s, the script %s", made, blend, script)
	}
	if got := sum([]byte(h.fake.jobs[job.EngineName].script), nil); got != script {
		t.Error("the engine got another script: ", got)
	}
}

func TestTheSyncChecksAgainWhatAnotherVersionHasTranslated(t *testing.T) {
	h := newFixture(t)
	job, gone := h.add(), h.add()
	if err := h.Remove(t.Context(), h.ann.ID, gone.ID); err != nil {
		t.Fatal(err)
	}
	h.behind("UPDATE revision SET dockerfile = ?", []byte("FROM debian:bookworm\nCMD [\"sh\"]\n"))
	recheck := func(want string) {
		t.Helper()
		if err := h.Recheck(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := h.rules(job.ID); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	recheck("NoCommand")
	h.Version = "another"
	recheck("CmdIsShell")
	h.behind("UPDATE revision SET dockerfile = ?", []byte("FROM debian:bookworm\n"))
	recheck("CmdIsShell") // once is enough
	h.Version, h.Limits.Dockerfile = "yet another", 3
	if err := h.Recheck(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Findings(t.Context(), job, 0); apperr.KindOf(err) != apperr.InvalidArgument ||
		!strings.Contains(err.Error(), "The limit is 3") {
		t.Error(err)
	}
}

func TestATranslationEndsWithItsRequest(t *testing.T) {
	h := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sub := Submission{Target: rootfs, Dockerfile: []byte("FROM debian:bookworm\nRUN true\n")}
	if _, err := h.Add(ctx, h.ann, sub); err == nil {
		t.Error("a job is added for somebody who has left")
	}
	if _, err := h.Check(ctx, h.ann, false, sub); apperr.KindOf(err) != apperr.Unavailable || apperr.Of(err).Advice.IsZero() {
		t.Error(err)
	}
	busy := dockerfile.Source{Dockerfile: []byte("FROM debian:bookworm\nENV A=" + strings.Repeat("a", 1000) + "\n" +
		strings.Repeat("ENV B=${A#*b}\n", 1000))}
	if b, findings := dockerfile.Translate(busy); b == nil {
		t.Error(findings)
	}
	busy.Cancel = ctx.Done()
	if b, _ := dockerfile.Translate(busy); b != nil {
		t.Error("a translation goes on that nobody waits for")
	}
}
