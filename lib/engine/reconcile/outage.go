package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// settingStore is what an OutageStore needs of the database.
type settingStore interface {
	Setting(ctx context.Context, name string) (value string, err error)
	SetSetting(ctx context.Context, name string, value string) error
}

// OutageStore keeps in the database that an engine is unavailable, so that not every request waits for it again.
type OutageStore struct {
	Store  settingStore
	Now    func() time.Time
	Logger *slog.Logger
}

// How long an engine that is unavailable is left alone. What only an administrator can fix takes longer.
const (
	retryUnavailable = 10 * time.Second
	retryRefused     = 30 * time.Second
)

const outageKey = "outage"

// Outage returns what is known; nil: the engine has answered last.
func (s *OutageStore) Outage(ctx context.Context) *engine.Outage {
	text, err := s.Store.Setting(ctx, outageKey)
	if err != nil || text == "" {
		return nil
	}
	o := &engine.Outage{}
	if json.Unmarshal([]byte(text), o) != nil {
		return nil
	}
	return o
}

// Check returns why the engine is not to be asked now; known says that it was unavailable when it was asked last. Of
// several that ask after a while one is let through.
func (s *OutageStore) Check(ctx context.Context) (known bool, err error) {
	o := s.Outage(ctx)
	if o == nil {
		return false, nil
	}
	rest := retryUnavailable
	if o.Kind != apperr.Unavailable {
		rest = retryRefused
	}
	if elapsed(s.Now(), o.Seen) < rest {
		return true, &apperr.Error{Kind: o.Kind, Err: engine.ErrOutage,
			Message: i18n.Text(o.Message), Advice: i18n.Text(o.Advice)}
	}
	o.Seen = s.Now()
	s.write(ctx, o)
	return true, nil
}

// Record notes what asking the engine has led to. Errors that are not ErrOutage are answers.
func (s *OutageStore) Record(ctx context.Context, known bool, err error) {
	ctx = context.WithoutCancel(ctx) // it may have ended with the wait for the engine
	switch {
	case !errors.Is(err, engine.ErrOutage) && known:
		s.write(ctx, nil)
	case errors.Is(err, engine.ErrOutage):
		f := apperr.Of(err)
		o := s.Outage(ctx)
		if o == nil || o.Kind != f.Kind {
			o = &engine.Outage{Since: s.Now()}
		}
		o.Seen, o.Kind, o.Message, o.Advice = s.Now(), f.Kind, i18n.Stored(f.Message), i18n.Stored(f.Advice)
		s.write(ctx, o)
	}
}

func (s *OutageStore) write(ctx context.Context, o *engine.Outage) {
	text := []byte{}
	if o != nil {
		text, _ = json.Marshal(o)
	}
	if err := s.Store.SetSetting(ctx, outageKey, string(text)); err != nil {
		s.Logger.Warn("that the build service is away, or back, was not noted", "error", err)
	}
}

// explainOutage gives open builds the outage of an engine that is unavailable as their reason.
func (r *Reconciler) explainOutage(ctx context.Context, jobs []*store.Job, builds ...*store.Build) {
	for _, j := range jobs {
		if j.Last != nil {
			applyEngineError(j, j.Last)
			builds = append(builds, j.Last)
		}
	}
	reporter, ok := r.Engine.(engine.OutageReporter)
	if !ok {
		return
	}
	var o *engine.Outage
	asked := false
	for _, b := range builds {
		if !b.Open() {
			continue
		}
		if !asked {
			o, asked = reporter.Outage(ctx), true
		}
		if o != nil {
			b.Reason, b.Position = outageReason(o, b), 0
		}
	}
}

// applyEngineError gives a build that the engine has not been asked for the reason why its job is refused.
func applyEngineError(j *store.Job, b *store.Build) {
	if b.State == engine.Queued && b.Ticket == "" && !j.EngineError.IsZero() {
		b.Reason = j.EngineError
	}
}

const outageTime = "2006-01-02 15:04 UTC"

// outageReason is what a build's owner reads.
func outageReason(o *engine.Outage, b *store.Build) i18n.Text {
	at := o.Since.UTC().Format(outageTime)
	if o.Kind != apperr.Unavailable {
		switch {
		case b.StopRequested:
			return i18n.T("The build service rejects this site since %s: contact the administrator. The build stops after that.",
				at)
		case b.State == engine.Queued:
			return i18n.T("The build service rejects this site since %s: contact the administrator. The build starts after that.",
				at)
		}
		return i18n.T("The build service rejects this site since %s: contact the administrator. The progress of the build "+
			"is unknown.",
			at)
	}
	switch {
	case b.StopRequested:
		return i18n.T("The build service is unavailable since %s. The build stops when it is available again.", at)
	case b.State == engine.Queued:
		return i18n.T("The build service is unavailable since %s. The build starts when it is available again.", at)
	}
	return i18n.T("The build service is unavailable since %s. The progress of the build is unknown.", at)
}
