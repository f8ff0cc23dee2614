package web

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth/session"
	"toaster.do/lib/i18n"
	"toaster.do/lib/view"
)

// Request is an HTTP request with what toaster knows of it.
type Request struct {
	*http.Request
	Site     *Site            // the opened site
	Identity session.Identity // who sent it
	ID       string           // names it in the log and on error pages
	Prefix   string           // the path the site is mounted under, escaped: "" or "/toaster"
	Notice   i18n.Key         // what its page says first, unless that has something of its own to say

	app        *App
	path       string // below the program
	route      *Route
	parameters map[string]string
	identified bool  // Identity is known, as far as it can be
	err        error // what it failed with, for the log
	form       *Form // as it was read; nil: it wasn't
	formErr    error // what is wrong with it
}

// Param is a parameter of the route's path.
func (r *Request) Param(name string) string { return r.parameters[name] }

// Log is the program's log.
func (r *Request) Log() *slog.Logger { return r.app.logger() }

// Note puts an error that the handler has answered itself into the log's line.
func (r *Request) Note(err error) { r.err = err }

// To is the path of the site's page: To("/jobs") is "/toaster/jobs" where the site lies below /toaster.
func (r *Request) To(path string) string { return r.Prefix + path }

// Address is the site's address for what leaves it, without a slash at its end: the configured one, or the one that the
// browser used.
func (r *Request) Address() string {
	if u := r.Site.Config.Site.URL; u != "" {
		return u
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return (&url.URL{Scheme: scheme, Host: r.Host}).String() + r.Prefix
}

// JSON tells whether the sender would rather have JSON than a page. A program sends a token; a browser may send the
// password that the web server asks for. What sends a Call is a program.
func (r *Request) JSON() bool {
	if r.route != nil && r.route.Call {
		return true
	}
	return prefersJSON(strings.Join(r.Header.Values("Accept"), ","), session.HasToken(r.Request))
}

// Input returns the form in the request's body, which it reads the first time; see ReadForm.
func (r *Request) Input() (*Form, error) {
	if r.form == nil {
		fields := r.route.fields(r.Site)
		if r.Identity.User == nil {
			fields = fields.ofNobody()
		}
		r.form, r.formErr = ReadForm(r.Request, fields)
	}
	return r.form, r.formErr
}

// typed is what the sender typed into the fields of a form, for a page that can't show the form again.
func (r *Request) typed() (list []typed) {
	if r.form == nil || r.Identity.User != nil && r.Identity.Token != nil {
		return nil
	}
	fields := r.route.fields(r.Site)
	add := func(name, value string) {
		if l, _ := fields.find(name); strings.TrimSpace(value) != "" && !l.Secret && !l.Hidden &&
			!strings.Contains(value, "PRIVATE KEY") {
			list = append(list, typed{name, value})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.form.Values)) {
		add(name, r.form.Values[name])
	}
	for name, file := range r.form.Files {
		if fields[name].Text {
			add(name, string(file.Content))
		}
	}
	return list
}

type typed struct{ Name, Value string }

func (rt *Route) fields(s *Site) Fields {
	if rt.Fields == nil {
		return Fields{}
	}
	return rt.Fields(s.Config)
}

// Lang is the language that the sender would rather have, one of view.Languages.
func (r *Request) Lang() string { return view.Language(r.Header.Get("Accept-Language")) }

// Say is a text for a person in an answer to a program: in English, unless ?lang= asks for another of view.Languages,
// as our scripts do.
func (r *Request) Say(text i18n.Text) string { return view.Text(r.URL.Query().Get("lang"), text) }

// Page answers with a page. The template runs before anything is sent.
func (r *Request) Page(w http.ResponseWriter, status int, page view.Page, v view.View) error {
	v.Lang, v.Site, v.Prefix, v.ID = r.Lang(), r.app.about().Name, r.Prefix, r.ID
	if p := r.Identity.User; p != nil {
		v.User = p.Name
		if v.User == "" {
			v.User = p.Email
		}
		v.Admin = p.IsAdmin()
	}
	if v.Notice == "" {
		v.Notice = r.Notice
	}
	b, err := view.Render(page, v)
	if err != nil {
		return err
	}
	r.send(w, status, "text/html; charset=utf-8", r.onceEach(b))
	return nil
}

// onceEach gives each form of a page that is sent by POST a value of its own, by which it is done once. What people
// typed never looks like a tag: it is escaped.
func (r *Request) onceEach(page []byte) []byte {
	if r.Site == nil {
		return page
	}
	var out []byte
	for {
		i := bytes.Index(page, []byte("<form "))
		if i < 0 {
			return append(out, page...)
		}
		end := i + bytes.IndexByte(page[i:], '>') + 1
		out = append(out, page[:end]...)
		if bytes.Contains(page[i:end], []byte(`method="post"`)) {
			out = append(out, `<input type="hidden" name="`+onceField+`" value="`+r.Site.Sessions.Once(r.person())+`">`...)
		}
		page = page[end:]
	}
}

// Answer answers with JSON.
func (r *Request) Answer(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	r.send(w, status, "application/json", append(b, '\n'))
	return nil
}

// Text answers with plain text, under a file name where one is given.
func (r *Request) Text(w http.ResponseWriter, text []byte, file string) error {
	if file != "" {
		w.Header().Set("Content-Disposition", Disposition("inline", file))
	}
	r.send(w, http.StatusOK, "text/plain; charset=utf-8", text)
	return nil
}

// Redirect leads a browser on to another page of the site, with GET.
func (r *Request) Redirect(w http.ResponseWriter, path string) error {
	w.Header().Set("Location", r.To(path))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

func (r *Request) send(w http.ResponseWriter, status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Add("Link", "<"+r.To("/static/openapi.json")+`>; rel="service-desc"; type="application/json"`)
	h.Add("Vary", "Accept, Accept-Language, Authorization, Cookie")
	if wait := retryAfter(status, apperr.Of(r.err)); wait > 0 {
		h.Set("Retry-After", strconv.Itoa(wait))
	}
	w.WriteHeader(status)
	w.Write(body)
}

// Disposition is a Content-Disposition with a file name that every browser understands (RFC 6266, appendix D).
func Disposition(kind, name string) string {
	plain := []byte(name)
	for i, c := range plain {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '/' || c == '%' {
			plain[i] = '_'
		}
	}
	return kind + `; filename="` + string(plain) + `"; filename*=UTF-8''` + strings.ReplaceAll(url.QueryEscape(name), "+",
		"%20")
}
