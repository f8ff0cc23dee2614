package web

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth/session"
	"toaster.do/lib/i18n"
	"toaster.do/lib/nearest"
	"toaster.do/lib/store"
)

// A request names itself by the hidden field "once" of the form that it comes from, or, as a program, by an
// Idempotency-Key. What it asks for is done once: sent again, also at the same moment, it gets the same answer again.

// idempotencyKey is the header in which a program names a request.
const idempotencyKey = "Idempotency-Key"

const (
	onceLife  = 24 * time.Hour        // how long an answer is kept
	onceStuck = 2 * time.Minute       // a request that has done nothing for so long never will
	onceWait  = 10 * time.Second      // how long another sending waits for the first one's answer
	onceLook  = 50 * time.Millisecond // between two looks for that
	longKey   = 255                   // bytes
)

// onceStore keeps what was asked for once.
type onceStore interface {
	Answered(ctx context.Context, o store.Once, answer []byte) error
	Claim(ctx context.Context, o store.Once, since time.Time, stuck time.Time) (before *store.Done, err error)
	Done(ctx context.Context, o store.Once) (before *store.Done, err error)
	Unclaim(ctx context.Context, o store.Once) error
}

// act lets the route do what a POST asks for.
func (r *Request) act(w *response) error {
	form, err := r.Input()
	if err == nil {
		err = r.knownQuery()
	}
	if err != nil {
		return r.refuse(w, err)
	}
	name, o, err := r.once(form)
	if err != nil {
		return r.refuse(w, err)
	}
	if name == "" {
		return r.route.Do(w, r)
	}
	db, now := r.Site.store, o.At
	before, err := db.Claim(r.Context(), o, now.Add(-onceLife), now.Add(-onceStuck))
	switch {
	case err != nil:
		return r.refuse(w, err)
	case before != nil:
		return r.repeat(w, name, o, before)
	}
	return r.doOnce(w, name, o)
}

// refuse lets the route show its form with what is wrong with the input; one without a form leaves that to the caller.
func (r *Request) refuse(w *response, err error) error {
	if r.route.Fields == nil {
		return err
	}
	r.formErr = err
	return r.route.Do(w, r)
}

// once returns the name of the request, empty where it has none, and what it is known by.
func (r *Request) once(form *Form) (name string, o store.Once, err error) {
	if r.route.Repeat {
		return "", o, nil
	}
	asked := r.digest(form)
	o = store.Once{Request: asked[:], Owner: r.ID, At: r.Site.Sessions.Now()}
	if p := r.Identity.User; p != nil {
		o.UserID = p.ID
	}
	if key := r.Header.Get(idempotencyKey); key != "" && o.UserID != 0 {
		if len(key) > longKey {
			return "", o, apperr.New(apperr.InvalidArgument, "The Idempotency-Key is longer than 255 characters.",
				"Send a random key, such as a UUID.").Coded("idempotency_key_invalid")
		}
		name = "key\x00" + key
	} else if v := form.Values[onceField]; v != "" {
		// What was changed since is another wish: the page of a form may be gone back to.
		name = "form\x00" + string(asked[:]) + v
	}
	var person [8]byte
	binary.BigEndian.PutUint64(person[:], uint64(o.UserID))
	d := sha256.Sum256(slices.Concat(person[:], []byte(name)))
	o.Key = d[:]
	return name, o, nil
}

