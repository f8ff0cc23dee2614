package main

import (
	"fmt"
	"html"
	"net/http"
	"unicode/utf8"

	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// badge is a picture of how the job's newest build ended, for pages of others: to everybody, once its owner has said
// so.
func (j *handlers) badge(w http.ResponseWriter, r *web.Request) error {
	state, err := db(r).Badge(r.Context(), r.Param("id"))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Cache-Control", "public, max-age=60")
	h.Set("Content-Type", "image/svg+xml")
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(badgeSVG(r.Site.Config.Site.Name, state))
	return err
}

// showBadge makes the badge public, or takes it back.
func (j *handlers) showBadge(w http.ResponseWriter, r *web.Request) error {
	form, err := r.Input()
	if err != nil {
		return err
	}
	public := form.Values["public"] == "1"
	if err := db(r).SetBadge(r.Context(), r.Identity.User.ID, r.Param("id"), public); err != nil {
		return err
	}
	if r.JSON() {
		return r.Answer(w, http.StatusOK, map[string]any{"public": public})
	}
	return r.Redirect(w, "/jobs/"+r.Param("id")+"?note=badge")
}

var badgeColours = map[store.BuildState]string{store.Succeeded: "#1c6435", store.Failed: "#9b1c15"}

func badgeSVG(label string, state store.BuildState) []byte {
	colour, ok := badgeColours[state]
	if !ok {
		colour = "#67594d"
	}
	const letter, gap = 7, 12 // pixels: about a letter's width at this size, and what stands beside the words
	left, right := letter*utf8.RuneCountInString(label)+gap, letter*utf8.RuneCountInString(string(state))+gap
	text := func(at, width int, s string) string {
		return fmt.Sprintf(`<text x="%d" y="14" textLength="%d" lengthAdjust="spacingAndGlyphs">%s</text>`, at+gap/2,
			width-gap, html.EscapeString(s))
	}
	return fmt.Appendf(nil,
		`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="20" role="img" aria-label="%s: %s">`+
			`<rect width="%d" height="20" rx="4" fill="#2b2119"/><path d="M%d 0h%da4 4 0 0 1 4 4v12a4 4 0 0 1-4 4h-%dz" fill="%s"/>`+
			`<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">%s%s</g></svg>`+"\n",
		left+right, html.EscapeString(label), state, left+right, left, right-4, right-4, colour, text(0, left, label),
		text(left, right, string(state)))
}
