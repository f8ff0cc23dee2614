package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"toaster.do/lib/auth"
	"toaster.do/lib/store"
)

type tokenCommands struct {
	Add    tokenAdd    `cmd:"" help:"Create a token, and print it once."`
	List   tokenList   `cmd:"" help:"List the tokens of a user."`
	Remove tokenRemove `cmd:"" help:"Revoke a token."`
}

type tokenAdd struct {
	Email   string      `arg:"" optional:"" help:"The owner of the token. On a terminal, you are prompted for it."`
	Name    string      `default:"toasterctl" placeholder:"N" help:"The name of the token."`
	Scope   store.Scope `enum:"read,write,metrics" default:"write" placeholder:"SCOPE" help:"The scope: read, write, or metrics (only /admin/metrics). Default: ${default}."`
	Expires lifetime    `placeholder:"DURATION" help:"The expiration: “90d”, “12h”. Default: it never expires."`
}

func (tokenAdd) Help() string {
	return "Prints the token to standard output. Only its digest is stored. Programs send it as “Authorization: Bearer " +
		"TOKEN”."
}

func (c *tokenAdd) Run(w *world) error {
	if err := w.ask(&c.Email, "Email address", "EMAIL"); err != nil {
		return err
	}
	return w.withAccounts(func(a *auth.Accounts, db *store.DB) error {
		token, err := a.AddToken(w.ctx, c.Email, c.Name, c.Scope, time.Duration(c.Expires), auditEntry("", "", ""))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(w.out, token)
		return err
	})
}

type tokenList struct {
	Email string `arg:"" help:"The email address of the user."`
}

func (c *tokenList) Run(w *world) error {
	return w.withAccounts(func(a *auth.Accounts, db *store.DB) error {
		tokens, err := a.Tokens(w.ctx, c.Email)
		if err != nil {
			return err
		}
		rows := [][]string{{"ID", "NAME", "SCOPE", "MADE", "EXPIRES", "LAST USED"}}
		for _, t := range tokens {
			rows = append(rows, []string{strconv.FormatInt(t.ID, 10), t.Name, string(t.Scope), day(t.CreatedAt),
				day(t.ExpiresAt), day(t.UsedAt)})
		}
		return w.table(rows)
	})
}

type tokenRemove struct {
	Email string `arg:"" help:"The email address of the user."`
	ID    int64  `arg:"" name:"ID" help:"The ID from “token list”."`
}

func (c *tokenRemove) Run(w *world) error {
	return w.withAccounts(func(a *auth.Accounts, db *store.DB) error {
		if err := a.RemoveToken(w.ctx, c.Email, c.ID, auditEntry("", "", "")); err != nil {
			return orSee(err, "token list "+c.Email)
		}
		_, err := fmt.Fprintln(w.out, "The token is revoked.")
		return err
	})
}

// lifetime is a duration that may count days.
type lifetime time.Duration

// Decode reads what follows --expires.
func (l *lifetime) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	days, isDays := strings.CutSuffix(text, "d")
	if n, err := strconv.ParseUint(days, 10, 16); isDays && err == nil && n > 0 {
		*l = lifetime(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("expected a duration such as “90d” or “12h”, not %q", text)
	}
	*l = lifetime(d)
	return nil
}

var _ kong.MapperValue = (*lifetime)(nil)

// day shows a time to people; the zero time is none.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// dayOf is day where nil is no time.
func dayOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return day(*t)
}
