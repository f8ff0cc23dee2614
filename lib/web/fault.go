package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
	"toaster.do/lib/view"
)

// answers are, for each kind of error, the HTTP status, and the code that a program is sent.
var answers = map[apperr.Kind]struct {
	status int
	code   string
}{
	apperr.InvalidArgument:    {http.StatusUnprocessableEntity, "invalid"},
	apperr.TooLarge:           {http.StatusRequestEntityTooLarge, "too_large"},
	apperr.Unauthenticated:    {http.StatusUnauthorized, "unauthorised"},
	apperr.PermissionDenied:   {http.StatusForbidden, "denied"},
	apperr.ResourceExhausted:  {http.StatusForbidden, "quota"},
	apperr.NotFound:           {http.StatusNotFound, "not_found"},
	apperr.Gone:               {http.StatusGone, "gone"},
	apperr.AlreadyExists:      {http.StatusConflict, "conflict"},
	apperr.FailedPrecondition: {http.StatusConflict, "conflict"},
	apperr.RateLimited:        {http.StatusTooManyRequests, "limited"},
	apperr.Unavailable:        {http.StatusServiceUnavailable, "unavailable"},
	apperr.StorageFull:        {http.StatusInsufficientStorage, "full"},
	apperr.Internal:           {http.StatusInternalServerError, "broken"},
}

// statusFault is a fault whose status its kind doesn't tell.
type statusFault struct {
	fault  *apperr.Error
	status int
}

func (s *statusFault) Error() string { return s.fault.Error() }
func (s *statusFault) Unwrap() error { return s.fault }

// malformed is the fault of a request that no browser sends.
func malformed(status int, cause error) error {
	return &statusFault{apperr.Wrap(apperr.InvalidArgument, cause, "The server can't read this request.",
		"Reload the page, and send the form again."), status}
}

// Status is the HTTP status for an error.
func Status(err error) int {
	var s *statusFault
	if errors.As(err, &s) {
		return s.status
	}
	return answers[apperr.KindOf(err)].status
}

// Repeatable tells whether who sent a form is helped by getting it back with the error: they can correct it, or send
// it again in a while.
func Repeatable(err error) bool {
	status := Status(err)
	return status < 500 || status == http.StatusServiceUnavailable || status == http.StatusInsufficientStorage
}

// WithMembers adds members to the problem that a program is told (RFC 9457, 3.2).
func WithMembers(err error, members map[string]any) error {
	return &detailed{err, members}
}

type detailed struct {
	error
	members map[string]any
}

func (d *detailed) Unwrap() error { return d.error }

// errorPage is the data of the page of an error.
type errorPage struct {
	Status        int
	Title         i18n.Key
	Message, Help i18n.Text
	Typed         []typed // what would be lost otherwise
}

var errorTemplate = view.Template[errorPage]{Name: "error"}

// fail answers with an error: a page, or a problem for a program. What has begun can't be taken back.
func (r *Request) fail(w *response, err error) {
	err = ended(r.Context(), err)
	r.err = err
	status := Status(err)
	if w.status != 0 {
		return
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="toaster"`)
	}
	f := apperr.Of(err)
	if r.JSON() {
		r.problem(w, status, err)
		return
	}
	r.identify() // for the menu: nothing is said of it that can't be found out
	failure := errorPage{status, i18n.Key(http.StatusText(status)), f.Message, f.Advice, r.typed()}
	if err := r.Page(w, status, errorTemplate.With(failure), view.View{}); err != nil {
		r.app.logger().Error("the error page failed", "request", r.ID, "error", err)
		http.Error(w, f.Message.String()+" "+f.Advice.String()+" (request "+r.ID+")", status)
	}
}

// retryAfter is how many seconds a sender should wait before the next try (RFC 9110, 10.2.3); 0: that wouldn't help.
func retryAfter(status int, f *apperr.Error) int {
	switch {
	case status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable:
		return 0
	case f.After > 0:
		return int((f.After + time.Second - 1) / time.Second)
	}
	return 60
}

// problem answers with application/problem+json (RFC 9457).
func (r *Request) problem(w http.ResponseWriter, status int, err error) {
	f := apperr.Of(err)
	p := map[string]any{}
	var d *detailed
	if errors.As(err, &d) {
		p = d.members
	}
	p["type"], p["title"], p["status"], p["instance"] = "about:blank", http.StatusText(status), status,
		"urn:toaster:request:"+r.ID
	p["detail"] = r.Say(f.Message)
	if !f.Advice.IsZero() {
		p["advice"] = r.Say(f.Advice)
	}
	if f.Field != "" {
		p["field"] = f.Field
	}
	p["code"] = Code(f)
	if all := apperr.All(err); len(all) > 1 {
		p["errors"] = Problems(r, all)
	}
	b, err := json.Marshal(p)
	if err != nil {
		r.app.logger().Error("the problem can't be written", "request", r.ID, "error", err)
	}
	r.send(w, status, "application/problem+json", b)
}

// Problems are faults for a program, each with its field and code.
func Problems(r *Request, faults []*apperr.Error) []map[string]string {
	list := []map[string]string{}
	for _, f := range faults {
		list = append(list, map[string]string{"field": f.Field, "code": Code(f), "detail": r.Say(f.Message),
			"advice": r.Say(f.Advice)})
	}
	return list
}

// Code is what happened, for programs.
func Code(f *apperr.Error) string {
	return cmp.Or(f.Code, answers[f.Kind].code)
}

// crash is what a panic becomes.
func (r *Request) crash(w *response, what any, stack []byte) {
	r.app.logger().LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("request", r.ID), slog.Any("panic", what),
		slog.String("stack", string(stack)))
	r.fail(w, apperr.New(apperr.Internal, "Something went wrong on this server.",
		"Try again. If the problem persists, contact the administrator, and include the request ID."))
}
