// Command account is the CGI program for everything below /account: signing up, logging in and out, and all that
// belongs to one's account.
package main

import (
	"context"
	"net/http"
	"os"
	"slices"
	"time"

	"toaster.do/lib/auth"
	"toaster.do/lib/config"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

func main() { os.Exit(web.Main("account", routes)) }

const get, post = http.MethodGet, http.MethodPost

var routes = []web.Route{
	{Method: get, Path: "", Access: web.User, Do: profile},
	{Method: post, Path: "", Access: web.Browser, Do: setProfile, Fields: fields("name", "notify"), Again: "/"},
	{Method: get, Path: "/login", Access: web.Anyone, Do: loginForm},
	{Method: post, Path: "/login", Access: web.Anyone, Do: login, Fields: fields("email", "password", "next", "code"),
		Repeat: true},
	{Method: get, Path: "/cookie", Access: web.Anyone, Do: cookieCheck},
	{Method: get, Path: "/login/code", Access: web.Anyone, Do: codeForm},
	{Method: post, Path: "/login/code", Access: web.Anyone, Do: loginCode, Fields: fields("state", "code", "next"),
		Repeat: true},
	{Method: post, Path: "/logout", Access: web.Anyone, Do: logout, Repeat: true},
	{Method: get, Path: "/signup", Access: web.Anyone, Do: signupForm},
	{Method: post, Path: "/signup", Access: web.Anyone, Do: signup, Fields: fields("name", "email", "password")},
	{Method: get, Path: "/sent", Access: web.Anyone, Do: sent},
	{Method: get, Path: "/activate", Access: web.Anyone, Do: activateForm},
	{Method: post, Path: "/activate", Access: web.Anyone, Do: activate, Fields: fields("link", "email", "password")},
	{Method: get, Path: "/resend", Access: web.Anyone, Do: resendForm},
	{Method: post, Path: "/resend", Access: web.Anyone, Do: resend, Fields: fields("email")},
	{Method: get, Path: "/recover", Access: web.Anyone, Do: recoverForm},
	{Method: post, Path: "/recover", Access: web.Anyone, Do: recoverAccount, Fields: fields("email")},
	{Method: get, Path: "/reset", Access: web.Anyone, Do: resetForm},
	{Method: post, Path: "/reset", Access: web.Anyone, Do: reset, Fields: fields("link", "email", "password", "tokens")},
	{Method: get, Path: "/password", Access: web.Browser, Do: passwordForm},
	{Method: post, Path: "/password", Access: web.Browser, Do: changePassword,
		Fields: fields("email", "old", "password", "tokens"), Again: "/password"},
	{Method: get, Path: "/address", Access: web.Anyone, Do: addressForm},
	{Method: post, Path: "/address", Access: web.Browser, Do: changeAddress, Fields: fields("email", "confirm"),
		Again: "/address"},
	{Method: post, Path: "/address/confirm", Access: web.Anyone, Do: confirmAddress, Fields: fields("link")},
	{Method: get, Path: "/sessions", Access: web.Browser, Do: sessions},
	{Method: post, Path: "/sessions/end", Access: web.Browser, Do: endSessions, Fields: fields("confirm"),
		Again: "/sessions"},
	{Method: post, Path: "/sessions/{id}/end", Access: web.Browser, Do: endSession, Fields: fields("confirm"),
		Again: "/sessions"},
	{Method: get, Path: "/factor", Access: web.Browser, Do: factorForm},
	{Method: post, Path: "/factor", Access: web.Browser, Do: enableFactor, Fields: fields("state", "code", "confirm"),
		Again: "/factor"},
	{Method: get, Path: "/factor/codes", Access: web.Browser, Do: codes},
	{Method: post, Path: "/factor/codes", Access: web.Browser, Do: renewCodes, Fields: fields("confirm"),
		Again: "/factor"},
	{Method: post, Path: "/factor/disable", Access: web.Browser, Do: disableFactor, Fields: fields("confirm"),
		Again: "/factor"},
	{Method: get, Path: "/tokens", Access: web.Browser, Do: tokens},
	{Method: post, Path: "/tokens", Access: web.Browser, Do: addToken, Fields: fields("name", "scope", "days"),
		Again: "/tokens"},
	{Method: post, Path: "/tokens/{id}/remove", Access: web.Browser, Do: removeToken, Again: "/tokens"},
	{Method: get, Path: "/export", Access: web.Browser, Do: export},
	{Method: get, Path: "/remove", Access: web.Browser, Do: removeForm},
	{Method: post, Path: "/remove", Access: web.Browser, Do: remove, Fields: fields("confirm", "word"), Again: "/remove"},
}

// secrets are fields that are never kept for who sent them, hidden those that nobody types.
var (
	secrets = []string{"password", "old", "confirm", "code", "state", "link"}
	hidden  = []string{"state", "link", "next"}
)

// fields are a form's, all of them short.
func fields(names ...string) func(*config.Config) web.Fields {
	return func(*config.Config) web.Fields {
		f := web.Fields{}
		for _, name := range names {
			f[name] = web.Limit{Most: 4 << 10, Secret: slices.Contains(secrets, name), Hidden: slices.Contains(hidden, name)}
		}
		return f
	}
}

// accounts are those of the site, which check new passwords.
func accounts(r *web.Request) *auth.Accounts {
	a := auth.New(r.Site.Config, r.Site.DB).From(r.Site.Sessions.Known(r.Request))
	a.Strength = auth.StrengthBeside
	return a
}

func address(r *web.Request) string { return r.Site.Sessions.Address(r.Request) }

// notices are what a page can say has just been done: the page before names one in its redirect.
var notices = map[string]i18n.Key{
	"profile":   "Saved.",
	"password":  "Your new password is saved. All your other sessions have ended.",
	"reset":     "Your new password is saved. Log in with it.",
	"active":    "Your account is active. Log in.",
	"address":   "Your email address is changed. Use it to log in from now on.",
	"session":   "The session has ended.",
	"sessions":  "All your other sessions have ended.",
	"factor":    "Two-factor authentication is disabled.",
	"token":     "The token is revoked.",
	"removed":   "Your account is deleted.",
	"logged-in": "You are logged in.",
}

func notice(r *web.Request) i18n.Key { return notices[r.URL.Query().Get("note")] }

// pageStore is what these pages need of the database themselves.
type pageStore interface {
	EndOneSession(ctx context.Context, user int64, id int64, at time.Time) error
	EndOtherSessions(ctx context.Context, user int64, keep int64, at time.Time) error
	RecoveryCodes(ctx context.Context, user int64) (n int, err error)
	RemoveToken(ctx context.Context, user int64, id int64, e store.AuditEntry) error
	Sessions(ctx context.Context, user int64, now time.Time, idle time.Duration) (found []*store.Session, err error)
	SetProfile(ctx context.Context, user int64, name string, notify store.Notify) error
	Tokens(ctx context.Context, user int64) (found []*store.Token, err error)
	UserByID(ctx context.Context, id int64) (*store.User, error)
}

func db(r *web.Request) pageStore { return r.Site.DB }
