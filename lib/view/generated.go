//go:build pages

package view

// generated is the page that the generated function writes.
func (p Page) generated(v View) []byte {
	w := &Writer{page: make([]byte, 0, 16<<10)}
	p.write(w, &v)
	return w.page
}
