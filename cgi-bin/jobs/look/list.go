package look

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

const pageLength = 25

// fewJobs are looked over without a search.
const fewJobs = 5

// listing is the list of jobs as its page shows it.
type listing struct {
	store.JobPage
	Query         store.JobQuery
	Page, Pages   int
	First, Latest int
	Newer, Older  string // addresses of the pages before and after, below the prefix; empty: there is none
	States        []store.BuildState
	Search        bool // there is enough to search in
	Live          bool // something on the page will change by itself
}

var listTemplate = view.Template[listing]{Name: "jobs"}

// list shows a person's jobs, a page at a time.
func (d *handlers) list(w http.ResponseWriter, r *web.Request) error {
	s, err := d.open(r)
	if err != nil {
		return err
	}
	l := listing{States: store.JobStates}
	l.Query, l.Page = jobQuery(r.URL.Query())
	if l.JobPage, err = s.Jobs(r.Context(), r.Identity.User.ID, l.Query); err != nil {
		return err
	}
	l.Pages = (l.Found + pageLength - 1) / pageLength
	if r.JSON() {
		list := []Job{}
		for _, job := range l.Jobs {
			list = append(list, brief(job))
		}
		return r.Answer(w, http.StatusOK, map[string]any{"jobs": list, "total": l.Total, "found": l.Found, "page": l.Page, "pages": l.Pages})
	}
	l.First, l.Latest = l.Query.Offset+1, l.Query.Offset+len(l.Jobs)
	if l.Page > 1 {
		l.Newer = l.address(l.Page - 1)
	}
	if l.Page < l.Pages {
		l.Older = l.address(l.Page + 1)
	}
	l.Search = l.Total > fewJobs || l.Filtered()
	l.Live = slices.ContainsFunc(l.Jobs, func(j *store.Job) bool { return j.Last != nil && !j.Last.Finalized })
	return r.Page(w, http.StatusOK, listTemplate.With(l), view.View{Here: "jobs", Notice: Notice(r)})
}

// Filtered tells whether the list leaves jobs out.
func (l listing) Filtered() bool { return l.Query.Text != "" || l.Query.State != "" }

// jobQuery reads q, state, sort and page; what makes no sense is passed over.
func jobQuery(v url.Values) (q store.JobQuery, number int) {
	number, err := strconv.Atoi(v.Get("page"))
	if err != nil || number < 1 || number > 1e6 {
		number = 1
	}
	q = store.JobQuery{Text: web.Short(v.Get("q")), Offset: (number - 1) * pageLength, Limit: pageLength}
	if state := store.BuildState(v.Get("state")); slices.Contains(store.JobStates, state) {
		q.State = state
	}
	if sort := v.Get("sort"); sort == "name" || sort == "activity" {
		q.Sort = sort
	}
	return q, number
}

// address is another page of the same list.
func (l listing) address(number int) string {
	v := url.Values{}
	for key, value := range map[string]string{"q": l.Query.Text, "state": string(l.Query.State), "sort": l.Query.Sort} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if number > 1 {
		v.Set("page", strconv.Itoa(number))
	}
	if len(v) == 0 {
		return "/jobs"
	}
	return "/jobs?" + v.Encode()
}
