//go:build !pages || judge

package view

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"sync"
	"time"

	"github.com/yosssi/ace"

	"toaster.do/lib/i18n"
	"toaster.do/templates"
)

// HTML is HTML that is not escaped between tags.
type HTML = template.HTML

// ready holds the *template.Template of each language and name that was used before.
var ready sync.Map

// execute is the page that html/template writes.
func (p Page) execute(v View) ([]byte, error) {
	key := v.Lang + " " + p.name
	t, ok := ready.Load(key)
	if !ok {
		parsed, err := Source(v.Lang, p.name)
		if err != nil {
			return nil, err
		}
		t, _ = ready.LoadOrStore(key, parsed)
	}
	var b bytes.Buffer
	err := t.(*template.Template).Execute(&b, struct {
		View
		Data any
	}{v, p.data})
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Source parses a template in a language. It has not been escaped yet.
func Source(lang, name string) (*template.Template, error) {
	read := templates.Pages.ReadFile
	if catalog := catalogs[lang]; catalog != nil {
		read = func(name string) ([]byte, error) {
			text, err := templates.Pages.ReadFile(name)
			return []byte(translate(string(text), catalog())), err
		}
	}
	return Parse(read, name, functions(lang))
}

// Parse parses the template of a name within the layout. Read returns a file's text.
func Parse(read func(name string) ([]byte, error), name string, functions template.FuncMap) (
	*template.Template, error) {
	return ace.Load("layout", name, &ace.Options{
		DynamicReload: true,
		Asset:         read,
		FuncMap:       functions,
		NoCloseTagNames: []string{
			"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr",
		},
	})
}

func functions(lang string) template.FuncMap {
	return template.FuncMap{
		"asset":  Asset,
		"bytes":  func(n int64) string { return Bytes(lang, n) },
		"clean":  Clean,
		"iso":    ISO,
		"day":    func(t time.Time) string { return Day(lang, t) },
		"length": func(d time.Duration) string { return Length(lang, d) },
		"set":    set,
		"t":      func(text any) string { return translated(lang, text) },
		// Ace's own HTML switches escaping off.
		"HTML": func(string) (string, error) { return "", errors.New("HTML is not for use") },
	}
}

// translated is a Text, a Key, or a word of the database. The generator sees to it that it is no other string.
func translated(lang string, text any) string {
	if t, ok := text.(i18n.Text); ok {
		return Text(lang, t)
	}
	return Word(lang, fmt.Sprint(text))
}

// set makes a map for a part of a page that needs several values: set "name" value ….
func set(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("set needs names and values")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errors.New("set needs names that are strings")
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}
