package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
)

const onJenkins = "engine = \"jenkins\"\n[jenkins]\nurl = \"https://jenkins.example.org/\"\nuser = \"toaster\"\n"

func TestTheSecretOfJenkins(t *testing.T) {
	token := write(t, "token", " 11abc\n")
	for text, want := range map[string][2]string{
		"token_file = \"" + token + "\"\n": {"11abc", ""},
		"token = \"11abc\"\n":              {"11abc", ""},
		"password = \"word\"\n":            {"", "word"},
	} {
		c, err := Load(write(t, "toaster.toml", onJenkins+text))
		if err != nil {
			t.Fatal(err)
		}
		if token, password, err := c.Secret(); err != nil || token != want[0] || password != want[1] {
			t.Errorf("%s: %q, %q, %v", text, token, password, err)
		}
	}
}

func TestASecretThatEverybodyCanReadIsNone(t *testing.T) {
	token := write(t, "token", "11abc\n")
	for open, text := range map[string]string{"token": "token_file = \"" + token + "\"\n",
		"toaster.toml": "token = \"11abc\"\n"} {
		conf := write(t, "toaster.toml", onJenkins+text)
		path := map[string]string{"token": token, "toaster.toml": conf}[open]
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Load(conf)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Secret(); apperr.KindOf(err) != apperr.Unavailable || err == nil ||
			!strings.Contains(err.Error(), path+" is readable by everybody") {
			t.Errorf("%s: %v", open, err)
		}
	}
}

func TestATokenFileThatWontDo(t *testing.T) {
	for _, path := range []string{write(t, "token", ""), write(t, "token", "two words"),
		filepath.Join(t.TempDir(), "none")} {
		c, err := Load(write(t, "toaster.toml", onJenkins+"token_file = \""+path+"\"\n"))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Secret(); apperr.KindOf(err) != apperr.Unavailable || !strings.Contains(err.Error(), path) {
			t.Errorf("%v", err)
		}
	}
}

func TestMistakesAboutJenkinsAreNamed(t *testing.T) {
	for file, want := range map[string]string{
		"[jenkins]\nurl = \"jenkins:8080\"\n":           ":2: jenkins.url: must be an address",
		"[jenkins]\nkeep = 0\n":                         ":2: jenkins.keep: must be at least 1",
		"[jenkins]\ncall_timeout = \"1s\"\n":            ":2: jenkins.call_timeout: must not be shorter",
		onJenkins:                                       ":1: jenkins.token_file: must be set, unless token or password is",
		onJenkins + "token = \"a\"\npassword = \"b\"\n": ":1: jenkins.token_file: must be set, unless token or password is",
	} {
		path := write(t, "toaster.toml", file)
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path+want) {
			t.Errorf("%q\ngives  %v\nwanted …%s", file, err, want)
		}
	}
}
