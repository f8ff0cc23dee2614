package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/term"
)

type loginCommand struct {
	URL     string `arg:"" help:"The address of the site, such as https://example.org/toaster."`
	Browser bool   `default:"true" negatable:"" help:"Open the page in a browser that makes a token."`
}

func (c *loginCommand) Help() string {
	return "Opens the page “API tokens” of the site and asks for the token that you make there, with the scope “write”. " +
		"Where standard input is no terminal, the token is read from it:\n\n" +
		"    toaster login https://example.org/toaster <token.txt\n\n" +
		"The token is kept in ~/.config/toaster/config.toml, which only you can read. The site that you logged in to last " +
		"is the default."
}

// Run asks for a token, tries it, and keeps it.
func (c *loginCommand) Run(w *world) error {
	address, err := siteAddress(c.URL)
	if err != nil {
		return err
	}
	if u, _ := url.Parse(address); u.Scheme == "http" && !loopback(u.Hostname()) {
		w.note("Warning: %s is not encrypted: anyone on the way can read your token.", address)
	}
	token, err := c.token(w, address)
	if err != nil {
		return err
	}
	config, err := loadConfig()
	if err != nil {
		return err
	}
	client := w.client(site{URL: address, Token: token})
	var account struct {
		Email string `json:"email"`
	}
	if err := client.get(w.ctx, "/account", nil, &account); err != nil {
		return err
	}
	if account.Email == "" {
		return (&answer{}).decode(client, &account)
	}
	made := site{URL: address, Token: token}
	if made.Key, err = client.key(w.ctx); err != nil {
		return err
	}
	if old := config.find(address); old != nil && old.Key != "" && old.Key != made.Key {
		w.note("Warning: the public key of the site is another one than at your last login. Ask its administrator whether "+
			"it was changed. The new one is %s.", cmp.Or(made.Key, "missing"))
	}
	config.put(made)
	path, err := config.save()
	if err != nil {
		return err
	}
	w.note("You are logged in to %s as %s. The token is in %s.", address, account.Email, path)
	if w.out != io.Discard && !w.json {
		w.note("Next: “toaster targets” lists what can be built, “toaster build -t TARGET” builds the folder you are in.")
	}
	return nil
}

func loopback(host string) bool {
	return host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1"
}

// token reads the token: typed unseen, or piped.
func (c *loginCommand) token(w *world, address string) (string, error) {
	if f, ok := w.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		page := address + "/account/tokens"
		if c.Browser {
			openBrowser(page)
		}
		w.note("Create a token with the scope “write” on this page, and copy it:\n  %s", page)
		fmt.Fprint(w.err, "Token (not shown): ")
		typed, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(w.err)
		if err != nil {
			return "", err
		}
		return checkToken(string(typed))
	}
	text, err := io.ReadAll(io.LimitReader(w.stdin, 4<<10))
	if err != nil {
		return "", err
	}
	return checkToken(string(text))
}

func checkToken(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", misused("no token was given: nothing was changed")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", misused("a token is a single word: nothing was changed")
	}
	return text, nil
}

// key returns the site's public key; empty: it signs nothing.
func (c *client) key(ctx context.Context) (string, error) {
	a, err := c.do(ctx, call{method: http.MethodGet, path: "/minisign.pub", header: http.Header{"Accept": {"text/plain"}}})
	var p *problem
	if asProblem(err, &p) && (p.Status == http.StatusNotFound || p.Status == http.StatusMethodNotAllowed) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(string(a.body)), "\n")
	key := strings.TrimSpace(lines[len(lines)-1])
	if _, err := parseKey(key); err != nil {
		return "", nil // some page
	}
	return key, nil
}
