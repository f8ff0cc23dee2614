package auth

import (
	"context"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// ChangeAddress posts a link to the address that a user wants to have, and tells the one that they have. Whether the
// new one has an account already shows in the email that it gets, and in nothing else. InvalidArgument: the Field
// "email" or "confirm". PermissionDenied: there is no mail on this site.
func (a *Accounts) ChangeAddress(ctx context.Context, p *store.User, email, password string) error {
	if !a.cfg.Mail.On() {
		return apperr.New(apperr.PermissionDenied, "This site sends no mail, so a new address can't be proven.", "Ask the administrator.")
	}
	email = strings.TrimSpace(email)
	wrong := checkEmail(email)
	if wrong == nil && strings.EqualFold(email, p.Email) {
		wrong = apperr.New(apperr.InvalidArgument, "This is the address that you have.", "").At("email")
	}
	if wrong == nil && !p.IsAdmin() {
		wrong = a.admitDomain(email)
	}
	if err := a.confirmed(ctx, p, password, "confirm", wrong); err != nil {
		return err
	}
	other, err := a.find(ctx, email)
	if err != nil {
		return err
	}
	if other != nil {
		_, err := a.db.QueueMail(ctx, a.Now(), a.takenMail(other.Email))
		return err
	}
	link, secret := a.link("address", email, addressLife)
	return a.db.SendEmailToken(ctx, p.ID, link, a.addressMail(email, secret),
		a.news(p.Email, "New address", "Your account is to get the address "+email+", as soon as it is proven by a link that was sent there."))
}

// ConfirmAddress gives the user of a link the address that it was sent to. NotFound: it doesn't work any more.
// AlreadyExists: the address has an account meanwhile.
func (a *Accounts) ConfirmAddress(ctx context.Context, secret string, by store.AuditEntry) error {
	l, p, err := a.db.FindEmailToken(ctx, "address", secret, a.Now())
	if err != nil {
		return err
	}
	mail := a.mail(store.AccountMail, p.Email, "New address at "+a.cfg.Site.Name, "Your account has the address "+l.Email+" now. Letters no longer go to this one.",
		"If it wasn't you, somebody else uses your account: tell the administrator.")
	by.Actor = p.ID
	return a.db.SetAddress(ctx, l, a.Now(), mail, by)
}
