package web

import (
	"net/http"
	"slices"
	"strings"

	"toaster.do/lib/config"
)

// Access is who may use a route.
type Access int

const (
	Anyone  Access = iota // also without an account
	User                  // somebody who is logged in, or a program with any token
	Writer                // somebody who is logged in, or a program whose token may write
	Browser               // somebody who is logged in here; no token
	Admin                 // an administrator who is logged in; no token
	Metrics               // an administrator who is logged in, or a program with an administrator's token for metrics
)

// Route says what a request to a path needs and who answers it.
type Route struct {
	Method string // GET, which answers HEAD too, POST, or PUT
	// below the program: "/{id}/builds/{number}"; a last "{path...}" takes the rest; "" is the program itself
	Path   string
	Access Access
	Do     Handler
	Fields func(*config.Config) Fields // what the form may hold; nil: small fields only
	Again  string                      // the page with the form, for a sender whose session is over; empty: it has none
	Query  []string                    // parameters of a POST's address beside lang, which others don't have
	Repeat bool                        // a POST that may be done as often as it is sent
	Raw    bool                        // a POST whose body is no form: Do reads it
	// Call is a POST of another site's program: Do finds out who sends it, by no cookie and no token, and reads the body.
	Call   bool
	Secret bool // the path's first parameter is a secret: the log doesn't have it
}

// Handler answers a request, or returns an error before it has written anything.
type Handler func(http.ResponseWriter, *Request) error

// find returns the route for a path and a method, and the path's parameters. Without one it returns the methods
// that the path does have. http.ServeMux refuses /feed/{name} beside /{id}/blend, and takes each process 87 µs to fill.
func find(routes []Route, method, path string) (route *Route, parameters map[string]string, allowed []string) {
	parts, ok := segments(path)
	if !ok {
		return nil, nil, nil
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range routes {
		p, ok := match(routes[i].Path, parts)
		switch {
		case !ok:
		case routes[i].Method == method:
			return &routes[i], p, nil
		default:
			allowed = append(allowed, routes[i].Method)
		}
	}
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	return nil, nil, allowed
}

// loggable is a path without the secrets that routes have in theirs, whether or not it fits them wholly.
func loggable(routes []Route, path string) string {
	for _, rt := range routes {
		before, _, _ := strings.Cut(rt.Path, "{")
		if i := strings.Index(path, before); rt.Secret && i >= 0 && len(path) > i+len(before) {
			return path[:i] + before + "…"
		}
	}
	return path
}

func match(pattern string, parts []string) (map[string]string, bool) {
	want, _ := segments(pattern)
	parameters := map[string]string{}
	for i, w := range want {
		if name, ok := strings.CutSuffix(w, "...}"); ok && len(parts) > i {
			parameters[name[1:]] = strings.Join(parts[i:], "/")
			return parameters, true
		}
		if i >= len(parts) {
			return nil, false
		}
		if w[0] == '{' {
			parameters[w[1:len(w)-1]] = parts[i]
		} else if w != parts[i] {
			return nil, false
		}
	}
	return parameters, len(parts) == len(want)
}

// fill puts parameters into a route's path.
func fill(pattern string, parameters map[string]string) string {
	for name, value := range parameters {
		pattern = strings.ReplaceAll(pattern, "{"+name+"}", value)
	}
	return pattern
}
