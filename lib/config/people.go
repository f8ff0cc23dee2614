package config

import "strings"

// Signup says who may make an account.
type Signup struct {
	// "open": whoever proves an address; "approval": an administrator decides after that; "closed": nobody
	Mode    string
	Domains []string // only addresses below these: "example.org" (and no subdomain of it); empty: any

	// Breached is a sorted file of the SHA-1 of passwords that nobody may choose; empty: there is none.
	Breached string `toml:"breached_passwords" file:"breached-passwords"`
}

// Admin configures what administrators may do.
type Admin struct {
	SecondFactor bool `toml:"second_factor"` // pages of /admin take a second factor
}

// NeedsFactor tells whether an account, an administrator's or not, needs a second factor.
func (c *Config) NeedsFactor(admin bool) bool {
	return c.Session.SecondFactor || admin && c.Admin.SecondFactor
}

// Mail says how emails are sent. Where From is empty there are none.
type Mail struct {
	From         string // the sender: "toaster@example.org", or "Toaster <toaster@example.org>"
	Host         string // the SMTP server
	Port         int
	TLS          string // "starttls", "tls" (from the first byte), "none"
	User         string // for the log-in at the server; empty: without
	PasswordFile string `toml:"password_file" file:"mail-password"` // holds the password, on one line
	Sendmail     string // the path of a sendmail program, which is used instead of a server
}

// Password reads the password of the log-in at the server; empty where there is no log-in. A file that everybody can
// read is refused.
func (m Mail) Password() (string, error) {
	if m.PasswordFile == "" {
		return "", nil
	}
	b, err := readSecret(m.PasswordFile)
	return strings.TrimRight(string(b), "\r\n"), err
}

// On tells whether emails are sent.
func (m Mail) On() bool { return m.From != "" }

func (c *Config) peopleRules() []rule {
	m, way := c.Mail, c.Mail.Host != "" || c.Mail.Sendmail != ""
	return []rule{
		{c.Signup.Mode == "open" || c.Signup.Mode == "approval" || c.Signup.Mode == "closed", "signup.mode",
			`must be "open", "approval" or "closed"`},
		{allOf(c.Signup.Domains, isDomain), "signup.domains", `must be a list of domains such as ["example.org"]`},
		{!m.On() || way, "mail.from", "also needs mail.host or mail.sendmail"},
		{m.On() || !way, "mail.from", "must be set if mail.host or mail.sendmail is"},
		{!m.On() || c.Site.URL != "", "site.url", "must be set if emails are sent, because they contain links"},
		{m.Host == "" || m.Sendmail == "", "mail.sendmail", "can't be used together with mail.host"},
		{m.Port > 0 && m.Port < 1<<16, "mail.port", "must be a port, such as 587"},
		{m.TLS == "starttls" || m.TLS == "tls" || m.TLS == "none", "mail.tls", `must be "starttls", "tls" or "none"`},
		{(m.User == "") == (m.PasswordFile == ""), "mail.user", "needs mail.password_file, and vice versa"},
	}
}

func allOf(list []string, ok func(string) bool) bool {
	for _, s := range list {
		if !ok(s) {
			return false
		}
	}
	return true
}

func isDomain(s string) bool {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return s != "" && s[0] != '.' && s[len(s)-1] != '.'
}
