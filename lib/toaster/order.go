package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// order is what is to be built, and, once it is ordered, as which job and build.
type order struct {
	folder         string // the context
	dockerfile     []byte
	dockerfileName string // relative to the folder; "": standard input
	name, target   string
	buildArgs      string // K=V a line
	environment    string
	secrets        map[string][]byte
	noCache        bool

	job    string // its id
	number int
	posted bool // it was sent, and what the site has made of it is not known
}

// title is the build for people, and ref for the command line.
func (o *order) title() string { return fmt.Sprintf("Build %d of %s", o.number, printableLine(o.name)) }
func (o *order) ref() string   { return fmt.Sprintf("%s/%d", o.job, o.number) }

// read makes an order of the command's flags.
func (c *buildCommand) read(w *world) (o *order, err error) {
	o = &order{folder: c.Context, name: c.Name, target: c.Target, noCache: c.NoCache}
	if err := c.readDockerfile(w, o); err != nil {
		return nil, err
	}
	if o.name == "" {
		o.name = nameOf(c.Context)
	}
	if o.buildArgs, err = pairs("--build-arg", c.BuildArg); err != nil {
		return nil, err
	}
	if o.environment, err = pairs("--env", c.Env); err != nil {
		return nil, err
	}
	o.secrets, err = c.readSecrets()
	return o, err
}

// maxDockerfile is how much of a Dockerfile is read at most: sites take less.
const maxDockerfile = 4 << 20

func (c *buildCommand) readDockerfile(w *world, o *order) (err error) {
	if info, err := os.Stat(c.Context); err != nil || !info.IsDir() {
		return misused("%s is not a folder", c.Context)
	}
	if c.Dockerfile == "-" {
		o.dockerfile, err = io.ReadAll(io.LimitReader(w.stdin, maxDockerfile))
		return err
	}
	file := c.Dockerfile
	if file == "" {
		file = filepath.Join(c.Context, "Dockerfile")
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			if other := filepath.Join(c.Context, "Containerfile"); exists(other) {
				file = other
			}
		}
	}
	text, err := readBounded(file, maxDockerfile)
	if errors.Is(err, fs.ErrNotExist) {
		return failed(exitRefused, "Name it with -f, or the folder that has it.", "%s does not exist", file)
	}
	if err != nil {
		return failed(exitRefused, "", "%v", err)
	}
	o.dockerfile = text
	folder, err := filepath.Abs(c.Context)
	if err != nil {
		return err
	}
	at, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if o.dockerfileName, err = filepath.Rel(folder, at); err != nil {
		o.dockerfileName = "" // on another drive of Windows
	}
	o.dockerfileName = filepath.ToSlash(o.dockerfileName)
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readBounded reads a file of at most so many bytes; a larger one is an error.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return text, err
}

// pairs are NAME=VALUE flags as a form has them: one a line. A name alone takes the value that the variable has here.
func pairs(flag string, list []string) (string, error) {
	for i, one := range list {
		name, _, given := strings.Cut(one, "=")
		if value, ok := os.LookupEnv(name); !given && ok {
			list[i] = name + "=" + value
		} else if !given {
			return "", misused("%s must be NAME=VALUE, not %q: no such variable is set here", flag, one)
		}
		if strings.ContainsAny(list[i], "\r\n") {
			return "", misused("%s must be a single line: %s", flag, name)
		}
	}
	return strings.Join(list, "\n"), nil
}

var remote = regexp.MustCompile(`^\s*url\s*=\s*\S*?([^/:\s]+?)(\.git)?/?\s*$`)

// nameOf is the default name of a folder's job: the repository's, as its remote has it, or the folder's.
func nameOf(folder string) string {
	if f, err := os.Open(filepath.Join(folder, ".git", "config")); err == nil {
		defer f.Close()
		origin := false
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if line := strings.TrimSpace(lines.Text()); strings.HasPrefix(line, "[") {
				origin = line == `[remote "origin"]`
			} else if m := remote.FindStringSubmatch(line); m != nil && origin {
				return m[1]
			}
		}
	}
	path, err := filepath.Abs(folder)
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Base(folder) == "." {
		path = real
	}
	if name := filepath.Base(path); name != string(filepath.Separator) {
		return name
	}
	return ""
}
