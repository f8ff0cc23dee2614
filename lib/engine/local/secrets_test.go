package local

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/engine"
)

// inTheClear opens what these tests call sealed.
func inTheClear(job string, sealed []byte) (s engine.Secrets, err error) {
	text, ok := strings.CutPrefix(string(sealed), job+" ")
	if !ok {
		return nil, errors.New("this is another job's")
	}
	return s, json.Unmarshal([]byte(text), &s)
}

func (h *fixture) startWith(name, sealed string) engine.Ticket {
	h.Helper()
	ticket, err := h.StartWith(h.Context(), name, []byte(sealed))
	if err != nil {
		h.Fatal(err)
	}
	return ticket
}

// secretsLeft are the folders with secrets of builds that work below the fixture's folder.
func (h *fixture) secretsLeft() (left []string) {
	runners, _ := filepath.Glob(filepath.Join(h.Dir, runnersFolder, "*"))
	for _, r := range runners {
		folders, _ := filepath.Glob(secretsOf(filepath.Base(r)) + "*")
		left = append(left, folders...)
	}
	return left
}

func TestABuildHasItsSecretsAlone(t *testing.T) {
	t.Setenv("TOASTER_SECRETS", "/etc")
	h := newFixture(t)
	h.runner(func(r *Runner) { r.Open = inTheClear })
	const script = `stat -c '%a %n' "$TOASTER_SECRETS"/* | sed "s,/.*/,,"; cat "$TOASTER_SECRETS"/*; ` +
		`stat -f -c %T "$TOASTER_SECRETS"; stat -c %a "$TOASTER_SECRETS"`
	h.create("one", script)
	h.create("two", `echo "<${TOASTER_SECRETS-none}>"`)
	b := h.becomes("one", h.startWith("one", `one {"x":"aGVsbG8K","ssh.default":"a2V5Cg=="}`), engine.Succeeded)
	if log := h.log("one", b.Number); log != "600 ssh.default\n600 x\nkey\nhello\ntmpfs\n700\n" {
		t.Errorf("%q", log)
	}
	b = h.becomes("two", h.start("two"), engine.Succeeded)
	if log := h.log("two", b.Number); log != "<none>\n" {
		t.Errorf("without secrets: %q", log)
	}
	// Another job's are nobody's.
	for _, sealed := range []string{`one {"x":"aGVsbG8K"}`, ""} {
		b = h.becomes("two", h.startWith("two", sealed), engine.Failed)
		if log := h.log("two", b.Number); log != "" || !strings.Contains(b.Reason.String(), "enter them again") {
			t.Errorf("%q: %q, %q", sealed, log, b.Reason)
		}
	}
	if left := h.secretsLeft(); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

func TestSecretsWaitForARunnerAndGoWithIt(t *testing.T) {
	h := newFixture(t)
	h.create("job", `cat "$TOASTER_SECRETS"/x; sleep 600`)
	ticket := h.startWith("job", `job {"x":"aGVsbG8K"}`)
	if again := h.start("job"); again != ticket {
		t.Errorf("%s, and then %s", ticket, again)
	}
	r := h.process()
	b := h.becomes("job", ticket, engine.Running)
	h.says("job", b.Number, "hello")
	if len(h.secretsLeft()) != 1 {
		t.Errorf("while it runs: %v", h.secretsLeft())
	}
	r.Process.Kill()
	r.Wait()
	left := h.secretsLeft()
	h.process()
	h.until("the killed runner's secrets are removed", func() bool {
		found := false
		for _, folder := range left {
			if all, _ := filepath.Glob(folder); len(all) > 0 {
				found = true
			}
		}
		return !found
	})
	// Whoever took them has them no more, and nobody else.
	b = h.becomes("job", h.start("job"), engine.Failed)
	if log := h.log("job", b.Number); strings.Contains(log, "hello") {
		t.Errorf("%q", log)
	}
}

func TestSecretsThatCannotBe(t *testing.T) {
	for _, name := range []string{"../x", "a/b", "", ".", "..", "a\nb", "a;b"} {
		r := request{Op: opBuild, SHA256: strings.Repeat("0", 64), Secrets: engine.Secrets{name: nil}}
		if err := r.check(); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	many := engine.Secrets{}
	for i := range engine.MaxSecrets + 1 {
		many["x"+strings.Repeat("x", i)] = nil
	}
	for _, s := range []engine.Secrets{many, {"x": make([]byte, engine.MaxSecret+1)}} {
		if s.Check() == nil {
			t.Errorf("%d secrets are taken", len(s))
		}
	}
	h := newFixture(t)
	h.runner(func(r *Runner) { r.Open = inTheClear })
	h.create("job", "echo hello")
	b := h.becomes("job", h.startWith("job", `job {"../x":"aGVsbG8K"}`), engine.Failed)
	if b.EndedAt.After(time.Now().Add(time.Minute)) || !strings.Contains(b.Reason.String(), "rejected") {
		t.Errorf("%+v", b)
	}
}
