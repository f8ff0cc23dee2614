package buildcontext

import "strings"

// Inside is what a folder of the context holds, as a context of its own.
func (m *Manifest) Inside(folder string) *Manifest {
	in := &Manifest{}
	first := map[string]string{} // by the path of a file outside, where it is inside
	for i := range m.Entries {
		e := m.Entries[i]
		name, ok := strings.CutPrefix(e.Path, folder+"/")
		if !ok {
			continue
		}
		e.Path = name
		if to := e.Hardlink; to != "" {
			if below, ok := strings.CutPrefix(to, folder+"/"); ok {
				e.Hardlink = below
			} else if here := first[to]; here != "" {
				e.Hardlink = here
			} else if file := m.find(to, len(m.Entries)); file != nil {
				first[to] = name
				e = *file
				e.Path = name
			}
		}
		in.Entries = append(in.Entries, e)
	}
	return in
}
