package main

import (
	"log/slog"
	"net/http"

	"toaster.do/lib/apperr"
	"toaster.do/lib/web"
)

// formErrors is what a form says of the input that it was sent.
type formErrors struct{ faults []*apperr.Error }

// Fault is what is wrong with a field; nil: nothing.
func (w formErrors) Fault(field string) *apperr.Error { return apperr.At(w.faults, field) }

// Refused is what is wrong with none of the form's own fields.
func (w formErrors) Refused() *apperr.Error {
	for _, f := range w.faults {
		if f.Field == "" || f.Code == "unknown_field" {
			return f
		}
	}
	return nil
}

// renderFormError shows a form once more with what is wrong, or returns the error where that is no use to its sender.
func renderFormError(r *web.Request, err error, show func(status int, w formErrors) error) error {
	status := web.Status(err)
	if r.JSON() || !web.Repeatable(err) {
		return err
	}
	if status >= 500 {
		r.Log().Error("failed", slog.String("request", r.ID), slog.Any("error", err))
	}
	r.Note(err)
	return show(status, formErrors{apperr.All(err)})
}

// done answers a change: a program gets 204, a browser goes to a page, which says what was done.
func done(w http.ResponseWriter, r *web.Request, path, note string) error {
	if r.JSON() {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return r.Redirect(w, path+"?note="+note)
}
