package jobs

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/gitsource"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// Git is how this site fetches repositories.
type Git struct {
	Allow     []string                      // HOST:PORT: see gitsource.Options
	SiteKeys  func() (string, error)        // lines of known_hosts(5)
	Dir       string                        // where they are fetched
	TimeLimit time.Duration                 // of a fetch
	Proxies   []string                      // NAME=VALUE
	Seals     func() (engine.Sealer, error) // for keys and tokens
}

// Repository is what a form says of the Git repository that a job's sources come from: raw input.
type Repository struct {
	URL, Ref, Folder string
	Dockerfile       string // its path in the folder; empty: where it is usually
	Submodules       bool
	Key              string // a deploy key, for ssh; empty: none, or with KeepSecret the one that was before
	Token            string // likewise, for https: a token, or USER:PASSWORD
	KeepSecret       bool
}

// secret is the key, with the line ends of a file, or the token.
func (g *Repository) secret() string {
	return cmp.Or(strings.ReplaceAll(strings.TrimSpace(g.Key), "\r\n", "\n"), strings.TrimSpace(g.Token))
}

// gitStore is what repositories and schedules need of the database.
type gitStore interface {
	DueFetches(ctx context.Context) (due []store.Fetch, err error)
	DueSchedules(ctx context.Context, now time.Time, most int) (due []store.Due, err error)
	BuildSecrets(ctx context.Context, b *store.Build) (sealed []byte, err error)
	Fetched(ctx context.Context, f store.Fetch, base int, r *store.Revision, refused i18n.Text, most int64,
		now time.Time) error
	FetchFailed(ctx context.Context, f store.Fetch, problem i18n.Text, now time.Time) error
	FetchWanted(ctx context.Context, f store.Fetch) (wanted bool, err error)
	GitSource(ctx context.Context, owner int64, id string) (*store.GitSource, error)
	Schedule(ctx context.Context, owner int64, id string) (s store.Schedule, err error)
	SetScheduled(ctx context.Context, b *store.Build) error
	SettleDue(ctx context.Context, id string, taken, next time.Time, problem i18n.Text) error
	TakeDue(ctx context.Context, d store.Due, again time.Time) (taken bool, err error)
	WantFetch(ctx context.Context, owner int64, id string) error
}

// examineGit is examine for a submission whose Dockerfile is in a repository: it is looked at when that was fetched.
func (s *Service) examineGit(ctx context.Context, owner int64, sub Submission) (w *work,
	wrong []*apperr.Error, err error) {
	sub.Dockerfile, sub.Context = nil, ""
	sub.Origin = strings.TrimSuffix(strings.TrimRight(sub.Git.URL, "/"), ".git")
	if colon := strings.LastIndexByte(sub.Origin, ':'); colon >= 0 && !strings.Contains(sub.Origin, "://") {
		sub.Origin = sub.Origin[colon+1:]
	}
	w, wrong, err = s.examine(ctx, owner, sub, false)
	if err != nil {
		return nil, nil, err
	}
	wrong = slices.DeleteFunc(wrong, func(f *apperr.Error) bool { return f.Field == "dockerfile" })
	return w, append(wrong, apperr.All(s.checkRepository(sub.Git))...), nil
}

// checkRepository says the first that is wrong with each field.
func (s *Service) checkRepository(g *Repository) error {
	var wrong []*apperr.Error
	bad := func(err error) {
		if err != nil {
			wrong = append(wrong, apperr.Of(err))
		}
	}
	a, err := gitsource.ParseAddress(g.URL)
	if err == nil {
		err = a.Allowed(s.Git.Allow)
	}
	bad(err)
	bad(gitsource.CheckRef(g.Ref))
	bad(gitsource.CheckPath("git_folder", g.Folder))
	bad(gitsource.CheckPath("dockerfile_path", g.Dockerfile))
	if err == nil {
		bad(g.checkKey(a))
		bad(g.checkToken(a))
	}
	if len(wrong) == 0 {
		return nil
	}
	return &Rejected{Faults: wrong}
}

