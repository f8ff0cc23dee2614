package main

import (
	"net/http"
	"strings"
	"time"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/web"
)

// sendContext sends an agent the files that a build needs beside its script, or the rest of them. The address is all
// that an agent has: see package app. Who guesses is slowed down; who has an address is not.
func (j *handlers) sendContext(w http.ResponseWriter, r *web.Request) error {
	archive, ok := strings.CutSuffix(r.Param("archive"), ".tar")
	genuine, err := app.IsContextMAC(r.Site.Config, r.Param("mac"), r.Param("id"), archive)
	if err != nil {
		return err
	}
	if !ok || !genuine {
		if err := r.Allow("context", ""); err != nil {
			return err
		}
		return apperr.New(apperr.NotFound, "This address of a build context does not exist.",
			"Save the job again, so that the agent gets a new one.")
	}
	s, err := j.open(r)
	if err != nil {
		return err
	}
	t, err := s.OpenContext(r.Context(), r.Param("id"), archive)
	if err != nil {
		return err
	}
	defer t.Close()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/x-tar")
	h.Set("ETag", `"`+archive+`"`)
	return web.SendContent(w, r, time.Time{}, t)
}
