package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/store"
)

// script is a build that succeeds, and leaves three files.
const script = `echo begin
echo 'TOASTER-PHASE step 100.5'; echo 'TOASTER-STEP 1/2 2 COPY . /srv/'; printf 'bell \a, \033[31mred\033[0m, \377\n'
echo 'TOASTER-PHASE step 103'; echo 'TOASTER-STEP 2/2 3 RUN echo hello'; echo end
echo 'TOASTER-PHASE end 104'
mkdir dist; seq 100000 >dist/image.tar.gz; printf x >'dist/größe & "co".txt'; (cd dist && sha256sum * >../s && mv ../s SHA256SUMS)
`

// log is a build's log, as the site gives it whole.
func (s *instance) log(job string, number int) string {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, fmt.Sprintf("%s/jobs/%s/builds/%d/log?whole=1", s.url(), job, number), nil)
	s.must(err)
	r.Header.Set("Authorization", "Bearer "+s.token)
	a, err := http.DefaultClient.Do(r)
	s.must(err)
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		s.t.Fatalf("%v %d %s", err, a.StatusCode, text)
	}
	return string(text)
}

func (s *instance) one(pattern string) string {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(s.dir, pattern))
	if err != nil || len(found) != 1 {
		s.t.Fatalf("%v %q", err, found)
	}
	return found[0]
}

// jobs are those of the site, as the site knows them.
func (s *instance) jobs() []*store.Job {
	s.t.Helper()
	page, err := s.db.Jobs(s.t.Context(), 1, store.JobQuery{Limit: 100})
	s.must(err)
	return page.Jobs
}

// events are the lines of --json.
func (r *ran) events() (list []map[string]any) {
	r.t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(r.out), "\n") {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			r.t.Fatalf("%v: %q", err, line)
		}
		list = append(list, e)
	}
	return list
}

// event is the first event of that name.
func (r *ran) event(name string) map[string]any {
	r.t.Helper()
	for _, e := range r.events() {
		if e["event"] == name {
			return e
		}
	}
	r.t.Fatalf("no event %s: %s%s", name, r.out, r.err)
	return nil
}

func TestAProjectBecomesAnImage(t *testing.T) {
	s := newInstance(t)
	s.runner(script)
	u := s.user()
	r := u.toaster("build", "-t", vm).exits(0)
	r.complains("3 files", "Sending 3 files", "Build 1 of shop", "2 files verified",
		"    cd dist/"+vm+"\n    mkdir image\n")
	if want := "begin\nTOASTER-PHASE step 100.5\n"; !strings.HasPrefix(r.out, want) || !strings.Contains(r.out, "\xff\n") {
		t.Errorf("the log is %q", r.out)
	}
	image, err := os.ReadFile(filepath.Join(u.project, "dist", vm, "image.tar.gz"))
	if err != nil || !strings.HasSuffix(string(image), "\n100000\n") {
		t.Errorf("%v: %d bytes", err, len(image))
	}
	if jobs := s.jobs(); len(jobs) != 1 || jobs[0].Name != "shop" || jobs[0].Target != vm {
		t.Errorf("%+v", jobs)
	}

	// Nothing has changed: no byte of it is sent, what was downloaded is no part of it, and the job is the same.
	again := u.toaster("build", "--json").exits(0)
	if e := again.event("upload"); e["files"] != 0.0 {
		t.Errorf("%v", e)
	}
	if e := again.event("build"); e["number"] != 2.0 || len(s.jobs()) != 1 {
		t.Errorf("%v", e)
	}
	logged := ""
	for _, e := range again.events() {
		if e["event"] == "log" {
			text, _ := e["text"].(string)
			bytes, err := base64.StdEncoding.DecodeString(fmt.Sprint(cmp.Or(e["text64"], any(""))))
			s.must(err)
			logged += text + string(bytes)
		}
	}
	if e := again.event("step"); e["step"] != 1.0 || e["of"] != 2.0 || e["line"] != 2.0 ||
		e["instruction"] != "COPY . /srv/" {
		t.Errorf("%v", e)
	}
	if e := again.event("done"); e["state"] != "succeeded" {
		t.Errorf("%v", e)
	}

	// One file has changed: it is sent alone.
	u.write("run", "#!/bin/sh\nexec sleep 8\n")
	if e := u.toaster("build", "--json", "--no-download").exits(0).event("upload"); e["files"] != 1.0 ||
		e["bytes"] != 23.0 {
		t.Errorf("%v", e)
	}

	// The log of each is the same as the one that was followed, which is the site's.
	if site := s.log(s.jobs()[0].ID, 1); site != r.out || logged != site {
		t.Errorf("the site's log is %q, and %q and %q were printed", site, r.out, logged)
	}
	for _, ref := range []string{"shop/1", "shop/2", "shop", ""} {
		if got := u.toaster(append([]string{"logs"}, strings.Fields(ref)...)...).exits(0); got.out != r.out {
			t.Errorf("%q: the log is %q, not %q", ref, got.out, r.out)
		}
	}
	u.toaster("jobs").exits(0).prints("shop", vm, "succeeded")
	u.toaster("targets").exits(0).prints(vm)
}

