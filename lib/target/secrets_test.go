package target

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The script says at once what it lacks, and takes it from a folder by whatever path.
func TestScriptTakesSecretsFromAFolder(t *testing.T) {
	r := recipe(blend(`	cat "$TOASTER_SECRETS/npmrc"; exit 9` + "\n"))
	r.Secrets = []Secret{{"npmrc", true}, {"ssh.default", false}}
	script, err := Script(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"#   npmrc (required)", "#   ssh.default (optional)", "SECRETS='npmrc'"} {
		if !strings.Contains(string(script), "\n"+line+"\n") && !strings.Contains(string(script), "\n"+strings.ReplaceAll(line, "'", "")+"\n") {
			t.Errorf("the script lacks %q", line)
		}
	}
	for _, folder := range []string{"", "none", "empty"} {
		run := prepare(t, script)
		if err := os.Mkdir(filepath.Join(run.dir, "empty"), 0o700); err != nil {
			t.Fatal(err)
		}
		run.env = []string{"TOASTER_SECRETS=" + folder}
		run.start(t)
		run.end()
		want := "toaster: failed: the build was not given the secret npmrc, which it needs."
		if folder == "none" {
			want = "toaster: failed: TOASTER_SECRETS, " + run.dir + "/none, is no folder."
		}
		run.wants(t, ExitUsage, want)
	}
	for _, name := range []string{"", "..", "a b", "a/b", "a'b", "a\nb", "$(id)"} {
		r.Secrets = []Secret{{name, true}}
		if _, err := Script(r); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}
