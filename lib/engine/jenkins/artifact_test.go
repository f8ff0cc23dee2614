package jenkins

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

// files answers as Jenkins does for a build with a folder of artifacts: Stapler.serveStaticResource. With ranges off it
// stands for a proxy that takes them out.
func files(dir string, result string, ranges bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, isFile := strings.CutPrefix(r.URL.Path, "/job/demo/1/artifact/")
		if !isFile {
			w.Header().Set("Content-Type", "application/json;charset=utf-8")
			fmt.Fprintf(w, `{"building":false,"result":%q,"artifacts":[`, result)
			list, _ := filepath.Glob(dir + "/dist/*")
			for i, f := range list {
				fmt.Fprintf(w, `%s{"relativePath":%q}`, strings.Repeat(",", min(i, 1)), "dist/"+filepath.Base(f))
			}
			io.WriteString(w, "]}")
			return
		}
		if fi, err := os.Lstat(filepath.Join(dir, p)); err != nil || !fi.Mode().IsRegular() {
			page(404, "Not Found")(w, r)
			return
		}
		f, err := os.Open(filepath.Join(dir, p))
		if err != nil {
			panic(err)
		}
		defer f.Close()
		fi, _ := f.Stat()
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Last-Modified", fi.ModTime().UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Type", "application/octet-stream")
		var from, to int64
		status, size := 200, fi.Size()
		if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n == 2 && ranges && from >= 0 {
			to = min(to+1, size)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, fi.Size()))
			if from > size {
				page(500, "Oops!")(w, r)
				return
			}
			status, size = 206, to-from
			f.Seek(from, io.SeekStart)
		}
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.WriteHeader(status)
		io.CopyN(w, f, size)
	}
}

func dist(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "dist"), 0o755)
	for name, text := range content {
		if err := os.WriteFile(filepath.Join(dir, "dist", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestArtifactsOfABuildThatSucceeded(t *testing.T) {
	dir := dist(t, map[string]string{"image": "0123456789", "empty": ""})
	os.Symlink("image", filepath.Join(dir, "dist", "link")) // listed by Jenkins, and then 404
	for _, ranges := range []bool{true, false} {
		e := serve(t, files(dir, "SUCCESS", ranges))
		list, err := e.Artifacts(t.Context(), "demo", 1)
		if want := (engine.Artifact{Path: "image", Size: 10}); err != nil || len(list) != 2 || list[0].Path != "empty" ||
			list[0].Size != 0 || list[1] != want {
			t.Errorf("%+v, %v", list, err)
		}
		for _, c := range []struct {
			r    engine.Range
			want string
		}{
			{engine.Range{}, "0123456789"}, {engine.Range{Start: 3, Length: 4}, "3456"},
			{engine.Range{Start: 8, Length: 100}, "89"},
			{engine.Range{Start: -3}, "789"}, {engine.Range{Start: -30, Length: 2}, "01"}, {engine.Range{Length: 1}, "0"},
		} {
			s, err := e.Open(t.Context(), "demo", 1, "image", c.r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(s)
			s.Close()
			if err != nil || string(text) != c.want || s.Size != 10 || s.Length != int64(len(c.want)) ||
				time.Since(s.ModTime) > time.Hour {
				t.Errorf("%+v: %q, %v, %+v", c.r, text, err, s)
			}
		}
		for _, r := range []engine.Range{{Start: 10}, {Start: 1 << 40}, {Start: 1, Length: -1}} {
			if _, err := e.Open(t.Context(), "demo", 1, "image", r); apperr.KindOf(err) != apperr.InvalidArgument {
				t.Errorf("%+v: %v", r, err)
			}
		}
	}
}

func TestOnlyWhatSucceededAndIsListedIsOpened(t *testing.T) {
	dir := dist(t, map[string]string{"image": "x"})
	for _, result := range []string{"FAILURE", "UNSTABLE", "ABORTED"} {
		e := serve(t, files(dir, result, true))
		list, err := e.Artifacts(t.Context(), "demo", 1)
		_, openErr := e.Open(t.Context(), "demo", 1, "image", engine.Range{})
		if err != nil || len(list) > 0 || apperr.KindOf(openErr) != apperr.NotFound {
			t.Errorf("%s: %v, %v, %v", result, list, err, openErr)
		}
	}
	e := serve(t, files(dir, "SUCCESS", true))
	for _, p := range []string{"*zip*", "*zip*/all.zip", "image/*view*", "image/*fingerprint*", "", ".", "IMAGE",
		"../../build.xml"} {
		if _, err := e.Open(t.Context(), "demo", 1, p, engine.Range{}); apperr.KindOf(err) != apperr.NotFound {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func TestAPageOfSomebodyElsesIsNoArtifact(t *testing.T) {
	dir := dist(t, map[string]string{"image": "x"})
	h := files(dir, "SUCCESS", true)
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/artifact/") {
			page(200, "Please accept our terms")(w, r)
			return
		}
		h(w, r)
	})
	if _, err := e.Open(t.Context(), "demo", 1, "image", engine.Range{}); apperr.KindOf(err) != apperr.Internal {
		t.Errorf("Open: %v", err)
	}
	if list, err := e.Artifacts(t.Context(), "demo", 1); apperr.KindOf(err) != apperr.Internal {
		t.Errorf("Artifacts: %v, %v", list, err)
	}
}

func TestAnImageOf4GiBTakesLittleMemory(t *testing.T) {
	dir := dist(t, map[string]string{"image": ""})
	const size = 4<<30 + 17
	if err := os.Truncate(filepath.Join(dir, "dist", "image"), size); err != nil {
		t.Fatal(err)
	}
	e := serve(t, files(dir, "SUCCESS", true))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := e.Open(t.Context(), "demo", 1, "image", engine.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const much = 256 << 20 // as good as all of it, and soon done
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(s, much), make([]byte, 64<<10))
	runtime.ReadMemStats(&after)
	if err != nil || n != much || s.Size != size || s.Length != size {
		t.Errorf("%d bytes, %v, %+v", n, err, s)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("it took %d kB", used>>10)
	}
	end, err := e.Open(t.Context(), "demo", 1, "image", engine.Range{Start: -17})
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	if text, err := io.ReadAll(end); err != nil || len(text) != 17 || end.Start != 4<<30 || end.Length != 17 {
		t.Errorf("its end: %d bytes, %v, %+v", len(text), err, end)
	}
}

func TestAStreamThatStopsIsGivenUp(t *testing.T) {
	dir := dist(t, map[string]string{"image": "x"})
	h := files(dir, "SUCCESS", true)
	stop := make(chan struct{})
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/artifact/") {
			h(w, r)
			return
		}
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		<-stop
	}, func(o *Options) { o.Call = 100 * time.Millisecond })
	defer close(stop)
	s, err := e.Open(t.Context(), "demo", 1, "image", engine.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if text, err := io.ReadAll(s); err == nil {
		t.Errorf("it ends well with %q", text)
	}
}
