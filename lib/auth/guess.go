package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// An account at which more than pressure wrong passwords were tried within the hour is being attacked. From then
// on each network that its owner has not logged in from before gets the rates siege for that account.
const pressure = 20

var siege = []store.Rate{{Count: 1, Within: time.Minute}, {Count: 5, Within: time.Hour}}

// How many wrong passwords, or wrong codes, are taken one after the other, however slowly: of all strangers
// together, and of each browser and each network that the account was used with before. Even who has one of each
// has no more than NIST's 100 (SP 800-63B, 5.2.2), and no stranger can use up what is the owner's.
const (
	strangers = 60
	trusted   = 20
)

// guessStore counts tries.
type guessStore interface {
	KnowsNetwork(ctx context.Context, user int64, address string) (known bool, err error)
	Tries(ctx context.Context, now time.Time, key string, most int) (n int, err error)
	Try(ctx context.Context, now time.Time, limits ...store.Limit) (t store.Tried, err error)
}

// admit counts the try of something, "login" or "factor", where it is allowed: first as one of a browser that is known,
// then of a network that is known, then of a stranger. RateLimited: too many at a time. PermissionDenied: too many in a
// row.
func (a *Accounts) admit(ctx context.Context, what string, p *store.User, email, address string) (
	tries store.Tried, err error) {
	g := guess{what: what, account: what + ":account:" + accountKey(email)}
	if p != nil {
		g.user = p.ID
	}
	if a.knows(p, what) {
		browser := ":browser:" + a.browser.ID
		tries, err = a.db.Try(ctx, a.Now(), store.Limit{Key: what + browser, Rates: store.Guesses},
			g.row(browser, trusted))
		if err == nil || apperr.KindOf(err) != apperr.PermissionDenied {
			return tries, err
		}
	}
	known, err := a.db.KnowsNetwork(ctx, g.user, address)
	if err != nil {
		return tries, err
	}
	from := store.FromNetworks(what, address, store.Guesses)
	both := store.Limit{Key: g.account + ":" + store.Network(address)}
	if known {
		row := g.row(":network:"+store.Network(address), trusted)
		tries, err = a.db.Try(ctx, a.Now(), from[0], store.Limit{Key: g.account}, both, row)
		if err == nil || apperr.KindOf(err) != apperr.PermissionDenied {
			return tries, err
		}
	}
	n, err := a.db.Tries(ctx, a.Now(), g.account, pressure)
	if err != nil {
		return tries, err
	}
	if n >= pressure {
		both.Rates = siege
	}
	tries, err = a.db.Try(ctx, a.Now(),
		append(from, store.Limit{Key: g.account}, both, g.row(":strangers", strangers))...)
	if err != nil && apperr.KindOf(err) == apperr.PermissionDenied {
		return tries, shut(what)
	}
	return tries, err
}

// guess is a try of what belongs to an account; user is 0 where the address that was typed has none.
type guess struct {
	what, account string
	user          int64
}

func (g guess) row(who string, most int) store.Limit {
	key := g.account + who
	if g.user != 0 {
		key = fmt.Sprintf("%s:person:%d%s", g.what, g.user, who)
	}
	return store.Limit{Key: key, InARow: most, UserID: g.user, What: g.what}
}

// knows tells whether p has logged in with the browser before; where it is about the second factor, with that.
func (a *Accounts) knows(p *store.User, what string) bool {
	return p != nil && p.ID == a.browser.UserID && p.Browsers == a.browser.Epoch &&
		(a.browser.Factor || what != "factor")
}

// shut is what strangers are told, the owner in a browser that is new among them.
func shut(what string) error {
	if what == "factor" {
		return apperr.New(apperr.PermissionDenied, "Too many wrong codes for this account.",
			"Enter a recovery code, or log in with a browser that you have used here before. Somebody knows your password: "+
				"change it.")
	}
	return apperr.New(apperr.PermissionDenied, "Too many wrong passwords for this account.",
		"Log in with a browser that you have used here before, reset your password with “Forgot your password?”, or ask "+
			"the administrator.")
}

// confirmations keeps whoever sits at a browser that was left alone from guessing: logging in again ends the row.
func confirmations(p *store.User) []store.Limit {
	key := "confirm:" + accountKey(p.Email)
	return []store.Limit{{Key: key, Rates: store.Guesses}, {Key: key, InARow: strangers, UserID: p.ID, What: "login"}}
}

// accountKey stands for an address that somebody typed, which may be another site's, or a password.
func accountKey(email string) string {
	d := sha256.Sum256([]byte(strings.ToLower(email)))
	return hex.EncodeToString(d[:16])
}
