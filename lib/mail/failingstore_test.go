package mail

import (
	"context"
	"errors"
	"testing"
	"time"

	"toaster.do/lib/store"
)

// failingStore has three emails that are due, and fails in what has an error.
type failingStore struct {
	due, claim, remove, postpone error
	deferred                     int
}

func (f *failingStore) DueMails(context.Context, time.Time, int) ([]store.Mail, error) {
	m := store.Mail{Recipient: "anna@example.org", Subject: "Hello", Body: "Hello\n", Class: store.AccountMail,
		CreatedAt: begin}
	return []store.Mail{m, m, m}, f.due
}

func (f *failingStore) ClaimMail(context.Context, int64, time.Time, time.Time) (bool, error) {
	return f.claim == nil, f.claim
}

func (f *failingStore) DeleteMail(context.Context, int64) error { return f.remove }

func (f *failingStore) DeferMail(context.Context, int64, string, time.Time) error {
	f.deferred++
	return f.postpone
}

// What can't be written down would be sent again and again: the run ends with the first such email.
func TestNothingIsSentThatTheDatabaseCanNotNote(t *testing.T) {
	broken := errors.New("disk I/O error")
	for _, c := range []struct {
		what     string
		store    failingStore
		arrive   int
		deferred int
		away     bool
	}{
		{"the list", failingStore{due: broken}, 0, 0, false},
		{"a claim", failingStore{claim: broken}, 0, 0, false},
		{"that it was sent", failingStore{remove: broken}, 1, 0, false},
		{"that it was not", failingStore{postpone: broken}, 0, 1, true},
	} {
		p := newPost(t)
		p.start()
		if c.away {
			p.server.Stop()
		}
		sent, err := p.deliverFrom(&c.store)
		if !errors.Is(err, broken) || sent != 0 || c.store.deferred != c.deferred {
			t.Errorf("%s: %d sent, %d deferred, %v", c.what, sent, c.store.deferred, err)
		}
		if n := len(p.server.Mails()); n != c.arrive {
			t.Errorf("%s: %d arrived", c.what, n)
		}
	}
}
