package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// folder is where a build's files lie, below the engine's folder.
func folder(job string, number int) string { return filepath.Join(job, strconv.Itoa(number)) }

// Log reads a part of a build's log. See engine.Engine.
func (e *Engine) Log(ctx context.Context, name string, number int, offset int64) (engine.Chunk, error) {
	if offset < 0 {
		return engine.Chunk{}, apperr.New(apperr.InvalidArgument, "The offset of a log can't be negative.", "")
	}
	// The state is read before the log: what is written in between is fetched by the next call.
	b, err := e.db.LocalBuild(ctx, name, number)
	if err != nil {
		return engine.Chunk{}, err
	}
	alive := liveRunners{dir: e.dir}
	runs := e.status(b, 0, &alive).State == engine.Running
	f, err := os.OpenInRoot(e.dir, filepath.Join(folder(b.Job, b.Number), "log"))
	if errors.Is(err, fs.ErrNotExist) && runs {
		return engine.Chunk{More: true}, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return engine.Chunk{}, apperr.Wrap(apperr.NotFound, err, "The log is no longer on the disk.", "")
	}
	if err != nil {
		return engine.Chunk{}, apperr.Wrap(apperr.Internal, err, "The log can't be read.", "Contact the administrator.")
	}
	defer f.Close()
	return chunk(f, offset, runs)
}

func chunk(f *os.File, offset int64, runs bool) (engine.Chunk, error) {
	fi, err := f.Stat()
	if err != nil {
		return engine.Chunk{}, err
	}
	size := fi.Size()
	offset = min(offset, size)
	text := make([]byte, min(size-offset, engine.MaxChunk))
	n, err := f.ReadAt(text, offset)
	if err != nil && err != io.EOF {
		return engine.Chunk{}, err
	}
	next := offset + int64(n)
	return engine.Chunk{Text: text[:n], Next: next, More: runs || next < size}, nil
}

// Artifacts lists what a build that succeeded left; one that ended otherwise leaves its log only. See engine.Engine.
func (e *Engine) Artifacts(ctx context.Context, name string, number int) ([]engine.Artifact, error) {
	b, err := e.db.LocalBuild(ctx, name, number)
	if err != nil {
		return nil, err
	}
	list, err := e.db.LocalArtifacts(ctx, b.Ticket)
	all := make([]engine.Artifact, len(list))
	for i, a := range list {
		all[i] = engine.Artifact(a)
	}
	return all, err
}

// Open streams a part of an artifact. See engine.Engine.
func (e *Engine) Open(
	ctx context.Context, name string, number int, path string, r engine.Range,
) (*engine.Stream, error) {
	b, err := e.db.LocalBuild(ctx, name, number)
	if err != nil {
		return nil, err
	}
	if err := e.listed(ctx, b, path); err != nil {
		return nil, err
	}
	inside := filepath.Join(folder(b.Job, b.Number), "dist", filepath.FromSlash(path))
	f, err := os.OpenInRoot(e.dir, inside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, apperr.Wrap(apperr.NotFound, err, "%s is no longer on the disk.", "", path)
	}
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "%s is listed, but can't be read.",
			"Build again, and contact the administrator.", path)
	}
	s, err := section(f, r)
	if err != nil {
		f.Close()
		return nil, err
	}
	s.File = filepath.Join(e.dir, inside)
	return s, nil
}

// listed tells whether a build left path: only what the runner has listed is ever opened.
func (e *Engine) listed(ctx context.Context, b store.LocalBuild, path string) error {
	list, err := e.db.LocalArtifacts(ctx, b.Ticket)
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.Path == path {
			return nil
		}
	}
	return apperr.New(apperr.NotFound, "Build %d has no file with this name.", "", b.Number)
}

// section is the part r of f.
func section(f *os.File, r engine.Range) (*engine.Stream, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	start, length, err := r.Of(fi.Size())
	if err != nil {
		return nil, err
	}
	body := struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, start, length), f}
	return &engine.Stream{ReadCloser: body, Size: fi.Size(), Start: start, Length: length, ModTime: fi.ModTime()}, nil
}
