package conf_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What ours are held against: programs that do nothing.
var empty = map[string]string{
	"c.c": "#include <stdio.h>\nint main(void) { puts(\"Content-Type: text/plain\\r\\n\\r\"); return 0; }\n",
	"go/main.go": "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(\"Content-Type: " +
		"text/plain\\r\\n\\r\\n\") }\n",
	"gocgi/main.go": "package main\n\nimport (\"net/http\"; \"net/http/cgi\")\n\n" +
		"func main() { cgi.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})) }\n",
}

const othersConfig = `
$HTTP["url"] =~ "^/others/" {
	alias.url = ( "/others/" => "{dir}/" )
	cgi.assign = ( "" => "" )
	setenv.add-environment = ( "CGIT_CONFIG" => "{dir}/cgitrc", "HOME" => "{dir}" )
}
`

// subject is a page whose requests are timed.
type subject struct {
	name, method, url, token string
	few                      bool               // it takes long: asked for now and then, by one client
	took                     [2][]time.Duration // by one client, by sixteen
}

// BenchmarkUnderLighttpd prints one table: what a request costs its client, alone and in a crowd of sixteen. The
// subjects take turns, so that a noisy machine is noisy for all of them. Ratios are to the empty program of Go with
// net/http/cgi.
func BenchmarkUnderLighttpd(b *testing.B) {
	sizes(b)
	subjects := subjectsOf(b)
	for _, s := range subjects {
		s.ask(b)
	}
	for b.Loop() {
		for i := range 20 * len(subjects) {
			s := subjects[i%len(subjects)]
			if s.few && i >= 5*len(subjects) {
				continue
			}
			s.took[0] = append(s.took[0], s.ask(b))
		}
		for _, s := range subjects {
			if !s.few {
				s.crowd(b)
			}
		}
	}
	base := subjects[2]
	fmt.Printf("%-34s %21s %21s\n", "", "one client", "sixteen at once")
	for _, s := range subjects {
		fmt.Printf("%-34s", s.name)
		for i := range s.took {
			if len(s.took[i]) == 0 {
				continue
			}
			fmt.Printf(" %9.1f ms %6.2f ×", float64(median(s.took[i]).Microseconds())/1000,
				float64(median(s.took[i]))/float64(median(base.took[i])))
		}
		fmt.Println()
	}
}

// crowd is sixteen clients, each of which asks five times without a pause.
func (s *subject) crowd(b *testing.B) {
	took := make([]time.Duration, 16*5)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 5 {
				took[5*i+j] = s.ask(b)
			}
		})
	}
	all.Wait()
	s.took[1] = append(s.took[1], took...)
}

