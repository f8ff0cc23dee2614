package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"toaster.do/conf"
)

// rendered returns a manual page as groff prints it, which must have nothing to complain about.
func rendered(t *testing.T, name string) string {
	t.Helper()
	source := write(t, filepath.Join(t.TempDir(), name), ctl(t, "", "man", name).exits(0).out)
	if _, err := exec.LookPath("groff"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("groff is not installed")
		}
		t.Skip("groff is not installed")
	}
	a := ended(t, "", exec.Command("groff", "-man", "-Tutf8", "-ww", "-rLL=100n", "-P-cbou", source)).exits(0)
	if a.err != "" {
		t.Errorf("%s: %s", name, a.err)
	}
	return regexp.MustCompile(`[ \n]+`).ReplaceAllString(strings.ReplaceAll(a.out, "‐\n", ""), " ")
}

func TestTheManualSaysWhatHelpSays(t *testing.T) {
	text := rendered(t, "toasterctl.8")
	for _, want := range []string{
		"toasterctl user add", "toasterctl backup", "--artifacts", "Back up the configuration, keys and database.",
		"$(date +\\%u)", "--config=FILE", "EXIT STATUS", "TOASTER_CONF",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(text, "toasterctl man") {
		t.Error("the page shows what is hidden")
	}
}

func TestThePagesOfFilesHaveEveryKey(t *testing.T) {
	key := regexp.MustCompile(`(?m)^(\w+) = (.*)$`)
	for _, name := range []string{"toaster.toml", "targets.toml"} {
		text, err := conf.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		shown := rendered(t, name+".5")
		own, _, _ := strings.Cut(string(text), "[[target]]\n")
		for _, line := range key.FindAllString(own, -1) {
			if !strings.Contains(shown, strings.Join(strings.Fields(line), " ")) {
				t.Errorf("%s lacks %s", name, line)
			}
		}
	}
}
