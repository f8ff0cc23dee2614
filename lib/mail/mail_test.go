package mail

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/mail/mailtest"
	"toaster.do/lib/store"
)

var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// post is an outbox, a mail server, and a clock that only the test moves.
type post struct {
	*testing.T
	db     *store.DB
	cfg    *config.Config
	server *mailtest.Server
	now    time.Time
	log    bytes.Buffer
}

func newPost(t *testing.T) *post {
	t.Helper()
	path := filepath.Join(t.TempDir(), "toaster.db")
	if _, _, err := store.Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p := &post{T: t, db: db, cfg: config.Default(), server: mailtest.New(t), now: begin}
	p.cfg.Mail = config.Mail{From: "Toaster <toaster@example.org>", Host: "127.0.0.1", TLS: "none"}
	return p
}

func (p *post) start() {
	p.server.Start()
	p.cfg.Mail.Port = p.server.Port()
}

func (p *post) write(to, subject string) {
	p.Helper()
	l := store.Mail{Recipient: to, Subject: subject,
		Body:  "Grüße\n\n    https://toaster.example.org/account/activate?link=abc_-" + strings.Repeat("x", 80) + "\n",
		Class: store.AccountMail}
	if posted, err := p.db.QueueMail(p.Context(), p.now, l); err != nil || !posted {
		p.Fatal(posted, err)
	}
}

func (p *post) deliver() (int, error) { return p.deliverFrom(p.db) }

func (p *post) deliverFrom(db mailStore) (int, error) {
	return Deliver(p.Context(), p.cfg, db, func() time.Time { return p.now }, slog.New(slog.NewTextHandler(&p.log, nil)))
}

