package engine

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// settle fetches what is left to know of a build that has ended: its last step and its artifacts.
func (s *Follower) settle(ctx context.Context, job *store.Job, b *store.Build) error {
	if b.EngineNumber == 0 {
		return s.Store.Settle(ctx, b, nil)
	}
	if err := s.scan(ctx, job, b); err != nil && apperr.KindOf(err) != apperr.NotFound {
		return err
	}
	list, err := s.Engine.Artifacts(ctx, job.EngineName, b.EngineNumber)
	if err != nil && apperr.KindOf(err) != apperr.NotFound {
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
	if apperr.KindOf(err) == apperr.NotFound {
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
	if gone := b.Gone(); gone != nil {
		return Chunk{}, gone
	}
	if streamer, ok := s.Engine.(Streamer); ok && b.Settled {
		return s.settledLog(ctx, streamer, name, b, offset)
	}
	ctx, cancel := Context(ctx)
	defer cancel()
	c, err := s.Engine.Log(ctx, name, b.EngineNumber, offset)
	return c, gone(b, err)
}

// settledLog reads a log whose end is known from an engine that reads all that follows an offset: where that is much, it
// is asked for the log from its beginning instead, of which no more is read than is needed.
func (s *Follower) settledLog(ctx context.Context, from Streamer, name string, b *store.Build, offset int64) (Chunk, error) {
	if offset >= b.Scanned {
		return Chunk{Next: b.Scanned}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, longLogTime)
	defer cancel()
	if b.Scanned > longLog && offset < b.Scanned/2 {
		if state, err := s.Store.ScanState(ctx, b); err != nil || state.Hidden > 0 {
			return skim(ctx, from, name, b, offset, state.Hidden)
		}
	}
	return s.Engine.Log(ctx, name, b.EngineNumber, offset)
}

// A log longer than longLog is long, and may take that time to be read from its middle.
const (
	longLog     = 1 << 20
	longLogTime = 8 * time.Second
)

// skim reads a part of a log from its beginning on. What is hidden there makes offsets larger than what is read.
func skim(ctx context.Context, from Streamer, name string, b *store.Build, offset, hidden int64) (c Chunk, err error) {
	log, err := from.Stream(ctx, name, b.EngineNumber, -1)
	if err != nil {
		return c, err
	}
	defer log.Close()
	piece := make([]byte, MaxChunk)
	for skip := offset - hidden; log.Raw < skip && err == nil; {
		_, err = log.Read(piece[:max(1, min(MaxChunk, (skip-log.Raw)/2))])
	}
	n := 0
	for n < len(piece) && err == nil {
		var more int
		more, err = log.Read(piece[n:])
		n += more
	}
	if err != nil && err != io.EOF {
		return c, err
	}
	return Chunk{Text: piece[:n], Next: log.Raw + hidden, More: err == nil}, nil
}

// WholeLog is all that there is of a build's log now. Where it can't be read to its end, reading fails. It has no time
// limit as a whole.
func (s *Follower) WholeLog(ctx context.Context, owner int64, id string, number int) (io.ReadCloser, error) {
	name, b, err := s.Store.EngineBuild(ctx, owner, id, number)
	if err != nil {
		return nil, err
	}
	if gone := b.Gone(); gone != nil {
		return nil, gone
	}
	if b.EngineNumber == 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if streamer, ok := s.Engine.(Streamer); ok {
		log, err := streamer.Stream(ctx, name, b.EngineNumber, -1)
		if err != nil {
			return nil, gone(b, err)
		}
		return log, nil
	}
	c := &chunks{read: func(offset int64) (Chunk, error) { return s.Engine.Log(ctx, name, b.EngineNumber, offset) }}
	return io.NopCloser(c), gone(b, c.fetch())
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
		return nil, apperr.New(apperr.NotFound, "This build has no artifacts.", "Artifacts are available after a successful build.")
	}
	if gone := b.Gone(); gone != nil {
		return nil, gone
	}
	stream, err := s.Engine.Open(ctx, name, b.EngineNumber, path, r)
	if err == nil || apperr.KindOf(err) != apperr.NotFound {
		return stream, err
	}
	list, again := s.Store.Artifacts(ctx, owner, id, number)
	if again != nil || !slices.ContainsFunc(list, func(a store.Artifact) bool { return a.Path == path }) {
		return nil, errors.Join(err, again) // it never was there
	}
	return nil, gone(b, err)
}

// Health tells how the engine is.
func (s *Follower) Health(ctx context.Context) Health {
	ctx, cancel := Context(ctx)
	defer cancel()
	return s.Engine.Health(ctx)
}

// gone says of what an engine doesn't know of a build that has ended why that is.
func gone(b *store.Build, err error) error {
	if err == nil || apperr.KindOf(err) != apperr.NotFound || b.Open() {
		return err
	}
	message := "The log and the files of this build were deleted on the build service."
	if b.State == string(Lost) {
		message = "The build service lost this build and its log."
	}
	return apperr.Wrap(apperr.Gone, err, message, "Build again to create new ones.")
}
