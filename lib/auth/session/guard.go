package session

import (
	"net/http"
	"net/url"

	"toaster.do/lib/apperr"
)

// Guard keeps pages of other sites from sending forms in the name of a user who is logged in here. What it refuses goes
// to refuse, with an error of kind PermissionDenied. The site's public address, where one is configured, is its own
// also where a proxy calls it by another name. Requests with a Bearer token pass: a browser never adds one by itself,
// and Identify looks at nothing else then.
func Guard(next http.Handler, public string, refuse func(http.ResponseWriter, *http.Request, error)) http.Handler {
	protection := http.NewCrossOriginProtection()
	if u, err := url.Parse(public); err == nil && u.Host != "" {
		protection.AddTrustedOrigin(u.Scheme + "://" + u.Host) // what config has checked is an origin
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !HasToken(r) {
			if err := protection.Check(r); err != nil {
				refuse(w, r, apperr.Wrap(apperr.PermissionDenied, err, "The form was sent from another site, so it was rejected.",
					"Open the page on this site, and send the form from there."))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
