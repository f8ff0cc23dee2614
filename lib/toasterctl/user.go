package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"toaster.do/lib/auth"
	"toaster.do/lib/printable"
	"toaster.do/lib/store"
)

type userCommands struct {
	Add      userAdd      `cmd:"" help:"Create an account."`
	List     userList     `cmd:"" help:"List the users."`
	Limit    userLimit    `cmd:"" help:"Show or set the limits of a user."`
	Role     userRole     `cmd:"" help:"Set the role of a user."`
	Activate userActivate `cmd:"" help:"Activate a new or a suspended account."`
	Suspend  userSuspend  `cmd:"" help:"Suspend an account: its sessions, tokens and builds end."`
	Passwd   userPasswd   `cmd:"" help:"Set the password of a user, and end the sessions."`
	Signout  userSignout  `cmd:"" help:"Log out all sessions of a user."`
	Factor   userFactor   `cmd:"" help:"Disable two-factor authentication of a user who has lost the authenticator app and the recovery codes."`
	Remove   userRemove   `cmd:"" help:"Delete an account and all its data."`
}

// withAccounts runs f with the accounts of the site.
func (w *world) withAccounts(f func(*auth.Accounts, *store.DB) error) error {
	cfg, db, err := w.open()
	if err != nil {
		return err
	}
	defer db.Close()
	accounts := auth.New(cfg, db)
	accounts.Strength = strength()
	return orSee(f(accounts, db), "user list")
}

// password is how a command gets one: never as an argument, which every user of the host can read.
type password struct {
	PasswordStdin bool `help:"Read the password from standard input, as one line. Default: prompt on the terminal."`
}

func (p password) read(w *world) (string, error) {
	if !p.PasswordStdin {
		return w.askSecret()
	}
	text, err := io.ReadAll(io.LimitReader(w.stdin, 4096))
	if err != nil {
		return "", err
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", misused("standard input must be the password, as one line")
	}
	return secret, nil
}

type userAdd struct {
	Email string `placeholder:"E" help:"The email address."`
	Name  string `placeholder:"N" help:"The name of the user."`
	Admin bool   `help:"Grant administrator rights."`
	password
}

func (userAdd) Help() string {
	return `On a terminal it asks for what is left out. For example: printf '%s\n' "$PASSWORD" | toasterctl user add --email you@example.org --password-stdin`
}

func (c *userAdd) Run(w *world) error {
	if err := w.ask(&c.Email, "Email address", "--email=E"); err != nil {
		return err
	}
	secret, err := c.read(w)
	if err != nil {
		return err
	}
	return w.withAccounts(func(a *auth.Accounts, _ *store.DB) error {
		n := auth.NewUser{Email: c.Email, Name: c.Name, Password: secret, Admin: c.Admin}
		p, err := a.Add(w.ctx, n, auditEntry("user.add", "", string(n.Role())))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w.out, "%s can log in now.\n", printable.Line(p.Email))
		return err
	})
}

type userPasswd struct {
	Email string `placeholder:"E" help:"The email address of the user. On a terminal, you are prompted for it and for the password."`
	password
}

func (c *userPasswd) Run(w *world) error {
	if err := w.ask(&c.Email, "Email address", "--email=E"); err != nil {
		return err
	}
	secret, err := c.read(w)
	if err != nil {
		return err
	}
	return w.withAccounts(func(a *auth.Accounts, db *store.DB) error {
		if err := a.SetPassword(w.ctx, c.Email, secret, auditEntry("", "", "")); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w.out, "The password is set, and all sessions have ended.")
		return err
	})
}

type userList struct {
	State store.UserState `enum:",pending,active,suspended" default:"" placeholder:"STATE" help:"Only list this state: pending, active or suspended."`
}

func (c *userList) Run(w *world) error {
	return w.withAccounts(func(a *auth.Accounts, db *store.DB) error {
		people, err := a.List(w.ctx)
		if err != nil {
			return err
		}
		rows := [][]string{{"EMAIL", "NAME", "ROLE", "STATE", "SINCE", "ID"}}
		for _, p := range people {
			if c.State == "" || c.State == p.State {
				rows = append(rows, []string{p.Email, p.Name, string(p.Role), string(p.State), day(p.CreatedAt),
					strconv.FormatInt(p.ID, 10)})
			}
		}
		return w.table(rows)
	})
}

// table prints rows below the first one, their heads; nothing where there are none.
func (w *world) table(rows [][]string) error {
	if len(rows) == 1 {
		return nil
	}
	t := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = printable.Line(row[i])
			if row[i] == "" {
				row[i] = "-"
			}
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}
