package look

import (
	"net/http"
	"net/url"
	"slices"

	"toaster.do/lib/api"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

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
	length := web.PageLength
	if r.JSON() {
		length = web.ProgramPageLength
	}
	l.Query, l.Page = jobQuery(r.URL.Query(), length)
	if l.JobPage, err = s.Jobs(r.Context(), r.Identity.User.ID, l.Query); err != nil {
		return err
	}
	l.Pages = web.PagesOf(l.Found, length)
	l.Newer, l.Older = web.PageAddresses("/jobs", asked(l.Query), l.Page, l.Pages)
	if r.JSON() {
		r.LinkNext(w, l.Older)
		list := []api.Job{}
		for _, job := range l.Jobs {
			list = append(list, api.Brief(job).At(r.Address()))
		}
		return r.Answer(w, http.StatusOK, map[string]any{"jobs": list, "total": l.Total, "found": l.Found, "page": l.Page,
			"pages": l.Pages})
	}
	l.First, l.Latest = l.Query.Offset+1, l.Query.Offset+len(l.Jobs)
	l.Search = l.Total > fewJobs || l.Filtered()
	l.Live = slices.ContainsFunc(l.Jobs, func(j *store.Job) bool { return j.Last != nil && !j.Last.Finalized })
	return r.Page(w, http.StatusOK, listTemplate.With(l), view.View{Here: "jobs", Notice: Notice(r)})
}

// Filtered tells whether the list leaves jobs out.
func (l listing) Filtered() bool { return l.Query.Text != "" || l.Query.State != "" }

// jobQuery reads q, state, sort and page, of pages of a length; what makes no sense is passed over.
func jobQuery(v url.Values, length int) (q store.JobQuery, number int) {
	number = web.PageNumber(v)
	q = store.JobQuery{Text: web.Short(v.Get("q")), Offset: (number - 1) * length, Limit: length}
	if state := store.BuildState(v.Get("state")); slices.Contains(store.JobStates, state) {
		q.State = state
	}
	if sort := v.Get("sort"); sort == "name" || sort == "activity" {
		q.Sort = sort
	}
	return q, number
}

func asked(q store.JobQuery) map[string]string {
	return map[string]string{"q": q.Text, "state": string(q.State), "sort": q.Sort}
}
