package hooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// office is a database with a job, and who sends what its hooks are to send, at a time that only the test moves.
type office struct {
	*testing.T
	db     *store.DB
	cfg    *config.Config
	user   *store.User
	job    *store.Job
	now    time.Time
	log    bytes.Buffer
	sender *Sender
}

var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{T: t, cfg: config.Default(), now: begin}
	dir := t.TempDir()
	path := filepath.Join(dir, "toaster.db")
	_, _, err := store.Migrate(t.Context(), path)
	o.must(err)
	o.db, err = store.Open(t.Context(), path)
	o.must(err)
	t.Cleanup(func() { o.db.Close() })
	o.cfg.Paths.Database, o.cfg.Paths.Keys = path, filepath.Join(dir, "keys")
	o.cfg.Site.URL = "https://toaster.example.org"
	o.must(config.NewKeys(o.cfg.Paths.Keys))
	o.user = &store.User{Email: "anna@example.org", Role: store.RoleUser, State: store.Active, MaxJobs: -1,
		CreatedAt: begin}
	o.must(o.db.AddUser(t.Context(), o.user))
	o.job = &store.Job{ID: "aaaaaaaaaaaa", UserID: o.user.ID, Name: "web", Target: "vm_amd64_daedalus", EngineName: "a",
		Enabled: true, EngineEnabled: true, Revision: 1, CreatedAt: begin}
	r := &store.Revision{JobID: o.job.ID, Number: 1, Dockerfile: []byte("FROM x"), CreatedAt: begin}
	o.must(o.db.AddJob(t.Context(), o.job, r, 0))
	o.sender = &Sender{Store: o.db, Config: o.cfg, Agent: "toaster/test", Now: func() time.Time { return o.now },
		Log: slog.New(slog.NewTextHandler(&o.log, nil))}
	return o
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// hook adds a hook, and returns its id and secret. Its host is allowed.
func (o *office) hook(url string) (int64, string) {
	o.Helper()
	seals, err := o.cfg.Seals(Seals)
	o.must(err)
	plain := NewSecret()
	h := &store.Hook{JobID: o.job.ID, URL: url, Secret: seals.Seal([]byte(plain), Bound(o.job.ID, false)),
		CreatedAt: o.now}
	o.must(o.db.AddHook(o.Context(), o.user.ID, h, 5, store.AuditEntry{At: o.now}))
	if _, rest, ok := strings.Cut(url, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		o.cfg.Hooks.Allow = append(o.cfg.Hooks.Allow, host)
	}
	return h.ID, plain
}

// build has a build of the job end in a state, with a file.
func (o *office) build(state store.BuildState) int {
	o.Helper()
	ctx := o.Context()
	b, _, err := o.db.AddBuild(ctx, o.user.ID, o.job.ID, nil, store.Limits{}, o.now)
	o.must(err)
	_, err = o.db.ClaimStart(ctx, b, o.now, time.Minute)
	o.must(err)
	o.must(o.db.SetTicket(ctx, b, "1"))
	before := store.Observation{Ticket: "1", AskedAt: b.AskedAt, Removed: true}
	b.Ticket, b.EngineNumber, b.State, b.StartedAt, b.EndedAt = "1", b.Number, state, o.now, o.now
	before.Build = b
	o.must(o.db.Observe(ctx, o.job.ID, o.now, []store.Observation{before}))
	o.must(o.db.Finalize(ctx, b, []store.Artifact{{Path: "disk 1.img", Size: 5, SHA256: strings.Repeat("a", 64)}}))
	return b.Number
}

func (o *office) deliver() {
	o.Helper()
	o.must(o.sender.Deliver(o.Context()))
}

func (o *office) deliveries(hook int64) []store.Delivery {
	o.Helper()
	list, err := o.db.Deliveries(o.Context(), o.user.ID, o.job.ID, hook)
	o.must(err)
	return list
}

func (o *office) waiting(hook int64) int {
	o.Helper()
	h, err := o.db.Hook(o.Context(), o.user.ID, o.job.ID, hook)
	o.must(err)
	return h.Waiting
}

