package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"toaster.do/lib/build"
	"toaster.do/lib/config"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/fault"
	"toaster.do/lib/sdk"
	"toaster.do/lib/site"
)

// source is what an image is made from, as the command line names it.
type source struct {
	Context    string   `placeholder:"DIR|TAR" help:"The build context: a folder, or a .tar, .tar.gz or .zip of it."`
	BuildArg   []string `placeholder:"K=V" sep:"none" help:"The value of an ARG; can be given more than once."`
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
		return pack(s.Context, limits.Unpacked)
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

// rules are what a Dockerfile is judged by: the site's, or without one the defaults.
type rules struct {
	limits  build.Limits
	targets *sdk.Targets
}

// rules reads the site's rules. Without --config, $TOASTER_CONF and an installed site it takes those that
// are built in.
func (w *world) rules() (*rules, error) {
	cfg, err := config.Load(w.config)
	builtIn := errors.Is(err, fs.ErrNotExist) && w.config == "" && os.Getenv("TOASTER_CONF") == ""
	if builtIn {
		cfg, err = config.Default(), nil
	}
	if err != nil {
		return nil, err
	}
	r := &rules{limits: build.Limits{Dockerfile: int64(cfg.Limits.Dockerfile), Context: site.Context(cfg)}}
	if builtIn {
		r.targets, err = builtInTargets()
	} else {
		r.targets, err = sdk.LoadTargets(cfg.Paths.Targets)
	}
	return r, err
}

// translate reads the sources and makes their blend, for a target where one is named. The blend is nil when
// a finding is an error.
func (s *source) translate(w *world, target string) (sdk.Target, *dockerfile.Blend, []dockerfile.Finding, error) {
	var t sdk.Target
	fail := func(err error) (sdk.Target, *dockerfile.Blend, []dockerfile.Finding, error) { return t, nil, nil, err }
	r, err := w.rules()
	if err != nil {
		return fail(err)
	}
	if target != "" {
		if t, err = pick(r.targets, target); err != nil {
			return fail(err)
		}
	}
	src := dockerfile.Source{Arch: t.Arch, Codename: t.Codename}
	args, err := s.buildArgs()
	if err != nil {
		return fail(err)
	}
	if src.BuildArgs, err = build.ParseBuildArgs(args); err != nil {
		return fail(err)
	}
	if src.Dockerfile, err = s.readDockerfile(w, r.limits.Dockerfile); err != nil {
		return fail(err)
	}
	if int64(len(src.Dockerfile)) > r.limits.Dockerfile {
		return fail(fault.New(fault.TooLarge, fmt.Sprintf("%s is longer than %d bytes.", s.fileLabel(), r.limits.Dockerfile), "Move large heredocs into files of the build context."))
	}
	if len(bytes.TrimSpace(src.Dockerfile)) == 0 {
		return fail(fault.New(fault.Invalid, s.fileLabel()+" is empty.", "It needs a FROM line at least."))
	}
	if src.Context, err = s.readContext(r.limits.Context); err != nil {
		return fail(err)
	}
	blend, findings := dockerfile.Translate(src)
	return t, blend, findings, nil
}
