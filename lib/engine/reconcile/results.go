package reconcile

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// resultStore is what logs and artifacts need of the database.
type resultStore interface {
	Artifacts(ctx context.Context, owner int64, id string, number int) (list []store.Artifact, err error)
	EngineBuild(ctx context.Context, owner int64, id string, number int) (name string, b *store.Build, err error)
	Finalize(ctx context.Context, b *store.Build, artifacts []store.Artifact) error
	GoodPhases(ctx context.Context, id string) (list [][]store.Phase, err error)
	SaveScan(ctx context.Context, b *store.Build, s store.Scan, whole bool) error
	ScanState(ctx context.Context, b *store.Build) (s store.Scan, err error)
	UnfinalizedBuilds(ctx context.Context, id string) (builds []*store.Build, err error)
}

// finalize fetches what is left to know of a build that has ended: its last step and its artifacts.
func (r *Reconciler) finalize(ctx context.Context, job *store.Job, b *store.Build) error {
	if b.EngineNumber == 0 {
		return r.Store.Finalize(ctx, b, nil)
	}
	if err := r.scanLog(ctx, job, b); err != nil && apperr.KindOf(err) != apperr.NotFound {
		return err
	}
	list, err := r.Engine.Artifacts(ctx, job.EngineName, b.EngineNumber)
	if err != nil && apperr.KindOf(err) != apperr.NotFound {
		return err
	}
	var sums map[string]string
	artifacts := make([]store.Artifact, len(list))
	for i, a := range list {
		if a.SHA256 == "" && sums == nil {
			if sums, err = r.checksums(ctx, job, b); err != nil {
				return err
			}
		}
		if a.SHA256 == "" {
			a.SHA256 = sums[a.Path]
		}
		artifacts[i] = store.Artifact(a)
	}
	return r.Store.Finalize(ctx, b, artifacts)
}

// checksums reads a build's SHA256SUMS, as sha256sum(1) writes it. A build without one has no checksums.
func (r *Reconciler) checksums(ctx context.Context, job *store.Job, b *store.Build) (map[string]string, error) {
	sums := map[string]string{}
	stream, err := r.Engine.Open(ctx, job.EngineName, b.EngineNumber, "SHA256SUMS", engine.Range{})
	if apperr.KindOf(err) == apperr.NotFound {
		return sums, nil
	}
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	lines := bufio.NewScanner(io.LimitReader(stream, 1<<20))
	for lines.Scan() {
		if name, digest, ok := engine.ParseChecksum(lines.Text()); ok {
			sums[name] = digest
		}
	}
	return sums, lines.Err()
}

// Log returns a part of a build's log, from an offset that an earlier Chunk gave, or 0. Of a build that hasn't
// begun it is empty, and More is true.
func (r *Reconciler) Log(ctx context.Context, owner int64, id string, number int, offset int64) (engine.Chunk, error) {
	name, b, err := r.Store.EngineBuild(ctx, owner, id, number)
	if err != nil {
		return engine.Chunk{}, err
	}
	if b.EngineNumber == 0 && b.Open() {
		// Whoever follows the log alone learns so that the build has begun.
		if b, err = r.Build(ctx, owner, id, number); err != nil {
			return engine.Chunk{}, err
		}
	}
	if b.EngineNumber == 0 {
		return engine.Chunk{More: b.Open()}, nil
	}
	if gone := b.Gone(); gone != nil {
		return engine.Chunk{}, gone
	}
	if streamer, ok := r.Engine.(engine.Streamer); ok && b.Finalized {
		return r.finalizedLog(ctx, streamer, name, b, offset)
	}
	ctx, cancel := CallContext(ctx)
	defer cancel()
	c, err := r.Engine.Log(ctx, name, b.EngineNumber, offset)
	return c, explainNotFound(b, err)
}

// finalizedLog reads a log whose end is known from an engine that reads all that follows an offset: where that is much,
// it is asked for the log from its beginning instead, of which no more is read than is needed.
func (r *Reconciler) finalizedLog(
	ctx context.Context, from engine.Streamer, name string, b *store.Build, offset int64,
) (engine.Chunk, error) {
	if offset >= b.LogOffset {
		return engine.Chunk{Next: b.LogOffset}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, longLogTime)
	defer cancel()
	if b.LogOffset > longLog && offset < b.LogOffset/2 {
		if state, err := r.Store.ScanState(ctx, b); err != nil || state.Hidden > 0 {
			return readLogFromStart(ctx, from, name, b, offset, state.Hidden)
		}
	}
	return r.Engine.Log(ctx, name, b.EngineNumber, offset)
}

