// Package api is the JSON of jobs: a contract with programs.
package api

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/store"
)

// Job is a job in JSON.
type Job struct {
	ID       string           `json:"id"`
	URL      string           `json:"url,omitempty"` // see At
	Name     string           `json:"name"`
	Target   string           `json:"target"`
	Title    string           `json:"target_title"` // for people
	State    store.BuildState `json:"state"`
	Enabled  bool             `json:"enabled"`
	Revision int              `json:"revision"`
	Builds   []Build          `json:"builds"`
	Images   []Image          `json:"images,omitempty"`  // of registries, that the Dockerfile names; not in the list
	Secrets  []Secret         `json:"secrets,omitempty"` // that a build is given, or must be; not in the list

	// where its sources come from; left out: they are uploaded. Not in the list
	Repository *Repository `json:"repository,omitempty"`
	Schedule   *Schedule   `json:"schedule,omitempty"` // when it is built by itself; not in the list

	RootPassword string `json:"root_password,omitempty"` // a new one, in the answer to what made it
	// why it isn't being built, in the answer to what asked for that
	StartError *Problem `json:"start_error,omitempty"`
}

// Repository is the Git repository of a job in JSON. Its key or token is never told.
type Repository struct {
	URL            string    `json:"git_url"`
	Ref            string    `json:"git_ref"`
	Folder         string    `json:"git_folder"`
	DockerfilePath string    `json:"dockerfile_path"`
	Submodules     bool      `json:"git_submodules"`
	HasSecret      bool      `json:"has_secret"`
	Commit         string    `json:"commit,omitempty"`       // of the newest revision
	FetchedAt      time.Time `json:"fetched_at,omitzero"`    // when it was tried last
	Fetching       bool      `json:"fetching"`               // it is going to be fetched
	Problem        string    `json:"problem,omitempty"`      // why it was not fetched then
	HostKeys       []HostKey `json:"host_keys"`              // of the SSH server, as they were first seen
	LFS            []string  `json:"lfs_pointers,omitempty"` // files whose contents Git LFS has
}

// HostKey is the key of an SSH server.
type HostKey struct {
	Host        string `json:"host"`
	Type        string `json:"type"`
	Fingerprint string `json:"fingerprint"`
}

// Schedule is in JSON when a job is built by itself.
type Schedule struct {
	Every   store.Every `json:"every"` // day, week, month
	NextAt  time.Time   `json:"next_at"`
	Problem string      `json:"problem,omitempty"` // why it was not built last time
}

// Source is in JSON what a build was fetched from.
type Source struct {
	Repository string `json:"repository"`
	Ref        string `json:"ref"` // that was asked for; empty: the default branch
	Commit     string `json:"commit"`
}

// SourceOf is nil for what was uploaded.
func SourceOf(s store.Source) *Source {
	if s.Commit == "" {
		return nil
	}
	out := Source(s)
	return &out
}

// Secret is what a build is given, in JSON.
type Secret struct {
	Name     string `json:"name"`
	Required bool   `json:"required"`
}

// Image is an image of a registry in JSON.
type Image struct {
	Reference string    `json:"reference"`
	Platform  string    `json:"platform"`
	Digest    string    `json:"digest,omitempty"` // of the platform's manifest; left out: it was not found yet
	Size      int64     `json:"size"`
	LookedAt  time.Time `json:"looked_up_at"`
	Problem   *Problem  `json:"problem,omitempty"` // why it was not found then
}

// Problem says in JSON why something was not done: a job that is stored is not being built, or an image was not found.
type Problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"`
}

// Build is a build in JSON.
type Build struct {
	Number      int              `json:"number"`
	URL         string           `json:"url,omitempty"` // see At
	LogURL      string           `json:"log_url,omitempty"`
	Revision    int              `json:"revision"`
	State       store.BuildState `json:"state"`
	Reason      string           `json:"reason,omitempty"`
	QueuedAt    *time.Time       `json:"queued_at"`
	StartedAt   *time.Time       `json:"started_at"`
	EndedAt     *time.Time       `json:"ended_at"`
	Step        int              `json:"step"`
	Steps       int              `json:"steps"`
	ExpectedEnd *time.Time       `json:"expected_end"`
	QueuePlace  int              `json:"queue_place"` // 0: it doesn't wait, or that is unknown
	Stopping    bool             `json:"stopping"`
	Kept        bool             `json:"kept"`
	Scheduled   bool             `json:"scheduled,omitempty"` // the job's schedule queued it
	Source      *Source          `json:"source,omitempty"`    // what it is made from; left out: uploaded files
	// the interrupted build that this one was queued for by itself
	Repeats    int        `json:"repeats,omitempty"`
	RepeatedBy int        `json:"repeated_by,omitempty"` // the build that was queued for this interrupted one
	Timeline   []Span     `json:"timeline,omitempty"`
	Artifacts  []Artifact `json:"artifacts,omitzero"` // left out in the list of jobs
	Failure    *Failure   `json:"failure,omitempty"`  // of one build that has failed, where it is asked for alone
	Next       []Next     `json:"next,omitempty"`     // of one build that has left files, likewise
}

