package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// ErrAway is in the errors of an engine that can't be asked for anything now: it doesn't answer, it refuses this site's
// account, or something else answers in its place.
var ErrAway = errors.New("the build service is unavailable")

// Memory is what programs that live for a request remember together of an engine that is away: nobody waits for it again
// who just has to be told so.
type Memory struct {
	Store  *store.DB
	Now    func() time.Time
	Logger *slog.Logger
}

// Outage is a time in which an engine is away.
type Outage struct {
	Since   time.Time   `json:"since"`
	Seen    time.Time   `json:"seen"` // when it was found so last
	Kind    apperr.Kind `json:"kind"`
	Message string      `json:"message"` // for a person
	Advice  string      `json:"advice"`
}

// How long an engine that is away is left alone. What only an administrator can mend is not mended in seconds.
const (
	awayRest    = 10 * time.Second
	refusedRest = 30 * time.Second
)

const outageFact = "outage"

// Outage returns what is known; nil: the engine has answered last.
func (m *Memory) Outage(ctx context.Context) *Outage {
	text, err := m.Store.Fact(ctx, outageFact)
	if err != nil || text == "" {
		return nil
	}
	o := &Outage{}
	if json.Unmarshal([]byte(text), o) != nil {
		return nil
	}
	return o
}

// Away returns why the engine is not to be asked now; known says that it was away when it was asked last. Of several that
// ask after a while one is let through.
func (m *Memory) Away(ctx context.Context) (known bool, err error) {
	o := m.Outage(ctx)
	if o == nil {
		return false, nil
	}
	rest := awayRest
	if o.Kind != apperr.Unavailable {
		rest = refusedRest
	}
	if since(m.Now(), o.Seen) < rest {
		return true, apperr.Wrap(o.Kind, ErrAway, o.Message, o.Advice)
	}
	o.Seen = m.Now()
	m.write(ctx, o)
	return true, nil
}

// Found notes what asking the engine has led to. Errors that are not ErrAway are answers.
func (m *Memory) Found(ctx context.Context, known bool, err error) {
	ctx = context.WithoutCancel(ctx) // it may have ended with the wait for the engine
	switch {
	case !errors.Is(err, ErrAway) && known:
		m.write(ctx, nil)
	case errors.Is(err, ErrAway):
		f := apperr.Of(err)
		o := m.Outage(ctx)
		if o == nil || o.Kind != f.Kind {
			o = &Outage{Since: m.Now()}
		}
		o.Seen, o.Kind, o.Message, o.Advice = m.Now(), f.Kind, f.Message, f.Advice
		m.write(ctx, o)
	}
}

func (m *Memory) write(ctx context.Context, o *Outage) {
	text := []byte{}
	if o != nil {
		text, _ = json.Marshal(o)
	}
	if err := m.Store.SetFact(ctx, outageFact, string(text)); err != nil {
		m.Logger.Warn("that the build service is away, or back, was not noted", "error", err)
	}
}

// Rememberer is an Engine that remembers when it is away.
type Rememberer interface {
	// Outage returns since when it is away, and why; nil: it has answered last.
	Outage(ctx context.Context) *Outage
}

// outage says of an engine that is away that it is, to whoever has something open there: what becomes of it.
func (s *Follower) outage(ctx context.Context, jobs []*store.Job, builds ...*store.Build) {
	for _, j := range jobs {
		if j.Last != nil {
			refused(j, j.Last)
			builds = append(builds, j.Last)
		}
	}
	remembers, ok := s.Engine.(Rememberer)
	if !ok {
		return
	}
	var o *Outage
	asked := false
	for _, b := range builds {
		if !b.Open() {
			continue
		}
		if !asked {
			o, asked = remembers.Outage(ctx), true
		}
		if o != nil {
			b.Reason, b.Position = o.says(b), 0
		}
	}
}

// refused gives a build that waits to be asked for the reason why its job can't be.
func refused(j *store.Job, b *store.Build) {
	if b.State == string(Queued) && b.Ticket == "" && j.Problem != "" {
		b.Reason = j.Problem
	}
}

const outageTime = "2006-01-02 15:04 UTC"

// says is what a build's owner is told.
func (o *Outage) says(b *store.Build) string {
	at := o.Since.UTC().Format(outageTime)
	if o.Kind != apperr.Unavailable {
		switch {
		case b.Stop:
			return fmt.Sprintf("The build service rejects this site since %s: contact the administrator. The build stops after that.", at)
		case b.State == string(Queued):
			return fmt.Sprintf("The build service rejects this site since %s: contact the administrator. The build starts after that.", at)
		}
		return fmt.Sprintf("The build service rejects this site since %s: contact the administrator. The progress of the build is unknown.", at)
	}
	switch {
	case b.Stop:
		return fmt.Sprintf("The build service is unavailable since %s. The build stops when it is available again.", at)
	case b.State == string(Queued):
		return fmt.Sprintf("The build service is unavailable since %s. The build starts when it is available again.", at)
	}
	return fmt.Sprintf("The build service is unavailable since %s. The progress of the build is unknown.", at)
}
