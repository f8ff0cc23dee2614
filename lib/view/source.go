//go:build !pages

package view

import (
	"toaster.do/lib/view/compile"
	"toaster.do/templates"
)

// read compiles a page when it is asked for: “make build” has done it before, and builds with the tag “pages”.
func read(lang, name string) ([]byte, error) { return Compile(lang, name) }

// Compile returns a page in a language in the form of lib/view/compiled.
func Compile(lang, name string) ([]byte, error) { return source(lang).Page(name) }

func source(lang string) compile.Source {
	read := templates.Files.ReadFile
	if catalog := catalogs[lang]; catalog != nil {
		read = func(name string) ([]byte, error) {
			text, err := templates.Files.ReadFile(name)
			return []byte(translate(string(text), catalog())), err
		}
	}
	return compile.Source{Read: read, Funcs: functions(lang), Fixed: map[string]func(string) (string, error){"asset": asset}}
}
