package conf_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Programs that stay answer as those that are run for each request, at the root and below a path.
func TestFastCGIUnderLighttpd(t *testing.T) {
	for _, prefix := range []string{"", "/toaster"} {
		t.Run("at "+prefix+"/", func(t *testing.T) {
			k := kinds[2]
			k.snippet = "lighttpd/50-toaster-fastcgi.conf"
			s := newSite(t, filepath.Join(t.TempDir(), "site"), "\nprefix = \"\"\n", "\nprefix = \""+prefix+"\"\n")
			// Programs that the server starts get its environment.
			t.Setenv("TOASTER_CONF", s.config)
			v := s.serve(t, k, prefix)
			for range 3 {
				for _, page := range []string{"/", "/help", "/static/toaster.css", "/account", "/jobs"} {
					v.must(t, http.StatusOK, "GET", page, "", nil)
				}
			}
			kind, body := form("greeter", small)
			resp, _ := v.must(t, http.StatusCreated, "POST", "/jobs", kind, body)
			path, ours := strings.CutPrefix(resp.Header.Get("Location"), prefix)
			if !ours {
				t.Errorf("the job is at %q", resp.Header.Get("Location"))
			}
			v.must(t, http.StatusOK, "GET", path, "", nil)
			v.must(t, http.StatusNotFound, "GET", "/admin/none", "", nil)
			if _, err := os.Stat(filepath.Join(s.dir, "toaster.db")); err != nil {
				t.Error(err)
			}
		})
	}
}
