package main

import (
	"net/url"
	"strconv"

	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

const pageLength = 25

// listing is what the pages with lists, of what has a state S, have in common: what is looked for, and which page of it
// this is.
type listing[S ~string] struct {
	Text          string
	State         S
	Role          store.Role
	Page, Pages   int
	Found         int
	Before, After string // addresses of the pages before and after, below the prefix; empty: there is none
}

// list reads q, state, role and page; what makes no sense is passed over.
func list[S ~string](v url.Values) listing[S] {
	l := listing[S]{Text: web.Short(v.Get("q")), State: S(web.Short(v.Get("state"))),
		Role: store.Role(web.Short(v.Get("role")))}
	var err error
	if l.Page, err = strconv.Atoi(v.Get("page")); err != nil || l.Page < 1 || l.Page > 1e6 {
		l.Page = 1
	}
	return l
}

func (l *listing[S]) offset() int { return (l.Page - 1) * pageLength }

// turn finds the pages before and after this one.
func (l *listing[S]) turn(path string, found int) {
	l.Found, l.Pages = found, (found+pageLength-1)/pageLength
	if l.Page > 1 {
		l.Before = path + "?" + l.query(l.Page-1)
	}
	if l.Page < l.Pages {
		l.After = path + "?" + l.query(l.Page+1)
	}
}

func (l *listing[S]) query(page int) string {
	v := url.Values{}
	for name, value := range map[string]string{"q": l.Text, "state": string(l.State),
		"role": string(l.Role)} {
		if value != "" {
			v.Set(name, value)
		}
	}
	v.Set("page", strconv.Itoa(page))
	return v.Encode()
}
