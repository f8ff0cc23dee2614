package main

import (
	"net/http"
	"strconv"

	"toaster.do/lib/page"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

const pageLength = 25

// list shows a person's jobs, a page at a time.
func (j *jobs) list(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || number < 1 || number > 1e6 {
		number = 1
	}
	found, total, err := s.Jobs(r.Context(), r.Who.Person.ID, (number-1)*pageLength, pageLength)
	if err != nil {
		return err
	}
	if r.JSON() {
		list := []jobJSON{}
		for _, job := range found {
			list = append(list, brief(job))
		}
		return r.Answer(w, http.StatusOK, map[string]any{"jobs": list, "total": total, "page": number, "pages": pages(total)})
	}
	return r.Page(w, http.StatusOK, "jobs", page.View{Here: "jobs", Notice: notice(r), Data: struct {
		Jobs                 []*store.Job
		Total                int
		Page, Newer, Older   int
		Pages, First, Latest int
	}{found, total, number, number - 1, older(number, total), pages(total), (number-1)*pageLength + 1, (number-1)*pageLength + len(found)}})
}

func pages(total int) int { return (total + pageLength - 1) / pageLength }

// older is the next page; 0: this is the last.
func older(number, total int) int {
	if number*pageLength >= total {
		return 0
	}
	return number + 1
}
