package conf

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheChangelogOfARelease: what stands under "Next" gets the version and the date; without that there is no release.
func TestTheChangelogOfARelease(t *testing.T) {
	file := filepath.Join(t.TempDir(), "CHANGELOG.md")
	release := func(version string) (string, bool) {
		out, err := exec.Command("debian/release", version, file).CombinedOutput()
		return string(out), err == nil
	}
	if err := os.WriteFile(file, []byte("# Changelog\n\n## Next\n\n- One thing.\n\n## 1.0.0 (2026-01-02)\n\n- Another.\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	for version, says := range map[string]string{"": "not a version", "v1.1.0": "not a version", "1": "not a version",
		"1.1.0; id": "not a version", "1.0.0": "1.0.0 already"} {
		if out, ok := release(version); ok || !strings.Contains(out, says) {
			t.Errorf("%q: %v %s", version, ok, out)
		}
	}
	if out, ok := release("1.1.0"); !ok {
		t.Fatal(out)
	}
	text, err := os.ReadFile(file)
	want := regexp.MustCompile(`^# Changelog\n\n## Next\n\n## 1\.1\.0 \(\d{4}-\d\d-\d\d\)\n\n- One thing\.\n\n## 1\.0\.0 \(2026-01-02\)\n\n- Another\.\n$`)
	if err != nil || !want.Match(text) {
		t.Errorf("%v\n%s", err, text)
	}
	if out, ok := release("1.2.0"); ok || !strings.Contains(out, "nothing stands under") {
		t.Errorf("with nothing new: %v %s", ok, out)
	}
}
