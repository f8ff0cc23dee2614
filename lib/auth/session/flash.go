package session

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// flashLife is how long what is shown once waits to be shown.
const flashLife = 10 * time.Minute

// flashMark is what the names of cookies have in them that carry something to the next page.
const flashMark = "-shown-"

// Flash gives the browser something to carry to the next page, sealed: a secret that is shown there once. Only the page
// for what, asked for by the same user (0: nobody), opens it, with the id that is returned.
func (m *Manager) Flash(w http.ResponseWriter, r *http.Request, what string, user int64, value []byte) (id string,
	err error) {
	id = rand.Text()[:12]
	c := m.cookie(r)
	c.Name += flashMark + id
	c.MaxAge = int(flashLife / time.Second)
	if c.Value, err = m.Seal(flashPurpose(what, user, id), value); err != nil {
		return "", err
	}
	http.SetCookie(w, c)
	return id, nil
}

// Flashed returns what the browser carries; nil: nothing any more.
func (m *Manager) Flashed(r *http.Request, what string, user int64, id string) []byte {
	c, err := r.Cookie(m.cookie(r).Name + flashMark + id)
	if err != nil || id == "" {
		return nil
	}
	value, ok := m.Unseal(flashPurpose(what, user, id), c.Value, flashLife)
	if !ok {
		return nil
	}
	return value
}

// Unflash takes from the browser what was shown.
func (m *Manager) Unflash(w http.ResponseWriter, r *http.Request, id string) {
	c := m.cookie(r)
	c.Name += flashMark + id
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// IsFlash tells whether a Set-Cookie header carries something to the next page.
func IsFlash(setCookie string) bool {
	name, _, _ := strings.Cut(setCookie, "=")
	return strings.Contains(name, flashMark)
}

func flashPurpose(what string, user int64, id string) string {
	return fmt.Sprintf("flash:%s:%d:%s", what, user, id)
}
