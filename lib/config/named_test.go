package config

import (
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// Texts that name no file of the site's. Whoever adds a key says here, or by the tag “file”, what it is.
var noFiles = []string{
	"Site.Name", "Site.URL", "Site.Prefix", "Engine", "Jenkins.URL", "Jenkins.User", "Jenkins.Token", "Jenkins.Password",
	"Jenkins.View",
	"Session.Secure", "Signup.Mode", "Mail.From", "Mail.Host", "Mail.TLS", "Mail.User", "Log.Format", "Log.To",
	"Mail.Sendmail", // a program of the host's
}

// Every text in the configuration is a file that backups have, or known to be none.
func TestEveryFileIsNamed(t *testing.T) {
	texts := map[string]string{} // the tags, by the fields' names
	var walk func(string, reflect.Type)
	walk = func(at string, s reflect.Type) {
		for i := range s.NumField() {
			switch f := s.Field(i); f.Type.Kind() {
			case reflect.String:
				tag, ok := f.Tag.Lookup("file")
				if ok == slices.Contains(noFiles, at+f.Name) {
					t.Errorf("%s: it is either no file, or has the tag “file”", at+f.Name)
				}
				if ok {
					texts[at+f.Name] = tag
				}
			case reflect.Struct:
				walk(at+f.Name+".", f.Type)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	want := map[string]string{
		"Path": "toaster.toml", "Paths.Targets": "targets.toml", "Paths.Keys": "keys", "Jenkins.TokenFile": "jenkins-token",
		"Jenkins.CA": "jenkins-ca", "Mail.PasswordFile": "mail-password", "Signup.Breached": "breached-passwords",
		"Registry.AuthFile": "registry-auth",
		"Git.KnownHosts":    "git-known-hosts",
		"Paths.Database":    "-", "Paths.Builds": "-", "Paths.Contexts": "-", "Paths.Client": "-", "Local.WorkDir": "-",
	}
	if !maps.Equal(texts, want) {
		t.Errorf("%v", texts)
	}
}

func TestRelativePathsStartAtTheFile(t *testing.T) {
	path := write(t, "toaster.toml", "[paths]\ndatabase = \"a\"\nkeys = \"b\"\ntargets = \"c\"\nbuilds = "+
		"\"d\"\ncontexts = \"k\"\nclient = \"l\"\n[local]\nwork_dir = \"e\"\n"+
		"[jenkins]\nca = \"f\"\ntoken_file = \"g\"\n[mail]\nuser = \"u\"\npassword_file = "+
		"\"h\"\n[signup]\nbreached_passwords = \"i\"\n"+
		"[registry]\nauth_file = \"j\"\n[git]\nknown_hosts = \"k\"\n")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Named() {
		if filepath.Dir(*f.Path) != filepath.Dir(path) {
			t.Errorf("%s is %s", f.Name, *f.Path)
		}
	}
}
