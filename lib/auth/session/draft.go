package session

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

const (
	draftLife = 24 * time.Hour
	draftKeep = 8
	// draftRest is room for what a form has beside Dockerfile and context.
	draftRest config.Size = 256 << 10
	// draftNobody bounds one form of somebody of whom nothing is known, and draftAll all of those together.
	draftNobody config.Size = 512 << 10
	draftAll                = 64 << 20
	// draftContext is how large a build context in a form may be: one that was sent to a job lies in a file.
	draftContext config.Size = 1 << 20
)

// drafting are the rates for forms of users of whom nothing is known.
var drafting = []store.Rate{{Count: 10, Within: time.Minute}, {Count: 60, Within: time.Hour}}

// draftStore is what kept forms need of the database.
type draftStore interface {
	AddDraft(ctx context.Context, d store.Draft, quota store.DraftQuota) error
	Draft(ctx context.Context, user int64, id string, secret string, since time.Time) (form []byte, err error)
	Try(ctx context.Context, now time.Time, limits ...store.Limit) (t store.Tried, err error)
}

// SaveDraft keeps a form of a user for a day. Keys are the form's fields. It returns the id to ask for. A user has
// at most 8; the oldest goes first. A form that is larger than a job's may be is TooLarge.
func (m *Manager) SaveDraft(ctx context.Context, user int64, form map[string][]byte) (id string, err error) {
	return m.saveDraft(ctx, store.Draft{UserID: user}, form, m.cfg.Limits.Dockerfile*4+draftContext+draftRest)
}

// SaveDraftFor is SaveDraft for a sender of whom nothing is known: whoever logs in with this browser, which gets a
// cookie for it, has the form. From each network few are taken (RateLimited), and small ones only (TooLarge).
func (m *Manager) SaveDraftFor(w http.ResponseWriter, r *http.Request, form map[string][]byte) (id string, err error) {
	limits := store.FromNetworks("draft", m.Address(r), drafting)
	if _, err := m.db.Try(r.Context(), m.Now(), limits...); err != nil {
		return "", err
	}
	secret := rand.Text()
	if id, err = m.saveDraft(r.Context(), store.Draft{Secret: secret}, form, draftNobody); err != nil {
		return "", err
	}
	c := m.cookie(r)
	c.Name, c.Value, c.MaxAge = c.Name+"-draft-"+id, secret, int(draftLife/time.Second)
	http.SetCookie(w, c)
	return id, nil
}

func (m *Manager) saveDraft(ctx context.Context, d store.Draft, form map[string][]byte, limit config.Size) (string,
	error) {
	var size config.Size
	for name, value := range form {
		size += config.Size(len(name) + len(value))
	}
	if size > limit {
		return "", apperr.New(apperr.TooLarge, "The form is larger than %s, so it can't be kept while you log in.",
			"Log in, then try again.", limit)
	}
	text, err := json.Marshal(form)
	if err != nil {
		return "", err
	}
	d.ID, d.CreatedAt, d.Form = rand.Text(), m.Now(), text
	return d.ID, m.db.AddDraft(ctx, d, store.DraftQuota{Since: d.CreatedAt.Add(-draftLife), Each: draftKeep,
		Bytes: draftAll})
}

// Draft returns a form that is kept for a user who has sent r. NotFound: it is too old, or somebody else's.
func (m *Manager) Draft(r *http.Request, user int64, id string) (form map[string][]byte, err error) {
	secret := ""
	if c, err := r.Cookie(m.cookie(r).Name + "-draft-" + id); err == nil {
		secret = c.Value
	}
	text, err := m.db.Draft(r.Context(), user, id, secret, m.Now().Add(-draftLife))
	if err != nil {
		return nil, err
	}
	return form, json.Unmarshal(text, &form)
}
