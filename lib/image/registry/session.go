package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"

	"toaster.do/lib/image"
)

// What a registry may send.
const (
	largestManifest = 4 << 20
	largestConfig   = 8 << 20
)

// session is the look-up of one image at one place.
type session struct {
	place
	guard  *guard
	client *http.Client
	scheme string
}

// dial learns how a registry wants to be asked, and logs in.
func (c *Client) dial(ctx context.Context, p place) (*session, error) {
	s := &session{place: p, guard: newGuard(c.cfg, p)}
	repo := p.ref.Context()
	through, err := transport.NewWithContext(ctx, repo.Registry, p.login, transport.NewUserAgent(s.guard, c.agent),
		[]string{repo.Scope(transport.PullScope)})
	if err != nil {
		s.close()
		return nil, &failure{p, s.guard.asked(), err}
	}
	// The guard counts the redirects of all requests together.
	s.client = &http.Client{Transport: through, CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	s.scheme = "https"
	if p.plain {
		s.scheme = "http" // the transport says https where that is what the registry speaks
	}
	return s, nil
}

func (s *session) close() { s.guard.base.CloseIdleConnections() }

// get fetches a manifest or a blob, and checks it where its digest is known.
func (s *session) get(ctx context.Context, what, id string, limit int64,
	accept ...string) (text []byte, mediaType string, err error) {
	defer func() {
		if err != nil {
			err = &failure{s.place, s.guard.asked(), err}
		}
	}()
	resp, err := s.open(ctx, what, id, limit, accept...)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err != nil {
		return nil, "", err
	}
	mediaType, _, _ = strings.Cut(resp.Header.Get("Content-Type"), ";")
	return text, strings.TrimSpace(mediaType), nil
}

// open asks for a manifest or a blob; the caller closes the body.
func (s *session) open(ctx context.Context, what, id string, limit int64, accept ...string) (*http.Response, error) {
	s.guard.take(limit)
	u := url.URL{Scheme: s.scheme, Host: s.host, Path: "/v2/" + s.ref.Context().RepositoryStr() + "/" + what + "/" + id}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if len(accept) > 0 {
		r.Header.Set("Accept", strings.Join(accept, ", "))
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// verify compares what came with its digest, and its size where that is known.
func verify(text []byte, id string, size int64) error {
	d, err := digest.Parse(id)
	switch {
	case err != nil:
		return wrong("a digest that is none: %.100q", id)
	case d.Algorithm().FromBytes(text) != d:
		return wrong("something else than %s", d)
	case size >= 0 && size != int64(len(text)):
		return wrong("%d bytes instead of %d", len(text), size)
	}
	return nil
}

// resolve finds the platform's manifest, and reads what it says.
func (s *session) resolve(ctx context.Context, platform string, most int64) (image.Image, error) {
	m, err := s.manifest(ctx, s.ref.Identifier(), -1)
	if err != nil {
		return image.Image{}, err
	}
	if m.index {
		d, err := s.chooseIn(ctx, m, platform)
		if err != nil {
			return image.Image{}, err
		}
		if m, err = s.manifest(ctx, d.Digest, d.Size); err != nil {
			return image.Image{}, err
		}
		if m.index {
			return image.Image{}, wrong("an index that the index says is an image")
		}
		platform = "" // the index has said it
	}
	return s.image(ctx, m, platform, most)
}

// manifest fetches a manifest by tag or digest.
func (s *session) manifest(ctx context.Context, id string, size int64) (*manifest, error) {
	text, mediaType, err := s.get(ctx, "manifests", id, largestManifest, manifestTypes...)
	if err != nil {
		return nil, err
	}
	known := digest.FromBytes(text)
	if strings.Contains(id, ":") {
		if err := verify(text, id, size); err != nil {
			return nil, err
		}
		known = digest.Digest(id)
	}
	return parseManifest(text, mediaType, known.String())
}

// image reads the configuration that a manifest names. It is for the platform, where one is given.
func (s *session) image(ctx context.Context, m *manifest, platform string, most int64) (image.Image, error) {
	img := image.Image{Digest: m.digest, MediaType: m.MediaType}
	for _, l := range m.Layers {
		img.Layers = append(img.Layers, image.Layer{Digest: l.Digest, MediaType: l.MediaType, Size: l.Size})
		img.Size += l.Size
	}
	if most > 0 && img.Size > most {
		return image.Image{}, &tooLarge{img.Size, most}
	}
	text, _, err := s.get(ctx, "blobs", m.Config.Digest, largestConfig)
	if err != nil {
		return image.Image{}, err
	}
	if err := verify(text, m.Config.Digest, m.Config.Size); err != nil {
		return image.Image{}, err
	}
	img.Config, img.Release, err = parseConfig(text)
	if err != nil {
		return image.Image{}, err
	}
	if platform != "" {
		err = suits(platform, img.Config)
	}
	return img, err
}

// parseConfig reads an image's configuration: what there is of it at the top, and in "config".
func parseConfig(text []byte) (image.Config, image.Release, error) {
	var file struct {
		OS, Architecture, Variant string
		Config                    image.Config
		History                   []image.Step
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&file); err != nil {
		return image.Config{}, image.Release{}, wrong("a configuration that can't be read: %v", err)
	}
	c := file.Config
	c.OS, c.Architecture, c.Variant = file.OS, file.Architecture, file.Variant
	if err := c.Check(); err != nil {
		return image.Config{}, image.Release{}, wrong("a configuration that can't be used: %v", err)
	}
	return c, image.ReleaseOf(file.History), nil
}