// A log longer than longLog is long, and may take that time to be read from its middle.
const (
	longLog     = 1 << 20
	longLogTime = 8 * time.Second
)

// readLogFromStart reads a part of a log from its beginning on. What is hidden there makes offsets larger than what is
// read.
func readLogFromStart(
	ctx context.Context, from engine.Streamer, name string, b *store.Build, offset, hidden int64,
) (c engine.Chunk, err error) {
	log, err := from.Stream(ctx, name, b.EngineNumber, -1)
	if err != nil {
		return c, err
	}
	defer log.Close()
	piece := make([]byte, engine.MaxChunk)
	for skip := offset - hidden; log.Raw < skip && err == nil; {
		_, err = log.Read(piece[:max(1, min(engine.MaxChunk, (skip-log.Raw)/2))])
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
	return engine.Chunk{Text: piece[:n], Next: log.Raw + hidden, More: err == nil}, nil
}

// WholeLog is all that there is of a build's log now. Where it can't be read to its end, reading fails. It has no time
// limit as a whole.
func (r *Reconciler) WholeLog(ctx context.Context, owner int64, id string, number int) (io.ReadCloser, error) {
	name, b, err := r.Store.EngineBuild(ctx, owner, id, number)
	if err != nil {
		return nil, err
	}
	if gone := b.Gone(); gone != nil {
		return nil, gone
	}
	if b.EngineNumber == 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if streamer, ok := r.Engine.(engine.Streamer); ok {
		log, err := streamer.Stream(ctx, name, b.EngineNumber, -1)
		if err != nil {
			return nil, explainNotFound(b, err)
		}
		return log, nil
	}
	c := &chunkReader{read: func(offset int64) (engine.Chunk, error) {
		return r.Engine.Log(ctx, name, b.EngineNumber, offset)
	}}
	return io.NopCloser(c), explainNotFound(b, c.fetch())
}

// chunkReader reads a log as far as it goes now.
type chunkReader struct {
	read func(offset int64) (engine.Chunk, error)
	now  engine.Chunk
}

func (c *chunkReader) fetch() (err error) {
	c.now, err = c.read(c.now.Next)
	return err
}

func (c *chunkReader) Read(p []byte) (int, error) {
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
func (r *Reconciler) Artifacts(ctx context.Context, owner int64, id string, number int) ([]store.Artifact, error) {
	return r.Store.Artifacts(ctx, owner, id, number)
}

// Open streams a part of an artifact.
func (r *Reconciler) Open(
	ctx context.Context, owner int64, id string, number int, path string, part engine.Range,
) (*engine.Stream, error) {
	name, b, err := r.Store.EngineBuild(ctx, owner, id, number)
	if err != nil {
		return nil, err
	}
	if b.EngineNumber == 0 {
		return nil, apperr.New(apperr.NotFound, "This build has no artifacts.",
			"Artifacts are available after a successful build.")
	}
	if gone := b.Gone(); gone != nil {
		return nil, gone
	}
	stream, err := r.Engine.Open(ctx, name, b.EngineNumber, path, part)
	if err == nil || apperr.KindOf(err) != apperr.NotFound {
		return stream, err
	}
	list, again := r.Store.Artifacts(ctx, owner, id, number)
	if again != nil || !slices.ContainsFunc(list, func(a store.Artifact) bool { return a.Path == path }) {
		return nil, errors.Join(err, again) // it never was there
	}
	return nil, explainNotFound(b, err)
}

// Health tells how the engine is.
func (r *Reconciler) Health(ctx context.Context) engine.Health {
	ctx, cancel := CallContext(ctx)
	defer cancel()
	return r.Engine.Health(ctx)
}

// explainNotFound says why an engine doesn't know something of a build that has ended.
func explainNotFound(b *store.Build, err error) error {
	if err == nil || apperr.KindOf(err) != apperr.NotFound || b.Open() {
		return err
	}
	message := i18n.Key("The log and the files of this build were deleted on the build service.")
	if b.State == engine.Lost {
		message = "The build service lost this build and its log."
	}
	return apperr.Wrap(apperr.Gone, err, message, "Build again to create new ones.")
}
