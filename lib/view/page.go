// Package view makes HTML from the templates. What is below it is the only importer of ace.
package view

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"toaster.do/lib/view/compiled"
)

// View is what the layout and a page's template see.
type View struct {
	Lang   string // the language, one of Languages; empty: the first
	Site   string // the site's name
	Prefix string // what every path begins with: "" or "/toaster"
	Person string // who is logged in; empty: nobody
	Admin  bool   // who is logged in is an administrator
	Here   string // the entry of the navigation to mark
	ID     string // the request's id
	Notice string // what has just been done
	Data   any    // the page's own
}

// Render returns the page of the template name, whole: a failing template leaves nothing half sent.
func Render(name string, v View) ([]byte, error) {
	if v.Lang == "" {
		v.Lang = Languages[0]
	}
	v.Notice = Text(v.Lang, v.Notice)
	p, err := load(v.Lang, name)
	if err != nil {
		return nil, err
	}
	page, err := p.Run(v, functions(v.Lang))
	if err == nil && judge != nil {
		err = judge(name, v, page)
	}
	return page, err
}

// judge compares a page with the one that html/template makes, where a test has built it in.
var judge func(name string, v View, page []byte) error

// ready keeps pages for programs that answer many requests: language and name → *compiled.Program.
var ready sync.Map

func load(lang, name string) (*compiled.Program, error) {
	key := lang + " " + name
	if p, ok := ready.Load(key); ok {
		return p.(*compiled.Program), nil
	}
	page, err := read(lang, name)
	if err != nil {
		return nil, err
	}
	kept, _ := ready.LoadOrStore(key, compiled.Load(string(page)))
	return kept.(*compiled.Program), nil
}

func functions(lang string) map[string]any {
	return map[string]any{
		"asset":  asset,
		"bytes":  func(n int64) string { return Bytes(lang, n) },
		"clean":  Clean,
		"iso":    iso,
		"day":    func(t time.Time) string { return day(lang, t) },
		"length": func(d time.Duration) string { return Length(lang, d) },
		"set":    set,
		"t":      func(text any) string { return Text(lang, fmt.Sprint(text)) },
		// Ace's own HTML switches escaping off.
		"HTML": func(string) (string, error) { return "", errors.New("HTML is not for use") },
	}
}
