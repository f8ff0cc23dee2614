package local

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/image"
)

// imagesFolder has the layers of other builds' images, as an OCI image layout has them. The build's script checks them.
func (r *buildRun) imagesFolder() string { return filepath.Join(r.folder(), "images") }

// lendImages copies the layers that the lock has of other builds' images.
func (r *buildRun) lendImages(ctx context.Context) error {
	if r.Source.Lock == nil {
		return nil
	}
	lock, err := image.Parse(r.Source.Lock)
	if err != nil {
		return err
	}
	for _, l := range lock {
		job, number, file := l.InArchive()
		if !engine.ValidName(job) {
			continue
		}
		archive, err := os.OpenInRoot(r.Dir, filepath.Join(folder(job, number), "dist", file))
		if errors.Is(err, fs.ErrNotExist) {
			return &outcome{engine.Failed, i18n.T("The files of the build that %s means were deleted. Build that job again, or "+
				"name another of its builds. Then look the images up again, on the page of this job.", l.Reference)}
		}
		if err != nil {
			return err
		}
		r.borrows = true
		err = r.takeLayers(ctx, archive, l)
		archive.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// takeLayers copies the layers of an image out of its archive, whose user may be another than the build's.
func (r *buildRun) takeLayers(ctx context.Context, archive *os.File, l image.Locked) error {
	wanted := map[string]int64{}
	for _, layer := range l.Layers {
		wanted["blobs/sha256/"+strings.TrimPrefix(layer.Digest, "sha256:")] = layer.Size
	}
	for t := tar.NewReader(archive); len(wanted) > 0; {
		h, err := t.Next()
		if err == io.EOF {
			return &outcome{engine.Failed, i18n.T("The archive of the build that %s means lacks a layer. Build that job again, "+
				"then look the images up again, on the page of this job.", l.Reference)}
		}
		if err != nil {
			return err
		}
		if size, ok := wanted[h.Name]; !ok || h.Size != size {
			continue
		}
		delete(wanted, h.Name)
		if err := AsRoot(func() error { return r.takeLayer(ctx, t, h) }); err != nil {
			return err
		}
	}
	return nil
}

func (r *buildRun) takeLayer(ctx context.Context, from io.Reader, h *tar.Header) error {
	// The build reads them with other ids, whatever this process's umask.
	for _, dir := range []string{"", "blobs", "blobs/sha256"} {
		dir = filepath.Join(r.imagesFolder(), dir)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
			return err
		}
	}
	out, err := os.OpenFile(filepath.Join(r.imagesFolder(), h.Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) { // of another image, too
		return nil
	}
	if err != nil {
		return err
	}
	defer out.Close()
	if err := out.Chmod(0o644); err != nil {
		return err
	}
	var disk syscall.Statfs_t
	if err := syscall.Fstatfs(int(out.Fd()), &disk); err != nil {
		return err
	}
	if int64(disk.Bavail)*int64(disk.Bsize)-h.Size < r.FreeDisk {
		return &outcome{engine.Failed,
			i18n.T("The disk for builds has not enough free space for the images that the Dockerfile names.")}
	}
	for ctx.Err() == nil {
		if _, err := io.CopyN(out, from, 16<<20); err == io.EOF {
			return out.Close()
		} else if err != nil {
			return err
		}
	}
	return stopReason(ctx)
}
