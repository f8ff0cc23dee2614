package jobs

import (
	"bytes"

	"toaster.do/lib/apperr"
)

// FindDockerfile fills a submission's Dockerfile from its context, an archive of a whole project, where none was sent;
// asked is its name in the archive, or empty. It returns the name; empty: the submission has a Dockerfile of its own,
// or no context. What is wrong is a *Rejected.
func (s *Service) FindDockerfile(owner int64, sub *Submission, asked string) (name string, err error) {
	if len(bytes.TrimSpace(sub.Dockerfile)) > 0 || sub.Context == "" {
		return "", nil
	}
	context, err := s.context(owner, sub.Context)
	if err != nil {
		return "", reject(err, "context")
	}
	name, text, err := context.FindDockerfile(asked)
	if err != nil {
		return "", &Rejected{Faults: []*apperr.Error{apperr.Of(err)}}
	}
	sub.Dockerfile = text
	return name, nil
}