// digest is of all that the request asks for: method, path and form.
func (r *Request) digest(form *Form) [sha256.Size]byte {
	h := sha256.New()
	add := func(part string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	add(r.Method)
	add(r.app.own() + r.path)
	add(r.URL.RawQuery)
	for _, name := range slices.Sorted(maps.Keys(form.Values)) {
		if name != onceField {
			add(name)
			add(form.Values[name])
		}
	}
	fields := r.route.fields(r.Site)
	for _, name := range slices.Sorted(maps.Keys(form.Files)) {
		file := form.Files[name]
		content := file.sum()
		if l, _ := fields.find(name); l.Secret { // else who has the database could try what it may be
			content = r.Site.Sessions.Blinded(content)
		}
		add("file:" + name)
		add(file.Name)
		add(string(content[:]))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// answer is what is kept of an answer.
type answer struct {
	Status int         `json:"s"`
	Header http.Header `json:"h"`
	Body   []byte      `json:"b"`
}

// doOnce does what the request asks for, and keeps the answer to it. What comes to nothing may be sent again.
func (r *Request) doOnce(w *response, name string, o store.Once) error {
	ctx := context.WithoutCancel(r.Context())
	r.Request = r.WithContext(store.WithOnce(r.Context(), o))
	answered := false
	defer func() {
		if !answered {
			if err := r.Site.store.Unclaim(ctx, o); err != nil {
				r.Log().Warn("a request can't be sent again for some minutes", slog.String("request", r.ID), slog.Any("error", err))
			}
		}
	}()
	w.copy = []byte{}
	if err := r.route.Do(w, r); err != nil || w.status >= http.StatusBadRequest {
		return err
	}
	answered = true // though it may not be kept
	a := answer{Status: w.status, Header: http.Header{}, Body: w.copy}
	for _, h := range []string{"Content-Type", "Location", "Cache-Control"} {
		if v := w.Header().Get(h); v != "" {
			a.Header.Set(h, v)
		}
	}
	for _, c := range w.Header().Values("Set-Cookie") {
		if session.IsFlash(c) { // never a session's
			a.Header.Add("Set-Cookie", c)
		}
	}
	text, err := json.Marshal(a)
	if err == nil {
		text, err = r.Site.Sessions.SealAnswer(name, text)
	}
	if err == nil {
		err = r.Site.store.Answered(ctx, o, text)
	}
	if err != nil {
		r.Log().Warn("an answer is not kept", slog.String("request", r.ID), slog.Any("error", err))
	}
	return nil
}

// repeat answers a request that was sent before, as soon as that one is answered.
func (r *Request) repeat(w *response, name string, o store.Once, before *store.Done) (err error) {
	if !before.Same {
		return r.refuse(w, apperr.New(apperr.InvalidArgument, "This Idempotency-Key was already used for another request.",
			"Use a new key for each request.").Coded("idempotency_key_reused"))
	}
	deadline := o.At.Add(onceWait)
	if o.At.Sub(before.At) > onceStuck {
		deadline = o.At
	}
	for before != nil && before.Answer == nil && r.Site.Sessions.Now().Before(deadline) {
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-time.After(onceLook):
		}
		if before, err = r.Site.store.Done(r.Context(), o); err != nil {
			return err
		}
	}
	switch {
	case before == nil: // it came to nothing
		return r.act(w)
	case before.Answer != nil:
		return r.answerAgain(w, name, before.Answer)
	case before.Location != "":
		return r.answerLost(w, before.Location)
	}
	return r.refuse(w, apperr.New(apperr.FailedPrecondition,
		"This request was already sent, and is still being processed.",
		"Check the result in a minute.").Coded("in_progress"))
}

func (r *Request) answerAgain(w *response, name string, sealed []byte) error {
	text, err := r.Site.Sessions.OpenAnswer(name, sealed)
	if err != nil {
		return err
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return err
	}
	maps.Copy(w.Header(), a.Header)
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(a.Status)
	_, err = w.Write(a.Body)
	return err
}

// answerLost answers for a process that was ended after it had made what is at location. A program gets that as it is
// now.
func (r *Request) answerLost(w *response, location string) error {
	if !r.JSON() {
		return r.Redirect(w, location)
	}
	if below, ok := strings.CutPrefix(location, r.app.own()); ok {
		if route, parameters, _ := find(r.app.Routes, http.MethodGet, below); route != nil && r.route.Access != Browser {
			w.Header().Set("Location", r.To(location))
			w.as = http.StatusCreated
			r.route, r.parameters = route, parameters
			return route.Do(w, r)
		}
	}
	return apperr.New(apperr.FailedPrecondition, "This request was already processed, but its answer is lost.",
		"Check the result before you send it again.").Coded("answer_lost")
}

// knownQuery refuses a query that the route has no use for.
func (r *Request) knownQuery() error {
	for _, name := range slices.Sorted(maps.Keys(r.URL.Query())) {
		if name != "lang" && !slices.Contains(r.route.Query, name) {
			advice := i18n.Key("Omit it.")
			if _, ok := r.route.fields(r.Site)[name]; ok {
				advice = "Send it in the body, as a field of the form."
			}
			return apperr.New(apperr.InvalidArgument, "“%s” is not allowed in this address.",
				advice, Short(name)).At(Short(name)).Coded("unknown_parameter")
		}
	}
	return nil
}

// unknownField refuses a field that the form doesn't have.
func unknownField(name string, fields Fields) error {
	name = Short(name)
	advice := i18n.T("Omit it.")
	var known []string
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if !fields[field].Hidden && len(field) > 3 { // short ones are near to everything
			known = append(known, field)
		}
	}
	if meant := nearest.To(strings.ToLower(name), known); meant != "" {
		advice = i18n.T("Did you mean “%s”?", meant)
	}
	return apperr.New(apperr.InvalidArgument, "The field “%s” is not supported here.", "%s", name,
		advice).At(name).Coded("unknown_field")
}
