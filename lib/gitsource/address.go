// Package gitsource fetches what a Git repository has at a branch, tag or commit, as a build context: by this host's
// git, in a sandbox.
package gitsource

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// Address is where a repository is.
type Address struct {
	Text   string // as git takes it; it begins with no "-", and has no password
	Scheme string // https, http, ssh or git
	User   string // empty: none is named
	Host   string // a name or an IPv4 address
	Port   int
}

// ports are those that a scheme has where none is named.
var ports = map[string]int{"https": 443, "http": 80, "ssh": 22, "git": 9418}

// Most programs that have this package read no address: nothing is compiled before one does.
var (
	hostForm = lazy(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$`)
	userForm = lazy(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$`)
	scpForm  = lazy(`^([^@:/]+)@([^@:/]+):([^:].*)$`) // git@HOST:PATH; see git-clone(1), GIT URLS
)

func lazy(form string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(form) })
}

// Endpoint is the host with its port, as [git] allow names it.
func (a Address) Endpoint() string { return strings.ToLower(a.Host) + ":" + strconv.Itoa(a.Port) }

// ParseAddress reads the address of a repository. Other transports than https, http, ssh and git are refused, as those
// of git's helpers run programs (ext::) or read this host (file:). So is a password or token in it, which would be shown.
func ParseAddress(text string) (a Address, err error) {
	switch {
	case text == "":
		return a, refuse("git_url", "There is no address of a repository.",
			"Enter it, such as https://example.org/project.git.")
	case len(text) > 1000 || !utf8.ValidString(text) || strings.ContainsFunc(text, unsafe) || strings.HasPrefix(text, "-"):
		return a, refuse("git_url", "This is not the address of a Git repository.", addressAdvice)
	}
	if m := scpForm().FindStringSubmatch(text); m != nil && !strings.Contains(text, "://") {
		return checkAddress(Address{Text: text, Scheme: "ssh", User: m[1], Host: m[2], Port: 22}, m[3])
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || ports[u.Scheme] == 0 {
		return a, refuse("git_url", "This is not the address of a Git repository.", addressAdvice)
	}
	if _, set := u.User.Password(); set || u.Scheme != "ssh" && isToken(u.User.Username()) {
		return a, refuse("git_url", "The address contains a password.",
			"Remove it from the address, and enter it as the token.")
	}
	a = Address{Text: text, Scheme: u.Scheme, User: u.User.Username(), Host: u.Hostname(), Port: ports[u.Scheme]}
	if strings.HasPrefix(u.Host, "[") {
		return a, refuse("git_url", "The address has an IPv6 address as its host.",
			"Builds and repositories use IPv4. Use the name of the host.")
	}
	if u.Port() != "" {
		if a.Port, err = strconv.Atoi(u.Port()); err != nil || a.Port < 1 || a.Port > 65535 {
			return a, refuse("git_url", "This is not the address of a Git repository.", addressAdvice)
		}
	}
	if u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(text, "?#") {
		return a, refuse("git_url", "The address of a repository has no “?” or “#”.",
			"Enter branch and folder in their own fields.")
	}
	return checkAddress(a, u.Path)
}

// tokens are how those of GitHub and GitLab begin.
var tokens = []string{"ghp_", "gho_", "ghu_", "ghs_", "github_pat_", "glpat-", "gldt-"}

// isToken tells whether a name of a user is rather a token, which may be sent without a password. No name of GitHub's is
// longer than 39 characters.
func isToken(user string) bool {
	return len(user) > 39 || slices.ContainsFunc(tokens, func(begin string) bool {
		return strings.HasPrefix(strings.ToLower(user), begin)
	})
}

const addressAdvice = "Use https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or git://HOST/PATH."

func checkAddress(a Address, path string) (Address, error) {
	plain := strings.Trim(path, "/")
	if !hostForm().MatchString(a.Host) || plain == "" || strings.HasPrefix(plain, "-") ||
		a.User != "" && !userForm().MatchString(a.User) || a.User != "" && a.Scheme == "git" {
		return a, refuse("git_url", "This is not the address of a Git repository.", addressAdvice)
	}
	return a, nil
}

// unsafe are characters that no address, ref or path of a form has.
func unsafe(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' || r == utf8.RuneError }

// CheckRef refuses what can be no branch, tag or commit (git-check-ref-format(1)), or be taken for an option.
func CheckRef(ref string) error {
	bad := len(ref) > 250 || !utf8.ValidString(ref) || strings.ContainsFunc(ref, unsafe) ||
		strings.ContainsAny(ref, "~^:?*[") ||
		strings.HasPrefix(ref, "-") || strings.Contains(ref, "..") || strings.Contains(ref, "@{") ||
		strings.HasPrefix(ref, "/") || strings.HasSuffix(ref, "/") || strings.HasSuffix(ref, ".lock")
	for _, part := range strings.Split(ref, "/") {
		bad = bad || strings.HasPrefix(part, ".") || strings.HasPrefix(part, "-")
	}
	if bad {
		return refuse("git_ref", "This is no name of a branch, tag or commit.",
			"Enter it as git shows it, such as main, v1.2 or a whole commit ID. Leave it empty for the default branch.")
	}
	return nil
}

// CheckPath refuses what is no path inside of a repository; field is the form's. An empty one is the root.
func CheckPath(field, path string) error {
	bad := len(path) > 1000 || !utf8.ValidString(path) || strings.HasPrefix(path, "/") ||
		strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })
	for _, part := range strings.Split(strings.TrimSuffix(path, "/"), "/") {
		bad = bad || part == "." && path != "." || part == ".." || part == "" && path != "" || part == ".git"
	}
	if bad {
		return refuse(field, "This is no path in a repository.",
			"Enter it relative to the root of the repository, without “..”, such as images/web.")
	}
	return nil
}

// Allowed says how an address may be reached: as one of the internet, or, where the configuration's list has it, also
// without encryption and in a private network. Names are looked up by the sandbox: what they lead to is decided there.
func (a Address) Allowed(allow []string) error {
	for _, one := range allow {
		if strings.ToLower(one) == a.Endpoint() {
			return nil
		}
	}
	if a.Scheme == "http" {
		return refuse("git_url", "This site uses http only for hosts that its administrator allowed.",
			"Use https. Administrator: add %s to [git] allow.", a.Endpoint())
	}
	if ip, err := netip.ParseAddr(a.Host); err == nil && !public(ip) || strings.EqualFold(a.Host, "localhost") {
		return refuse("git_url", "This site does not fetch from private addresses.",
			"Use a public address. Administrator: add %s to [git] allow.", a.Endpoint())
	}
	return nil
}

func public(ip netip.Addr) bool {
	for _, p := range closed() {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// Closed are the networks that no sandbox reaches: those of lib/dockerfile/zsh/network.zsh. The last one is Azure's
// metadata. https://www.iana.org/assignments/iana-ipv4-special-registry
var Closed = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.168.0.0/16", "224.0.0.0/3", "168.63.129.16/32",
}

func closed() (list []netip.Prefix) {
	for _, one := range Closed {
		list = append(list, netip.MustParsePrefix(one))
	}
	return list
}

func refuse(field string, message, advice i18n.Key, args ...any) error {
	return apperr.New(apperr.InvalidArgument, message, advice, args...).At(field)
}
