package registry

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"toaster.do/lib/image"
)

// What is understood: https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md, and Docker's before it.
const (
	ociIndex       = "application/vnd.oci.image.index.v1+json"
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociConfig      = "application/vnd.oci.image.config.v1+json"
	ociLayer       = "application/vnd.oci.image.layer.v1.tar"
	dockerIndex    = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
	dockerLayer    = "application/vnd.docker.image.rootfs.diff.tar"
	schema1        = "application/vnd.docker.distribution.manifest.v1+json"
	schema1Signed  = "application/vnd.docker.distribution.manifest.v1+prettyjws"
)

var (
	manifestTypes = []string{ociIndex, ociManifest, dockerIndex, dockerManifest}
	configTypes   = []string{ociConfig, dockerConfig}
	layerTypes    = []string{ociLayer, ociLayer + "+gzip", ociLayer + "+zstd",
		dockerLayer, dockerLayer + ".gzip", dockerLayer + ".zstd"}
)

// manifest is a manifest or an index, as it is written.
type manifest struct {
	digest string
	index  bool

	SchemaVersion int
	MediaType     string
	Manifests     []descriptor
	Config        descriptor
	Layers        []descriptor
	FSLayers      json.RawMessage
}

type descriptor struct {
	MediaType string
	Digest    string
	Size      int64
	Platform  *struct{ OS, Architecture, Variant string }
}

func (d descriptor) platform() string {
	if d.Platform == nil {
		return ""
	}
	return image.Platform(d.Platform.OS, d.Platform.Architecture, d.Platform.Variant)
}

// parseManifest reads what came as a manifest under a media type. What could be read in two ways is refused:
// https://github.com/opencontainers/distribution-spec/security/advisories/GHSA-mc8v-mgrf-8f4m
func parseManifest(text []byte, mediaType, digest string) (*manifest, error) {
	m := &manifest{digest: digest}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, wrong("a manifest that can't be read: %v", err)
	}
	said := m.MediaType
	known := slices.Contains(manifestTypes, mediaType) || mediaType == schema1 || mediaType == schema1Signed
	switch {
	case said == "" && known:
		m.MediaType = mediaType
	case said != "" && known && said != mediaType:
		return nil, wrong("a manifest as %s that says it is %.100q", mediaType, said)
	case said == "" && len(m.Manifests) > 0:
		m.MediaType = ociIndex
	case said == "":
		m.MediaType = ociManifest
	}
	switch {
	case m.SchemaVersion == 1 || m.MediaType == schema1 || m.MediaType == schema1Signed || len(m.FSLayers) > 0:
		return nil, errSchema1
	case m.SchemaVersion != 2:
		return nil, wrong("a manifest of version %d", m.SchemaVersion)
	case !slices.Contains(manifestTypes, m.MediaType):
		return nil, &noImage{m.MediaType}
	}
	m.index = m.MediaType == ociIndex || m.MediaType == dockerIndex
	if m.index == (m.Config.Digest != "" || len(m.Layers) > 0) || !m.index && len(m.Manifests) > 0 {
		return nil, wrong("a manifest that is both an image and an index, or neither")
	}
	return m, m.check()
}

func (m *manifest) check() error {
	for _, d := range slices.Concat(m.Manifests, m.Layers, []descriptor{m.Config}) {
		if d.Size < 0 || d.Size > 1<<50 {
			return wrong("a size of %d bytes", d.Size)
		}
	}
	if m.index {
		return nil
	}
	if len(m.Layers) > image.MostLayers {
		return wrong("an image of %d layers", len(m.Layers))
	}
	if !slices.Contains(configTypes, m.Config.MediaType) {
		return &noImage{m.Config.MediaType}
	}
	for _, l := range m.Layers {
		if !slices.Contains(layerTypes, l.MediaType) {
			return &noImage{l.MediaType}
		}
	}
	return nil
}

// choose returns the best image for a platform, and its rank, which is negative where there is none.
func (m *manifest) choose(platform string) (best descriptor, rank int, have []string) {
	rank = -1
	for _, d := range m.Manifests {
		p := d.platform()
		if !d.isImage() || p == "" || strings.HasPrefix(p, "unknown") { // what belongs to an image, such as its provenance
			continue
		}
		have = append(have, p)
		if r := image.Rank(platform, p); r >= 0 && (rank < 0 || r < rank) {
			best, rank = d, r
		}
	}
	return best, rank, have
}

func (d descriptor) isImage() bool {
	return d.MediaType == ociManifest || d.MediaType == dockerManifest || d.MediaType == ""
}

// mostIndexes is how many indexes in an index are read: less than a third of mostRequests.
const mostIndexes = 8

// chooseIn is choose that also reads the indexes in an index, unless an image of the index itself suits as well as can
// be. What those have in them is not followed.
func (s *session) chooseIn(ctx context.Context, m *manifest, platform string) (descriptor, error) {
	best, rank, have := m.choose(platform)
	read := 0
	for _, d := range m.Manifests {
		p := d.platform()
		if rank == 0 || d.isImage() || !slices.Contains(manifestTypes, d.MediaType) ||
			p != "" && image.Rank(platform, p) < 0 {
			continue
		}
		if read++; read > mostIndexes {
			return best, wrong("more than %d indexes in an index", mostIndexes)
		}
		inner, err := s.manifest(ctx, d.Digest, d.Size)
		if err != nil {
			return best, err
		}
		if !inner.index {
			return best, wrong("an image that the index says is an index")
		}
		b, r, h := inner.choose(platform)
		if have = append(have, h...); r >= 0 && (rank < 0 || r < rank) {
			best, rank = b, r
		}
	}
	if rank < 0 {
		return best, &otherPlatform{have}
	}
	return best, nil
}

// suits tells whether an image that is no index's is for a platform. What it leaves out is not held against it: older
// tools wrote no variant.
func suits(platform string, c image.Config) error {
	have := image.Platform(c.OS, c.Architecture, c.Variant)
	switch {
	case c.OS == "" || c.Architecture == "", image.Rank(platform, have) >= 0:
		return nil
	case c.Variant == "" && strings.HasPrefix(platform, have+"/"):
		return nil
	}
	return &otherPlatform{[]string{have}}
}
