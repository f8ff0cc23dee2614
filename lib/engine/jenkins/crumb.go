package jenkins

import (
	"context"
	"net/http"
	"strings"

	"toaster.do/lib/apperr"
)

// crumb is what Jenkins wants with each POST of an account that logs in with a password: a field that belongs to a
// session.
type crumb struct {
	Field  string `json:"crumbRequestField"`
	Value  string `json:"crumb"`
	cookie string // the session's
}

// addCrumb puts the crumb on a request.
func (r *requester) addCrumb(ctx context.Context, req *http.Request) error {
	c, err := r.getCrumb(ctx)
	if err != nil {
		return err
	}
	if c.Field != "" {
		req.Header.Set(c.Field, c.Value)
		req.Header.Set("Cookie", c.cookie)
	}
	return nil
}

// getCrumb returns the crumb, which it asks for once. A Jenkins that wants no crumbs has none.
func (r *requester) getCrumb(ctx context.Context) (*crumb, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.crumb != nil {
		return r.crumb, nil
	}
	c := &crumb{}
	resp, err := r.GetJSON(ctx, "/crumbIssuer", c, nil)
	if err != nil && apperr.KindOf(err) != apperr.NotFound {
		return nil, err
	}
	if err == nil {
		var cookies []string
		for _, cookie := range resp.Cookies() {
			cookies = append(cookies, cookie.Name+"="+cookie.Value)
		}
		c.cookie = strings.Join(cookies, "; ")
	}
	r.crumb = c
	return c, nil
}

// dropCrumb makes the next POST ask for a new crumb.
func (r *requester) dropCrumb() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.crumb = nil
}