// got is a message as it arrived.
type got struct {
	header http.Header
	body   []byte
}

// receiver is a program that is called, and answers with a status.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []got
	status int
	during func() // what happens while it is called; nil: nothing
}

func newReceiver(t *testing.T, status int) *receiver {
	r := &receiver{status: status}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		if r.during != nil {
			r.during()
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, got{q.Header, body})
		w.WriteHeader(r.status)
		io.WriteString(w, "thank you <b>\x00\xff"+strings.Repeat("!", 5000))
	}))
	t.Cleanup(r.Close)
	return r
}

// genuine verifies a message as the specification says it, by other code than this package's.
func genuine(t *testing.T, m got, secret string) {
	t.Helper()
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		t.Fatalf("the secret %q: %v", secret, err)
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(m.header.Get("webhook-id") + "." + m.header.Get("webhook-timestamp") + "." + string(m.body)))
	if want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)); m.header.Get("webhook-signature") != want {
		t.Errorf("signature %q, want %q", m.header.Get("webhook-signature"), want)
	}
}

func TestTheEndOfABuildIsReported(t *testing.T) {
	o, r := newOffice(t), newReceiver(t, 204)
	id, secret := o.hook(r.URL + "/a?b=c")
	for i, state := range []store.BuildState{store.Succeeded, store.Failed, store.Aborted, store.Lost} {
		number := o.build(state)
		o.deliver()
		o.deliver()
		if len(r.got) != i+1 {
			t.Fatalf("%s: %d messages, %s", state, len(r.got), o.log.String())
		}
		m := r.got[i]
		genuine(t, m, secret)
		var said struct {
			Type      string
			Timestamp time.Time
			Data      struct {
				Job   struct{ ID, Name, Target, URL string }
				Build struct {
					Number    int
					State     store.BuildState
					URL       string
					LogURL    string `json:"log_url"`
					Artifacts []struct {
						Path, SHA256, URL string
						Size              int64
					}
				}
			}
		}
		o.must(json.Unmarshal(m.body, &said))
		d := said.Data
		at := "https://toaster.example.org/jobs/aaaaaaaaaaaa"
		if said.Type != "build."+string(state) || !said.Timestamp.Equal(begin) || d.Job.Name != "web" || d.Job.URL != at ||
			d.Build.Number != number || d.Build.State != state || !strings.HasPrefix(d.Build.URL, at+"/builds/") ||
			d.Build.LogURL != d.Build.URL+"/log" || len(d.Build.Artifacts) != 1 ||
			d.Build.Artifacts[0].URL != d.Build.URL+"/artifacts/disk%201.img" {
			t.Errorf("%s", m.body)
		}
		if m.header.Get("Content-Type") != "application/json" || m.header.Get("User-Agent") != "toaster/test" {
			t.Error(m.header)
		}
	}
	for i, d := range o.deliveries(id) {
		if d.Status != 204 || !d.Error.IsZero() || d.Build != 4-i || d.Message != r.got[3-i].header.Get("webhook-id") {
			t.Errorf("%+v", d)
		}
	}
	o.must(o.db.TestHook(t.Context(), o.user.ID, o.job.ID, id, o.now))
	o.deliver()
	genuine(t, r.got[4], secret)
	if !strings.Contains(string(r.got[4].body), `"type":"hook.test"`) || o.deliveries(id)[0].Build != 0 {
		t.Errorf("%s", r.got[4].body)
	}
	if strings.Contains(o.log.String(), secret) {
		t.Error(o.log.String())
	}
}

