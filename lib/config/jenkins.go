package config

import (
	"fmt"
	"strings"

	"toaster.do/lib/apperr"
)

// Secret returns what toaster logs in to Jenkins with: a token or, where there is none, a password. A file that
// everybody can read holds no secret: it is a fault of kind Unavailable, as is one that is missing.
func (c *Config) Secret() (token, password string, err error) {
	if c.Jenkins.TokenFile != "" {
		token, err = readToken(c.Jenkins.TokenFile)
	} else if token, password = c.Jenkins.Token, c.Jenkins.Password; c.Path != "" {
		_, err = readSecret(c.Path)
	}
	if err != nil {
		return "", "", apperr.Wrap(apperr.Unavailable, err, "This site can't log in to its build service.",
			"Administrator: see the log.")
	}
	return token, password, nil
}

func readToken(path string) (string, error) {
	data, err := readSecret(path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(data))
	if token == "" || strings.ContainsAny(token, " \t\n\r") {
		return "", fmt.Errorf("%s: %w", path, errNoToken)
	}
	return token, nil
}

var errNoToken = fmt.Errorf("it must contain an API token of Jenkins and nothing else")
