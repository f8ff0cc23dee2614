package main

import (
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"toaster.do/static"
)

// maxBody is the most a request may send, as in the web servers' snippets: the programs' own limits are lower.
const maxBody = 1040 << 20

// front is what the web servers' snippets (conf/apache, conf/lighttpd) make of a request's path.
type front struct {
	prefix   string // "" or "/toaster"
	programs string // folder
	config   string // file
	client   string // folder, of static/client
	stderr   io.Writer
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, below := strings.CutPrefix(r.URL.Path, f.prefix)
	switch {
	case strings.ContainsFunc(r.URL.Path, unicode.IsControl): // no environment holds a NUL
		http.Error(w, "This address contains control characters.", http.StatusBadRequest)
	case !below || path != "" && path[0] != '/':
		http.Error(w, "The address of the site is "+f.prefix+"/", http.StatusNotFound)
	case path == "":
		w.Header().Set("Location", f.prefix+"/")
		w.WriteHeader(http.StatusMovedPermanently)
	case strings.HasPrefix(path, "/static/"):
		f.serveStatic(w, r)
	default:
		for _, program := range []string{"account", "admin", "jobs"} {
			if isProgram(path, program) {
				f.run(w, r, program, f.prefix+"/"+program)
				return
			}
		}
		f.run(w, r, "index", f.prefix)
	}
}

func isProgram(path, name string) bool {
	return path == "/"+name || strings.HasPrefix(path, "/"+name+"/")
}

func (f *front) serveStatic(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Static files are read-only.", http.StatusMethodNotAllowed)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/") {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if strings.HasPrefix(r.URL.Path, f.prefix+"/static/client/") {
		http.StripPrefix(f.prefix+"/static/client", http.FileServerFS(os.DirFS(f.client))).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=604800")
	if r.URL.Query().Has("v") {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.StripPrefix(f.prefix+"/static", http.FileServerFS(static.Files)).ServeHTTP(w, r)
}

// run answers with a CGI program that is mounted at script, which becomes its SCRIPT_NAME.
func (f *front) run(w http.ResponseWriter, r *http.Request, program, script string) {
	if r.ContentLength > maxBody {
		http.Error(w, "The request is too large.", http.StatusRequestEntityTooLarge)
		return
	}
	h := cgi.Handler{
		Path: filepath.Join(f.programs, program), Root: script, Dir: f.programs,
		Env:    []string{"TOASTER_CONF=" + f.config, "SERVER_SOFTWARE=toasterctl", "GOMAXPROCS=1"},
		Stderr: f.stderr, Logger: log.New(f.stderr, program+": ", 0),
	}
	h.ServeHTTP(w, r)
}
