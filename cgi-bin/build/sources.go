package main

import (
	"context"
	"net/http"
	"strconv"

	"toaster.do/lib/apperr"
	"toaster.do/lib/jobs"
	"toaster.do/lib/web"
)

// dockerfile, blend and script show what a revision of a job is, or becomes, as plain text.

func (j *handlers) dockerfile(w http.ResponseWriter, r *web.Request) error {
	return j.text(w, r, "Dockerfile", func(s *jobs.Service, ctx context.Context, owner int64, id string,
		revision int) ([]byte, error) {
		rev, err := s.Source(ctx, owner, id, revision)
		if err != nil {
			return nil, err
		}
		return rev.Dockerfile, nil
	})
}

func (j *handlers) blend(w http.ResponseWriter, r *web.Request) error {
	if err := translates(r); err != nil {
		return err
	}
	return j.text(w, r, r.Param("id")+".blend", (*jobs.Service).Blend)
}

func (j *handlers) script(w http.ResponseWriter, r *web.Request) error {
	if err := translates(r); err != nil {
		return err
	}
	return j.text(w, r, r.Param("id")+".sh", func(s *jobs.Service, ctx context.Context, owner int64, id string,
		revision int) ([]byte, error) {
		rev, err := s.Source(ctx, owner, id, revision)
		if err != nil {
			return nil, err
		}
		if rev.Root.Password != "" && !r.Identity.MayWrite() {
			return nil, apperr.New(apperr.PermissionDenied,
				"The build script contains the hash of the root password, so this token can't read it.",
				"Use a token with the scope “write”.")
		}
		return s.Script(ctx, owner, id, revision)
	})
}

func (j *handlers) text(w http.ResponseWriter, r *web.Request, name string,
	get func(s *jobs.Service, ctx context.Context, owner int64, id string, revision int) ([]byte, error)) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	number, err := revision(r)
	if err != nil {
		return err
	}
	text, err := get(s, r.Context(), r.Identity.User.ID, r.Param("id"), number)
	if err != nil {
		return err
	}
	return r.Text(w, text, name)
}

// revision is the one that ?revision= asks for; 0 is the newest.
func revision(r *web.Request) (int, error) {
	asked := r.URL.Query().Get("revision")
	if asked == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(asked)
	if err != nil || n < 1 {
		return 0, apperr.New(apperr.NotFound, "This revision does not exist.", "See the page of the job.")
	}
	return n, nil
}
