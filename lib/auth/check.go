package auth

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"toaster.do/lib/apperr"
	"toaster.do/lib/printable"
	"toaster.do/lib/store"
)

// Lengths of a password in characters (OWASP ASVS 5.0, 6.2.1 and 6.2.9).
const (
	passwordLeast = 8
	passwordMost  = 256
)

func (n NewUser) check() error {
	return errors.Join(checkEmail(n.Email), checkName(n.Name), checkPassword(n.Password))
}

func checkName(name string) error {
	if !isLine(name, 200) {
		return apperr.New(apperr.InvalidArgument, "The name is longer than 200 characters, or contains characters that "+
			"can't be displayed.", "Shorten it, or leave it blank.").At("name")
	}
	return nil
}

// CheckProfile is InvalidArgument at "name" or "notify" where store.SetProfile couldn't take them.
func CheckProfile(name string, notify store.Notify) error {
	var choice error
	if !notify.Valid() {
		choice = apperr.New(apperr.InvalidArgument, "This choice does not exist.",
			"Use “never”, “failure” or “always”.").At("notify")
	}
	return errors.Join(checkName(name), choice)
}

// email is what a browser takes in an <input type=email> (HTML Living Standard, 4.10.5.1.5, “valid e-mail address”).
// It is compiled when it is needed: most programs never are asked for it.
var email = sync.OnceValue(func() *regexp.Regexp {
	const label = `[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?`
	return regexp.MustCompile("^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@" + label + `(?:\.` + label + `)*$`)
})

func checkEmail(address string) error {
	local, _, _ := strings.Cut(address, "@")
	if len(address) > 254 || len(local) > 64 || !email().MatchString(address) {
		return apperr.New(apperr.InvalidArgument, "This is not an email address.",
			"Enter it like name@example.org.").At("email")
	}
	return nil
}

func checkPassword(password string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password):
		return apperr.New(apperr.InvalidArgument, "The password is not UTF-8.", "Choose another.").At("password")
	case n < passwordLeast:
		return apperr.New(apperr.InvalidArgument, "The password is shorter than 8 characters.",
			"Use at least 8; 15 or more are recommended.").At("password")
	case n > passwordMost:
		return apperr.New(apperr.InvalidArgument, "The password is longer than 256 characters.", "Shorten it.").At("password")
	}
	return nil
}

// isLine tells whether s has at most some number of characters, all of which can be shown in one line.
func isLine(s string, most int) bool { return utf8.RuneCountInString(s) <= most && printable.Is(s) }
