// Package page makes HTML from the templates. It is the only importer of ace.
package page

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"sync"
	"time"

	"github.com/yosssi/ace"

	"toaster.do/templates"
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
	t, err := load(v.Lang, name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(16 << 10)
	if err := t.Execute(&b, v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// parsed keeps templates for programs that answer many requests: language and name → *template.Template. Ace's own cache
// hands out copies that share what executing them changes.
var parsed sync.Map

func load(lang, name string) (*template.Template, error) {
	key := lang + " " + name
	if t, ok := parsed.Load(key); ok {
		return t.(*template.Template), nil
	}
	t, err := ace.Load("layout", name, &ace.Options{
		DynamicReload: true,
		Asset:         source(lang),
		FuncMap:       functions(lang),
		NoCloseTagNames: []string{
			"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr",
		},
	})
	if err != nil {
		return nil, err
	}
	kept, _ := parsed.LoadOrStore(key, t)
	return kept.(*template.Template), nil
}

// source reads templates in a language.
func source(lang string) func(name string) ([]byte, error) {
	catalog := catalogs[lang]
	if catalog == nil {
		return templates.Files.ReadFile
	}
	return func(name string) ([]byte, error) {
		text, err := templates.Files.ReadFile(name)
		return []byte(translate(string(text), catalog())), err
	}
}

func functions(lang string) template.FuncMap {
	return template.FuncMap{
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
