package dockerfile

import "testing"

// TestPlainBasesUnderOtherNames: what the site lists is a plain base, whatever way its name is written.
func TestPlainBasesUnderOtherNames(t *testing.T) {
	plain := map[string]string{"registry.example.org:5000/mirror/debian": "debian", "docker.io/corp/base": "devuan",
		"mine": "debian", "localhost/built": "devuan"}
	for name, want := range map[string][2]string{
		"registry.example.org:5000/mirror/debian:bookworm-slim": {"debian", "bookworm"},
		"registry.example.org:5000/mirror/debian":               {"debian", "trixie"},
		"registry.example.org/mirror/debian:bookworm":           {},
		"registry.example.org:5000/mirror/debian/x:bookworm":    {},
		"corp/base:daedalus":                                    {"devuan", "daedalus"},
		"docker.io/corp/base:5":                                 {"devuan", "daedalus"},
		"ghcr.io/corp/base:5":                                   {},
		"mine:12":                                               {"debian", "bookworm"},
		"docker.io/library/mine:12":                             {"debian", "bookworm"},
		"corp/mine:12":                                          {},
		"localhost/built:daedalus":                              {"devuan", "daedalus"},
		"debian:12":                                             {"debian", "bookworm"},
	} {
		s := Source{Dockerfile: []byte("FROM " + name + "\nRUN true\nCMD [\"x\"]\n"), Plain: plain, Codename: want[1]}
		distribution, codename := Release(s)
		if distribution != want[0] || codename != want[1] {
			t.Errorf("%s is %s %s", name, distribution, codename)
		}
		isPlain := want[0] != ""
		if named := Images(s); (len(named) == 0) != isPlain {
			t.Errorf("%s: %v", name, named)
		}
		for _, f := range Check(s) {
			if (f.Rule == "Appliance" || f.Rule == "BaseUnknown") && isPlain {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}
