// Package engine is what runs build scripts, as toaster sees it. Package reconcile keeps the database in step with it.
package engine

import (
	"context"
	"errors"
	"io"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// State is the state of a build.
type State = store.BuildState

// The states of package store, for engines, which know no database.
const (
	Queued    = store.Queued
	Running   = store.Running
	Succeeded = store.Succeeded
	Failed    = store.Failed
	Aborted   = store.Aborted
	Lost      = store.Lost
)

// DisabledThere is what an engine says of a start of a job that somebody has disabled on the engine itself.
const DisabledThere i18n.Key = "This job was disabled on the build service. Builds wait until it is enabled there."

// Ticket is what an engine gives for a start: it leads to the build's number once the build has one.
// It is unique within the engine, for ever. Jenkins's is the queue item's id.
type Ticket string

// Source is what a script is made from, as a person handed it in. The same source gives the same script: an engine that
// can make it believes no other.
type Source struct {
	Target      string // its name in targets.toml
	Dockerfile  []byte
	Context     string // the build context's digest, lower-case hex; empty: none
	Owner       int64  // the user whose context it is
	BuildArgs   string // K=V a line
	Environment string // K=V a line
	BaseForm    string // one of dockerfile.BaseForms
	RootKeys    string // lines of authorized_keys
	RootHash    string // of root's password, crypt(5)
	Lock        []byte // the images of registries, as package image encodes them; nil: it names none
	Repository  string // where Dockerfile and context were fetched from; empty: nowhere
	Ref, Commit string // what of it
}

// Made is a build script, and what it needs beside it.
type Made struct {
	Script  []byte        // POSIX sh; leaves its artifacts in ./dist
	Context *BuildContext // nil: all is in the script
}

// BuildContext is what a script takes from $TOASTER_CONTEXT.
type BuildContext struct {
	Manifest []byte   // as package buildcontext encodes it; its SHA-256 is in the script
	Files    []string // of it, those that are needed: SHA-256, lower-case hex
	ID       string   // of their archive: see buildcontext.Tar
	Size     int64    // of that, bytes
	// Address is where builds on other hosts get the archive, with GET. It is a secret; empty: they can't.
	Address string
}

// Job is what an engine needs to know to build: a script, what that is made from, and where it may run.
type Job struct {
	Name        string        // unique within the engine, also when letter case is ignored; [A-Za-z0-9._+-]{1,200}
	Owner       string        // whose job it is: an engine that can shares its slots fairly between owners
	Description string        // one line for the administrator: whose job, which target
	Label       string        // which agents can run it; empty for any
	Script      []byte        // POSIX sh; leaves its artifacts in ./dist
	Context     *BuildContext // what it needs beside it; nil: nothing
	Source      Source        // what Script is made from
	TimeLimit   time.Duration // a build running longer is stopped and has failed; 0: as the local engine's runner has it
	OutputLimit int64         // bytes; a build that prints more is stopped and has failed; 0: likewise
}

// ValidName tells whether a job can have a name, which is no path of its own either.
func ValidName(name string) bool {
	for _, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '+' && c != '-' {
			return false
		}
	}
	return name != "" && name != "." && name != ".." && len(name) <= 200
}

// Status is what an engine knows of one job.
type Status struct {
	Enabled bool
	Waiting *Waiting      // the start that waits, if any; an engine holds one per job
	Builds  []BuildStatus // the newest builds, newest first, at most RecentBuilds
}

// RecentBuilds is how many builds of a job a Status carries at most.
const RecentBuilds = 5

// Waiting is a start that has no build number yet.
type Waiting struct {
	Ticket   Ticket
	Since    time.Time
	Position int       // place in the engine's queue, 1 is next; 0 when the engine can't say
	Reason   i18n.Text // why it waits, for a person: "waits for a free slot"
}

// BuildStatus is what an engine knows of one build.
type BuildStatus struct {
	Number    int       // the engine's number, from 1, rising within a job; numbers may be left out
	Ticket    Ticket    // the start that led here
	State     State     // never Queued
	Reason    i18n.Text // why it failed or was aborted, for a person; empty when the log says it
	StartedAt time.Time
	EndedAt   time.Time     // zero while it runs
	Expected  time.Duration // how long builds of this job take; 0 when unknown
}

// Chunk is a part of a build's log.
type Chunk struct {
	Text []byte
	Next int64 // the offset to ask for next
	More bool  // more can come: ask again, also when Text is empty
}

// MaxChunk is the most a Log call returns at once, in bytes.
const MaxChunk = 256 << 10

// Streamer is an Engine to which each Log call is dear, and which can send a log to its end at once.
type Streamer interface {
	// Stream sends the log from an offset on, or, with a negative one, all of it.
	Stream(ctx context.Context, name string, number int, offset int64) (*LogStream, error)
}

// LogStream is a log's text. Where it can't be read to its end, reading fails.
type LogStream struct {
	io.ReadCloser
	Raw  int64 // bytes of the engine's own that were read until now
	Next int64 // the offset of its end; negative, as nobody asked from an offset: unknown
	More bool  // more can come after it
}

// Artifact is a file that a build left in dist/.
type Artifact struct {
	Path   string // relative to dist/, slashes, no "..", never empty
	Size   int64  // bytes
	SHA256 string // lower-case hex; empty when the engine doesn't know it
}

// Range is the part of an artifact to open. The zero Range is all of it; a negative Start counts from
// the end; Length 0 reads to the end.
type Range struct{ Start, Length int64 }

