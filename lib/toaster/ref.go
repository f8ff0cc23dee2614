package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// find returns the build that a person names: a job's id or name, with /NUMBER or without one; "": the job of the
// folder that they are in, or else their newest. Without a number it is the newest build, of good ones where good
// is true.
func (w *world) find(ctx context.Context, c *client, ref string, good bool) (*order, error) {
	id, number := ref, 0
	if i := strings.LastIndexByte(ref, '/'); i > 0 {
		if n, err := strconv.Atoi(ref[i+1:]); err == nil && n > 0 {
			id, number = ref[:i], n
		}
	}
	if id == "" {
		id = readLast(".")[c.URL].Job
	}
	j, err := c.job(ctx, id)
	if err != nil {
		return nil, err
	}
	o := &order{folder: ".", name: j.Name, target: j.Target, job: j.ID, number: number}
	for _, b := range j.Builds {
		if number == 0 && (!good || b.State == "succeeded") {
			o.number = max(o.number, b.Number)
		}
	}
	if o.number == 0 {
		what := "build"
		if good {
			what = "build that succeeded"
		}
		return nil, failed(exitRefused, "“toaster jobs” lists your jobs.", "%s has no %s", printableLine(j.Name), what)
	}
	return o, nil
}

// job returns a job by its id or name; "": the newest.
func (c *client) job(ctx context.Context, id string) (*job, error) {
	if id != "" && !strings.Contains(id, "/") {
		j := new(job)
		err := c.get(ctx, "/jobs/"+url.PathEscape(id), nil, j)
		var p *problem
		if err == nil || !asProblem(err, &p) || p.Status != http.StatusNotFound {
			return j, err
		}
	}
	list, err := c.jobs(ctx, id)
	if err != nil {
		return nil, err
	}
	var found []job
	for _, j := range list {
		if j.Name == id || id == "" {
			found = append(found, j)
		}
	}
	switch {
	case len(found) == 0 && id == "":
		return nil, failed(exitRefused, "“toaster build -t TARGET” makes one.", "you have no jobs")
	case len(found) == 0:
		return nil, failed(exitRefused, "“toaster jobs” lists your jobs.", "there is no job %s", printableLine(id))
	case len(found) > 1 && id != "":
		names := ""
		for _, j := range found {
			names += " " + j.ID + " (" + j.Target + ")"
		}
		return nil, failed(exitRefused, "Name one by its ID:"+names, "%s is the name of several jobs", printableLine(id))
	}
	j := new(job)
	return j, c.get(ctx, "/jobs/"+url.PathEscape(found[0].ID), nil, j)
}

// jobs lists a person's jobs, the newest first, those that have the text in their names.
func (c *client) jobs(ctx context.Context, text string) (all []job, err error) {
	for page := 1; ; page++ {
		var list struct {
			Jobs  []job `json:"jobs"`
			Pages int   `json:"pages"`
		}
		query := url.Values{"page": {strconv.Itoa(page)}}
		if text != "" {
			query.Set("q", text)
		}
		if err := c.get(ctx, "/jobs", query, &list); err != nil {
			return nil, err
		}
		if all = append(all, list.Jobs...); page >= list.Pages || len(list.Jobs) == 0 {
			return all, nil
		}
	}
}
