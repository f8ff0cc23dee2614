//go:build pages

package page

import "toaster.do/lib/page/compiled"

func read(lang, name string) ([]byte, error) {
	return compiled.Pages.ReadFile("pages/" + lang + "/" + name)
}