func (p *post) waiting() store.Outbox {
	p.Helper()
	o, err := p.db.Outbox(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	return o
}

func TestAMailArrivesAsItWasWritten(t *testing.T) {
	p := newPost(t)
	p.start()
	p.write("anna@example.org", "Häuser")
	if sent, err := p.deliver(); sent != 1 || err != nil {
		t.Fatal(sent, err)
	}
	mails := p.server.Mails()
	if len(mails) != 1 || mails[0].From != "toaster@example.org" || mails[0].To != "anna@example.org" {
		t.Fatal(mails)
	}
	for _, want := range []string{"From: \"Toaster\" <toaster@example.org>\n", "Auto-Submitted: auto-generated\n",
		"Message-ID: <1.1767323045000@example.org>\n",
		"Date: Fri, 02 Jan 2026 03:04:05 +0000\n", "Content-Type: text/plain; charset=UTF-8\n",
		"Subject: =?UTF-8?q?H=C3=A4user?=\n"} {
		if !strings.Contains(mails[0].Text, want) {
			t.Errorf("%q is not in\n%s", want, mails[0].Text)
		}
	}
	if o := p.waiting(); o.Waiting != 0 {
		t.Errorf("%+v", o)
	}
	if sent, err := p.deliver(); sent != 0 || err != nil {
		t.Error("it was sent twice", sent, err)
	}
}

func TestAServerThatIsAwayLosesNothing(t *testing.T) {
	p := newPost(t)
	p.start()
	p.write("anna@example.org", "one")
	p.server.Stop()
	p.write("ben@example.org", "two")
	for i := range 4 {
		if _, err := p.deliver(); apperr.KindOf(err) != apperr.Unavailable {
			t.Fatalf("round %d: %v", i, err)
		}
		p.now = p.now.Add(time.Minute)
	}
	if o := p.waiting(); o.Waiting != 2 || o.Failing != 2 || !o.Oldest.Equal(begin) ||
		!strings.Contains(o.Problem, "refused") {
		t.Fatalf("%+v", o)
	}
	p.server.Start()
	p.now = p.now.Add(time.Hour)
	if sent, err := p.deliver(); sent != 2 || err != nil || len(p.server.Mails()) != 2 {
		t.Fatal(sent, err)
	}
}

func TestTriesSlowDownAndEnd(t *testing.T) {
	for failures, want := range map[int]time.Duration{0: time.Minute, 1: 2 * time.Minute, 5: 32 * time.Minute,
		8: 4 * time.Hour, 1000: 4 * time.Hour} {
		if got := wait(failures); got != want {
			t.Errorf("after %d failures: %s", failures, got)
		}
	}
	p := newPost(t)
	p.start()
	p.server.Stop()
	p.write("anna@example.org", "one")
	tries := 0
	for ; p.waiting().Waiting > 0; tries++ {
		if tries > 100 {
			t.Fatal("it is tried for ever")
		}
		if _, err := p.deliver(); err == nil {
			t.Fatal("no error")
		}
		p.now = p.now.Add(longest)
	}
	if p.now.Sub(begin) < patience || !strings.Contains(p.log.String(), "given up") ||
		!strings.Contains(p.log.String(), "anna@example.org") {
		t.Errorf("given up after %s, %d tries: %s", p.now.Sub(begin), tries, p.log.String())
	}
}

func TestARefusedRecipientIsGivenUpAndKeepsNobodyElseWaiting(t *testing.T) {
	p := newPost(t)
	p.server.Refuse = "gone@example.org"
	p.start()
	p.write("gone@example.org", "one")
	p.write("anna@example.org", "two")
	if sent, err := p.deliver(); sent != 1 || err == nil {
		t.Fatal(sent, err)
	}
	if o := p.waiting(); o.Waiting != 0 || !strings.Contains(p.log.String(), "No such user") {
		t.Errorf("%+v %s", o, p.log.String())
	}
}

func TestLogInByTLS(t *testing.T) {
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	defer certified.Close()
	roots = x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	t.Cleanup(func() { roots = nil })
	for way, wrapped := range map[string]bool{"starttls": false, "tls": true} {
		p := newPost(t)
		p.server.TLS, p.server.Wrapped = &tls.Config{Certificates: certified.TLS.Certificates}, wrapped
		p.server.User, p.server.Password = "toaster", "s3cret"
		p.start()
		p.cfg.Mail.TLS, p.cfg.Mail.User = way, "toaster"
		p.cfg.Mail.PasswordFile = filepath.Join(t.TempDir(), "password")
		p.write("anna@example.org", "one")
		for _, password := range []string{"wrong\n", "s3cret\n"} {
			if err := os.WriteFile(p.cfg.Mail.PasswordFile, []byte(password), 0o600); err != nil {
				t.Fatal(err)
			}
			sent, err := p.deliver()
			if check := Check(t.Context(), p.cfg.Mail); (check == nil) != (err == nil) {
				t.Errorf("checked: %v, sent: %v", check, err)
			}
			if good := password == "s3cret\n"; good != (sent == 1) || good != (err == nil) {
				t.Errorf("%s, %q: %d, %v", way, password, sent, err)
			}
			if o := p.waiting(); strings.Contains(o.Problem, "wrong\n") || o.Waiting != 1-sent {
				t.Errorf("%+v", o)
			}
			p.now = p.now.Add(time.Hour)
		}
	}
	p := newPost(t)
	p.start()
	p.cfg.Mail.User, p.cfg.Mail.PasswordFile = "toaster", filepath.Join(t.TempDir(), "open")
	if err := os.WriteFile(p.cfg.Mail.PasswordFile, []byte("s3cret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), p.cfg.Mail); err == nil || !strings.Contains(err.Error(), "readable by everybody") {
		t.Error(err)
	}
	// A server without TLS gets neither email nor password.
	p = newPost(t)
	p.start()
	p.cfg.Mail.TLS = "starttls"
	p.write("anna@example.org", "one")
	if sent, err := p.deliver(); sent != 0 || err == nil || len(p.server.Mails()) != 0 {
		t.Error(sent, err)
	}
}

// withSendmail makes the post's emails go by a program: a shell script.
func (p *post) withSendmail(script string) (dir string) {
	p.Helper()
	dir = p.TempDir()
	if err := os.WriteFile(dir+"/sendmail", []byte("#!/bin/sh\ncd "+dir+"\n"+script), 0o755); err != nil {
		p.Fatal(err)
	}
	p.cfg.Mail = config.Mail{From: "The toaster <toaster@example.org>", Sendmail: dir + "/sendmail"}
	p.write("anna@example.org", "one")
	return dir
}

func TestSendmail(t *testing.T) {
	p := newPost(t)
	dir := p.withSendmail("[ -e broken ] && { echo no spool >&2; exit 75; }\nprintf '%s\\n' \"$@\" > args; cat > letter\n")
	if err := os.WriteFile(dir+"/broken", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if sent, err := p.deliver(); sent != 0 || err == nil ||
		!strings.Contains(p.waiting().Problem, "exit status 75: no spool") ||
		!strings.Contains(p.log.String(), "exit status 75: no spool") {
		t.Error(sent, err, p.waiting(), p.log.String())
	}
	os.Remove(dir + "/broken")
	p.now = p.now.Add(time.Hour)
	if sent, err := p.deliver(); sent != 1 || err != nil {
		t.Fatal(sent, err)
	}
	mail, err := os.ReadFile(dir + "/letter")
	if err != nil || !bytes.Contains(mail, []byte("To: <anna@example.org>\n")) || bytes.Contains(mail, []byte("\r")) {
		t.Errorf("%s %v", mail, err)
	}
	// Who bounces it writes to the configured sender, not to whoever runs toaster.
	if args, err := os.ReadFile(dir + "/args"); err != nil ||
		string(args) != "-i\n-f\ntoaster@example.org\n--\nanna@example.org\n" {
		t.Errorf("%q %v", args, err)
	}
}

func TestASendmailThatKnowsNoSuchRecipientIsNotAskedAgain(t *testing.T) {
	p := newPost(t)
	p.withSendmail("echo who is anna; exit 67\n")
	if sent, err := p.deliver(); sent != 0 || err == nil || p.waiting().Waiting != 0 ||
		!strings.Contains(p.log.String(), "who is anna") {
		t.Error(sent, err, p.waiting(), p.log.String())
	}
}

func TestASendmailThatHangsIsEnded(t *testing.T) {
	sendmailTime = 500 * time.Millisecond
	t.Cleanup(func() { sendmailTime = 10 * time.Second })
	p := newPost(t)
	dir := p.withSendmail("echo x >> tries; echo connecting; sleep 3600 & echo $! > child; wait\n")
	p.write("ben@example.org", "two")
	begin := time.Now()
	if sent, err := p.deliver(); sent != 0 || err == nil || !strings.Contains(p.waiting().Problem, "did not end") ||
		!strings.Contains(p.waiting().Problem, "connecting") {
		t.Error(sent, err, p.waiting())
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	if tries, _ := os.ReadFile(dir + "/tries"); string(tries) != "x\n" {
		t.Errorf("the other letter waited for it, too: %q", tries)
	}
	child, err := os.ReadFile(dir + "/child")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(child)) + "/stat"); err != nil ||
			strings.Contains(string(state), ") Z ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("its child is still there")
		}
	}
}

func TestARecipientGetsOnlySoManyMailsThatAStrangerAsksFor(t *testing.T) {
	p := newPost(t)
	posted := 0
	for range 20 {
		ok, err := p.db.QueueMail(t.Context(), p.now,
			store.Mail{Recipient: "Anna@example.org", Subject: "s", Body: "b", Class: store.TokenMail})
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			posted++
		}
		p.now = p.now.Add(time.Second)
	}
	if posted != 3 || p.waiting().Waiting != 3 {
		t.Error(posted, p.waiting())
	}
	if ok, err := p.db.QueueMail(t.Context(), p.now,
		store.Mail{Recipient: "ben@example.org", Subject: "s", Body: "b", Class: store.TokenMail}); !ok || err != nil {
		t.Error("another user's emails count for ben", err)
	}
}

func TestTwoProcessesSendAMailOnce(t *testing.T) {
	p := newPost(t)
	p.start()
	for range 20 {
		p.write("anna@example.org", "one")
	}
	errs := make(chan error, 3)
	for range 3 {
		go func() { _, err := p.deliver(); errs <- err }()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := len(p.server.Mails()); n != 20 {
		t.Errorf("%d emails arrived", n)
	}
}
