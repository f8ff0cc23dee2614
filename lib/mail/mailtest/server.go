// Package mailtest is an SMTP server for tests, on a port of its own on loopback.
package mailtest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Mail is one that the server has taken.
type Mail struct {
	From, To string
	Text     string // header and body as they were sent
}

// Server keeps the emails that it takes. Its fields are set before Start.
type Server struct {
	TLS            *tls.Config // STARTTLS is offered; nil: it isn't
	Wrapped        bool        // TLS from the first byte
	User, Password string      // a log-in is needed; empty: none
	Refuse         string      // no such recipient, by address

	t       *testing.T
	address string
	mu      sync.Mutex
	mails   []Mail
	server  *smtp.Server
	listen  net.Listener
}

// New returns a server that isn't running yet.
func New(t *testing.T) *Server { return &Server{t: t} }

// Start runs the server; where it ran before, it comes back at its port.
func (s *Server) Start() {
	s.t.Helper()
	at := s.address
	if at == "" {
		at = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		s.t.Fatal(err)
	}
	s.address = l.Addr().String()
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{server: s}, nil }))
	s.server.Domain, s.server.TLSConfig, s.server.AllowInsecureAuth = "localhost", s.TLS, s.TLS == nil
	s.server.ReadTimeout, s.server.ErrorLog = time.Minute, quiet{}
	if s.Wrapped {
		l = tls.NewListener(l, s.TLS)
	}
	s.listen = l
	go s.server.Serve(l)
	s.t.Cleanup(s.Stop)
}

// Stop ends the server: connections to its port are refused.
func (s *Server) Stop() {
	s.server.Close()
	s.listen.Close() // Serve may not have come to know it yet
}

// Port is where the server is, or was.
func (s *Server) Port() int {
	a, err := net.ResolveTCPAddr("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	return a.Port
}

// Mails returns what the server has taken, and forgets it.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.mails
	s.mails = nil
	return all
}

type session struct {
	server *Server
	known  bool
	mail   Mail
}

func (c *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if c.known = user == c.server.User && password == c.server.Password; !c.known {
			return errors.New("wrong password")
		}
		return nil
	}), nil
}

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if c.server.User != "" && !c.known {
		return smtp.ErrAuthRequired
	}
	c.mail = Mail{From: from}
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if to == c.server.Refuse {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user"}
	}
	c.mail.To = to
	return nil
}

func (c *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.mail.Text = strings.ReplaceAll(string(text), "\r\n", "\n")
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.mails = append(c.server.mails, c.mail)
	return nil
}

func (c *session) Reset()        {}
func (c *session) Logout() error { return nil }

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
