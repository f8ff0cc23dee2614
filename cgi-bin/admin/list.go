package main

import (
	"net/url"

	"toaster.do/lib/web"
)

// listing is what the pages with lists have in common: what is looked for, and which page of it this is.
type listing struct {
	Text, State, Role string
	Page, Pages       int
	Found             int
	Before, After     string // addresses of the pages before and after, below the prefix; empty: there is none
}

// list reads q, state, role and page; what makes no sense is passed over.
func list(v url.Values) listing {
	return listing{Text: web.Short(v.Get("q")), State: web.Short(v.Get("state")), Role: web.Short(v.Get("role")),
		Page: web.PageNumber(v)}
}

func (l *listing) offset() int { return (l.Page - 1) * web.PageLength }

// turn finds the pages before and after this one.
func (l *listing) turn(path string, found int) {
	l.Found, l.Pages = found, web.Pages(found)
	l.Before, l.After = web.PageAddresses(path, l.asked(), l.Page, l.Pages)
}

func (l *listing) asked() map[string]string {
	return map[string]string{"q": l.Text, "state": l.State, "role": l.Role}
}
