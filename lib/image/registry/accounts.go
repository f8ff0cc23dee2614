package registry

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// accounts are the logins at registries, by host.
type accounts map[string]authn.AuthConfig

// parseAccounts reads Docker's config.json. Credential helpers are programs, which nothing here runs.
func parseAccounts(text []byte) (accounts, error) {
	all := accounts{}
	if len(text) == 0 {
		return all, nil
	}
	var file struct {
		Auths map[string]struct{ Auth, Username, Password, IdentityToken, RegistryToken string }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("registry.auth_file: %w", err)
	}
	for where, a := range file.Auths {
		login := authn.AuthConfig{Username: a.Username, Password: a.Password,
			IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken}
		if a.Auth != "" {
			pair, err := base64.StdEncoding.DecodeString(a.Auth)
			user, password, ok := strings.Cut(strings.TrimRight(string(pair), "\x00"), ":")
			if err != nil || !ok || user == "" {
				return nil, fmt.Errorf("registry.auth_file: auth of %q is not the base64 of USER:PASSWORD", where)
			}
			login.Username, login.Password = user, password
		}
		if login != (authn.AuthConfig{}) { // an empty one belongs to a credential helper
			all[accountHost(where)] = login
		}
	}
	return all, nil
}

// accountHost is the host that a key of config.json means: "https://index.docker.io/v1/" is docker.io.
func accountHost(where string) string {
	for _, scheme := range []string{"https://", "http://"} {
		where = strings.TrimPrefix(where, scheme)
	}
	switch host, _, _ := strings.Cut(where, "/"); host {
	case "index.docker.io", "registry-1.docker.io":
		return "docker.io"
	default:
		return host
	}
}

// at returns the login at a host; without one, that is nobody's.
func (a accounts) at(host string) (login authn.Authenticator, known bool) {
	if c, ok := a[host]; ok {
		return authn.FromConfig(c), true
	}
	return authn.Anonymous, false
}

// CheckAccounts says what is wrong with a file of accounts, and how many registries it has logins for.
func (c *Client) CheckAccounts() (registries int, err error) {
	all, err := c.accounts()
	return len(all), err
}
