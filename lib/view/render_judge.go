//go:build pages && judge

package view

import "bytes"

// render compares the generated function with html/template.
func (p Page) render(v View) ([]byte, error) {
	want, err := p.execute(v)
	if err != nil {
		return nil, err
	}
	if got := p.generated(v); !bytes.Equal(got, want) {
		return nil, &Difference{p.name, got, want}
	}
	return want, nil
}
