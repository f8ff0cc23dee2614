//go:build judge

package view

import (
	"bytes"
	"fmt"
)

// Programs built with the tag “judge” refuse a page that differs by one byte from html/template's.
func init() {
	judge = func(name string, v View, page []byte) error {
		t, err := source(v.Lang).Load(name)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, v); err != nil {
			return err
		}
		if !bytes.Equal(b.Bytes(), page) {
			return fmt.Errorf("the page %q is not html/template's:\n%s\n\n%s", name, page, b.Bytes())
		}
		return nil
	}
}
