package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/jobs"
)

// lockFlag names a lock.
type lockFlag struct {
	Lock string `placeholder:"FILE" help:"Digests of the images that the Dockerfile names, as “toasterctl lock” prints."`
}

// source is what an image is made from, as the command line names it.
type source struct {
	lock       string // a file with the digests of images; empty: none
	inside     int64  // dockerfile.Source's
	context    *dockerfile.Context
	files      buildcontext.Source // of the context
	Context    string              `placeholder:"DIR|TAR" help:"The build context: a folder or an archive (.zip, or .tar, also compressed with gzip, bzip2, xz or zstd)."`
	BuildArg   []string            `placeholder:"K=V" sep:"none" help:"A build argument for ARG. Can be repeated."`
	Env        []string            `placeholder:"K=V" sep:"none" help:"A variable for the application, as with docker run -e. Can be repeated."`
	BaseForm   string              `placeholder:"grown|appliance" help:"What becomes of a base image that is not plain Devuan or Debian. Default: grown if it is made of the target's release."`
	Dockerfile string              `arg:"" optional:"" name:"Dockerfile" help:"The Dockerfile. “-” reads standard input. Default: the one in the context."`
}

// find names the Dockerfile that the context has, where the command line names none. One in an archive is returned as
// text.
func (s *source) find(limits buildcontext.Limits) (text []byte, err error) {
	switch fi, err := os.Stat(s.Context); {
	case s.Dockerfile != "":
		return nil, nil
	case s.Context == "":
		return nil, misused("specify a Dockerfile, or a --context that contains one")
	case err != nil:
		return nil, err
	case fi.IsDir():
		s.Dockerfile, err = inFolder(s.Context)
		return nil, err
	}
	context, err := s.readContext(limits)
	if err != nil {
		return nil, err
	}
	s.Dockerfile, text, err = context.FindDockerfile("")
	return text, toName(err)
}

// inFolder returns the Dockerfile in a folder.
func inFolder(folder string) (string, error) {
	var found []string
	for _, pattern := range []string{"[Dd]ockerfile", "Containerfile"} {
		names, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return "", err
		}
		found = append(found, names...)
	}
	switch len(found) {
	case 0:
		return "", misused("%s contains no Dockerfile: specify one", folder)
	case 1:
		return found[0], nil
	}
	return "", misused("%s contains %s: specify one of them", folder, strings.Join(found, ", "))
}

// toName says in a command's words that one of several is to be named.
func toName(err error) error {
	if err != nil && apperr.Of(err).Field == "dockerfile_path" {
		return misused("%s Unpack it, and specify the folder and the Dockerfile.", apperr.Of(err).Message)
	}
	return err
}

// origin is the name of the folder or the archive that the image is made from; empty where there is neither.
func (s *source) origin() string {
	from := s.Context
	if from == "" && s.Dockerfile != "-" {
		from = filepath.Dir(s.Dockerfile)
	}
	if path, err := filepath.Abs(from); from != "" && err == nil {
		return filepath.Base(path)
	}
	return ""
}

// fileLabel is how findings name the Dockerfile.
func (s *source) fileLabel() string {
	if s.Dockerfile == "-" {
		return "Dockerfile"
	}
	return s.Dockerfile
}

// readDockerfile reads the text; one that is longer than the limit by a byte is enough to be refused.
func (s *source) readDockerfile(w *world, r jobs.Limits) ([]byte, error) {
	limit := r.Dockerfile
	if text, err := s.find(r.Context); text != nil || err != nil {
		return text, err
	}
	in := w.stdin
	if s.Dockerfile != "-" {
		f, err := os.Open(s.Dockerfile)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, limit+1))
}

// buildArgs returns them as a form has them: K=V a line.
func (s *source) buildArgs() (string, error) {
	for _, arg := range s.BuildArg {
		if strings.ContainsAny(arg, "\r\n") {
			return "", misused("--build-arg must be a single line: %q", arg)
		}
		if _, err := jobs.ParseBuildArgs(arg); err != nil || arg == "" {
			return "", misused("--build-arg must be NAME=VALUE, not %q", arg)
		}
	}
	return strings.Join(s.BuildArg, "\n"), nil
}

// environment returns the variables as a form has them: K=V a line.
func (s *source) environment() (string, error) {
	for _, one := range s.Env {
		if strings.ContainsAny(one, "\r\n") {
			return "", misused("--env must be a single line: %q", one)
		}
		if list, err := jobs.ParseEnvironment(one); err != nil || len(list) == 0 {
			return "", misused("--env must be NAME=VALUE, not %q", one)
		}
	}
	return strings.Join(s.Env, "\n"), nil
}

// name is the Dockerfile's in the folder that is the context; empty: nobody knows.
func (s *source) name() string {
	if fi, err := os.Stat(s.Context); err != nil || !fi.IsDir() || s.Dockerfile == "-" {
		return ""
	}
	folder, err := filepath.Abs(s.Context)
	file, err2 := filepath.Abs(s.Dockerfile)
	name, err3 := filepath.Rel(folder, file)
	if errors.Join(err, err2, err3) != nil {
		return ""
	}
	return name
}

// readBounded reads a file, and one byte more than the limit at most: its reader refuses it then.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}