func TestAReceiverThatFailsIsCalledAgainLessAndLessOften(t *testing.T) {
	o, r := newOffice(t), newReceiver(t, 500)
	id, secret := o.hook(r.URL)
	o.build(store.Failed)
	for i, wait := range backoff {
		o.deliver()
		o.now = o.now.Add(wait - time.Millisecond)
		o.deliver()
		if len(r.got) != i+1 {
			t.Fatalf("after %s: %d messages", o.now.Sub(begin), len(r.got))
		}
		o.now = o.now.Add(time.Millisecond)
	}
	o.deliver()
	if n := len(r.got); n != len(backoff)+1 || o.waiting(id) != 0 {
		t.Errorf("%d messages, %d wait", n, o.waiting(id))
	}
	for _, m := range r.got {
		genuine(t, m, secret)
		if m.header.Get("webhook-id") != r.got[0].header.Get("webhook-id") || !bytes.Equal(m.body, r.got[0].body) {
			t.Errorf("another message: %s", m.body)
		}
	}
	d := o.deliveries(id)[0]
	if d.Error.String() != "The receiver answered with status 500." || d.Status != 500 || len(d.Answer) > 1100 ||
		!strings.HasPrefix(d.Answer, "thank you <b>\ufffd!!") {
		t.Errorf("%+v", d)
	}
	r.status = 200
	o.must(o.db.SendAgain(t.Context(), o.user.ID, o.job.ID, id, d.ID, o.now))
	o.deliver()
	if again := o.deliveries(id)[0]; again.Message != d.Message || !again.Error.IsZero() || o.waiting(id) != 0 {
		t.Errorf("%+v", again)
	}
}

func TestAReceiverThatIsGoneDisablesItsHook(t *testing.T) {
	o, r := newOffice(t), newReceiver(t, 410)
	id, _ := o.hook(r.URL)
	o.build(store.Failed)
	o.deliver()
	o.build(store.Failed)
	o.now = o.now.Add(24 * time.Hour)
	o.deliver()
	h, err := o.db.Hook(t.Context(), o.user.ID, o.job.ID, id)
	if err != nil || h.Enabled || h.GoneAt.IsZero() || h.Waiting != 0 || len(r.got) != 1 {
		t.Errorf("%+v, %d messages, %v", h, len(r.got), err)
	}
	o.must(o.db.SetHook(t.Context(), o.user.ID, o.job.ID, id, h.URL, true, store.AuditEntry{At: o.now}))
	o.build(store.Failed)
	o.deliver()
	if len(r.got) != 2 {
		t.Errorf("enabled again: %d messages", len(r.got))
	}
}

// What the owner of a hook does while it is called holds.
func TestTheOwnerHasTheLastWord(t *testing.T) {
	entry := store.AuditEntry{At: begin}
	set := func(o *office, id int64, url string, enabled bool) {
		o.must(o.db.SetHook(t.Context(), o.user.ID, o.job.ID, id, url, enabled, entry))
	}
	o, r := newOffice(t), newReceiver(t, 500)
	id, _ := o.hook(r.URL)
	o.build(store.Failed)
	r.during = func() { set(o, id, r.URL, false) }
	o.deliver()
	set(o, id, r.URL, true)
	o.now = o.now.Add(time.Hour)
	if o.deliver(); len(r.got) != 1 || o.waiting(id) != 0 {
		t.Errorf("disabled while it was called: %d messages, %d wait", len(r.got), o.waiting(id))
	}

	o, r = newOffice(t), newReceiver(t, 410)
	id, _ = o.hook(r.URL)
	o.build(store.Failed)
	r.during = func() { set(o, id, r.URL+"/new", true) }
	o.deliver()
	if h, err := o.db.Hook(t.Context(), o.user.ID, o.job.ID, id); err != nil || !h.Enabled || h.Waiting != 1 {
		t.Errorf("another address than the one that is gone: %+v, %v", h, err)
	}
	r.status, r.during = 200, nil
	if o.deliver(); len(r.got) != 2 || o.waiting(id) != 0 {
		t.Errorf("the new address: %d messages, %d wait", len(r.got), o.waiting(id))
	}

	again := func() { o.must(o.db.SendAgain(t.Context(), o.user.ID, o.job.ID, id, o.deliveries(id)[0].ID, o.now)) }
	for i, status := range []int{200, 500} {
		again()
		r.status, r.during = status, again
		o.deliver()
		r.status, r.during = 200, nil
		if o.deliver(); len(r.got) != 4+2*i || o.waiting(id) != 0 {
			t.Errorf("sent again while it was, %d: %d messages, %d wait", status, len(r.got), o.waiting(id))
		}
	}
}

