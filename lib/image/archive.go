package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// longestText is more than a manifest or a configuration of a build's archive takes.
const longestText = 1 << 20

// ReadArchive reads what the OCI archive of a build says of its image. It reads no layer: they come last.
func ReadArchive(from io.Reader) (l Locked, err error) {
	texts, err := archiveTexts(from)
	if err != nil {
		return l, err
	}
	type descriptor struct {
		Digest string
		Size   int64
	}
	var index struct{ Manifests []descriptor }
	if err := json.Unmarshal(texts["index.json"], &index); err != nil {
		return l, err
	}
	if len(index.Manifests) != 1 {
		return l, fmt.Errorf("index.json names %d images", len(index.Manifests))
	}
	blob := func(digest string, into any) error {
		text := texts["blobs/sha256/"+digest[min(len(digest), len("sha256:")):]]
		if fmt.Sprintf("sha256:%x", sha256.Sum256(text)) != digest {
			return fmt.Errorf("%.100q is missing or damaged", digest)
		}
		return json.Unmarshal(text, into)
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	var config struct {
		OS, Architecture, Variant string
		Config                    Config
		History                   []Step
	}
	l.Digest = index.Manifests[0].Digest
	if err := blob(l.Digest, &manifest); err != nil {
		return l, err
	}
	if err := blob(manifest.Config.Digest, &config); err != nil {
		return l, err
	}
	l.Config, l.Layers, l.Release = config.Config, []Part{}, ReleaseOf(config.History)
	l.Config.OS, l.Config.Architecture, l.Config.Variant = config.OS, config.Architecture, config.Variant
	for _, d := range manifest.Layers {
		l.Layers = append(l.Layers, Part(d))
		l.Size += d.Size
	}
	return l, nil
}

// archiveTexts are the files of an archive up to the first that is a layer.
func archiveTexts(from io.Reader) (map[string][]byte, error) {
	texts := map[string][]byte{}
	for r := tar.NewReader(from); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) || err == nil && (h.Size > longestText || len(texts) == 5) {
			return texts, nil
		}
		if err != nil {
			return nil, err
		}
		if texts[h.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}