func (s *subject) ask(b *testing.B) time.Duration {
	begin := time.Now()
	req, err := http.NewRequest(s.method, s.url, nil)
	if err != nil {
		b.Error(err)
		return 0
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
		req.Header.Set("Accept", "text/html")
	}
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
	}
	if err != nil || resp.StatusCode >= 400 {
		b.Errorf("%s: %v, %v", s.name, resp, err)
	}
	return time.Since(begin)
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func subjectsOf(b *testing.B) (list []*subject) {
	b.Helper()
	dir := b.TempDir()
	for name, text := range empty {
		write(b, dir, name, text, 0o644)
	}
	sh(b, "gcc", "-O2", "-static", "-o", dir+"/c.cgi", dir+"/c.c")
	for _, name := range []string{"go", "gocgi"} {
		sh(b, "go", "build", "-tags=", "-trimpath", "-ldflags", "-s -w", "-o", dir+"/"+name+".cgi", dir+"/"+name+"/main.go")
	}
	// Without the C library, where it does still less.
	sh(b, "go", "build", "-tags=netgo,osusergo", "-trimpath", "-ldflags", "-s -w", "-o", dir+"/static.cgi",
		dir+"/gocgi/main.go")
	compared := [][2]string{{"C, static, empty", "c.cgi"}, {"Go, empty", "go.cgi"},
		{"Go, net/http/cgi, empty", "gocgi.cgi"}, {"the same, static", "static.cgi"}}
	compared = append(compared, others(b, dir)...)
	s := newSite(b, filepath.Join(b.TempDir(), "site"), unlimited...)
	v := s.serveMore(b, s.sent(kinds[2]), "/toaster", strings.ReplaceAll(othersConfig, "{dir}", dir))
	fast := s.serve(b, fastKinds[1], "/toaster")
	host := strings.TrimSuffix(v.base, "/toaster")
	for _, c := range compared {
		list = append(list, &subject{name: c[0], method: "GET", url: host + "/others/" + c[1]})
	}
	job := fill(b, v)
	// As the runner does, somebody has the database open all the time: who opens it doesn't have to read its log.
	db := s.open(b)
	b.Cleanup(func() { db.Close() })
	var n int
	if err := db.QueryRow("SELECT count(*) FROM job").Scan(&n); err != nil {
		b.Fatal(err)
	}
	for _, p := range [][3]string{
		{"static file", "GET", "/static/toaster.css"}, {"log-in page", "GET", "/account/login"},
		{"list of 25 jobs", "GET", "/jobs"}, {"job's page", "GET", job},
		{"log poll", "GET", job + "/builds/1/log?offset=0"}, {"start", "POST", job + "/start"},
	} {
		one := &subject{name: "toaster: " + p[0], method: p[1], url: v.base + p[2]}
		if p[0] != "static file" && p[0] != "log-in page" {
			one.token = v.token
		}
		list = append(list, one)
		if one.token != "" || p[0] == "log-in page" {
			list = append(list, &subject{name: "  FastCGI: " + p[0], method: p[1], url: fast.base + p[2], token: one.token})
		}
	}
	const large = 256 << 20
	artifact := s.built(b, v, large) + "/artifacts/disk.img"
	write(b, v.dir, "root/plain.img", "", 0o644)
	if err := os.Truncate(v.dir+"/root/plain.img", large); err != nil {
		b.Fatal(err)
	}
	return append(list,
		&subject{name: "a file of 256 MiB", method: "GET", url: host + "/plain.img", few: true},
		&subject{name: "toaster: an artifact of 256 MiB", method: "GET", url: v.base + artifact, token: v.token, few: true})
}

// sizes prints how large the installed programs are.
func sizes(b *testing.B) {
	b.Helper()
	folder, err := root()
	if err != nil {
		b.Fatal(err)
	}
	files, _ := filepath.Glob(folder + "/usr/lib/cgi-bin/toaster/*")
	for _, f := range append(files, folder+"/usr/bin/toasterctl") {
		fi, err := os.Stat(f)
		if err != nil {
			b.Fatal(err)
		}
		fmt.Printf("%-12s %6.1f MB\n", filepath.Base(f), float64(fi.Size())/1e6)
	}
}

// others makes pages of well-made C programs, where they are installed.
func others(b *testing.B, dir string) (list [][2]string) {
	if exec.Command("cp", "/usr/lib/cgit/cgit.cgi", dir+"/cgit.cgi").Run() == nil {
		sh(b, "git", "clone", "-q", "--bare", "--no-hardlinks", "..", dir+"/repo")
		sh(b, "chown", "-R", fmt.Sprint(nobody), dir+"/repo")
		write(b, dir, "cgitrc", "repo.url=repo\nrepo.path="+dir+"/repo\n", 0o644)
		list = append(list, [2]string{"cgit's log page", "cgit.cgi/repo/log/"})
	}
	if fossil, err := exec.LookPath("fossil"); err == nil {
		b.Setenv("HOME", dir)
		sh(b, fossil, "init", "-A", "bench", dir+"/x.fossil")
		sh(b, "chown", "-R", fmt.Sprint(nobody), dir)
		write(b, dir, "fossil.cgi", "#!"+fossil+"\nrepository: "+dir+"/x.fossil\n", 0o755)
		list = append(list, [2]string{"fossil's timeline", "fossil.cgi/timeline"})
	}
	os.Chmod(dir, 0o755)
	os.Chmod(filepath.Dir(dir), 0o755)
	return list
}

// fill hands 25 jobs in, starts one, and returns its path.
func fill(b *testing.B, v *visitor) (path string) {
	b.Helper()
	for i := range 25 {
		kind, body := form(fmt.Sprint("job ", i), small)
		_, text := v.must(b, http.StatusCreated, "POST", "/jobs", kind, body)
		var job struct{ ID string }
		if err := json.Unmarshal(text, &job); err != nil {
			b.Fatal(err)
		}
		path = "/jobs/" + job.ID
	}
	v.must(b, http.StatusAccepted, "POST", path+"/start", "", nil)
	return path
}

func sh(b *testing.B, name string, args ...string) {
	b.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		b.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
