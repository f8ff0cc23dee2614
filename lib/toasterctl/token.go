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
	Add    tokenAdd    `cmd:"" help:"Make a token and print it, this once."`
	List   tokenList   `cmd:"" help:"List a person's tokens."`
	Remove tokenRemove `cmd:"" help:"Remove a token: who has it is out."`
}

type tokenAdd struct {
	Email   string      `arg:"" optional:"" help:"Whose account the token opens. On a terminal it is asked for."`
	Name    string      `default:"toasterctl" placeholder:"N" help:"What it is for."`
	Scope   store.Scope `enum:"read,write,metrics" default:"write" placeholder:"SCOPE" help:"What it may do: read, write, or read /admin/metrics alone: metrics. Default: ${default}."`
	Expires lifetime    `placeholder:"DURATION" help:"How long it is good for: “90d”, “12h”. Default: until it is removed."`
}

func (tokenAdd) Help() string {
	return "The token, alone, is printed on standard output; only its digest is kept. Programs send it as “Authorization: Bearer TOKEN”."
}

func (c *tokenAdd) Run(w *world) error {
	if err := w.ask(&c.Email, "E-mail address", "EMAIL"); err != nil {
		return err
	}
	return w.withAccounts(func(a *auth.Accounts, db *store.DB) error {
		token, err := a.AddToken(w.ctx, c.Email, c.Name, c.Scope, time.Duration(c.Expires), deed("", "", ""))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(w.out, token)
		return err
	})
}

type tokenList struct {
	Email string `arg:"" help:"Whose."`
}

func (c *tokenList) Run(w *world) error {
	return w.withAccounts(func(a *auth.Accounts, db *store.DB) error {
		tokens, err := a.Tokens(w.ctx, c.Email)
		if err != nil {
			return err
		}
		rows := [][]string{{"ID", "NAME", "SCOPE", "MADE", "EXPIRES", "LAST USED"}}
		for _, t := range tokens {
			rows = append(rows, []string{strconv.FormatInt(t.ID, 10), t.Name, string(t.Scope), day(t.CreatedAt), day(t.ExpiresAt), day(t.UsedAt)})
		}
		return w.table(rows)
	})
}

type tokenRemove struct {
	Email string `arg:"" help:"Whose."`
	ID    int64  `arg:"" name:"ID" help:"As “token list” shows it."`
}

func (c *tokenRemove) Run(w *world) error {
	return w.withAccounts(func(a *auth.Accounts, db *store.DB) error {
		if err := a.RemoveToken(w.ctx, c.Email, c.ID, deed("", "", "")); err != nil {
			return orSee(err, "token list "+c.Email)
		}
		_, err := fmt.Fprintln(w.out, "The token was removed.")
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
