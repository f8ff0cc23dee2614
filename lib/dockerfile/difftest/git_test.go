package difftest

import (
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/dockerfile"
)

// makeRepositories writes main.git, which has sub.git in it, and evil.git. $0 is their folder.
const makeRepositories = `
cd $0
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
export GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000'
git init -q -b main sub; cd sub; echo sub >s; git add .; git commit -qm sub; cd ..
git init -q -b main main; cd main
mkdir -p folder/deep; echo one >file; echo run >program; chmod 755 program; echo deep >folder/deep/f
ln -s folder link; ln -s /etc/passwd outside
printf '*.big filter=lfs\n' >.gitattributes; echo 'version https://git-lfs.github.com/spec/v1' >a.big
git add .; git commit -qm one; git tag light
echo two >file; git commit -qam two; git tag -am noted noted
git checkout -qb both; echo branch >file; git commit -qam branch; git tag both main
git checkout -q main
git -c protocol.file.allow=always submodule --quiet add ../sub.git module; git commit -qam module; cd ..
git clone -q --bare sub sub.git; git clone -q --bare --mirror main main.git
git init -q evil; cd evil
git config -f .gitmodules submodule.x.path x; git config -f .gitmodules submodule.x.url file:///git/tree
git add .; git update-index --add --cacheinfo 160000,$(git -C ../sub rev-parse HEAD),x; git commit -qm evil; cd ..
git clone -q --bare evil evil.git
for one in main sub evil; do git -C $one.git config uploadpack.allowAnySHA1InWant true; done
`

// TestAddGit: ADD of a repository over HTTP, as BuildKit does it. Git runs in the sandbox, and gets no other protocol.
func TestAddGit(t *testing.T) {
	b := newRoot(t)
	backend := "/usr/lib/git-core/git-http-backend"
	if !exists(backend) {
		lack(t, "git is not installed")
	}
	folder := t.TempDir()
	run(t, "sh", "-ec", strings.ReplaceAll(makeRepositories, "../sub.git module", "../sub module; "+
		"git config -f .gitmodules submodule.module.url ../sub.git; git add .gitmodules"), folder)
	server := httptest.NewServer(&cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + folder,
		"GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}})
	t.Cleanup(server.Close)
	b.registry = server.Listener.Addr().String() // so that builds may reach it
	url := "http://" + inside(server.Listener.Addr().String())
	commit := func(name string) string {
		out, err := exec.Command("git", "-c", "safe.directory=*", "-C", folder+"/main.git", "rev-parse", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	for name, c := range map[string]struct{ add, have, gone, said string }{
		"default branch": {"@/main.git /src",
			"file f 0644 0:0 two,program f 0755 0:0 run,link l 0777 0:0 folder,outside l 0777 0:0 /etc/passwd," +
				"folder/deep d 0755 0:0,module/s f 0644 0:0 sub,a.big f 0644 0:0 version https://git-lfs.github.com/spec/v1",
			".git module/.git", ""},
		"light tag":          {"@/main.git#light /src", "file f 0644 0:0 one", ".git module", ""},
		"tag with a note":    {"@/main.git?tag=noted /src", "file f 0644 0:0 two", "module", ""},
		"branch before tag":  {"@/main.git#both /src", "file f 0644 0:0 branch", "", ""},
		"tag by its name":    {"@/main.git#refs/tags/both /src", "file f 0644 0:0 two", "", ""},
		"folder":             {"@/main.git#:folder /src", "deep/f f 0644 0:0 deep", "file folder", ""},
		"folder of a commit": {"@/main.git#" + commit("light") + ":folder/deep /src/", "f f 0644 0:0 deep", "file", ""},
		"checksum":           {"--checksum=" + commit("light") + " @/main.git#light /src", "file f 0644 0:0 one", "", ""},
		"checksum of the commit of a tag": {"--checksum=" + commit("noted^{}")[:12] + " @/main.git#noted /src",
			"file f 0644 0:0 two", "", ""},
		"owner and mode": {"--chown=33:34 --chmod=600 --exclude=folder @/main.git /src", "file f 0600 33:34 two",
			"folder", ""},
		"with its history": {"--keep-git-dir=true @/main.git /src", "file f 0644 0:0 two,.git d 0755 0:0", "", ""},
		"no submodules":    {"@/main.git?submodules=false /src", "module d 0755 0:0", "module/s", ""},
		"time of commit":   {"@/main.git?mtime=commit /src", "file f 0644 0:0 two", "", ""},
		"into a folder that is there": {"@/main.git /var/../src/\nADD @/sub.git /src", "s f 0644 0:0 sub,file f 0644 0:0 two",
			"sub", ""},
		"another checksum": {"--checksum=" + commit("noted") + " @/main.git#light /src", "", "",
			"not " + commit("noted")},
		"no such branch":        {"@/main.git#none /src", "", "", "it has no branch, tag or commit none"},
		"no such commit":        {"@/main.git#" + strings.Repeat("0", 40) + " /src", "", "", "git: "},
		"no such folder":        {"@/main.git#:none /src", "", "", "it has no folder none"},
		"folder through a link": {"@/main.git#:link/deep /src", "", "", "it has no folder link"},
		"folder that is a file": {"@/main.git#:file /src", "", "", "it has no folder file"},
		"no repository":         {"@/none.git /src", "", "", "it cannot be read"},
		"submodule of the host": {"@/evil.git /src", "", "", "its submodules cannot be fetched"},
		"option as a branch":    {"@/main.git#refs/heads/--upload-pack=x /src", "", "", "it has no branch"},
		"to the metadata":       {"http://169.254.169.254/a.git /src", "", "", "it cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blend, findings := dockerfile.Translate(dockerfile.Source{Dockerfile: []byte("FROM debian:bookworm\nADD " +
				strings.ReplaceAll(c.add, "@", url) + "\n")})
			if blend == nil {
				t.Fatal(findings)
			}
			root, said, err := b.run(blend, t.TempDir(), "")
			if c.said != "" {
				if err == nil || !strings.Contains(said, c.said) || !strings.Contains(said, "TOASTER-FAILED 2/2 2 exit") {
					t.Errorf("%v: %q is missing in\n%s", err, c.said, said)
				}
				return
			}
			if err != nil {
				t.Fatal(said)
			}
			one := testCase{file: name, gone: strings.Fields(c.gone)}
			for _, line := range strings.Split(c.have, ",") {
				one.have = append(one.have, "/src/"+line)
			}
			for i := range one.gone {
				one.gone[i] = "/src/" + one.gone[i]
			}
			tree := snapshot(t, root)
			checkBuildKit(t, one, tree, said, false)
			src := filepath.Join(root, "src")
			if name == "with its history" {
				run(t, "sh", "-ec", `test "$(git -c safe.directory='*' -C $0 status --porcelain)" = ""
test "$(git -c safe.directory='*' -C $0 rev-parse HEAD)" = "$1"
test "$(git -C $0 -c safe.directory='*' remote get-url origin)" = "$2"
test -z "$(find $0/.git ! -uid 0)"`, src, commit("main"), url+"/main.git")
			}
			if info, err := os.Stat(src + "/file"); name == "time of commit" && (err != nil || info.ModTime().Unix() != 1e9) {
				t.Error(info, err)
			}
		})
	}
}
