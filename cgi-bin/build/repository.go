package main

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"toaster.do/lib/api"
	"toaster.do/lib/engine"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// addRepositoryFields adds those of a form that say where the sources come from, and when a job is built by itself.
func addRepositoryFields(fields web.Fields) web.Fields {
	small := web.Limit{Most: 1 << 10}
	for _, name := range []string{"git_url", "git_ref", "git_folder", "git_submodules", "git_drop_secret", "schedule"} {
		fields[name] = small
	}
	fields["git_key"] = web.Limit{Most: engine.MaxSecret, Secret: true, Hidden: true}
	fields["git_token"] = web.Limit{Most: 4 << 10, Secret: true, Hidden: true}
	return fields
}

// repositoryFields are the names of those whose faults the form shows beside them.
var repositoryFields = []string{"git_url", "git_ref", "git_folder", "git_key", "git_token", "schedule"}

// repository is the part of a form that says where the sources come from.
type repository struct {
	URL, Ref, Folder, Schedule string
	Submodules, DropSecret     bool
	HasSecret                  bool // the job has a key or token
	key, token                 string
	unsaid, noSchedule         bool // nothing was said of it
}

func repositoryOf(v map[string]string) repository {
	_, said := v["git_url"]
	_, scheduled := v["schedule"]
	return repository{URL: strings.TrimSpace(v["git_url"]), Ref: strings.TrimSpace(v["git_ref"]),
		Folder: strings.TrimSpace(v["git_folder"]), Submodules: on(v["git_submodules"]), DropSecret: on(v["git_drop_secret"]),
		Schedule: v["schedule"], key: v["git_key"], token: v["git_token"], unsaid: !said, noSchedule: !scheduled}
}

// RepositoryShown tells whether the form shows the part of the repository.
func (f *form) RepositoryShown() bool {
	return f.Git.URL != "" ||
		slices.ContainsFunc(repositoryFields[:5], func(name string) bool { return f.Fault(name) != nil })
}

// storedRepository fills in what a job has.
func (f *form) storedRepository(g *store.GitSource, s store.Schedule) {
	f.Git.HasSecret = g != nil && g.Secret != nil
	f.Git.Schedule = string(s.Every)
	if g != nil {
		f.Git.URL, f.Git.Ref, f.Git.Folder, f.Git.Submodules = g.URL, g.Ref, g.Folder, g.Submodules
		f.Path = g.Dockerfile
	}
}

// keepRepository is for a program that says nothing of the repository, or the schedule: they stay, unless it sends
// sources itself.
func (f *form) keepRepository(g *store.GitSource, s store.Schedule) {
	f.Git.HasSecret = g != nil && g.Secret != nil
	if f.Git.noSchedule {
		f.Git.Schedule = string(s.Every)
	}
	if g != nil && f.Git.unsaid && f.Text == "" && f.Context == "" && f.archive == nil {
		schedule := f.Git.Schedule
		f.storedRepository(g, s)
		f.Git.Schedule = schedule
	}
}

// repository is what a submission says of it; nil: the sources are sent.
func (f *form) repository() *jobs.Repository {
	g := f.Git
	if g.URL == "" {
		return nil
	}
	return &jobs.Repository{URL: g.URL, Ref: g.Ref, Folder: g.Folder, Dockerfile: f.Path, Submodules: g.Submodules,
		Key: g.key, Token: g.token, KeepSecret: !g.DropSecret}
}

// lookAt has the repository of a job fetched, to see what there is to say of its Dockerfile.
func (j *handlers) lookAt(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	if err := translates(r); err != nil {
		return err
	}
	if err := s.LookAtRepository(r.Context(), r.Identity.User.ID, r.Param("id")); err != nil {
		return err
	}
	return j.done(w, r, http.StatusAccepted, "fetching")
}

// repositoryPage is a job's repository and schedule as its page shows them.
type repositoryPage struct {
	*store.GitSource // nil: the sources are uploaded
	store.Schedule
	Commit   string // of the newest revision; empty: it was not fetched yet
	Waits    bool   // it is being fetched
	Keys     []api.HostKey
	Pointers []string
}

func repositoryOfJob(r *web.Request, s *jobs.Service, id string, newest store.Source, builds []*store.Build) (
	p repositoryPage, err error) {
	if p.GitSource, p.Schedule, err = s.Repository(r.Context(), r.Identity.User.ID, id); err != nil || p.GitSource == nil {
		return p, err
	}
	p.Commit, p.Waits, p.Keys = newest.Commit, p.Wanted, hostKeys(p.HostKeys)
	if p.GitSource.Pointers != "" {
		p.Pointers = strings.Split(p.GitSource.Pointers, "\n")
	}
	for _, b := range builds {
		p.Waits = p.Waits || b.Fetching
	}
	return p, nil
}

// JSON is nil for a job whose sources are uploaded.
func (p *repositoryPage) JSON(r *web.Request) *api.Repository {
	g := p.GitSource
	if g == nil {
		return nil
	}
	out := &api.Repository{URL: g.URL, Ref: g.Ref, Folder: g.Folder, DockerfilePath: g.Dockerfile,
		Submodules: g.Submodules,
		HasSecret:  g.Secret != nil, Commit: p.Commit, FetchedAt: g.FetchedAt, Fetching: p.Waits,
		HostKeys: append([]api.HostKey{}, p.Keys...), LFS: p.Pointers, Problem: r.Say(g.Problem)}
	return out
}

// hostKeys are the keys of a known_hosts(5), with their fingerprints as ssh shows them.
func hostKeys(text string) (list []api.HostKey) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 || strings.HasPrefix(words[0], "#") {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(words[2])
		if err != nil {
			continue
		}
		sum := sha256.Sum256(key)
		list = append(list, api.HostKey{Host: words[0], Type: words[1],
			Fingerprint: "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])})
	}
	return list
}
