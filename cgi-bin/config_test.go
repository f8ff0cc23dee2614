package cgibin

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

// The page, the log and toasterctl say the same of a configuration that can't be used: once, with the line and what to
// do.
func TestABrokenConfigurationIsToldOnce(t *testing.T) {
	s := newSite(t)
	text, err := os.ReadFile(s.conf())
	s.must(err)
	s.must(os.WriteFile(s.conf(), append(text, "[limits]\njobs = -1\n"...), 0o600))
	where := s.conf() + ":" // and the line
	for _, path := range []string{"/", "/jobs", "/account/login", "/admin/people"} {
		a := s.anybody().get(path)
		for _, want := range []string{"configuration can&#39;t be used", "correct the line that the log names",
			"toasterctl doctor"} {
			if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, want) {
				t.Errorf("%s: %d, %q is missing in %s", path, a.status, want, a.body)
			}
		}
		if strings.Contains(a.body, s.dir) {
			t.Errorf("%s tells everybody where the file is: %s", path, a.body)
		}
		if strings.Count(a.log, "\n") != 1 || strings.Count(a.log, where) != 1 ||
			!strings.Contains(a.log, "limits.jobs: must not be negative") ||
			!strings.Contains(a.log, "level=ERROR") || !strings.Contains(a.log, `advice="correct the line`) {
			t.Errorf("%s: the log has\n%s", path, a.log)
		}
	}
	s.must(os.Remove(s.conf()))
	if a := s.anybody().get("/jobs"); strings.Count(a.log, "\n") != 1 || !strings.Contains(a.log, "toasterctl init") ||
		!strings.Contains(a.body, "toasterctl init") {
		t.Errorf("without any: %s\n%s", a.body, a.log)
	}
}