// Of is where the range begins in a file of that size, and how long it is, as RFC 9110, section 14.1.2, has it: what
// reaches beyond the end is shortened, what lies wholly beyond it can't be satisfied.
func (r Range) Of(size int64) (start, length int64, err error) {
	if r == (Range{}) {
		return 0, size, nil
	}
	start = r.Start
	if start < 0 {
		start = max(size+start, 0)
	}
	if start >= size || r.Length < 0 {
		return 0, 0, apperr.New(apperr.InvalidArgument,
			"The requested range is not in the file: it has %d bytes.", "Request the whole file.", size)
	}
	length = size - start
	if r.Length > 0 {
		length = min(length, r.Length)
	}
	return start, length, nil
}

// Stream is an opened artifact, read once and closed by the caller.
type Stream struct {
	io.ReadCloser
	File    string // where the whole artifact lies on this host; empty when it doesn't
	Size    int64  // of the whole artifact, bytes
	Start   int64  // where this stream begins
	Length  int64  // bytes in this stream
	ModTime time.Time
}

// Slots is how many builds one kind of agent can run at once.
type Slots struct {
	Label               string
	Online, Total, Busy int // agents' executors; Total counts those that are offline too
}

// Health is an engine's state, for the front page and for the administrator.
type Health struct {
	Reachable bool
	Message   i18n.Text // for a person; empty when all is well
	Version   string
	Slots     []Slots
	Queue     int // starts that wait
}

// Engine runs builds. One conformance suite (package enginetest) holds for every implementation.
//
// Errors are *apperr.Error of the kinds NotFound, Conflict, Denied, Unavailable (try again), Invalid (a range
// that can't be satisfied) and Broken. Calls keep to ctx's deadline.
type Engine interface {
	// Create defines the job and its script. Doing it twice is no error; a job of the same name gets the new
	// script, and builds that run already go on with theirs.
	Create(ctx context.Context, job Job) error
	// Remove stops a running build, forgets a waiting start, and deletes the job with its logs and artifacts.
	// A job that is gone is no error.
	Remove(ctx context.Context, name string) error
	// SetEnabled lets a job start builds or not. A disabled job's Start is a Conflict; running builds go on, and
	// a start that waits is forgotten.
	SetEnabled(ctx context.Context, name string, enabled bool) error
	// Start asks for a build. While a start of this job waits, another gives the same ticket.
	Start(ctx context.Context, name string) (Ticket, error)
	// Stop ends a running build (number > 0), or forgets the waiting start (number 0). A build that has ended,
	// or nothing waiting, is no error; a build that never was is NotFound.
	Stop(ctx context.Context, name string, number int) error
	// Status asks for any number of jobs in one round trip. Unknown names are left out of the answer.
	Status(ctx context.Context, names ...string) (map[string]Status, error)
	// Log reads the log from an offset that an earlier Chunk gave, or 0. An offset past the end gives an empty
	// chunk whose Next is the end.
	Log(ctx context.Context, name string, number int, offset int64) (Chunk, error)
	// Artifacts lists what a build that succeeded left; of any other, nothing.
	Artifacts(ctx context.Context, name string, number int) ([]Artifact, error)
	// Open streams a part of an artifact.
	Open(ctx context.Context, name string, number int, path string, r Range) (*Stream, error)
	// Health never fails: an engine that is unavailable says so in its answer.
	Health(ctx context.Context) Health
}

// SecretTaker is an Engine that can give secrets to a build.
type SecretTaker interface {
	// StartWith is Start with secrets as Secrets.Seal returns them. The engine forgets them when the build begins, or its
	// start is given up.
	StartWith(ctx context.Context, name string, secrets []byte) (Ticket, error)
}

// Expirer is an Engine that can remove the log and the artifacts of a single build.
type Expirer interface {
	// Expire removes what is left of a build that has ended. One that is gone is no error; one that runs, or that
	// somebody has the engine keep, is a Conflict.
	Expire(ctx context.Context, name string, number int) error
}

// Examiner is an Engine whose Status doesn't tell for certain how a build has ended that its script has not ended.
type Examiner interface {
	// Examine tells of a build that Status shows as Aborted or Lost which of the two it is, and why, for a person.
	Examine(ctx context.Context, name string, number int) (state State, reason i18n.Text, err error)
}

// Keeper is an Engine that may remove builds by itself, or for others, and can be told to keep one.
type Keeper interface {
	// Keep has a build kept, or lets it go again. Doing it twice, or for one that is gone, is no error.
	Keep(ctx context.Context, name string, number int, keep bool) error
}

// Tracer is an Engine whose Status can, for a moment, show neither that a start waits nor the build that it has become.
type Tracer interface {
	// Trace tells what became of a start: Queued (it waits, or is about to become a build), Running with the build's
	// number (which may have ended by now), Aborted (somebody took it out of the queue), or Lost (the engine doesn't
	// know the ticket).
	Trace(ctx context.Context, name string, ticket Ticket) (state State, number int, err error)
}

// ErrOutage is in the errors of an engine that can't be asked for anything now: it doesn't answer, it refuses this
// site's account, or something else answers in its place.
var ErrOutage = errors.New("the build service is unavailable")

// Outage is a time in which an engine is unavailable.
type Outage struct {
	Since   time.Time   `json:"since"`
	Seen    time.Time   `json:"seen"` // when it was found so last
	Kind    apperr.Kind `json:"kind"`
	Message i18n.Stored `json:"message"` // for a person
	Advice  i18n.Stored `json:"advice"`
}

// OutageReporter is an Engine that remembers when it is unavailable.
type OutageReporter interface {
	// Outage returns since when it is unavailable, and why; nil: it has answered last.
	Outage(ctx context.Context) *Outage
}