// Next is what to do with the files of a build, in JSON.
type Next struct {
	Title    string   `json:"title"`
	Text     string   `json:"text,omitempty"`
	Commands []string `json:"commands,omitempty"` // lines for a shell, in the folder of the files
}

// Span is a phase of a build in JSON.
type Span struct {
	Name        string           `json:"name"`           // prepare, step, pack, check
	Step        int              `json:"step,omitempty"` // of "step", from 1
	Line        int              `json:"line,omitempty"` // in the Dockerfile
	Instruction string           `json:"instruction,omitempty"`
	State       store.BuildState `json:"state"`
	Seconds     *float64         `json:"seconds"` // null: unknown
	Cached      bool             `json:"cached"`
}

// TimelineOf is a build's timeline.
func TimelineOf(list []reconcile.Span) (out []Span) {
	for _, s := range list {
		j := Span{Name: s.Name, Step: s.Step, Line: s.Line, Instruction: s.Text, State: s.State,
			Cached: s.Cached}
		if s.Timed {
			seconds := float64(s.Took.Milliseconds()) / 1000
			j.Seconds = &seconds
		}
		out = append(out, j)
	}
	return out
}

// Failure is why a build failed, in JSON. What is unknown is left out.
type Failure struct {
	Step        int    `json:"step,omitempty"`
	Line        int    `json:"line,omitempty"` // in the Dockerfile
	Instruction string `json:"instruction,omitempty"`
	ExitCode    int    `json:"exit_code,omitempty"`
	Output      string `json:"output"`          // the last lines that the step printed
	Cause       string `json:"cause,omitempty"` // its name: no-package, network, disk-full, …
	Message     string `json:"message,omitempty"`
	Advice      string `json:"advice,omitempty"`
}

// Artifact is a file that a build left, in JSON.
type Artifact struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	URL    string `json:"url,omitempty"` // see At
}

// ArtifactOf is a file that a build left.
func ArtifactOf(a store.Artifact) Artifact {
	return Artifact{Path: a.Path, Size: a.Size, SHA256: a.SHA256}
}

// At is the job with the addresses of itself, its builds and what they left, on the site at an address without a slash
// at its end.
func (j Job) At(site string) Job {
	j.URL = site + "/jobs/" + j.ID
	for i, b := range j.Builds {
		j.Builds[i] = b.At(site, j.ID)
	}
	return j
}

// At is the build, of a job, with the addresses of itself, its log and what it left.
func (b Build) At(site, job string) Build {
	b.URL = site + "/jobs/" + job + "/builds/" + strconv.Itoa(b.Number)
	b.LogURL = b.URL + "/log"
	for i, a := range b.Artifacts {
		b.Artifacts[i] = a.at(b.URL)
	}
	return b
}

// at is the file with its address below that of its build.
func (a Artifact) at(build string) Artifact {
	parts := strings.Split(a.Path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	a.URL = build + "/artifacts/" + strings.Join(parts, "/")
	return a
}

// Brief is a job with its newest build, for a list.
func Brief(j *store.Job) Job {
	out := JobOf(j)
	if j.Last != nil {
		out.Builds = append(out.Builds, BuildOf(j.Last, nil))
	}
	return out
}

// JobOf is a job without its builds.
func JobOf(j *store.Job) Job {
	return Job{ID: j.ID, Name: j.Name, Target: j.Target, Title: j.TargetTitle.String(), State: j.State(),
		Enabled: j.Enabled, Revision: j.Revision, Builds: []Build{}}
}

// BuildOf is a build; artifacts that are nil are left out.
func BuildOf(b *store.Build, artifacts []store.Artifact) Build {
	out := Build{
		Number: b.Number, Revision: b.Revision, State: b.State, Reason: b.Why().String(), Step: b.Step, Steps: b.Steps,
		QueuedAt: instant(b.QueuedAt), StartedAt: instant(b.StartedAt), EndedAt: instant(b.EndedAt),
		ExpectedEnd: instant(b.ExpectedEnd()),
		Stopping:    b.Stopping(), Kept: b.Kept, Scheduled: b.Scheduled, Repeats: b.Repeats, RepeatedBy: b.RepeatedBy,
	}
	if b.State == store.Queued {
		out.QueuePlace = b.Position
	}
	if artifacts != nil {
		out.Artifacts = []Artifact{}
	}
	for _, a := range artifacts {
		out.Artifacts = append(out.Artifacts, ArtifactOf(a))
	}
	return out
}

// instant is null in JSON for a time that hasn't come.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
