package session

import (
	"time"

	"github.com/gorilla/securecookie"
)

// sealed is what a page carries for the server: nobody else can read or change it.
type sealed struct {
	At    int64  `json:"a"` // Unix seconds
	Value []byte `json:"v"`
}

// Seal returns value in a form that a page can carry in a hidden field and only Unseal can read. The purpose keeps one
// page's from being used on another.
func (m *Manager) Seal(purpose string, value []byte) (string, error) {
	return securecookie.EncodeMulti("seal:"+purpose, sealed{m.Now().Unix(), value}, m.codecs...)
}

// Unseal returns what Seal was given; ok is false where it is older than life, or not genuine.
func (m *Manager) Unseal(purpose, text string, life time.Duration) (value []byte, ok bool) {
	var s sealed
	if securecookie.DecodeMulti("seal:"+purpose, text, &s, m.codecs...) != nil {
		return nil, false
	}
	age := m.Now().Sub(time.Unix(s.At, 0))
	return s.Value, age < life && age > -time.Minute
}