// Of a process that dies while it sends, another one finds what it had to send.
func TestWhatACrashLeftIsSent(t *testing.T) {
	o, r := newOffice(t), newReceiver(t, 200)
	id, _ := o.hook(r.URL)
	o.build(store.Succeeded)
	due, err := o.db.DueHooks(t.Context(), o.now, 9)
	o.must(err)
	mine, err := o.db.ClaimHook(t.Context(), due[0].ID, "{}", o.now, o.now.Add(claim))
	if err != nil || !mine {
		t.Fatal(mine, err)
	}
	o.deliver() // the other one is still alive
	if len(r.got) != 0 || o.waiting(id) != 1 {
		t.Fatalf("%d messages", len(r.got))
	}
	o.now = o.now.Add(claim)
	o.deliver()
	if len(r.got) != 1 || o.waiting(id) != 0 {
		t.Errorf("%d messages", len(r.got))
	}
}

func TestTwoSendersSendOnce(t *testing.T) {
	o, r := newOffice(t), newReceiver(t, 200)
	for range 3 {
		o.hook(r.URL)
	}
	for range 20 {
		o.build(store.Failed)
	}
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() { o.deliver() })
	}
	senders.Wait()
	seen := map[string]bool{}
	for _, m := range r.got {
		seen[m.header.Get("webhook-id")] = true
	}
	if len(r.got) != 60 || len(seen) != 60 {
		t.Errorf("%d messages, %d different ones", len(r.got), len(seen))
	}
}

// One whose receivers answer slowly keeps nobody else waiting: of each owner the first comes first.
func TestOwnersTakeTurns(t *testing.T) {
	o := newOffice(t)
	o.hook("https://a.example.org/")
	for range 30 {
		o.build(store.Failed)
	}
	ann := o.job.ID
	ben := &store.User{Email: "ben@example.org", Role: store.RoleUser, State: store.Active, MaxJobs: -1, CreatedAt: begin}
	o.must(o.db.AddUser(t.Context(), ben))
	o.user, o.job = ben, &store.Job{ID: "bbbbbbbbbbbb", UserID: ben.ID, Name: "b", Target: "t", EngineName: "b",
		Enabled: true, EngineEnabled: true, Revision: 1, CreatedAt: begin}
	o.must(o.db.AddJob(t.Context(), o.job, &store.Revision{JobID: o.job.ID, Number: 1, Dockerfile: []byte("FROM x"),
		CreatedAt: begin}, 0))
	o.hook("https://b.example.org/")
	o.now = o.now.Add(time.Minute)
	o.build(store.Failed)
	due, err := o.db.DueHooks(t.Context(), o.now, 2)
	if err != nil || len(due) != 2 || due[0].Job.ID != ann || due[1].Job.ID != o.job.ID {
		t.Errorf("%+v, %v", due, err)
	}
}

func TestTheLogIsShort(t *testing.T) {
	o, r := newOffice(t), newReceiver(t, 200)
	id, _ := o.hook(r.URL)
	for range store.HookLog + 5 {
		o.build(store.Failed)
	}
	o.deliver()
	if n := len(o.deliveries(id)); n != store.HookLog || len(r.got) != store.HookLog+5 {
		t.Errorf("%d of %d are kept", n, len(r.got))
	}
}

// A run ends in its time: what it could not send before is left to the next one.
func TestNoTryBeginsThatCouldNotEndInTime(t *testing.T) {
	o, r := newOffice(t), newReceiver(t, 200)
	o.hook(r.URL)
	o.build(store.Failed)
	short, cancel := context.WithTimeout(t.Context(), sendTimeout-time.Second)
	defer cancel()
	if err := o.sender.Deliver(short); err != nil || len(r.got) != 0 {
		t.Errorf("%v, %d messages", err, len(r.got))
	}
	o.deliver()
	if len(r.got) != 1 {
		t.Errorf("%d messages", len(r.got))
	}
}

