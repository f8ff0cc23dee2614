package session

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/fault"
	"toaster.do/lib/store"
)

const (
	draftLife = time.Hour
	draftKeep = 5
	// draftRest is room for what a form has beside Dockerfile and context.
	draftRest config.Size = 64 << 10
)

// SaveDraft keeps a form for a person whose session ran out while they filled it in, for an hour. Keys are the
// form's fields. It returns the id to ask for after the log-in. A person has at most 5; the oldest goes first.
// A form that is larger than a job's may be is TooLarge.
func (m *Manager) SaveDraft(ctx context.Context, person int64, form map[string][]byte) (id string, err error) {
	limit := m.cfg.Limits.Dockerfile + m.cfg.Limits.Context + draftRest
	var size config.Size
	for name, value := range form {
		size += config.Size(len(name) + len(value))
	}
	if size > limit {
		return "", fault.New(fault.TooLarge, fmt.Sprintf("The form is larger than %s, so it can't be kept until you have logged in.", limit), "Log in, then send it again.")
	}
	text, err := json.Marshal(form)
	if err != nil {
		return "", err
	}
	id = rand.Text()
	now := m.Now()
	d := store.Draft{ID: id, PersonID: person, CreatedAt: now, Form: text}
	return id, m.db.AddDraft(ctx, d, now.Add(-draftLife), draftKeep)
}

// Draft hands out a person's draft, once. NotFound: it was fetched before, is too old, or somebody else's.
func (m *Manager) Draft(ctx context.Context, person int64, id string) (form map[string][]byte, err error) {
	text, err := m.db.TakeDraft(ctx, person, id, m.Now().Add(-draftLife))
	if err != nil {
		return nil, err
	}
	return form, json.Unmarshal(text, &form)
}
