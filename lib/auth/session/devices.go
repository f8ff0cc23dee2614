package session

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/gorilla/securecookie"

	"toaster.do/lib/store"
)

// remembering is how long a browser is known after a log-in with it.
const remembering = 180 * 24 * time.Hour

// device is what a browser's second cookie says: who has logged in with it. It opens nothing. It only keeps a user
// whose network is shared with somebody who guesses passwords from having to wait for them.
type device struct {
	UserID int64
	ID     string // random
	At     int64  // Unix time
	Epoch  int64  // store.User's Browsers: it changes with the password
	Factor bool   // the second factor was given, too
}

func (m *Manager) deviceCookie(r *http.Request) *http.Cookie {
	c := m.cookie(r)
	c.Name += "-known"
	return c
}

// deviceCodecs are codecs whose values don't age: the device's own time counts.
func (m *Manager) deviceCodecs() []securecookie.Codec {
	all := codecs(m.cfg, m.keys)
	for _, c := range all {
		c.(*securecookie.SecureCookie).MaxAge(0)
	}
	return all
}

// Remember makes the browser one that p has logged in with, until they have a new password or log out everywhere;
// factor tells whether with the second factor.
func (m *Manager) Remember(w http.ResponseWriter, r *http.Request, p *store.User, factor bool) error {
	all := m.deviceCodecs()
	d := device{p.ID, rand.Text(), m.Now().Unix(), p.Browsers, factor}
	if k := m.Known(r); k.UserID == p.ID && k.Epoch == p.Browsers {
		d.ID, d.Factor = k.ID, factor || k.Factor
	}
	c := m.deviceCookie(r)
	c.MaxAge = int(remembering / time.Second)
	value, err := securecookie.EncodeMulti(c.Name, d, all...)
	if err != nil {
		return err
	}
	c.Value = value
	http.SetCookie(w, c)
	return nil
}

// Known tells who has logged in with the browser before. Whether it is still known, the user's Browsers tells.
func (m *Manager) Known(r *http.Request) store.Browser {
	all := m.deviceCodecs()
	name := m.deviceCookie(r).Name
	for _, c := range r.CookiesNamed(name) {
		var d device
		if securecookie.DecodeMulti(name, c.Value, &d, all...) == nil && m.Now().Sub(time.Unix(d.At, 0)) < remembering {
			return store.Browser{UserID: d.UserID, ID: d.ID, Epoch: d.Epoch, Factor: d.Factor}
		}
	}
	return store.Browser{}
}
