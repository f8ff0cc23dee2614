package main

import (
	"fmt"
	"strconv"

	"toaster.do/lib/api"
	"toaster.do/lib/config"
	"toaster.do/lib/jobs"
	"toaster.do/lib/printable"
	"toaster.do/lib/store"
)

type jobStatus struct {
	aJob
	JSON bool `help:"Print a JSON object."`
}

func (c *jobStatus) Run(w *world) error {
	return w.withService(func(_ *config.Config, s *site) error {
		v, err := c.view(w, s)
		if err != nil {
			return err
		}
		if c.JSON {
			return writeJSON(w.out, v)
		}
		return w.status(v)
	})
}

// view asks the engine, unless what the database has is fresh.
func (c *jobStatus) view(w *world, s *site) (v jobView, err error) {
	f, err := c.find(w.ctx, s)
	if err != nil {
		return v, err
	}
	j, err := s.Job(w.ctx, f.owner.ID, c.ID)
	if err != nil {
		return v, err
	}
	v = viewJob(j, f.owner.Email)
	stored, err := s.Store.ImageLock(w.ctx, f.owner.ID, c.ID)
	if err != nil {
		return v, err
	}
	images, err := jobs.ImagesOf(stored)
	if err != nil {
		return v, err
	}
	for _, i := range images.Lock {
		v.Images = append(v.Images, api.Image{Reference: i.Reference, Platform: i.Platform, Digest: i.Digest, Size: i.Size,
			LookedAt: images.LookedAt.UTC()})
	}
	builds, err := s.Builds(w.ctx, f.owner.ID, c.ID)
	if err != nil {
		return v, err
	}
	for _, b := range builds {
		var artifacts []store.Artifact
		if b.Finalized {
			if artifacts, err = s.Artifacts(w.ctx, f.owner.ID, c.ID, b.Number); err != nil {
				return v, err
			}
		}
		v.Builds = append(v.Builds, api.BuildOf(b, append([]store.Artifact{}, artifacts...)))
	}
	return v, nil
}

func (w *world) status(v jobView) error {
	enabled := ""
	if !v.Enabled {
		enabled = ", disabled"
	}
	fmt.Fprintf(w.out, "%s  %s\nof %s, for %s: %s%s\n", v.ID, printable.Line(v.Name), printable.Line(v.Owner),
		printable.Line(v.Title), v.State, enabled)
	if v.Problem != "" {
		fmt.Fprintf(w.out, "rejected by the engine: %s\n", printable.Line(v.Problem))
	}
	for _, i := range v.Images {
		fmt.Fprintf(w.out, "image %s for %s: %s\n", printable.Line(i.Reference), i.Platform, i.Digest)
	}
	rows := [][]string{{"BUILD", "STATE", "STEP", "QUEUED", "STARTED", "FINISHED", "REASON"}}
	for _, b := range v.Builds {
		step := ""
		if b.Steps > 0 {
			step = fmt.Sprintf("%d/%d", b.Step, b.Steps)
		}
		rows = append(rows, []string{strconv.Itoa(b.Number), string(b.State), step, dayOf(b.QueuedAt), dayOf(b.StartedAt),
			dayOf(b.EndedAt), b.Reason})
	}
	if err := w.table(rows); err != nil || len(v.Builds) == 0 || len(v.Builds[0].Artifacts) == 0 {
		return err
	}
	fmt.Fprintf(w.out, "artifacts of build %d:\n", v.Builds[0].Number)
	rows = [][]string{{"SHA256", "BYTES", "PATH"}}
	for _, a := range v.Builds[0].Artifacts {
		rows = append(rows, []string{a.SHA256, strconv.FormatInt(a.Size, 10), a.Path})
	}
	return w.table(rows)
}
