//go:build !pages

package view

// render uses html/template, which needs nothing generated: for tests and tools.
func (p Page) render(v View) ([]byte, error) { return p.execute(v) }
