package jenkins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bndr/gojenkins"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

// Artifacts lists what a build left. Jenkins lists names only, and links that it doesn't give out; so each is asked for
// its first byte, which tells its size. See engine.Engine.
func (e *Engine) Artifacts(ctx context.Context, name string, number int) ([]engine.Artifact, error) {
	paths, err := e.artifactPaths(ctx, name, number)
	if err != nil {
		return nil, err
	}
	list, errs := make([]engine.Artifact, len(paths)), make([]error, len(paths))
	var wait sync.WaitGroup
	slots := make(chan struct{}, 4)
	for i, p := range paths {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			list[i].Path = p
			list[i].Size, errs[i] = e.size(ctx, artifactURL(name, number, p))
			if apperr.KindOf(errs[i]) == apperr.NotFound {
				list[i].Path, errs[i] = "", nil
			}
		})
	}
	wait.Wait()
	list = slices.DeleteFunc(list, func(a engine.Artifact) bool { return a.Path == "" })
	return list, errors.Join(errs...)
}

// artifactPaths returns the paths below dist/ that a build has left; none if it did not succeed.
func (e *Engine) artifactPaths(ctx context.Context, name string, number int) ([]string, error) {
	if number < 1 || !engine.ValidName(name) {
		return nil, errNoBuild
	}
	var b gojenkins.BuildResponse
	_, err := e.requester.GetJSON(ctx, path("job", name, strconv.Itoa(number)), &b,
		map[string]string{"tree": "building,result,artifacts[relativePath]"})
	if apperr.KindOf(err) == apperr.NotFound {
		return nil, errNoBuild
	}
	if err != nil || b.Building || b.Result != "SUCCESS" {
		return nil, err
	}
	var paths []string
	for _, a := range b.Artifacts {
		if p, ok := strings.CutPrefix(a.RelativePath, "dist/"); ok {
			paths = append(paths, p)
		}
	}
	return paths, nil
}

func artifactURL(name string, number int, p string) string {
	return path(append([]string{"job", name, strconv.Itoa(number), "artifact", "dist"}, strings.Split(p, "/")...)...)
}

// size asks for an artifact's first byte: an answer to HEAD takes Jenkins as long as reading the whole file.
func (e *Engine) size(ctx context.Context, address string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, e.requester.limit)
	defer cancel()
	c := call{method: http.MethodGet, path: address, header: http.Header{"Range": {"bytes=0-0"}}}
	resp, err := e.requester.do(ctx, c)
	var refused *answerError
	switch {
	case errors.As(err, &refused) && refused.contentRange != "":
		return totalSize(refused.contentRange)
	case err != nil:
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusPartialContent {
		return totalSize(resp.Header.Get("Content-Range"))
	}
	return resp.ContentLength, checkLength(resp, c)
}

// totalSize reads a file's size from a Content-Range: "bytes 0-0/300000"; of an empty file "bytes 0--1/0".
func totalSize(parts string) (int64, error) {
	_, size, _ := strings.Cut(parts, "/")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n < 0 {
		return 0, apperr.Wrap(apperr.Internal, fmt.Errorf("Content-Range: %q", parts),
			"The build service doesn't report the size of the file.", askAdmin)
	}
	return n, nil
}

// checkLength returns an error for an answer that is no file of Jenkins's, such as another's page.
func checkLength(resp *http.Response, c call) error {
	if resp.ContentLength < 0 || resp.Header.Get("Accept-Ranges") == "" {
		return apperr.Wrap(apperr.Internal, errors.New(c.path+": not a file with a length"),
			"The build service doesn't provide the file.", askAdmin)
	}
	return nil
}

// Open streams a part of an artifact. Only what the build lists is opened: Jenkins would answer other paths as well,
// with pages about folders, archives of them, or what a link leads to. See engine.Engine.
func (e *Engine) Open(ctx context.Context, name string, number int, p string, r engine.Range) (*engine.Stream, error) {
	paths, err := e.artifactPaths(ctx, name, number)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(paths, p) {
		return nil, errNoFile
	}
	c := call{method: http.MethodGet, path: artifactURL(name, number, p)}
	s := &engine.Stream{}
	if r != (engine.Range{}) {
		if s.Size, err = e.size(ctx, c.path); err != nil {
			return nil, artifactError(err)
		}
		if s.Start, s.Length, err = r.Of(s.Size); err != nil {
			return nil, err
		}
		c.header = http.Header{"Range": {"bytes=" + strconv.FormatInt(s.Start,
			10) + "-" + strconv.FormatInt(s.Start+s.Length-1, 10)}}
	}
	if err := e.stream(ctx, c, s); err != nil {
		return nil, artifactError(err)
	}
	return s, nil
}

var errNoFile = apperr.New(apperr.NotFound, "This build has no such file.", "See the page of the build for its files.")

func artifactError(err error) error {
	if apperr.KindOf(err) == apperr.NotFound {
		return errNoFile
	}
	return err
}

// stream makes the call and fills s. A Jenkins behind something that takes no ranges sends all: then what comes before
// is skipped.
func (e *Engine) stream(ctx context.Context, c call, s *engine.Stream) error {
	ctx, cancel := context.WithCancel(ctx)
	resp, err := e.requester.do(ctx, c)
	if err != nil {
		cancel()
		return err
	}
	body := &timeoutReader{body: resp.Body, cancel: cancel,
		timer: time.AfterFunc(e.requester.limit, cancel), timeout: e.requester.limit}
	s.ReadCloser, s.ModTime = body, modified(resp)
	if c.header == nil {
		s.Size, s.Length, err = resp.ContentLength, resp.ContentLength, checkLength(resp, c)
	} else if resp.StatusCode != http.StatusPartialContent {
		_, err = io.CopyN(io.Discard, body, s.Start)
		body.left = s.Length
	}
	if err != nil {
		body.Close()
	}
	return err
}

func modified(resp *http.Response) time.Time {
	t, _ := http.ParseTime(resp.Header.Get("Last-Modified"))
	return t
}

// timeoutReader is a body that is given up when nothing comes for too long. It has no other time limit: images are
// large.
type timeoutReader struct {
	body    io.ReadCloser
	cancel  context.CancelFunc
	timer   *time.Timer // calls cancel
	timeout time.Duration
	left    int64 // bytes to give; 0: all
	given   int64
}

func (w *timeoutReader) Read(p []byte) (int, error) {
	if w.left > 0 {
		if w.given == w.left {
			return 0, io.EOF
		}
		p = p[:min(int64(len(p)), w.left-w.given)]
	}
	w.timer.Reset(w.timeout)
	n, err := w.body.Read(p)
	w.timer.Stop() // a reader may take its time
	if w.left > 0 {
		w.given += int64(n)
	}
	return n, err
}

func (w *timeoutReader) Close() error {
	w.timer.Stop()
	defer w.cancel()
	return w.body.Close()
}
