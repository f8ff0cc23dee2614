package web

import (
	"net/http"
	"net/url"
	"strings"

	"toaster.do/lib/apperr"
)

// RedirectOnce leads a browser on to a page that shows a secret once: FlashOf returns it there. Only this browser, as
// the same person, can open it, for some minutes; the server keeps nothing of it.
func (r *Request) RedirectOnce(w http.ResponseWriter, path, what string, secret []byte) error {
	id, err := r.Site.Sessions.Flash(w, r.Request, what, r.person(), secret)
	if err != nil {
		return err
	}
	join := "?"
	if strings.Contains(path, "?") {
		join = "&"
	}
	return r.Redirect(w, path+join+"shown="+url.QueryEscape(id))
}

// FlashOf returns what RedirectOnce gave the browser for this page, and takes it from there; nil: it was shown before.
// What only looks ahead (HEAD, prefetching) doesn't use it up.
func (r *Request) FlashOf(w http.ResponseWriter, what string) ([]byte, error) {
	id := r.URL.Query().Get("shown")
	value := r.Site.Sessions.Flashed(r.Request, what, r.person(), id)
	if value == nil {
		return nil, nil
	}
	if r.ahead() {
		return nil, apperr.New(apperr.PermissionDenied, "This page is only shown when it is opened.", "Open it.")
	}
	if r.Method != http.MethodHead {
		r.Site.Sessions.Unflash(w, r.Request, id)
	}
	return value, nil
}

// PeekFlash is FlashOf for what the page needs each time.
func (r *Request) PeekFlash(what string) []byte {
	return r.Site.Sessions.Flashed(r.Request, what, r.person(), r.URL.Query().Get("shown"))
}

// ahead tells whether a browser loads the page before anybody asks for it.
func (r *Request) ahead() bool {
	for _, h := range []string{"Sec-Purpose", "Purpose", "X-Moz", "X-Purpose"} {
		v := strings.ToLower(r.Header.Get(h))
		if strings.Contains(v, "prefetch") || strings.Contains(v, "preview") {
			return true
		}
	}
	return false
}

func (r *Request) person() int64 {
	if p := r.Identity.User; p != nil {
		return p.ID
	}
	return 0
}
