package session

import (
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/gorilla/securecookie"

	"toaster.do/lib/config"
)

// genuine is how long after its session's end a cookie still tells whose form it was.
const genuine = 7 * 24 * time.Hour

// codecs sign and encrypt cookies, the first with the newest keys.
func codecs(cfg *config.Config, keys [][]byte) []securecookie.Codec {
	all := securecookie.CodecsFromPairs(keys...)
	for _, c := range all {
		c.(*securecookie.SecureCookie).MaxAge(maxAge(cfg)).SetSerializer(securecookie.JSONEncoder{})
	}
	return all
}

// maxAge is a cookie's life in seconds.
func maxAge(cfg *config.Config) int {
	return int((cfg.Session.MaxAge + genuine) / time.Second)
}

// secure tells whether the cookie may travel by HTTPS only.
func (m *Manager) secure(r *http.Request) bool {
	switch m.cfg.Session.Secure {
	case "always":
		return true
	case "never":
		return false
	}
	return r.TLS != nil // net/http/cgi sets it where the web server says HTTPS=on
}

// cookie is the session's cookie without its value. A browser lets nobody but this very host set a cookie whose
// name begins with "__Host-", by HTTPS, for all paths; one with "__Secure-" by HTTPS at least (RFC 6265bis, 4.1.3).
func (m *Manager) cookie(r *http.Request) *http.Cookie {
	c := &http.Cookie{Name: "toaster", Path: m.Prefix(r), Secure: m.secure(r), HttpOnly: true,
		SameSite: http.SameSiteLaxMode}
	switch {
	case c.Path == "" && c.Secure:
		c.Path, c.Name = "/", "__Host-toaster"
	case c.Path == "":
		c.Path = "/"
	case c.Secure:
		c.Name = "__Secure-toaster"
	}
	return c
}

// give hands the browser the cookie that carries id.
func (m *Manager) give(w http.ResponseWriter, r *http.Request, id []byte) (err error) {
	c := m.cookie(r)
	c.MaxAge = maxAge(m.cfg)
	if c.Value, err = securecookie.EncodeMulti(c.Name, id, m.codecs...); err != nil {
		return err
	}
	http.SetCookie(w, c)
	return nil
}

// digest returns the SHA-256 of the id in the request's cookie; nil if there is no genuine cookie.
func (m *Manager) digest(r *http.Request) []byte {
	name := m.cookie(r).Name
	for _, c := range r.CookiesNamed(name) {
		var id []byte
		if securecookie.DecodeMulti(name, c.Value, &id, m.codecs...) == nil {
			return digestOf(id)
		}
	}
	return nil
}

func digestOf(id []byte) []byte {
	d := sha256.Sum256(id)
	return d[:]
}
