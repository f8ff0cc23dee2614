package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"toaster.do/lib/build"
	"toaster.do/lib/dockerfile"
)

// source is what an image is made from, as the command line names it.
type source struct {
	Context    string   `placeholder:"DIR|TAR" help:"The build context: a folder, or a .tar, .tar.gz or .zip of it."`
	BuildArg   []string `placeholder:"K=V" sep:"none" help:"The value of an ARG; can be given more than once."`
	Env        []string `placeholder:"K=V" sep:"none" help:"A variable for the application, as with docker run -e; can be given more than once."`
	Dockerfile string   `arg:"" name:"Dockerfile" help:"The Dockerfile; “-” is standard input."`
}

// fileLabel is how findings name the Dockerfile.
func (s *source) fileLabel() string {
	if s.Dockerfile == "-" {
		return "Dockerfile"
	}
	return s.Dockerfile
}

// readDockerfile reads the text; one that is longer than the limit by a byte is enough to be refused.
func (s *source) readDockerfile(w *world, limit int64) ([]byte, error) {
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
			return "", misused("a --build-arg has to be a single line: %q", arg)
		}
		if _, err := build.ParseBuildArgs(arg); err != nil || arg == "" {
			return "", misused("--build-arg is NAME=VALUE, not %q", arg)
		}
	}
	return strings.Join(s.BuildArg, "\n"), nil
}

// environment returns the variables as a form has them: K=V a line.
func (s *source) environment() (string, error) {
	for _, one := range s.Env {
		if strings.ContainsAny(one, "\r\n") {
			return "", misused("an --env has to be a single line: %q", one)
		}
		if list, err := build.ParseEnvironment(one); err != nil || len(list) == 0 {
			return "", misused("--env is NAME=VALUE, not %q", one)
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

// readArchive returns the build context as it would be uploaded; nil: none is named.
func (s *source) readArchive(limits dockerfile.Limits) ([]byte, error) {
	if s.Context == "" {
		return nil, nil
	}
	fi, err := os.Stat(s.Context)
	if err != nil {
		return nil, err
	}
	if fi.IsDir() {
		return pack(s.Context, s.name(), limits.Unpacked)
	}
	return readBounded(s.Context, limits.Compressed)
}

func (s *source) readContext(limits dockerfile.Limits) (*dockerfile.Context, error) {
	archive, err := s.readArchive(limits)
	if err != nil || archive == nil {
		return nil, err
	}
	return dockerfile.ReadContext(archive, limits)
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
