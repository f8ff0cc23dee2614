package reconcile

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

// settings are a settingStore in memory, which fails when err says so.
type settings struct {
	values map[string]string
	err    error
}

func (s *settings) Setting(_ context.Context, name string) (string, error) {
	return s.values[name], s.err
}

func (s *settings) SetSetting(_ context.Context, name, value string) error {
	if s.err == nil {
		s.values[name] = value
	}
	return s.err
}

// outages returns a store of outages with a clock that only the test moves.
func outages(err error) (o *OutageStore, now *time.Time, log *bytes.Buffer) {
	now, log = new(time.Time), &bytes.Buffer{}
	*now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &OutageStore{Store: &settings{map[string]string{}, err}, Now: func() time.Time { return *now },
		Logger: slog.New(slog.NewTextHandler(log, nil))}, now, log
}

func TestAnEngineThatIsAwayIsAskedAgainByOneRequestAfterAWhile(t *testing.T) {
	for kind, rest := range map[apperr.Kind]time.Duration{
		apperr.Unavailable: retryUnavailable, apperr.PermissionDenied: retryRefused,
	} {
		o, now, _ := outages(nil)
		away := apperr.Wrap(kind, engine.ErrOutage, "It is away.", "Wait.")
		o.Record(t.Context(), false, away)
		*now = now.Add(rest - time.Second)
		if known, err := o.Check(t.Context()); !known || apperr.KindOf(err) != kind {
			t.Errorf("%s: before the time: %v, %v", kind, known, err)
		}
		*now = now.Add(time.Second)
		if known, err := o.Check(t.Context()); !known || err != nil {
			t.Errorf("%s: the first afterwards: %v, %v", kind, known, err)
		}
		if _, err := o.Check(t.Context()); apperr.KindOf(err) != kind {
			t.Errorf("%s: the second afterwards: %v", kind, err)
		}
		o.Record(t.Context(), true, nil)
		if known, err := o.Check(t.Context()); known || err != nil {
			t.Errorf("%s: after an answer: %v, %v", kind, known, err)
		}
	}
}

// Where nothing can be noted, the engine is asked by each request: builds go on, and the log says why it is slow.
func TestAnOutageThatCanNotBeNotedKeepsNobodyFromAsking(t *testing.T) {
	o, _, log := outages(errors.New("disk I/O error"))
	o.Record(t.Context(), false, apperr.Wrap(apperr.Unavailable, engine.ErrOutage, "It is away.", "Wait."))
	if known, err := o.Check(t.Context()); known || err != nil {
		t.Errorf("%v, %v", known, err)
	}
	if !strings.Contains(log.String(), "disk I/O error") {
		t.Errorf("the log: %s", log)
	}
}
