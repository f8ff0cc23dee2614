package gitsource

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lack skips a test that this host has no tools for.
func lack(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// needs skips where a program is missing, and returns where it is.
func needs(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/lib/git-core") {
		if path := filepath.Join(dir, name); exec.Command("test", "-x", path).Run() == nil {
			return path
		}
	}
	lack(t, name+" is missing")
	return ""
}

func sh(t *testing.T, dir, script string, args ...string) string {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-ec", script, "sh"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a", "GIT_AUTHOR_DATE=1000000000 +0000",
		"GIT_COMMITTER_DATE=1000000000 +0000")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// repositories makes a folder with main.git, which has a branch, tags, a folder and a submodule, and others that are
// hostile.
func repositories(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	sh(t, dir, `
git init -q -b main sub; cd sub; echo sub >s; git add .; git commit -qm sub; cd ..
git init -q -b main main; cd main
mkdir -p folder/deep; printf 'FROM debian\n' >folder/Dockerfile; echo one >file; echo run >program; chmod 755 program
ln -s /etc/passwd outside; ln -s folder link
git add .; git commit -qm one; git tag light
git checkout -qb dev; echo dev >file; git commit -qam dev; git checkout -q main
git -c protocol.file.allow=always submodule --quiet add ../sub module
git config -f .gitmodules submodule.module.url ../sub.git; git add .; git commit -qm module; cd ..
git init -q -b main lfs; cd lfs; printf '*.big filter=lfs diff=lfs\n' >.gitattributes
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n' >a.big
git add .; git commit -qm lfs; cd ..
git init -q -b main evil; cd evil
git config -f .gitmodules submodule.x.path x; git config -f .gitmodules submodule.x.url "$1"
git add .; git update-index --add --cacheinfo 160000,$(git -C ../sub rev-parse HEAD),x; git commit -qm evil; cd ..
git init -q -b main dots; cd dots
git config -f .gitmodules submodule.../../x.path x; git config -f .gitmodules submodule.../../x.url ../sub.git
git add .; git update-index --add --cacheinfo 160000,$(git -C ../sub rev-parse HEAD),x; git commit -qm dots; cd ..
git init -q -b main filters; cd filters; printf '* filter=evil ident text eol=crlf\n*.sh export-subst\n' >.gitattributes
mkdir -p hooks; printf '#!/bin/sh\ntouch /git/pwned\n' >hooks/post-checkout; chmod 755 hooks/post-checkout
git add .; git commit -qm filters; cd ..
git init -q -b main large; cd large; head -c 3000000 /dev/urandom >large; git add .; git commit -qm large; cd ..
git init -q -b main many; cd many; i=0; while [ $i -lt 300 ]; do echo $i >f$i; i=$((i+1)); done
git add .; git commit -qm many; cd ..
git init -q -b main empty
for one in main sub lfs evil dots filters large many empty; do
	git clone -q --bare $one $one.git 2>/dev/null; git -C $one.git config uploadpack.allowAnySHA1InWant true
done`, "file:///git/tree")
	return dir
}

// background starts a server, and waits until a port of the loopback answers.
func background(t *testing.T, port int, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said, &said, time.Second
	cmd.Env = append(os.Environ(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	for {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			c.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s: %s", name, said.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// daemon is git's own server.
func daemon(t *testing.T, dir string) (port int) {
	t.Helper()
	port = freePort(t)
	background(t, port, needs(t, "git-daemon"), "--export-all", "--base-path="+dir, "--listen=127.0.0.1",
		fmt.Sprintf("--port=%d", port), "--reuseaddr")
	return port
}

// smart is lighttpd with git-http-backend: what is below /private wants a password.
func smart(t *testing.T, dir string) (port int) {
	t.Helper()
	port = freePort(t)
	backend, etc := needs(t, "git-http-backend"), t.TempDir()
	sh(t, etc, `printf 'ada:correct horse\n' >users
printf '[safe]\n\tdirectory = *\n' >gitconfig
printf '#!/bin/sh\nexec "%s"\n' "$3" >git.cgi; chmod 755 git.cgi
cat >lighttpd.conf <<END_OF_CONF
server.document-root = "$1"
server.port = $2
server.bind = "127.0.0.1"
server.modules = ("mod_auth", "mod_authn_file", "mod_alias", "mod_setenv", "mod_cgi")
setenv.add-environment = ("GIT_PROJECT_ROOT" => "$1", "GIT_HTTP_EXPORT_ALL" => "1",
	"GIT_CONFIG_GLOBAL" => "$PWD/gitconfig")
alias.url = ("/private" => "$PWD/git.cgi", "/public" => "$PWD/git.cgi")
cgi.assign = (".cgi" => "")
auth.backend = "plain"
auth.backend.plain.userfile = "$PWD/users"
auth.require = ("/private" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
END_OF_CONF`, dir, fmt.Sprint(port), backend)
	background(t, port, needs(t, "lighttpd"), "-D", "-f", etc+"/lighttpd.conf")
	return port
}

// secure is an SSH server for the user of this process, who has the key that is returned.
func secure(t *testing.T) (port int, key string, etc string) {
	t.Helper()
	sshd := needs(t, "sshd")
	port, etc = freePort(t), t.TempDir()
	sh(t, etc, `ssh-keygen -q -t ed25519 -N '' -f key; ssh-keygen -q -t ed25519 -N '' -f host
cp key.pub authorized; chmod 600 authorized
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
cat >sshd_config <<END_OF_CONF
Port $1
ListenAddress 127.0.0.1
HostKey $PWD/host
AuthorizedKeysFile $PWD/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
END_OF_CONF`, fmt.Sprint(port))
	background(t, port, sshd, "-D", "-e", "-f", etc+"/sshd_config")
	text, err := os.ReadFile(etc + "/key")
	if err != nil {
		t.Fatal(err)
	}
	return port, string(text), etc
}
