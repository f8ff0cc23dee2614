package web

// A draft is a form as package session stores it: a field's value under its name, an upload's name and content
// under its name with a sign that no field's name has.
const (
	draftName    = "*name:"
	draftContent = "*file:"
)

// Draft is the form for SaveDraft.
func (f *Form) Draft() map[string][]byte {
	d := make(map[string][]byte, len(f.Values)+2*len(f.Files))
	for name, v := range f.Values {
		d[name] = []byte(v)
	}
	for name, file := range f.Files {
		d[draftName+name], d[draftContent+name] = []byte(file.Name), file.Content
	}
	return d
}

// FromDraft is the form that Draft made.
func FromDraft(d map[string][]byte) *Form {
	f := &Form{Values: map[string]string{}, Files: map[string]File{}}
	for name, v := range d {
		switch {
		case len(name) > len(draftContent) && name[:len(draftContent)] == draftContent:
			name = name[len(draftContent):]
			f.Files[name] = File{Name: string(d[draftName+name]), Content: v}
		case len(name) > len(draftName) && name[:len(draftName)] == draftName:
		default:
			f.Values[name] = string(v)
		}
	}
	return f
}
