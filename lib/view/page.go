// Package view renders pages. It and its generator are the only importers of ace.
package view

import (
	"fmt"

	"toaster.do/lib/i18n"
)

// View is what every template can use besides the data of its page.
type View struct {
	Lang   string   // the language, one of Languages; empty: the first
	Site   string   // the site's name
	Prefix string   // what every path begins with: "" or "/toaster"
	User   string   // who is logged in; empty: nobody
	Admin  bool     // who is logged in is an administrator
	Here   string   // the entry of the navigation to mark
	ID     string   // the request's id
	Notice i18n.Key // what has just been done
}

// Template is the template of a page whose data is a D. Packages declare theirs as variables, which
// lib/view/generate finds.
type Template[D any] struct {
	Name  string                  // of the file in templates, without .ace
	Write func(*Writer, *View, D) // the generated function; nil without the build tag “pages”
}

// With returns the template's page with data.
func (t *Template[D]) With(data D) Page {
	return Page{t.Name, data, func(w *Writer, v *View) { t.Write(w, v, data) }}
}

// Page is a template with its data.
type Page struct {
	name  string
	data  any
	write func(*Writer, *View)
}

// Render returns the whole page as HTML, or an error and nothing.
func Render(p Page, v View) ([]byte, error) {
	if v.Lang == "" {
		v.Lang = Languages[0]
	}
	return p.render(v)
}

// Difference is the error of a page that the generated function and html/template write
// differently. Only programs with the build tags “pages” and “judge” look for it.
type Difference struct {
	Name      string
	Got, Want []byte
}

func (d *Difference) Error() string {
	return fmt.Sprintf("the page %q is not html/template's:\n%s\n\n%s", d.Name, d.Got, d.Want)
}
