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

// device is what a browser's second cookie says: who has logged in with it. It opens nothing. It only keeps a person whose network is
// shared with somebody who guesses passwords from having to wait for them.
type device struct {
	Person int64
	ID     string // random
	At     int64  // Unix time
}

func (m *Manager) deviceCookie(r *http.Request) *http.Cookie {
	c := m.cookie(r)
	c.Name += "-known"
	return c
}

// deviceCodecs are codecs whose values don't age: the device's own time counts.
func (m *Manager) deviceCodecs() ([]securecookie.Codec, error) {
	all, err := codecs(m.cfg)
	for _, c := range all {
		c.(*securecookie.SecureCookie).MaxAge(0)
	}
	return all, err
}

// Remember makes the browser one that p has logged in with.
func (m *Manager) Remember(w http.ResponseWriter, r *http.Request, p *store.Person) error {
	all, err := m.deviceCodecs()
	if err != nil {
		return err
	}
	d := device{p.ID, rand.Text(), m.Now().Unix()}
	if known, id := m.Known(r); known == p.ID {
		d.ID = id
	}
	c := m.deviceCookie(r)
	c.MaxAge = int(remembering / time.Second)
	if c.Value, err = securecookie.EncodeMulti(c.Name, d, all...); err != nil {
		return err
	}
	http.SetCookie(w, c)
	return nil
}

// Known tells who has logged in with the browser before, and gives the browser's name; 0: nobody.
func (m *Manager) Known(r *http.Request) (person int64, id string) {
	all, err := m.deviceCodecs()
	if err != nil {
		return 0, ""
	}
	name := m.deviceCookie(r).Name
	for _, c := range r.CookiesNamed(name) {
		var d device
		if securecookie.DecodeMulti(name, c.Value, &d, all...) == nil && m.Now().Sub(time.Unix(d.At, 0)) < remembering {
			return d.Person, d.ID
		}
	}
	return 0, ""
}
