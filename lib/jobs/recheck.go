package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
	"toaster.do/lib/target"
)

// patience is how long a translation may take, where nothing else ends a request: the work is bounded, but not a
// machine's speed.
const patience = 30 * time.Second

// recheckStore is what checking again needs of the database.
type recheckStore interface {
	Outdated(ctx context.Context, target string, madeFor string, limit int) (jobs []*store.Job, err error)
	Revision(ctx context.Context, owner int64, id string, number int) (*store.Revision, error)
	SetSetting(ctx context.Context, name string, value string) error
	SetTranslation(ctx context.Context, job string, revision int, t store.Translation) error
	Setting(ctx context.Context, name string) (value string, err error)
}

// inTime translates while somebody waits for it.
func inTime(ctx context.Context, src *dockerfile.Source, translate func()) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	src.Cancel = limited.Done()
	translate()
	if src.Context != nil && src.Context.Err() != nil {
		return src.Context.Err()
	}
	if err := limited.Err(); err != nil {
		err = errors.Join(err, context.Cause(limited))
		return apperr.Wrap(apperr.Unavailable, err,
			"The Dockerfile was not translated in time: the server is busy.", "Try again in a minute.")
	}
	return nil
}

// handover brings the script of a revision from where it was made to where the engine is told of it, within a request.
type handover struct {
	mu       sync.Mutex
	job      string
	revision int
	made     engine.Made
}

// give offers a script until the function that it returns is called.
func (h *handover) give(job string, revision int, made engine.Made) (end func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.job, h.revision, h.made = job, revision, made
	return func() { h.take(job, revision) }
}

// take returns the script of a revision, where it is there.
func (h *handover) take(job string, revision int) (made engine.Made) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.job == job && h.revision == revision {
		made, h.made, h.job = h.made, engine.Made{}, ""
	}
	return made
}

// translated makes the script of a submission, and what is stored of its translation.
func (s *Service) translated(w *work) (script engine.Made, made store.Translation, err error) {
	if script, err = s.withContext(w.target, w.blend, w.src.Context, w.root, w.from); err != nil {
		return script, made, err
	}
	if _, err = s.addressed(script.Context, ""); err != nil {
		return script, made, reject(err, "context")
	}
	made = s.summary(w.target, w.findings)
	sum := sha256.Sum256(script.Script)
	made.Steps, made.Blend, made.Script = len(w.blend.Steps), w.blend.SHA256, hex.EncodeToString(sum[:])
	secrets, err := json.Marshal(append([]dockerfile.Secret{}, w.blend.Secrets...))
	made.Secrets = string(secrets)
	return script, made, err
}

// kept is a finding as the database has it, for readers of any language.
type kept struct {
	dockerfile.Finding
	Message i18n.Stored `json:"message"`
	Advice  i18n.Stored `json:"advice"`
}

func (s *Service) summary(t target.Target, findings []dockerfile.Finding) store.Translation {
	list := make([]kept, len(findings))
	for i, f := range findings {
		list[i] = kept{f, i18n.Stored(f.Message), i18n.Stored(f.Advice)}
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // no field of it can fail
	}
	return store.Translation{MadeFor: s.madeFor(t), Findings: text}
}

// madeFor names all that decides about a translation, but for the sources: this toaster and the target as it is now.
func (s *Service) madeFor(t target.Target) string {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // no field of it can fail
	}
	sum := sha256.Sum256(text)
	return s.Version + " " + hex.EncodeToString(sum[:8])
}

// recheckedAtOnce is how many revisions one Recheck translates.
const recheckedAtOnce = 20

// Recheck translates again what was translated by another version of toaster, or for a target that has changed since:
// a few revisions each time, so that pages never have to. Builds are not touched.
func (s *Service) Recheck(ctx context.Context) error {
	targets, err := s.Targets()
	if err != nil {
		return err
	}
	var all strings.Builder
	for _, t := range targets.On() {
		all.WriteString(t.Name + " " + s.madeFor(t) + "\n")
	}
	sum := sha256.Sum256([]byte(all.String()))
	now := hex.EncodeToString(sum[:])
	if done, err := s.Store.Setting(ctx, "translated"); err != nil || done == now {
		return err
	}
	left := recheckedAtOnce
	var errs []error
	for _, t := range targets.On() {
		jobs, err := s.Store.Outdated(ctx, t.Name, s.madeFor(t), left)
		if err != nil {
			return err
		}
		for _, job := range jobs {
			// One that can't be read doesn't keep the others from it.
			if err := s.recheck(ctx, job, t); err != nil {
				errs = append(errs, err)
			}
		}
		if left -= len(jobs); left == 0 || len(errs) > 0 {
			return errors.Join(errs...)
		}
	}
	return s.Store.SetSetting(ctx, "translated", now)
}

func (s *Service) recheck(ctx context.Context, job *store.Job, t target.Target) error {
	rev, err := s.Store.Revision(ctx, job.UserID, job.ID, job.Revision)
	if apperr.KindOf(err) == apperr.NotFound && err != nil {
		return nil // deleted or edited meanwhile
	}
	if err != nil {
		return err
	}
	made, err := s.retranslated(ctx, job.UserID, t, rev)
	if err != nil {
		return err
	}
	return s.Store.SetTranslation(ctx, job.ID, rev.Number, made)
}

// retranslated translates what was accepted once. Where a limit or a rule forbids it now, that is a finding.
func (s *Service) retranslated(ctx context.Context, owner int64, t target.Target,
	rev *store.Revision) (store.Translation, error) {
	src, err := s.source(owner, Submission{Dockerfile: rev.Dockerfile, Context: rev.Context, BuildArgs: rev.BuildArgs,
		Environment: rev.Environment, BaseForm: rev.BaseForm})
	if err != nil && apperr.KindOf(err) == apperr.Internal {
		return store.Translation{}, err
	}
	if err != nil {
		return s.refusal(t, err), nil
	}
	src.Arch, src.Codename = t.Arch, t.Codename
	if src.Lock, err = lockOf(rev); err != nil {
		return store.Translation{}, err
	}
	w := &work{target: t, root: rev.Root, src: src, from: rev.Source}
	err = inTime(ctx, &src, func() { w.blend, w.findings = dockerfile.Translate(src) })
	if errors.Is(err, fs.ErrNotExist) {
		return s.refusal(t, lostContext(err)), nil
	}
	if err != nil {
		return store.Translation{}, err
	}
	if w.blend == nil {
		return s.summary(t, w.findings), nil
	}
	_, made, err := s.translated(w)
	if err != nil {
		made = s.refusal(t, err)
	}
	return made, nil
}

func (s *Service) refusal(t target.Target, err error) store.Translation {
	f := apperr.Of(err)
	refused := dockerfile.Finding{Rule: "Limits", Level: dockerfile.Error, Message: f.Message, Advice: f.Advice}
	return s.summary(t, []dockerfile.Finding{refused})
}