func (g *Repository) checkKey(a gitsource.Address) error {
	key := strings.TrimSpace(g.Key)
	if key == "" {
		return nil
	}
	if a.Scheme != "ssh" {
		return apperr.New(apperr.InvalidArgument, "Deploy keys are for ssh addresses.",
			"Enter a token instead, or the ssh address of the repository.").At("git_key")
	}
	if why := badKey([]byte(key)); why != "" {
		return apperr.New(apperr.InvalidArgument, "%s", "%s", i18n.T(why),
			i18n.T("Give a private key in OpenSSH's format, without a passphrase, as ssh-keygen makes it with -N ''.")).
			At("git_key")
	}
	return nil
}

func (g *Repository) checkToken(a gitsource.Address) error {
	token := strings.TrimSpace(g.Token)
	switch {
	case token == "":
	case a.Scheme == "ssh":
		return apperr.New(apperr.InvalidArgument, "Tokens are for https addresses.",
			"Enter a deploy key instead, or the https address of the repository.").At("git_token")
	case a.Scheme == "git":
		return apperr.New(apperr.InvalidArgument, "The git protocol has no authentication.", "Use an https or ssh address.").
			At("git_token")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r == 0x7f }) || len(token) > 4<<10:
		return apperr.New(apperr.InvalidArgument, "This is not a token.", "Enter a token, or USER:PASSWORD.").At("git_token")
	}
	return nil
}

// ParseEvery reads how often a job is built by itself.
func ParseEvery(text string) (store.Every, error) {
	every := store.Every(strings.TrimSpace(text))
	if text == "never" {
		every = store.Never
	}
	if !every.Valid() {
		return "", refuse(apperr.InvalidArgument, "schedule", "There is no schedule %q.",
			"Use day, week or month, or leave it out.", text)
	}
	return every, nil
}

// origin is what is stored of where a job's sources come from. old is the repository that it had before; nil: none.
func (s *Service) origin(sub Submission, job string, old *store.GitSource) (*store.Origin, error) {
	every, err := ParseEvery(sub.Schedule)
	if err != nil {
		return nil, err
	}
	o := &store.Origin{Schedule: store.Schedule{Every: every, NextAt: nextTime(job, every, s.Now())}}
	g := sub.Git
	if g == nil {
		return o, nil
	}
	o.Git = &store.GitSource{JobID: job, URL: g.URL, Ref: g.Ref, Folder: strings.Trim(g.Folder, "/"),
		Dockerfile: g.Dockerfile, Submodules: g.Submodules}
	switch {
	case g.secret() != "":
		seals, err := s.Git.Seals()
		if err != nil {
			return nil, err
		}
		o.Git.Secret = seals.Seal([]byte(g.secret()), []byte(job))
	case g.KeepSecret && old != nil && sameServer(old.URL, g.URL):
		o.Git.Secret = old.Secret
	}
	return o, nil
}

// sameServer tells whether a key or token for one address may be used for another: who edits the address does not get
// it sent elsewhere.
func sameServer(a, b string) bool {
	one, err := gitsource.ParseAddress(a)
	other, err2 := gitsource.ParseAddress(b)
	return err == nil && err2 == nil && one.Scheme == other.Scheme && one.Endpoint() == other.Endpoint()
}

// prepareGit makes what is stored of a submission whose Dockerfile is in a repository: a revision without one, until
// that is fetched.
func (s *Service) prepareGit(ctx context.Context, owner int64, sub Submission) (*work, error) {
	w, wrong, err := s.examineGit(ctx, owner, sub)
	if err != nil {
		return nil, err
	}
	if len(wrong) > 0 {
		return nil, &Rejected{Faults: wrong}
	}
	w.root, err = rootAccess(sub, w.target)
	return w, err
}

// Repository returns the repository and the schedule of an owner's job.
func (s *Service) Repository(ctx context.Context, owner int64, id string) (g *store.GitSource, every store.Schedule,
	err error) {
	if g, err = s.Store.GitSource(ctx, owner, id); err != nil {
		return nil, every, err
	}
	every, err = s.Store.Schedule(ctx, owner, id)
	return g, every, err
}

// LookAtRepository has the repository of a job fetched, though nothing is built.
func (s *Service) LookAtRepository(ctx context.Context, owner int64, id string) error {
	if _, err := s.Store.Job(ctx, owner, id); err != nil {
		return err
	}
	g, err := s.Store.GitSource(ctx, owner, id)
	if err != nil {
		return err
	}
	if g == nil {
		return apperr.New(apperr.FailedPrecondition, "This job has no repository.", "Edit it to enter one.")
	}
	return s.Store.WantFetch(ctx, owner, id)
}
