package main

import (
	"net/http"
	"strconv"

	"toaster.do/lib/build"
	"toaster.do/lib/fault"
	"toaster.do/lib/web"
)

// log answers with a part of a build's log, from ?offset= on: X-Next-Offset is what to ask for next, X-More says
// that there is more to come. With ?whole=1 it answers with all that there is, as a file.
func (j *jobs) log(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	number, err := buildNumber(r)
	if err != nil {
		return err
	}
	offset, err := offset(r.URL.Query().Get("offset"))
	if err != nil {
		return err
	}
	c, err := s.Log(r.Context(), r.Who.Person.ID, r.Param("id"), number, offset)
	if err != nil {
		return err
	}
	h := w.Header()
	if r.URL.Query().Get("whole") != "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Disposition", web.Disposition("attachment", r.Param("id")+"-"+strconv.Itoa(number)+".log"))
		return wholeLog(w, r, s, number, c)
	}
	h.Set("X-Next-Offset", strconv.FormatInt(c.Next, 10))
	if c.More {
		h.Set("X-More", "true")
	}
	return r.Text(w, c.Text, "")
}

// wholeLog sends a log chunk by chunk, as long as there is something: it doesn't wait for a running build.
func wholeLog(w http.ResponseWriter, r *web.Request, s *build.Service, number int, c build.Chunk) error {
	for {
		if _, err := w.Write(c.Text); err != nil || len(c.Text) == 0 {
			return err
		}
		next, err := s.Log(r.Context(), r.Who.Person.ID, r.Param("id"), number, c.Next)
		if err != nil {
			return err
		}
		c = next
	}
}

func offset(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.New(fault.Invalid, "“offset” must be a number from X-Next-Offset, or 0.", "").At("offset")
	}
	return n, nil
}
