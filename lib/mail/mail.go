// Package mail sends the emails of the outbox. No CGI program links it: pages only write into the outbox, so that a
// mail server that is away delays none of them.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// timeLimit bounds each step of a conversation with the server.
const timeLimit = 20 * time.Second

// roots are who vouches for servers; nil: the host's.
var roots *x509.CertPool

// Refused is an error that trying again doesn't mend: the server knows no such recipient.
type Refused struct{ error }

func (r *Refused) Unwrap() error { return r.error }

// Send sends an email as the configuration says. It returns nil as soon as the server has taken it; a *Refused where
// trying again is no use.
func Send(ctx context.Context, cfg config.Mail, l store.Mail) error {
	m, err := message(cfg, l)
	if err != nil {
		return &Refused{err}
	}
	if cfg.Sendmail != "" {
		return bySendmail(ctx, cfg.Sendmail, m)
	}
	c, err := client(cfg)
	if err != nil {
		return err
	}
	err = c.DialAndSendWithContext(ctx, m)
	var failed *gomail.SendError
	switch {
	case m.IsDelivered():
		return nil // what went wrong after that is no reason to send it twice
	case errors.As(err, &failed) && failed.Reason == gomail.ErrSMTPRcptTo && failed.ErrorCode() >= 500:
		return &Refused{err}
	case failed == nil:
		return &away{err}
	}
	return err
}

// away is an error of the server, whatever the email.
type away struct{ error }

func (a *away) Unwrap() error { return a.error }

// Check tells whether emails could be sent now: the server answers, its certificate is good, and it takes the log-in.
// Nothing is sent.
func Check(ctx context.Context, cfg config.Mail) error {
	if cfg.Sendmail != "" {
		_, err := exec.LookPath(cfg.Sendmail)
		return err
	}
	c, err := client(cfg)
	if err != nil {
		return err
	}
	if err := c.DialWithContext(ctx); err != nil {
		return err
	}
	return c.Close()
}

// message is an email as it travels.
func message(cfg config.Mail, l store.Mail) (*gomail.Msg, error) {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := m.From(cfg.From); err != nil {
		return nil, fmt.Errorf("mail.from: %w", err)
	}
	if err := m.To(l.Recipient); err != nil {
		return nil, err
	}
	m.Subject(l.Subject)
	m.SetDateWithValue(l.CreatedAt)
	// The same each time that it is tried, so that an email that came twice after all can be told.
	_, domain, _ := strings.Cut(strings.TrimSuffix(cfg.From, ">"), "@")
	m.SetMessageIDWithValue(fmt.Sprintf("%d.%d@%s", l.ID, l.CreatedAt.UnixMilli(), domain))
	// Nobody answers a program (RFC 3834, 5).
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetBodyString(gomail.TypeTextPlain, l.Body)
	return m, nil
}

func client(cfg config.Mail) (*gomail.Client, error) {
	options := []gomail.Option{
		gomail.WithPort(cfg.Port), gomail.WithTimeout(timeLimit), gomail.WithoutNoop(),
		gomail.WithTLSConfig(&tls.Config{ServerName: cfg.Host, RootCAs: roots, MinVersion: tls.VersionTLS12}),
	}
	switch cfg.TLS {
	case "tls":
		options = append(options, gomail.WithSSL())
	case "none":
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if cfg.User != "" {
		password, err := cfg.Password()
		if err != nil {
			return nil, fmt.Errorf("mail.password_file: %w", err)
		}
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(cfg.User),
			gomail.WithPassword(password))
	}
	return gomail.NewClient(cfg.Host, options...)
}
