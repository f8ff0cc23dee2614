package web

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// admits tells whether whoever has sent the request may use a route with this access; a nil error: they may.
func (a Access) admits(r *Request) error {
	if a == Anyone {
		return nil
	}
	p, token := r.Identity.User, r.Identity.Token
	switch {
	case token != nil && (token.Scope == store.ScopeMetrics) != (a == Metrics):
		return apperr.New(apperr.PermissionDenied, "This token has another scope.",
			"/admin/metrics needs a token with the scope “metrics”. Such a token can read nothing else.")
	case a == Writer && !r.Identity.MayWrite():
		return apperr.New(apperr.PermissionDenied, "This token has the scope “read”.", "Use a token with the scope “write”.")
	case (a == Admin || a == Browser) && token != nil:
		return apperr.New(apperr.PermissionDenied, "This page does not accept tokens.", "Log in with a browser.")
	case r.Site.Config.Session.SecondFactor && !p.HasFactor() && !r.setsUp():
		return needsFactor()
	case a != Admin && a != Metrics:
		return nil
	case !p.IsAdmin():
		return apperr.New(apperr.PermissionDenied, "This page is for administrators.",
			"Log in with an administrator's account.")
	case token == nil && r.Site.Config.NeedsFactor(p.IsAdmin()) && !p.HasFactor():
		return needsFactor()
	}
	return nil
}

func needsFactor() error {
	return apperr.New(apperr.PermissionDenied, "Your account requires two-factor authentication on this site.",
		"Set it up in your account, then try again.")
}

// setsUp tells whether the request is for what somebody needs who has no second factor yet: all of the account but
// tokens, which would be a way around it.
func (r *Request) setsUp() bool {
	return r.app.Program == "account" && !strings.HasPrefix(r.path, "/tokens")
}

// Entry is a line for the audit trail about what the request does.
func (r *Request) Entry(action, object, detail string) store.AuditEntry {
	e := store.AuditEntry{At: time.Now(), Means: "web", Address: r.Site.Sessions.Address(r.Request), Action: action,
		Object: object, Detail: detail}
	if r.Identity.User != nil {
		e.Actor = r.Identity.User.ID
	}
	if r.Identity.Token != nil {
		e.Means = "token"
	}
	return e
}

// Network counts one more request of a kind from the sender's network, until it is forgiven. Too many are RateLimited.
func (r *Request) Network(what string, rates []store.Rate) (store.Tried, error) {
	limits := store.FromNetworks(what, r.Site.Sessions.Address(r.Request), rates)
	return r.Site.store.Try(r.Context(), time.Now(), limits...)
}

// Allow counts one more request of a kind, such as "recover", from the sender's network, and for an account where one
// is named (somebody's address as it was typed; it is not stored). Too many are RateLimited.
func (r *Request) Allow(what, account string) error {
	limits := store.FromNetworks(what, r.Site.Sessions.Address(r.Request), store.Guesses)
	if account = strings.ToLower(strings.TrimSpace(account)); account != "" {
		d := sha256.Sum256([]byte(account))
		limits = append(limits, store.Limit{Key: what + ":account:" + hex.EncodeToString(d[:16]), Rates: store.MailRates})
	}
	return r.Count(limits...)
}

// Count counts the request. A look at a page is counted only where nothing has to be waited for.
func (r *Request) Count(limits ...store.Limit) error {
	_, err := r.Site.store.Try(r.Context(), time.Now(), limits...)
	if r.Method != http.MethodPost && apperr.KindOf(err) == apperr.Unavailable {
		return nil
	}
	return err
}
