//go:build pages && !judge

package view

// HTML is HTML that is not escaped between tags.
type HTML string

// render calls the generated function: html/template is no part of these programs.
func (p Page) render(v View) ([]byte, error) { return p.generated(v), nil }