func TestNobodyIsCalledForWhoIsGone(t *testing.T) {
	o, r := newOffice(t), newReceiver(t, 200)
	hook, _ := o.hook(r.URL)
	o.build(store.Failed)
	entry := store.AuditEntry{At: o.now}
	admin := &store.User{Email: "eve@example.org", Role: store.RoleAdmin, State: store.Active, MaxJobs: -1,
		CreatedAt: begin}
	o.must(o.db.AddUser(t.Context(), admin))
	o.must(o.db.Suspend(t.Context(), o.user.ID, entry))
	o.deliver()
	// Nor is it told long after, when they may use the site again.
	o.must(o.db.ActivateUser(t.Context(), o.user.ID, store.Mail{}, entry))
	o.deliver()
	_, _, err := o.db.AddBuild(t.Context(), o.user.ID, o.job.ID, nil, store.Limits{}, o.now)
	o.must(err)
	o.must(o.db.Suspend(t.Context(), o.user.ID, entry)) // which ends the build
	if n := o.waiting(hook); n != 0 {
		t.Errorf("%d messages wait", n)
	}
	o.must(o.db.RemoveUser(t.Context(), o.user.ID, o.now, store.Mail{}, entry))
	o.deliver()
	if due, err := o.db.DueHooks(t.Context(), o.now.Add(time.Hour), 9); len(due) > 0 || err != nil || len(r.got) > 0 {
		t.Errorf("%d wait, %d messages, %v", len(due), len(r.got), err)
	}
}

// What a restored site's hooks were to send, the other one may have sent.
func TestARestoredSiteCallsNobody(t *testing.T) {
	o, r := newOffice(t), newReceiver(t, 200)
	id, _ := o.hook(r.URL)
	o.build(store.Failed)
	_, _, err := o.db.AddBuild(t.Context(), o.user.ID, o.job.ID, nil, store.Limits{}, o.now)
	o.must(err)
	_, _, err = o.db.Hold(t.Context(), false, o.now)
	o.must(err)
	o.deliver()
	if len(r.got) != 0 || o.waiting(id) != 0 {
		t.Errorf("%d messages, %d wait", len(r.got), o.waiting(id))
	}
	o.build(store.Succeeded)
	o.deliver()
	if len(r.got) != 1 {
		t.Errorf("%d messages", len(r.got))
	}
}

// New keys of the site leave the secrets of hooks good, once they are sealed again, when the old ones go.
func TestNewKeysKeepTheSecretsOfHooks(t *testing.T) {
	o, r := newOffice(t), newReceiver(t, 200)
	id, secret := o.hook(r.URL)
	lost, _ := o.hook(r.URL)
	start := NewSecret()
	seals, err := o.cfg.Seals(Seals)
	o.must(err)
	o.must(o.db.SetStartHook(t.Context(), o.user.ID, o.job.ID, seals.Seal([]byte(start), Bound(o.job.ID, true)),
		store.AuditEntry{At: o.now}))
	o.must(o.db.SetHookSecret(t.Context(), o.user.ID, o.job.ID, lost, []byte("sealed with other keys"),
		store.AuditEntry{At: o.now}))
	o.must(config.AddKeys(o.cfg.Paths.Keys, 2))
	unreadable, err := Reseal(t.Context(), o.cfg, o.db)
	if err != nil || unreadable != 1 {
		t.Errorf("%d can't be read: %v", unreadable, err)
	}
	o.must(config.DropKeys(o.cfg.Paths.Keys, 1))
	o.build(store.Failed)
	o.deliver()
	if len(r.got) != 1 || o.deliveries(id)[0].Status != 200 {
		t.Fatalf("%d messages: %s", len(r.got), o.log.String())
	}
	genuine(t, r.got[0], secret)
	if d := o.deliveries(lost)[0]; d.Error.String() != "The secret can't be read. Renew it." {
		t.Errorf("%+v", d)
	}
	if seals, err = o.cfg.Seals(Seals); err != nil {
		t.Fatal(err)
	}
	_, sealed, err := o.db.StarterOf(t.Context(), o.job.ID)
	o.must(err)
	if plain, newest, err := seals.Open(sealed, Bound(o.job.ID, true)); string(plain) != start || !newest || err != nil {
		t.Errorf("%q, %v, %v", plain, newest, err)
	}
}
