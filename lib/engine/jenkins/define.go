package jenkins

import (
	"context"
	"errors"
	"net/http"

	"github.com/bndr/gojenkins"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

// Create defines a job. See engine.Engine.
func (e *Engine) Create(ctx context.Context, job engine.Job) error {
	if !engine.ValidName(job.Name) {
		return apperr.New(apperr.InvalidArgument, "%q is not a valid job name.",
			"Use 1 to 200 letters, digits and . _ + -", job.Name)
	}
	if job.TimeLimit < 0 {
		return apperr.New(apperr.InvalidArgument, "The time limit of a job can't be negative.", "")
	}
	if err := checkContext(job.Context); err != nil {
		return err
	}
	if err := e.createOrUpdate(ctx, job); err != nil {
		return err
	}
	e.addToView(ctx, job.Name)
	return nil
}

// createOrUpdate makes a job, or gives the one that is there its new definition. Whether a createItem that failed has
// made the job is never guessed: Jenkins is asked.
func (e *Engine) createOrUpdate(ctx context.Context, job engine.Job) error {
	var failed error
	for range 3 {
		_, err := e.requester.PostXML(ctx, "/createItem", config(job, false), nil, map[string]string{"name": job.Name})
		if err == nil {
			return nil
		}
		if k := apperr.KindOf(err); k != apperr.AlreadyExists && statusOf(err) != http.StatusInternalServerError {
			return err
		}
		failed = err
		there, err := e.getJob(ctx, job.Name, "description,disabled")
		if apperr.KindOf(err) == apperr.NotFound {
			continue // it was removed meanwhile, or was never made
		}
		if err != nil {
			return err
		}
		if err := e.checkOwner(ctx, there, job.Name); err != nil {
			return err
		}
		_, err = e.requester.PostXML(ctx, path("job", job.Name, "config.xml"), config(job, there.Disabled), nil, nil)
		if apperr.KindOf(err) != apperr.NotFound || err == nil {
			return err
		}
	}
	return failed
}

// jobInfo is a job as Jenkins tells of it. See hudson.model.Job and AbstractProject.
type jobInfo struct {
	Name        string      `json:"name"`
	FullName    string      `json:"fullName"` // with the folders that it is in
	Description string      `json:"description"`
	Disabled    bool        `json:"disabled"`
	Label       string      `json:"labelExpression"`
	NextNumber  int         `json:"nextBuildNumber"`
	Queued      *queueItem  `json:"queueItem"`
	Builds      []buildInfo `json:"builds"`
	Last        *buildInfo  `json:"lastBuild"`
}

// getJob asks for fields of a job. Jenkins finds a job also by its name in other letter case: that one is another.
func (e *Engine) getJob(ctx context.Context, name, fields string) (*jobInfo, error) {
	j := &jobInfo{}
	if !engine.ValidName(name) {
		return nil, errNoJob
	}
	if _, err := e.requester.GetJSON(ctx, path("job", name), j, map[string]string{"tree": "name," + fields}); err != nil {
		if apperr.KindOf(err) == apperr.NotFound {
			return nil, errNoJob
		}
		return nil, err
	}
	if j.Name != name {
		return j, errOtherCase
	}
	return j, nil
}

var (
	errNoJob     = apperr.New(apperr.NotFound, "The build service has no such job.", "")
	errOtherCase = apperr.New(apperr.AlreadyExists,
		"The build service has another job with a name that only differs in upper and lower case.", askAdmin)
)

// checkOwner tells whether a job is toaster's and is called so; else it is somebody else's.
func (e *Engine) checkOwner(ctx context.Context, j *jobInfo, name string) error {
	if isMarked(j.Description, name) {
		return nil
	}
	// Somebody may have edited the description.
	text, err := (&gojenkins.Job{Jenkins: e.jenkins, Base: path("job", name)}).GetConfig(ctx)
	if err != nil && apperr.KindOf(err) != apperr.PermissionDenied {
		return err
	}
	if isMarked(text, name) {
		return nil
	}
	return errNotOurs
}

var errNotOurs = apperr.New(apperr.AlreadyExists,
	"The build service has another job with this name, which was not created by toaster.", askAdmin)

// SetEnabled lets a job start builds or not; Jenkins forgets what waits when it disables a job
// (ParameterizedJobMixIn.makeDisabled). See engine.Engine.
func (e *Engine) SetEnabled(ctx context.Context, name string, enabled bool) error {
	if _, err := e.findJob(ctx, name, "disabled"); err != nil {
		return err
	}
	job := &gojenkins.Job{Jenkins: e.jenkins, Base: path("job", name)}
	var err error
	if enabled {
		_, err = job.Enable(ctx)
	} else {
		_, err = job.Disable(ctx)
	}
	return err
}

// findJob is getJob where a job in other letter case counts as none.
func (e *Engine) findJob(ctx context.Context, name, fields string) (*jobInfo, error) {
	j, err := e.getJob(ctx, name, fields)
	if errors.Is(err, errOtherCase) {
		return nil, errNoJob
	}
	return j, err
}
