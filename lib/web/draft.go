package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"toaster.do/lib/apperr"
)

// A draft is a form as package session stores it: a field's value under its name, an upload's name and content
// under its name with a sign that no field's name has, and the name and size of one that isn't kept.
const (
	draftName    = "*name:"
	draftContent = "*file:"
	draftLost    = "*lost:"
)

// Draft is the form for SaveDraft.
func (f *Form) Draft() map[string][]byte {
	d := make(map[string][]byte, len(f.Values)+2*len(f.Files))
	for name, v := range f.Values {
		d[name] = []byte(v)
	}
	for name, what := range f.Lost {
		d[draftLost+name] = []byte(what)
	}
	for name, file := range f.Files {
		if kept, ok := file.unspooled(); ok {
			d[draftName+name], d[draftContent+name] = []byte(file.Name), kept.Content
		} else {
			d[draftLost+name] = []byte(lost(file.Name, file.Size()))
		}
	}
	return d
}

// FromDraft is the form that Draft made.
func FromDraft(d map[string][]byte) *Form {
	f := newForm()
	for name, v := range d {
		if field, ok := strings.CutPrefix(name, draftContent); ok {
			f.Files[field] = File{Name: string(d[draftName+field]), Content: v}
		} else if field, ok := strings.CutPrefix(name, draftLost); ok {
			f.Lost[field] = string(v)
		} else if !strings.HasPrefix(name, draftName) {
			f.Values[name] = string(v)
		}
	}
	return f
}

// Kept is the form that its sender sent while nobody was logged in, for the page that ?draft= names; nil: there is none
// for who asks. It stays for a day, so that the page can be loaded again.
func (r *Request) Kept() (*Form, error) {
	id := r.URL.Query().Get("draft")
	if id == "" || r.Identity.User == nil || r.Identity.Token != nil {
		return nil, nil
	}
	draft, err := r.Site.Sessions.Draft(r.Request, r.Identity.User.ID, id)
	if apperr.KindOf(err) == apperr.NotFound {
		r.Notice = "The form that you sent from this browser belongs to another account or has expired. To see it, log in " +
			"with that account."
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.Notice = "You sent this form while you were logged out, and it was not processed. Check it, then send it again."
	return FromDraft(draft), nil
}

// keep stores the form of a request by nobody until its sender has logged in, and returns the id; empty: there is
// nothing to keep, or it can't be. Passwords and codes are never kept, and files only of somebody for whom the form was
// shown.
func (r *Request) keep(w http.ResponseWriter) (id string) {
	form, _ := r.Input() // also what is wrong comes back
	f := newForm()
	fields := r.route.fields(r.Site)
	for name, v := range form.Values {
		if l, _ := fields.find(name); !l.Secret && (!l.Hidden || slices.Contains(keptHidden, name)) {
			f.Values[name] = v
		}
	}
	whose := r.Site.Sessions.Shown(form.Values[onceField])
	if whose == 0 && r.Identity.Expired != nil {
		whose = r.Identity.Expired.ID
	}
	for name, what := range form.Lost {
		f.Lost[name] = what
	}
	for name, file := range form.Files {
		if l, _ := fields.find(name); l.Secret {
			continue
		} else if whose != 0 || l.Text {
			f.Files[name] = file
		} else {
			f.Lost[name] = lost(file.Name, file.Size())
		}
	}
	if len(f.Values)+len(f.Files)+len(f.Lost) == 0 {
		return ""
	}
	var err error
	if whose != 0 {
		id, err = r.Site.Sessions.SaveDraft(r.Context(), whose, f.Draft())
	} else {
		id, err = r.Site.Sessions.SaveDraftFor(w, r.Request, f.Draft())
	}
	if err != nil {
		r.Note(err)
		return ""
	}
	return id
}

// keptHidden are the hidden fields that a form is not the same without.
var keptHidden = []string{"revision", "context_digest", "context_name"}

// lost names a file that isn't kept.
func lost(name string, n int64) string { return name + " (" + size(n) + ")" }

// WithDraft adds a draft's id to a path.
func WithDraft(path, id string) string {
	if id == "" {
		return path
	}
	return path + "?draft=" + url.QueryEscape(id)
}
