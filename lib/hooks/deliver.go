package hooks

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"toaster.do/lib/api"
	"toaster.do/lib/config"
	"toaster.do/lib/i18n"
	"toaster.do/lib/netguard"
	"toaster.do/lib/store"
)

const (
	claim  = time.Minute // how long another process leaves a message alone that one is sending
	batch  = 200         // messages that one run sends at most
	atOnce = 32          // tries at the same time
	shown  = 1 << 10     // bytes of an answer that are kept
)

// sendTimeout is for a whole try.
var sendTimeout = 10 * time.Second

// backoff is how long to wait after each failure, as Standard Webhooks advises; then the message is given up. After the
// first one that is until the next run, within a minute.
var backoff = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}

// hookStore is what sending needs of the database.
type hookStore interface {
	ClaimHook(ctx context.Context, id int64, body string, now, until time.Time) (mine bool, err error)
	Delivered(ctx context.Context, m store.HookMessage, d store.Delivery, next time.Time, gone bool) error
	DueHooks(ctx context.Context, now time.Time, most int) (found []store.HookMessage, err error)
}

// Sender sends what hooks are to send.
type Sender struct {
	Store  hookStore
	Config *config.Config
	Agent  string // who sends: "toaster/1.2"
	Now    func() time.Time
	Log    *slog.Logger

	resolver *net.Resolver // nil: the host's
}

// Deliver sends the messages that are due, several at once. What fails waits, longer each time, and is given up in the
// end; an answer 410 Gone disables its hook. No try begins that could not end before ctx does. That a receiver fails is
// no error.
func (s *Sender) Deliver(ctx context.Context) error {
	due, err := s.Store.DueHooks(ctx, s.Now(), batch)
	if err != nil || len(due) == 0 {
		return err
	}
	seals, err := s.Config.Seals(Seals)
	if err != nil {
		return err
	}
	c := client(s.Config.Hooks.Allow, s.resolver)
	queue, errs := make(chan store.HookMessage), make([]error, min(atOnce, len(due)))
	var workers sync.WaitGroup
	for i := range errs {
		workers.Go(func() {
			for m := range queue {
				if errs[i] == nil && !late(ctx) {
					errs[i] = s.deliver(ctx, c, seals, m)
				}
			}
		})
	}
	for _, m := range due {
		if late(ctx) {
			break
		}
		queue <- m
	}
	close(queue)
	workers.Wait()
	return errors.Join(errs...)
}

// late tells whether a try that begins now may not end before ctx does.
func late(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(end) < sendTimeout
}

// deliver sends one message, if no other process does, and writes down what became of it.
func (s *Sender) deliver(ctx context.Context, c *http.Client, seals config.Seals, m store.HookMessage) error {
	if m.Body == "" {
		body, err := json.Marshal(s.event(m))
		if err != nil {
			return err
		}
		m.Body = string(body)
	}
	now := s.Now()
	m.Until = now.Add(claim)
	if mine, err := s.Store.ClaimHook(ctx, m.ID, m.Body, now, m.Until); err != nil || !mine {
		return err
	}
	d := store.Delivery{At: now}
	begun := time.Now()
	secret, _, err := seals.Open(m.Secret, Bound(m.Job.ID, false))
	if err != nil {
		d.Error = i18n.T("The secret can't be read. Renew it.")
	} else {
		s.send(ctx, c, string(secret), m, &d)
	}
	d.Took = time.Since(begun)
	if ctx.Err() != nil {
		return ctx.Err() // it ends with its time: the claim does, too, and another run sends it
	}
	gone := d.Status == http.StatusGone
	var next time.Time
	if !d.Error.IsZero() && !gone && m.Tries < len(backoff) {
		next = now.Add(backoff[m.Tries])
	}
	if !d.Error.IsZero() {
		s.Log.Warn("a hook was not delivered", slog.Int64("hook", m.HookID), slog.String("job", m.Job.ID),
			slog.String("message", m.Name), slog.Int("status", d.Status), slog.Int("tries", m.Tries+1),
			slog.Bool("again", !next.IsZero()), slog.String("error", d.Error.String()))
	}
	return s.Store.Delivered(context.WithoutCancel(ctx), m, d, next, gone)
}

// send makes one try.
func (s *Sender) send(ctx context.Context, c *http.Client, secret string, m store.HookMessage, d *store.Delivery) {
	if err := CheckURL(m.URL, s.Config.Hooks.Allow); err != nil { // what is allowed may have changed
		d.Error = i18n.T("The site does not allow this address.")
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, strings.NewReader(m.Body))
	if err != nil {
		d.Error = i18n.T("This is not a valid address.")
		return
	}
	h := req.Header
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", s.Agent)
	h.Set(idHeader, m.Name)
	h.Set(timestampHeader, strconv.FormatInt(d.At.Unix(), 10))
	h.Set(signatureHeader, Sign(secret, m.Name, d.At, []byte(m.Body)))
	resp, err := c.Do(req)
	if err != nil {
		d.Error = problem(err)
		return
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, shown)) // the status counts, whatever follows it
	d.Status, d.Answer = resp.StatusCode, clean(answer)
	switch {
	case d.Status >= 300 && d.Status < 400:
		d.Error = i18n.T("The receiver redirects to another address. Redirects are not followed.")
	case d.Status < 200 || d.Status >= 300:
		d.Error = i18n.T("The receiver answered with status %d.", d.Status)
	}
}

// clean is what of an answer can be stored and shown as text.
func clean(answer []byte) string {
	return string(bytes.ToValidUTF8(bytes.ReplaceAll(answer, []byte{0}, nil), []byte("\ufffd")))
}

// problem says why there was no answer. The address, which may have a secret in it, is not in it.
func problem(err error) i18n.Text {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	var timeout net.Error
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	switch {
	case errors.Is(err, netguard.ErrPrivate):
		return i18n.T("The host has an address of a private network, which the site does not allow.")
	case errors.As(err, &certificate):
		return i18n.T("The certificate of the receiver is not valid: %s", short(certificate.Err.Error()))
	case errors.As(err, &name) && name.IsNotFound:
		return i18n.T("The name of the host does not exist.")
	case errors.As(err, &timeout) && timeout.Timeout():
		return i18n.T("The receiver did not answer within %d seconds.", int(sendTimeout/time.Second))
	}
	return i18n.T("The receiver can't be reached: %s", short(err.Error()))
}

func short(text string) string { return clean([]byte(text[:min(len(text), 300)])) }

// event is the body of a message.
func (s *Sender) event(m store.HookMessage) any {
	site := s.Config.Site.URL
	data := struct {
		Job   job        `json:"job"`
		Build *api.Build `json:"build,omitempty"`
	}{Job: job{m.Job.ID, m.Job.Name, m.Job.Target, m.Job.TargetTitle.String(), site + "/jobs/" + m.Job.ID}}
	kind := TestEvent
	if m.Build != nil {
		kind = "build." + string(m.Build.State)
		b := api.BuildOf(m.Build, append([]store.Artifact{}, m.Files...)).At(site, m.Job.ID)
		data.Build = &b
	}
	return struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      any       `json:"data"`
	}{kind, m.CreatedAt.UTC(), data}
}

// TestEvent is the type of a message that is about no build.
const TestEvent = "hook.test"

// job is the job in a message.
type job struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Target string `json:"target"`
	Title  string `json:"target_title"`
	URL    string `json:"url"`
}
