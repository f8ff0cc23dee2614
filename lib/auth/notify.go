package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"toaster.do/lib/store"
)

// How long somebody who signed up is remembered who doesn't go on; where no mail is set up it is the administrator who
// has to.
const (
	unproven  = 48 * time.Hour
	unknownTo = 30 * 24 * time.Hour
)

// notifyStore is what emails about builds, and tidying up, need of the database.
type notifyStore interface {
	ForgetOnce(ctx context.Context, since time.Time) error
	Notified(ctx context.Context, b *store.Build, now time.Time, l store.Mail) error
	Purge(ctx context.Context, now time.Time, signedUp time.Time) error
	Unnotified(ctx context.Context, most int) (found []store.Ended, err error)
}

// Tidy forgets users who were removed or never went on after they had signed up, and after a day forms that wait and
// what requests that name themselves did.
func (a *Accounts) Tidy(ctx context.Context) error {
	patience := unproven
	if !a.cfg.Mail.On() {
		patience = unknownTo
	}
	return errors.Join(a.db.Purge(ctx, a.Now(), a.Now().Add(-patience)), a.db.ForgetOnce(ctx, a.Now().Add(-24*time.Hour)))
}

// NotifyEnds posts the emails about builds that have ended, to those who want them.
func (a *Accounts) NotifyEnds(ctx context.Context) error {
	ended, err := a.db.Unnotified(ctx, 100)
	if err != nil {
		return err
	}
	for _, e := range ended {
		if err := a.db.Notified(ctx, e.Build, a.Now(), a.mailOf(ctx, e)); err != nil {
			return err
		}
	}
	return nil
}

// PackageChange is a package that has another version in an image than in the one before; empty: it is not there.
type PackageChange struct{ Name, From, To string }

// mailOf is the email about a build; none where the schedule has built the same packages again.
func (a *Accounts) mailOf(ctx context.Context, e store.Ended) store.Mail {
	if !e.Build.Scheduled || e.Build.State != store.Succeeded || a.Changes == nil {
		return a.endMail(e, "")
	}
	changes, since, err := a.Changes(ctx, e.Job, e.Build.Number)
	switch {
	case err != nil || since == 0: // what it was before is unknown
		return a.endMail(e, "")
	case len(changes) == 0:
		return store.Mail{}
	}
	var list strings.Builder
	fmt.Fprintf(&list, "Packages that changed since build %d:\n", since)
	for i, c := range changes {
		if i == mostChanges {
			fmt.Fprintf(&list, "    and %d more\n", len(changes)-i)
			break
		}
		fmt.Fprintf(&list, "    %s %s -> %s\n", c.Name, cmp.Or(c.From, "(none)"), cmp.Or(c.To, "(removed)"))
	}
	return a.endMail(e, strings.TrimSuffix(list.String(), "\n"))
}

// mostChanges is how many packages an email lists.
const mostChanges = 200

// endMail says how a build ended, what is new in it, and where to go on.
func (a *Accounts) endMail(e store.Ended, news string) store.Mail {
	b := e.Build
	what := fmt.Sprintf("Build %d of %s for %s %s", b.Number, e.Job.Name, e.Job.TargetTitle, b.State)
	if !b.StartedAt.IsZero() && !b.EndedAt.IsZero() {
		what += " after " + max(0, b.EndedAt.Sub(b.StartedAt).Round(time.Second)).String()
	}
	paragraphs := []string{what + ".", a.page(fmt.Sprintf("/jobs/%s/builds/%d", e.Job.ID, b.Number), "")}
	if b.State != store.Succeeded && !b.Why().IsZero() {
		paragraphs = append(paragraphs[:1], append([]string{b.Why().String()}, paragraphs[1:]...)...)
	}
	if news != "" {
		paragraphs = append(paragraphs, news)
	}
	if len(e.Files) > 0 && b.State == store.Succeeded {
		var list strings.Builder
		for _, f := range e.Files {
			fmt.Fprintf(&list, "%s\n    %d bytes\n", f.Path, f.Size)
			if f.SHA256 != "" {
				fmt.Fprintf(&list, "    SHA-256 %s\n", f.SHA256)
			}
		}
		paragraphs = append(paragraphs, strings.TrimSuffix(list.String(), "\n"))
	}
	paragraphs = append(paragraphs, "To change when you get these emails, open:", a.page("/account", ""))
	return a.mail(store.BuildMail, e.Owner, fmt.Sprintf("%s: build %d %s", e.Job.Name, b.Number, b.State), paragraphs...)
}
