package engine

import (
	"bufio"
	"context"
	"encoding/hex"
	"io"
	"math"
	"strings"

	"toaster.do/lib/fault"
	"toaster.do/lib/store"
)

// settle fetches what is left to know of a build that has ended: its last step and its artifacts.
func (s *Follower) settle(ctx context.Context, job *store.Job, b *store.Build) error {
	if b.EngineNumber == 0 {
		return s.Store.Settle(ctx, b, nil)
	}
	if err := s.scan(ctx, job, b); err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	list, err := s.Engine.Artifacts(ctx, job.EngineName, b.EngineNumber)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	var sums map[string]string
	artifacts := make([]store.Artifact, len(list))
	for i, a := range list {
		if a.SHA256 == "" && sums == nil {
			if sums, err = s.checksums(ctx, job, b); err != nil {
				return err
			}
		}
		if a.SHA256 == "" {
			a.SHA256 = sums[a.Path]
		}
		artifacts[i] = store.Artifact(a)
	}
	return s.Store.Settle(ctx, b, artifacts)
}

// checksums reads a build's SHA256SUMS, as sha256sum(1) writes it. A build without one has no checksums.
func (s *Follower) checksums(ctx context.Context, job *store.Job, b *store.Build) (map[string]string, error) {
	sums := map[string]string{}
	stream, err := s.Engine.Open(ctx, job.EngineName, b.EngineNumber, "SHA256SUMS", Range{})
	if fault.KindOf(err) == fault.NotFound {
		return sums, nil
	}
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	lines := bufio.NewScanner(io.LimitReader(stream, 1<<20))
	for lines.Scan() {
		sum, path, ok := strings.Cut(lines.Text(), "  ")
		if raw, err := hex.DecodeString(sum); ok && err == nil && len(raw) == 32 {
			sums[strings.TrimPrefix(path, "./")] = sum
		}
	}
	return sums, lines.Err()
}

// Log returns a part of a build's log, from an offset that an earlier Chunk gave, or 0. Of a build that hasn't
// begun it is empty, and More is true.
func (s *Follower) Log(ctx context.Context, owner int64, id string, number int, offset int64) (Chunk, error) {
	name, b, err := s.Store.EngineBuild(ctx, owner, id, number)
	if err != nil {
		return Chunk{}, err
	}
	if b.EngineNumber == 0 && b.Open() {
		// Whoever follows the log alone learns so that the build has begun.
		if b, err = s.Build(ctx, owner, id, number); err != nil {
			return Chunk{}, err
		}
	}
	if b.EngineNumber == 0 {
		return Chunk{More: b.Open()}, nil
	}
	if !b.ExpiredAt.IsZero() {
		return Chunk{}, expired(b)
	}
	// Such an engine reads all that follows an offset; where the end was, is known.
	if _, ok := s.Engine.(Streamer); ok && offset == math.MaxInt64 && b.Scanned > 0 {
		offset = b.Scanned
	}
	ctx, cancel := Context(ctx)
	defer cancel()
	return s.Engine.Log(ctx, name, b.EngineNumber, offset)
}

// WholeLog is all that there is of a build's log now. Where it can't be read to its end, reading fails. It has no time limit as a whole.
func (s *Follower) WholeLog(ctx context.Context, owner int64, id string, number int) (io.ReadCloser, error) {
	name, b, err := s.Store.EngineBuild(ctx, owner, id, number)
	if err != nil {
		return nil, err
	}
	if !b.ExpiredAt.IsZero() {
		return nil, expired(b)
	}
	if b.EngineNumber == 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if streamer, ok := s.Engine.(Streamer); ok {
		return streamer.Stream(ctx, name, b.EngineNumber, -1)
	}
	c := &chunks{read: func(offset int64) (Chunk, error) { return s.Engine.Log(ctx, name, b.EngineNumber, offset) }}
	return io.NopCloser(c), c.fetch()
}

// chunks reads a log as far as it goes now.
type chunks struct {
	read func(offset int64) (Chunk, error)
	now  Chunk
}

func (c *chunks) fetch() (err error) {
	c.now, err = c.read(c.now.Next)
	return err
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.now.Text) == 0 {
		if err := c.fetch(); err != nil {
			return 0, err
		}
		if len(c.now.Text) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, c.now.Text)
	c.now.Text = c.now.Text[n:]
	return n, nil
}

// Artifacts lists what a build left, the image first.
func (s *Follower) Artifacts(ctx context.Context, owner int64, id string, number int) ([]store.Artifact, error) {
	return s.Store.Artifacts(ctx, owner, id, number)
}

// Open streams a part of an artifact.
func (s *Follower) Open(ctx context.Context, owner int64, id string, number int, path string, r Range) (*Stream, error) {
	name, b, err := s.Store.EngineBuild(ctx, owner, id, number)
	if err != nil {
		return nil, err
	}
	if b.EngineNumber == 0 {
		return nil, fault.New(fault.NotFound, "This build has no artifacts.", "They come when a build has succeeded.")
	}
	if !b.ExpiredAt.IsZero() {
		return nil, expired(b)
	}
	return s.Engine.Open(ctx, name, b.EngineNumber, path, r)
}

// Health tells how the engine is.
func (s *Follower) Health(ctx context.Context) Health {
	ctx, cancel := Context(ctx)
	defer cancel()
	return s.Engine.Health(ctx)
}

// expired says of a build whose files are gone that they are.
func expired(b *store.Build) error {
	return fault.New(fault.NotFound, "The log and the files of this build were removed on "+b.ExpiredAt.UTC().Format("2 Jan 2006")+": they are kept for some time only.",
		"Build again to have new ones.")
}
