package gitsource

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"toaster.do/lib/apperr"
)

// Options are what is fetched, and within which limits.
type Options struct {
	URL        string // see ParseAddress
	Ref        string // a branch, a tag or a whole commit id; empty: the repository's default branch
	Folder     string // inside of it; empty: its root
	Submodules bool
	Secret     string // a private key in OpenSSH's format, or a token, or USER:PASSWORD; empty: none
	HostKeys   string // lines of known_hosts(5) that earlier fetches have seen

	SiteKeys   string        // likewise, of the site
	Allow      []string      // HOST:PORT that may be reached without encryption, and in private networks
	Proxies    []string      // NAME=VALUE of the environment
	Dir        string        // where a folder is made; nobody is locked out on the way to it, where root fetches
	TimeLimit  time.Duration // of all of it
	MaxBytes   int64         // of all that is fetched
	MaxEntries int           // files, folders and links
}

// Result is what was fetched. Close deletes it.
type Result struct {
	Commit   string // the whole id
	HostKeys string // those that are known now
	tree     *os.Root
	place    place
}

// Fetch fetches a repository. Its errors are for people, and have no secret: what git itself said is their cause.
func Fetch(ctx context.Context, o Options) (_ *Result, err error) {
	a, err := o.check()
	if err != nil {
		return nil, err
	}
	for _, tool := range []string{"git", "slirp4netns", "ip", "nsenter", "unshare"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, apperr.Wrap(apperr.Unavailable, err, "This site can't fetch repositories: its host lacks %s.",
				"Administrator: install git, crun, slirp4netns, iproute2 and openssh-client.", tool)
		}
	}
	p, err := newPlace(o, a)
	r := &Result{place: p}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.TimeLimit, errTimeLimit)
	defer cancel()
	if err := p.run(ctx, o, a); err != nil {
		return nil, err
	}
	if r.tree, err = os.OpenRoot(filepath.Join(p.dir, "git", "tree")); err != nil {
		return nil, err
	}
	commit, err := p.small("commit", 100)
	if r.Commit = strings.TrimSpace(commit); err == nil && !commitForm(r.Commit) {
		err = errors.New("git told no commit")
	}
	if err != nil {
		return nil, err
	}
	r.HostKeys, err = p.small("home/known_hosts", 64<<10)
	return r, err
}

func commitForm(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// check looks at the options as if nobody had done so before.
func (o *Options) check() (a Address, err error) {
	if a, err = ParseAddress(o.URL); err != nil {
		return a, err
	}
	return a, errors.Join(a.Allowed(o.Allow), CheckRef(o.Ref), CheckPath("git_folder", o.Folder))
}

// Close deletes what was fetched.
func (r *Result) Close() error {
	if r.tree != nil {
		r.tree.Close()
	}
	if r.place.dir == "" {
		return nil
	}
	return os.RemoveAll(r.place.dir)
}

// small reads a file of the sandbox's /git, without following links.
func (p place) small(name string, most int64) (string, error) {
	root, err := os.OpenRoot(filepath.Join(p.dir, "git"))
	if err != nil {
		return "", err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most))
	return string(text), err
}

var (
	errTimeLimit = errors.New("the time limit of a fetch")
	errTooLarge  = errors.New("the limit of what is fetched")
)

// run runs git in the sandbox.
func (p place) run(ctx context.Context, o Options, a Address) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	loopback := "--disable-host-loopback"
	if slices.ContainsFunc(o.Allow, func(s string) bool { return strings.HasPrefix(s, "10.0.2.2:") }) {
		loopback = ""
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", outerScript, "sh", p.dir, loopback)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Stdin = strings.NewReader(o.input(a))
	said := &tail{most: 16 << 10}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC |
			syscall.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: p.id, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: p.group(), Size: 1}},
		Credential:  &syscall.Credential{NoSetGroups: true},
		Pdeathsig:   syscall.SIGKILL, Setsid: true,
	}
	// The signal comes when the thread ends that has begun it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "This site can't fetch repositories: its host makes no user namespaces.",
			"Administrator: see the log, and sysctl user.max_user_namespaces.")
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		p.watch(ctx, o, func() { cancel(errTooLarge) })
	}()
	err := cmd.Wait()
	cause := context.Cause(ctx)
	cancel(nil)
	<-watched
	if err == nil {
		return nil
	}
	return explain(err, cause, said.String(), o, a)
}

func (p place) group() int {
	if os.Getuid() == 0 {
		return p.id
	}
	return os.Getgid()
}

// input is what the sandbox gets on standard input: a key, or a line of git-credential-store(1).
func (o *Options) input(a Address) string {
	if o.Secret == "" {
		return ""
	}
	if a.Scheme == "ssh" {
		return strings.TrimSpace(o.Secret) + "\n"
	}
	user, password, both := strings.Cut(o.Secret, ":")
	switch {
	case a.User != "":
		user, password = a.User, o.Secret
	case !both:
		user, password = "git", o.Secret
	}
	host := strings.TrimSuffix(a.Endpoint(), map[string]string{"https": ":443", "http": ":80"}[a.Scheme])
	return a.Scheme + "://" + url.UserPassword(user, password).String() + "@" + host + "\n"
}

// watch calls over when more has been written than may be.
func (p place) watch(ctx context.Context, o Options, over func()) {
	for {
		var bytes int64
		entries := 0
		// What changes meanwhile is looked at again.
		_ = filepath.WalkDir(filepath.Join(p.dir, "git"), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || ctx.Err() != nil {
				return ctx.Err()
			}
			if entries++; d.Type().IsRegular() {
				if info, err := d.Info(); err == nil {
					bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
				}
			}
			return nil
		})
		// The repository has each file twice, and folders of its own.
		if bytes > 2*o.MaxBytes+8<<20 || entries > 2*o.MaxEntries+1000 {
			over()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	text bytes.Buffer
	most int
}

func (t *tail) Write(p []byte) (int, error) {
	t.text.Write(p)
	if over := t.text.Len() - t.most; over > 0 {
		t.text.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string { return t.text.String() }
