package main

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"toaster.do/lib/api"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// lock looks the images of a job up again.
func (j *handlers) lock(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	job, changed, err := s.LookUpImages(r.Context(), r.Identity.User.ID, r.Param("id"))
	if err != nil {
		return err
	}
	if r.JSON() {
		return answer(w, r, s, http.StatusOK, job)
	}
	note := "locked"
	if !changed {
		note = "same"
	}
	return r.Redirect(w, "/jobs/"+job.ID+"?note="+note+"#images")
}

// images are those of registries, as a job's page shows them.
type images struct {
	jobs.Images
	Rows []imageRow
}

type imageRow struct {
	Reference, Platform, Digest string // without a digest, it was not found
	Size                        int64
}

// Short is the digest for the eye.
func (i imageRow) Short() string {
	algorithm, sum, _ := strings.Cut(i.Digest, ":")
	return algorithm + ":" + sum[:min(len(sum), 12)]
}

// imagesOf reads what is stored of a revision's images.
func imagesOf(stored store.ImageLock) (out images, err error) {
	if out.Images, err = jobs.ImagesOf(stored); err != nil {
		return out, err
	}
	for _, i := range out.Lock {
		out.Rows = append(out.Rows, imageRow{i.Reference, i.Platform, i.Digest, i.Size})
	}
	for _, p := range out.Problems {
		row := imageRow{Reference: p.Reference, Platform: p.Platform}
		if !slices.ContainsFunc(out.Rows, row.same) {
			out.Rows = append(out.Rows, row)
		}
	}
	slices.SortFunc(out.Rows, func(a, b imageRow) int {
		return cmp.Or(cmp.Compare(a.Reference, b.Reference), cmp.Compare(a.Platform, b.Platform))
	})
	return out, nil
}

func (i imageRow) same(j imageRow) bool {
	return i.Reference == j.Reference && i.Platform == j.Platform
}

// asJSON are the images in JSON.
func (i *images) asJSON(r *web.Request) (out []api.Image) {
	for _, row := range i.Rows {
		one := api.Image{Reference: row.Reference, Platform: row.Platform, Digest: row.Digest, Size: row.Size,
			LookedAt: i.LookedAt.UTC()}
		for _, p := range i.Problems {
			if row.same(imageRow{Reference: p.Reference, Platform: p.Platform}) {
				one.Problem = &api.Problem{Code: p.Code, Detail: r.Say(p.Message), Advice: r.Say(p.Advice)}
			}
		}
		out = append(out, one)
	}
	return out
}
