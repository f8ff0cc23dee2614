//go:build pages

package view

import "toaster.do/lib/view/compiled"

func read(lang, name string) ([]byte, error) {
	return compiled.Pages.ReadFile("pages/" + lang + "/" + name)
}