// TestTheContextIsWhatDockerSends: the manifest that the site keeps is that of the folder.
func TestOddFilesAreSentAsTheyAre(t *testing.T) {
	s := newInstance(t)
	u := s.user()
	u.write("odd \xff\n%", "1")
	u.write(".dockerignore", "secret*\n")
	u.write("secret.txt", "no")
	s.must(os.Symlink("../\xfe", filepath.Join(u.project, "link")))
	s.must(os.Link(filepath.Join(u.project, "odd \xff\n%"), filepath.Join(u.project, "other \xff")))
	s.must(os.Chmod(filepath.Join(u.project, "run"), 0o755|os.ModeSetuid))
	r := u.toaster("build", "-t", vm, "--detach", "--json").exits(0)
	digest := strings.TrimPrefix(r.event("context")["digest"].(string), "sha256:")
	text, err := os.ReadFile(s.one("contexts/*/manifests/" + digest))
	s.must(err)
	sum := sha256.Sum256(text)
	if hex.EncodeToString(sum[:]) != digest || !strings.Contains(string(text), " odd%20%ff%0a%25 1 ") ||
		!strings.Contains(string(text), "hard 644") || !strings.Contains(string(text), "file 4755") ||
		strings.Contains(string(text), "secret") {
		t.Errorf("%s", text)
	}
}

func TestABuildThatFails(t *testing.T) {
	s := newInstance(t)
	s.runner("echo 'TOASTER-STEP 1/1 2 COPY . /srv/'; echo oops; echo 'TOASTER-FAILED 1/1 2 exit 7'; exit 7")
	u := s.user()
	r := u.toaster("build", "-t",
		vm).exits(1).complains("Build 1 of shop: failed at line 2 of the Dockerfile, exit code 7")
	r.prints("oops")
	u.toaster("download").exits(2).complains("shop has no build that succeeded")
	u.toaster("logs", "-f", "--json").exits(1)
}

func TestWhatIsWrongIsRefused(t *testing.T) {
	s := newInstance(t)
	u := s.user()
	u.toaster("build", "-t", "rootfs_amd64_bookwrm").exits(2).complains("Did you mean "+vm+"?", "toaster targets")
	u.toaster("build").exits(2).complains("no target is named", "-t")
	u.toaster("build", "-t", vm, "nowhere").exits(2).complains("nowhere is not a folder")
	u.toaster("build", "-t", vm, "-f", "Nofile").exits(2).complains("Nofile does not exist")
	u.toaster("build", "-t", vm, "--build-arg", "X").exits(2).complains("NAME=VALUE")
	u.toaster("build", "-t", vm, "--secret", "id=a").exits(2).complains("id=ID,src=FILE")
	u.toaster("build", "--nonsense").exits(2).complains("toaster build --help")
	u.toaster("logs", "nothing").exits(2).complains("there is no job nothing")
	u.write(".dockerignore", "[a")
	u.toaster("build", "-t", vm).exits(2).complains(".dockerignore:1")
	u.write(".dockerignore", "")
	u.write("Dockerfile", "FROM debian:bookworm\nNONSENSE\n")
	u.toaster("build", "-t", vm).exits(2).complains("Dockerfile:2", "NONSENSE")
	if n := len(s.jobs()); n != 0 {
		t.Errorf("%d jobs", n)
	}
}

func TestLogIn(t *testing.T) {
	s := newInstance(t)
	u := s.user().with("TOASTER_URL", "TOASTER_TOKEN")
	u.toaster("build", "-t", vm).exits(2).complains("you are not logged in", "toaster login")
	u.typing("wrong\n", "login", s.url()).exits(2).complains("does not accept your token")
	u.typing("\n", "login", s.url()).exits(2).complains("no token")
	u.typing(s.token+"\n", "login", s.url()+"/").exits(0).complains("as " + ada)
	path := filepath.Join(u.home, ".config/toaster/config.toml")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v: %v", info.Mode(), err)
	}
	u.toaster("build", "-t", vm, "--detach").exits(0).complains("toaster logs -f")
	u.with("TOASTER_TOKEN=other").toaster("jobs").exits(2).complains("does not accept your token", "toaster login")
	u.toaster("stop").exits(0).complains("is being stopped")
	s.must(os.WriteFile(path, []byte("token = \""+s.token), 0o600))
	u.toaster("jobs").exits(2).complains("config.toml:1 can't be read")
}

func TestASiteThatIsNotThere(t *testing.T) {
	s := newInstance(t)
	u := s.user()
	s.halt()
	u.toaster("build", "-t", vm).exits(3).complains("can't be reached", "Check the address")
	u.toaster("--site", "http://nowhere.invalid", "targets").exits(3).complains("can't be reached")
	u.toaster("--site", "ftp://x", "targets").exits(2)
}

// TestSecretsReachTheBuild and nothing else.
func TestSecretsReachTheBuild(t *testing.T) {
	s := newInstance(t)
	s.runner(`cat "$TOASTER_SECRETS"/* | sha256sum; mkdir dist; cd dist; echo x >x; sha256sum x >SHA256SUMS`)
	u := s.user()
	u.write("Dockerfile", "FROM debian:bookworm\nRUN --mount=type=secret,id=a,required --mount=type=secret,id=b true\n")
	u.write("../a.secret", "hush")
	u.toaster("build", "-t", vm).exits(2).complains("a")
	r := u.with("B=quiet").toaster("build", "-t", vm, "--secret", "id=a,src=../a.secret", "--secret",
		"id=b,env=B").exits(0)
	sum := sha256.Sum256([]byte("hushquiet"))
	r.prints(hex.EncodeToString(sum[:]))
}
