package main

import (
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

type jobList struct {
	Owner string `placeholder:"EMAIL" help:"Only list the jobs of this user."`
	JSON  bool   `help:"Print a JSON array."`
}

// jobView is a job as the site's JSON has it, and whose it is.
type jobView struct {
	ID      string           `json:"id"`
	Name    string           `json:"name"`
	Owner   string           `json:"owner"`
	Target  string           `json:"target"`
	Title   string           `json:"target_title"`
	State   store.BuildState `json:"state"`
	Enabled bool             `json:"enabled"`
	Problem string           `json:"problem,omitempty"`
	Created time.Time        `json:"created_at"`
	Builds  []buildView      `json:"builds,omitempty"`
}

type buildView struct {
	Number      int              `json:"number"`
	State       store.BuildState `json:"state"`
	Reason      string           `json:"reason,omitempty"`
	QueuedAt    time.Time        `json:"queued_at"`
	StartedAt   time.Time        `json:"started_at,omitzero"`
	EndedAt     time.Time        `json:"ended_at,omitzero"`
	ExpectedEnd time.Time        `json:"expected_end,omitzero"`
	Step        int              `json:"step"`
	Steps       int              `json:"steps"`
	Artifacts   []artifactView   `json:"artifacts"`
}

type artifactView struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

func viewJob(j *store.Job, owner string) jobView {
	return jobView{ID: j.ID, Name: j.Name, Owner: owner, Target: j.Target, Title: j.TargetTitle, State: j.State(), Enabled: j.Enabled, Problem: j.EngineError, Created: j.CreatedAt}
}

func viewBuild(b *store.Build, artifacts []store.Artifact) buildView {
	v := buildView{
		Number: b.Number, State: b.State, Reason: b.Why(), QueuedAt: b.QueuedAt, StartedAt: b.StartedAt, EndedAt: b.EndedAt,
		ExpectedEnd: b.ExpectedEnd(), Step: b.Step, Steps: b.Steps, Artifacts: []artifactView{},
	}
	for _, a := range artifacts {
		v.Artifacts = append(v.Artifacts, artifactView(a))
	}
	return v
}

func (jobList) Help() string {
	return "Shows the states in the database, which “toasterctl sync” updates every minute. “job status” asks the engine."
}

func (c *jobList) Run(w *world) error {
	return w.withService(func(_ *config.Config, s *site) error {
		views, err := c.views(w, s.DB)
		if err != nil {
			return err
		}
		if c.JSON {
			return writeJSON(w.out, views)
		}
		rows := [][]string{{"ID", "OWNER", "TARGET", "STATE", "CREATED", "NAME"}}
		for _, v := range views {
			state := string(v.State)
			if !v.Enabled {
				state += ", disabled"
			}
			rows = append(rows, []string{v.ID, v.Owner, v.Target, state, day(v.Created), v.Name})
		}
		return w.table(rows)
	})
}

func (c *jobList) views(w *world, db *store.DB) ([]jobView, error) {
	views := []jobView{}
	if c.Owner != "" {
		p, err := db.UserByEmail(w.ctx, c.Owner)
		if err != nil {
			return nil, orSee(err, "user list")
		}
		page, err := db.Jobs(w.ctx, p.ID, store.JobQuery{})
		for _, j := range page.Jobs {
			views = append(views, viewJob(j, p.Email))
		}
		return views, err
	}
	people, err := db.Users(w.ctx)
	if err != nil {
		return nil, err
	}
	emails := map[int64]string{}
	for _, p := range people {
		emails[p.ID] = p.Email
	}
	jobs, err := db.AllJobs(w.ctx)
	for _, j := range jobs {
		views = append(views, viewJob(j, emails[j.UserID]))
	}
	return views, err
}
