package buildcontext

import "io"

// WriteTree writes the context as a tar archive, as docker build takes it on its standard input.
func (m *Manifest) WriteTree(w io.Writer, files Source) error { return writeTar(w, m, files) }
