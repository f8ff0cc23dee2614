package config

import "reflect"

// Named is a file or folder that the configuration names.
type Named struct {
	Name string  // a small file's in a backup; empty: it is none, but a folder, or the database
	Path *string // in the configuration; empty: it names none
}

// Named returns all fields of c with the tag “file”, which says the name, or “-” for none.
func (c *Config) Named() (all []Named) {
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		for i := range v.NumField() {
			name, tagged := v.Type().Field(i).Tag.Lookup("file")
			switch f := v.Field(i); {
			case tagged && name == "-":
				all = append(all, Named{Path: f.Addr().Interface().(*string)})
			case tagged:
				all = append(all, Named{name, f.Addr().Interface().(*string)})
			case f.Kind() == reflect.Struct:
				walk(f)
			}
		}
	}
	walk(reflect.ValueOf(c).Elem())
	return all
}

// Files are those that the configuration was made of, and that it names: who keeps what was read of them looks whether
// they have changed. The database is none of them.
func (c *Config) Files() (paths []string) {
	for _, f := range c.Named() {
		if f.Name != "" && *f.Path != "" {
			paths = append(paths, *f.Path)
		}
	}
	return paths
}
